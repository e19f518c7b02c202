"""Pictures of the import state, what differs between two, and who has changed it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._leaks.kinds import (
    Attributes,
    Change,
    Picture,
    author,
    differences,
    leaks,
    locations,
)


class Hostile:
    """Raises from whatever runs its code."""

    __module__ = "somewhere"

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise AssertionError

    def __repr__(self) -> str:
        raise AssertionError

    def __getattr__(self, name: str) -> Any:
        raise AssertionError


@pytest.fixture(autouse=True)
def _sandbox() -> Iterator[None]:
    """Undo what the tests do."""
    with ImportSandbox():
        yield


def test_nothing_has_changed() -> None:
    before = Picture()

    assert before.seems_current()
    assert before.is_same(Picture())
    assert differences(before, Picture()) == []


def test_hostile_objects_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "first", Hostile())  # type: ignore[arg-type]
    sys.meta_path.append(Hostile())  # type: ignore[arg-type]
    before = Picture()
    sys.modules["first"] = Hostile()  # type: ignore[assignment]
    sys.meta_path[-1] = Hostile()  # type: ignore[assignment]
    sys.path_hooks.append(Hostile())  # type: ignore[arg-type]

    found = [(each.kind, each.name) for each in differences(before, Picture())]

    assert found == [
        ("modules", "first"),
        ("meta_path", "Hostile"),
        ("meta_path", "Hostile"),
        ("path_hooks", "Hostile"),
    ]


def test_keys_that_are_no_names_are_passed_over() -> None:
    before = Picture()
    sys.modules[1] = sys  # type: ignore[index]
    with_key = Picture()
    del sys.modules[1]  # type: ignore[arg-type]

    assert differences(before, with_key) == []
    assert differences(with_key, Picture()) == []


def test_glance_sees_what_came() -> None:
    before = Picture()
    sys.path.append("somewhere")

    assert not before.seems_current()


def test_finders_of_this_package_are_none_of_the_tests() -> None:
    before = Picture()
    sys.meta_path.reverse()
    sys.meta_path.reverse()
    watcher = sys.meta_path.pop(0)
    sys.meta_path.insert(1, watcher)

    assert differences(before, Picture()) == []


def test_change_keeps_no_module_alive() -> None:
    module = ModuleType("short_lived")
    change = Change("modules", "short_lived", "short_lived", module, module).without_modules()
    assert change.was is change.now is module

    del module

    assert change.was is not change.now


def test_attributes_are_compared_by_identity() -> None:
    package, part = ModuleType("package"), ModuleType("package.part")
    package.part = part  # type: ignore[attr-defined]
    sys.modules.update({"package": package, "package.part": part, "package.fake": Hostile()})  # type: ignore[dict-item]
    attributes = Attributes()
    attributes.look()

    assert attributes.changes() == []
    package.part = Hostile()  # type: ignore[attr-defined]
    assert [each.name for each in attributes.changes()] == ["package.part"]
    assert attributes.changes() == []
    del package.part  # type: ignore[attr-defined]
    assert [each.name for each in attributes.changes()] == ["package.part"]


def test_author_is_who_made_the_last_change() -> None:
    before = Picture()
    sys.path.append("somewhere")
    first = Picture()
    sys.path.remove("somewhere")
    second = Picture()
    sys.path.append("somewhere")
    third = Picture()
    (change,) = differences(before, third)
    for picture in (before, first, second, third):
        picture.is_temporary = False

    timeline = [(None, before), ("first", first), ("second", second), ("third", third), ("last", third)]

    assert author(change, timeline) == "third"
    assert author(change, timeline[:1]) is None


def test_nobody_is_the_author_of_what_a_sandbox_undoes() -> None:
    before = Picture()
    sys.path.append("somewhere")
    after = Picture()
    (change,) = differences(before, after)

    assert after.is_temporary
    assert author(change, [(None, before), ("first", after)]) is None


def test_import_explains_its_own_change_alone() -> None:
    one, two = object(), object()
    by_import = Change("modules", "name", "name", one, two)

    assert leaks([Change("modules", "name", "name", one, two)], [by_import], lambda path: False) == []
    assert leaks([Change("modules", "name", "name", one, object())], [by_import], lambda path: False)
    assert leaks([Change("meta_path", "name", 1, 0, 1)], [by_import], lambda path: False)


def test_order_that_an_import_has_changed() -> None:
    sys.path.append("first")
    before = Picture()
    sys.path.append(sys.path.pop(0))
    changes = differences(before, Picture())

    assert leaks(changes, changes, lambda path: False) == []
    assert leaks(changes, [], lambda path: False) == changes


def test_locations_of_a_namespace_package() -> None:
    package = ModuleType("package")
    package.__spec__ = ModuleSpec("package", None, is_package=True)
    package.__spec__.submodule_search_locations = ["one", "two"]

    assert locations(package) == ["one", "two"]
    assert locations(sys) == []


def test_submodule_that_changes_in_another_way_than_its_package_is_told_apart() -> None:
    package, part = ModuleType("package"), ModuleType("package.part")
    package.__spec__, part.__spec__ = ModuleSpec("package", None), ModuleSpec("package.part", None)
    changes = [
        Change("modules", "package", "package", package, object()),
        Change("modules", "package.part", "package.part", part, part),
        Change("modules", "package.other", "package.other", part, object()),
    ]

    found = leaks(changes[::2], [], lambda path: False)
    apart = leaks([changes[0], Change("modules", "package.part", "package.part", part, None)], [], bool)
    gone = [changes[0], Change("modules", "package.part", "package.part", part, MISSING)]

    assert [(each.name, each.submodules) for each in found] == [("package", 1)]
    assert [(each.name, each.submodules) for each in apart] == [("package", 1)]
    assert [each.name for each in leaks(gone, [], lambda path: False)] == ["package", "package.part"]


def test_finder_whose_class_does_not_tell_where_it_is_from() -> None:
    class Meta(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise AssertionError

    class Nameless(metaclass=Meta):
        pass

    before = Picture()
    sys.meta_path.append(Nameless())  # type: ignore[arg-type]

    assert [each.kind for each in differences(before, Picture())] == ["meta_path"]
