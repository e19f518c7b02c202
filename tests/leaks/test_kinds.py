"""What pictures show of each kind of leak, and which changes are leaks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._leaks.changes import By, Change, Kind, Period, Picture
from pytest_importsandbox._leaks.kinds import KINDS, MODULES
from pytest_importsandbox._leaks.lookups import Lookups

META_PATH = KINDS[2]


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


class Suite:
    """A run of pytest that has nothing to do with what is tested."""

    def is_temporary(self, file: str) -> bool:
        return False

    def is_plugin(self, module: object) -> bool:
        return False

    def is_test_file(self, name: str) -> bool:
        return False

    def roots(self, file: Path) -> list[Path]:
        return []


@pytest.fixture(autouse=True)
def _sandbox() -> Iterator[None]:
    """Undo what the tests do."""
    with ImportSandbox():
        yield


def differences(before: Picture, after: Picture | None = None) -> list[Change]:
    """Every place that differs, of whatever kind; from now, if no picture is given."""
    changes = before.changes(Picture(KINDS) if after is None else after)
    return [change for kind in KINDS for change in changes[kind]]


def leaks(changes: Iterable[Change], imports: Iterable[Change] = ()) -> list[Change]:
    """Those changes that imports did not make themselves, as many as belong together."""
    period = Period("test", Picture(KINDS), Suite(), [], None)
    period.imports += imports
    changes = list(changes)
    kinds: dict[Kind, None] = dict.fromkeys(change.kind for change in changes)
    return [
        change
        for kind in kinds
        for change in kind.joined(
            [each for each in changes if each.kind is kind and not kind.is_by_import(each, period)]
        )
    ]


def test_nothing_has_changed() -> None:
    before = Picture(KINDS)

    assert before.seems_current()
    assert differences(before) == []


def test_hostile_objects_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "first", Hostile())  # type: ignore[arg-type]
    sys.meta_path.append(Hostile())  # type: ignore[arg-type]
    before = Picture(KINDS)
    sys.modules["first"] = Hostile()  # type: ignore[assignment]
    sys.meta_path[-1] = Hostile()  # type: ignore[assignment]
    sys.path_hooks.append(Hostile())  # type: ignore[arg-type]

    found = [(each.kind.name, each.name) for each in differences(before)]

    assert found == [
        ("modules", "first"),
        ("meta_path", "Hostile"),
        ("meta_path", "Hostile"),
        ("path_hooks", "Hostile"),
    ]


def test_keys_that_are_no_names_are_passed_over() -> None:
    before = Picture(KINDS)
    sys.modules[1] = sys  # type: ignore[index]
    with_key = Picture(KINDS)
    del sys.modules[1]  # type: ignore[arg-type]

    assert differences(before, with_key) == []
    assert differences(with_key) == []


def test_glance_sees_what_came() -> None:
    before = Picture(KINDS)
    sys.path.append("somewhere")

    assert not before.seems_current()


def test_finders_of_this_package_are_none_of_the_tests() -> None:
    before = Picture(KINDS)
    sys.meta_path.reverse()
    sys.meta_path.reverse()
    watcher = sys.meta_path.pop(0)
    sys.meta_path.insert(1, watcher)

    assert differences(before) == []


def test_change_keeps_no_module_alive() -> None:
    module = ModuleType("short_lived")
    change = Change(MODULES, "short_lived", "short_lived", module, module).without_modules()
    assert change.was is change.now is module

    del module

    assert change.was is not change.now


def test_author_is_who_made_the_last_change() -> None:
    before = Picture(KINDS)
    sys.path.append("somewhere")
    first = Picture(KINDS)
    sys.path.remove("somewhere")
    second = Picture(KINDS)
    sys.path.append("somewhere")
    third = Picture(KINDS)
    (change,) = differences(before, third)
    for picture in (before, first, second, third):
        picture.is_undone = False
    period = Period("test", before, Suite(), [], None)
    assert period.author(change) is None

    period.timeline += [(By("1"), first), (By("2"), second), (By("3"), third), (By("4"), third)]

    assert period.author(change) == By("3")


def test_nobody_is_the_author_of_what_a_sandbox_undoes() -> None:
    before = Picture(KINDS)
    sys.path.append("somewhere")
    after = Picture(KINDS)
    (change,) = differences(before, after)

    period = Period("test", before, Suite(), [], None)
    period.timeline.append((By("call"), after))

    assert after.is_undone
    assert period.author(change) is None


def test_import_explains_its_own_change_alone() -> None:
    one, two = object(), object()
    by_import = Change(MODULES, "name", "name", one, two)

    assert leaks([Change(MODULES, "name", "name", one, two)], [by_import]) == []
    assert leaks([Change(MODULES, "name", "name", one, object())], [by_import])
    assert leaks([Change(META_PATH, "name", 1, 0, 1)], [by_import])


def test_order_that_an_import_has_changed() -> None:
    sys.path.append("first")
    before = Picture(KINDS)
    sys.path.append(sys.path.pop(0))
    changes = differences(before)

    assert leaks(changes, changes) == []
    assert leaks(changes, []) == changes


def with_spec(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    return module


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        pytest.param(object(), [("package", 1)], id="replaced as well"),
        pytest.param(None, [("package", 1)], id="blocked"),
        pytest.param(MISSING, [("package", 0), ("package.part", 0)], id="removed"),
        pytest.param(with_spec("package.part"), [("package", 0), ("package.part", 0)], id="another copy"),
    ],
)
def test_submodule_goes_with_its_package_if_it_changes_in_the_same_way(
    part: object, shown: list[tuple[str, int]]
) -> None:
    changes = [
        Change(MODULES, "package", "package", with_spec("package"), object()),
        Change(MODULES, "package.part", "package.part", with_spec("package.part"), part),
    ]

    assert [(each.name, each.submodules) for each in leaks(changes)] == shown


def test_finder_whose_class_does_not_tell_where_it_is_from() -> None:
    class Meta(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise AssertionError

    class Nameless(metaclass=Meta):
        pass

    before = Picture(KINDS)
    sys.meta_path.append(Nameless())  # type: ignore[arg-type]

    assert [each.kind.name for each in differences(before)] == ["meta_path"]


def test_entry_that_is_there_very_often() -> None:
    """Equal numbers above 256 are not one object."""
    sys.path += ["somewhere"] * 300
    before = Picture(KINDS)
    sys.path.append("somewhere")
    after = Picture(KINDS)

    (change,) = differences(before, after)

    assert (change.was, change.now) == (300, 301)
    assert change.is_in(after)
    assert not change.is_in(before)


@pytest.mark.parametrize("kind", KINDS[2:5], ids=lambda kind: kind.name)
def test_whoever_asks_finders_for_anything_has_met_them(kind: Kind) -> None:
    change = Change(kind, "name", "name", 0, 1)

    assert kind.is_met(change, Lookups(["anything"], []))
    assert not kind.is_met(change, Lookups([], []))


def test_names_of_the_kinds_are_those_of_the_documentation() -> None:
    """Settings and files for tools have them."""
    assert [kind.name for kind in KINDS] == [
        "modules",
        "path",
        "meta_path",
        "path_hooks",
        "finder_methods",
        "reload",
        "attribute",
    ]
