"""What packages have under the names of their submodules: the index, and what a snapshot notes of it."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.attributes import SubmoduleAttributes
from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._sandbox.sandbox import suspended

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]


class UnseenFinder:
    """Finds what is on the path before the watcher is asked."""

    find_spec = staticmethod(importlib.machinery.PathFinder.find_spec)


def import_unseen(name: str) -> ModuleType:
    """Import a module so that the watcher does not hear of it, and leave no trace in `sys.meta_path`."""
    sys.meta_path.insert(0, UnseenFinder)  # type: ignore[arg-type]
    try:
        return importlib.import_module(name)
    finally:
        del sys.meta_path[0]


@pytest.fixture
def package(write_modules: Write) -> ModuleType:
    """A package with the submodules `one`, `two` and `three`, which are loaded."""
    write_modules({"pkg/__init__.py": "", "pkg/one.py": "", "pkg/two.py": "", "pkg/three.py": ""})
    for name in ("pkg.one", "pkg.two", "pkg.three"):
        importlib.import_module(name)
    return sys.modules["pkg"]


# The index


@pytest.fixture
def known(package: ModuleType) -> SubmoduleAttributes:
    """What is known of the package."""
    known = SubmoduleAttributes()
    known.look_at(["pkg", "pkg.one", "pkg.two", "pkg.three"], sys.modules)
    return known


def test_nothing_has_changed_at_first(known: SubmoduleAttributes) -> None:
    assert known.changes() == []


def test_attribute_that_is_another_object_has_changed(
    known: SubmoduleAttributes, package: ModuleType
) -> None:
    one = package.one
    package.one = None

    assert known.changes() == [("pkg.one", one, None)]
    assert known.has_changed("pkg.one")
    assert not known.has_changed("pkg.two")


def test_attribute_that_is_gone_has_changed(known: SubmoduleAttributes, package: ModuleType) -> None:
    one = package.one
    del package.one

    assert known.changes() == [("pkg.one", one, MISSING)]


def test_change_is_none_any_more_after_another_look(known: SubmoduleAttributes, package: ModuleType) -> None:
    assert known.changes() == []
    package.one = None

    known.look_at(["pkg.one"], sys.modules)

    assert known.changes() == []


def test_module_that_is_gone_can_be_looked_at_again(known: SubmoduleAttributes, package: ModuleType) -> None:
    one = package.one
    del sys.modules["pkg.one"], package.one

    known.look_again(["pkg.one"])
    package.one = one

    assert known.changes() == [("pkg.one", MISSING, one)]


def test_module_that_is_gone_is_forgotten(known: SubmoduleAttributes, package: ModuleType) -> None:
    assert known.changes() == []
    del sys.modules["pkg.one"], package.one

    known.look_at(["pkg.one"], sys.modules)
    known.look_at(["pkg.one"], sys.modules)

    assert known.changes() == []
    assert not known.has_changed("pkg.one")


def test_attribute_that_was_absent_is_watched_unless_that_is_forgotten(
    known: SubmoduleAttributes, package: ModuleType
) -> None:
    one = package.one
    del package.one
    known.look_at(["pkg.one"], sys.modules)
    package.one = one

    assert known.changes() == [("pkg.one", MISSING, one)]

    known.look_again(["pkg.one"])
    del package.one
    known.look_again(["pkg.one"])
    known.forget_absent()
    package.one = one

    assert known.changes() == []


def test_what_stands_in_place_of_a_submodule_is_found(
    known: SubmoduleAttributes, package: ModuleType
) -> None:
    package.one = None
    known.look_at(["pkg.one"], sys.modules)

    found = known.find_instead("pkg.one", vars(package))

    assert found is not None
    assert found.value is None
    assert known.find_instead("pkg.two", vars(package)) is None
    assert known.find_instead("pkg.one", vars(package).copy()) is None


def test_submodule_that_is_loading_is_not_known(known: SubmoduleAttributes, package: ModuleType) -> None:
    one = package.one
    del package.one
    one.__spec__._initializing = True
    known.look_at(["pkg.one"], sys.modules)
    del one.__spec__._initializing
    package.one = one

    assert known.changes() == []


# What a snapshot notes


def test_alias_that_was_there_before_stays(write_modules: Write, picture: Any) -> None:
    """As `os.path` is one: import has not bound it."""
    write_modules(
        {"pkg/__init__.py": "import other, sys\nalias = sys.modules['pkg.alias'] = other", "other.py": ""}
    )
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        # As if everything had been imported unseen.
        sandbox._opened().state.note_unseen(["pkg.alias"])

    assert before.differences() == []


def test_alias_that_was_taken_out_and_put_back_stays(picture: Any) -> None:
    before = picture("os")

    with ImportSandbox():
        sys.modules["os.path"] = sys.modules.pop("os.path")

    assert before.differences() == []


def test_alias_of_the_sandbox_goes(package: ModuleType, picture: Any) -> None:
    before = picture("pkg")

    with ImportSandbox():
        package.alias = sys.modules["pkg.alias"] = package.one  # type: ignore[attr-defined]

    assert before.differences() == []


@pytest.mark.parametrize(
    "names", [["pkg.one"], ["pkg.two", "pkg.one"], ["pkg.three"], ["pkg.two", "pkg.three"]]
)
def test_modules_that_were_taken_out_and_put_back_are_attributes_again(
    names: list[str], package: ModuleType, picture: Any
) -> None:
    before = picture("pkg")

    with ImportSandbox():
        saved = {name: sys.modules.pop(name) for name in names}
        for name in names:
            import_unseen(name)
        sys.modules.update(saved)

        assert all(getattr(package, name[4:]) is not module for name, module in saved.items())

    assert before.differences() == []


def test_attribute_that_was_put_there_by_hand_stays(package: ModuleType) -> None:
    fake = ModuleType("fake")

    with ImportSandbox():
        package.one = fake  # type: ignore[attr-defined]
        saved = sys.modules.pop("pkg.two")
        import_unseen("pkg.two")
        sys.modules["pkg.two"] = saved

    assert package.one is fake
    assert package.two is saved


def test_fake_that_was_imported_over_unseen_is_no_attribute_again(package: ModuleType, picture: Any) -> None:
    with ImportSandbox():
        del package.one
        sys.modules["pkg.one"] = ModuleType("pkg.one")
        before = picture("pkg")
        with ImportSandbox():
            del sys.modules["pkg.one"]
            import_unseen("pkg.one")

        assert before.differences() == []


def test_module_that_was_loading_is_bound_although_a_sandbox_ended_meanwhile(write_modules: Write) -> None:
    write_modules(
        {
            "pkg/__init__.py": "import threading\nbegun, go_on = threading.Event(), threading.Event()",
            "pkg/one.py": "import pkg\npkg.begun.set()\npkg.go_on.wait(60)",
            "pkg/two.py": "",
        }
    )
    pkg: Any = importlib.import_module("pkg")
    thread = threading.Thread(target=importlib.import_module, args=("pkg.one",))
    thread.start()
    pkg.begun.wait(60)

    with ImportSandbox():
        pkg.go_on.set()
        thread.join(60)
        # Everything is compared.
        import_unseen("pkg.two")
        sys.modules["os"] = sys.modules.pop("os")

    assert pkg.one is sys.modules["pkg.one"]
    assert not hasattr(pkg, "two")


def test_what_an_earlier_thread_imports_stays_bound(write_modules: Write) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/one.py": "", "pkg/two.py": ""})
    pkg: Any = importlib.import_module("pkg")
    begin = threading.Event()
    thread = threading.Thread(target=lambda: begin.wait(60) and importlib.import_module("pkg.one"))
    thread.start()

    with ImportSandbox():
        begin.set()
        thread.join(60)
        import_unseen("pkg.two")
        sys.modules["os"] = sys.modules.pop("os")

    assert pkg.one is sys.modules["pkg.one"]
    assert not hasattr(pkg, "two")


def test_package_that_is_preserved_while_its_sandbox_is_open_stays_whole(run_script: Run) -> None:
    output = run_script(
        """
        import importlib.machinery
        import sys

        from pytest_importsandbox import ImportSandbox

        class Finder:
            find_spec = staticmethod(importlib.machinery.PathFinder.find_spec)

        with ImportSandbox(preserve="pkg") as sandbox:
            sys.meta_path.insert(0, Finder)
            import pkg.one
            # What must run only once is kept before anything is taken away.
            sandbox.evict("other")
        with ImportSandbox():
            import pkg.one

            print(pkg.one is sys.modules["pkg.one"])
        """,
        files={"pkg/__init__.py": "", "pkg/one.py": ""},
    )

    assert output.split() == ["True"]


def test_what_is_blocked_inside_and_imported_outside_stays_bound(write_modules: Write) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/one.py": "", "pkg/two.py": ""})
    pkg: Any = importlib.import_module("pkg")

    with ImportSandbox() as sandbox:
        sandbox.block("pkg.one")
        with suspended(sandbox):
            one = importlib.import_module("pkg.one")
        import_unseen("pkg.two")
        sys.modules["os"] = sys.modules.pop("os")

    assert pkg.one is sys.modules["pkg.one"] is one
    assert not hasattr(pkg, "two")


def test_attribute_that_took_the_place_of_one_of_the_class_stays_where_all_is_compared(
    write_modules: Write,
) -> None:
    write_modules(
        {
            "lib/__init__.py": """
                import importlib
                import types

                class Lazy:
                    def __get__(self, module, owner):
                        module.parse = importlib.import_module("lib.parse")
                        del owner.parse
                        return module.parse

                class Moves(types.ModuleType):
                    parse = Lazy()

                __import__("sys").modules[__name__].__class__ = Moves
                """,
            "lib/parse.py": "",
        }
    )
    lib: Any = importlib.import_module("lib")

    with ImportSandbox():
        parse = lib.parse
        sys.modules["os"] = sys.modules.pop("os")

    assert lib.parse is parse
