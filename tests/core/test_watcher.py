"""The watcher: what it notes, what it answers, and when it keeps out of the way."""

from __future__ import annotations

import importlib
import importlib.util
import textwrap
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.attributes import SubmoduleAttributes
from pytest_importsandbox._core.lazy import hooks
from pytest_importsandbox._core.process import Process, process
from pytest_importsandbox._core.state import NamespacePackages
from pytest_importsandbox._core.watcher import Span, Watcher

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]

PATIENCE = 60


@pytest.fixture
def watcher() -> Watcher:
    """A watcher that has nothing to do with the one of this test run, and is not on `sys.meta_path`."""
    return Process().watcher


@pytest.fixture
def opened(watcher: Watcher) -> Span:
    """What belongs to an open sandbox of that watcher."""
    return open_span(watcher)


def open_span(watcher: Watcher) -> Span:
    span = Span((), hooks().snapshot(watcher.store.modules, SubmoduleAttributes(), NamespacePackages()))
    watcher.spans.append(span)
    return span


# Outside of a sandbox


def test_ordinary_module_is_left_to_the_other_finders(watcher: Watcher) -> None:
    assert watcher.find_spec("textwrap") is None


def test_watcher_remembers_what_it_was_asked_for(watcher: Watcher) -> None:
    watcher.find_spec("textwrap")
    watcher.find_spec("there_is_no_such_module")

    assert watcher.not_looked_at == {"textwrap", "there_is_no_such_module"}


def test_nothing_is_blocked_without_a_sandbox(watcher: Watcher) -> None:
    assert not watcher.is_blocked("textwrap")


def test_spec_of_a_preserved_module_is_its_own(watcher: Watcher) -> None:
    watcher.store.modules["plain"] = ModuleType("plain")

    # Nobody imports it: somebody asks where it can be found.
    assert watcher.find_spec("plain") is None


def test_reload_of_a_preserved_module_is_left_to_the_other_finders(watcher: Watcher) -> None:
    module = watcher.store.modules["plain"] = ModuleType("plain")

    assert watcher.find_spec("plain", None, module) is None


# Inside of a sandbox


def test_import_is_noted(watcher: Watcher, opened: Span) -> None:
    watcher.find_spec("textwrap")

    assert opened.imported


def test_attribute_on_a_surviving_parent_is_noted(watcher: Watcher, opened: Span) -> None:
    watcher.find_spec("importlib.there_is_no_such_module")

    assert list(opened.state.bindings.noted) == [(id(vars(importlib)), "there_is_no_such_module")]


def test_module_that_is_about_to_be_reloaded_is_noted(watcher: Watcher, opened: Span) -> None:
    watcher.find_spec("textwrap", None, textwrap)

    assert list(opened.state.reloads.noted) == ["textwrap"]


@pytest.mark.parametrize("name", ["pkg", "pkg.sub", "pkg.sub.deep"])
def test_blocked_module_is_not_found(name: str, watcher: Watcher, opened: Span) -> None:
    opened.blocked.add("pkg")

    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{name}'$") as raised:
        watcher.find_spec(name)

    assert raised.value.name == name


def test_module_that_only_begins_like_a_blocked_one_is_left_to_the_others(
    watcher: Watcher, opened: Span
) -> None:
    opened.blocked.add("pkg")

    assert watcher.find_spec("pkgs") is None


def test_block_of_any_open_sandbox_counts(watcher: Watcher, opened: Span) -> None:
    opened.blocked.add("pkg")
    open_span(watcher)

    assert watcher.is_blocked("pkg.sub")


def test_frame_of_the_watcher_is_hidden(watcher: Watcher, opened: Span) -> None:
    opened.blocked.add("pkg")

    with pytest.raises(ModuleNotFoundError) as raised:
        watcher.find_spec("pkg")

    shown = [entry.name for entry in raised.traceback if not entry.ishidden(raised)]
    assert shown == ["test_frame_of_the_watcher_is_hidden"]


def test_thread_that_ran_before_is_outside(watcher: Watcher) -> None:
    begin = threading.Event()
    thread = threading.Thread(target=lambda: begin.wait(PATIENCE) and watcher.find_spec("plain"))
    thread.start()
    span = open_span(watcher)

    begin.set()
    thread.join(PATIENCE)

    assert span.imported_by_earlier_threads == {"plain"}


def test_thread_that_started_later_is_inside(watcher: Watcher, opened: Span) -> None:
    thread = threading.Thread(target=watcher.find_spec, args=["plain"])
    thread.start()
    thread.join(PATIENCE)

    assert opened.imported_by_earlier_threads == set()


def test_thread_that_opened_the_sandbox_is_inside(watcher: Watcher, opened: Span) -> None:
    watcher.find_spec("plain")

    assert opened.imported_by_earlier_threads == set()


# Which module loads another one


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The pairs of an importing module and what it brought along, as the store is told of them."""
    pairs: list[tuple[str, str]] = []
    monkeypatch.setattr(process.store, "note_asked", lambda importer, name: pairs.append((importer, name)))
    return pairs


def test_modules_loaded_by_a_module_are_noted_as_brought_along(
    write_modules: Write, notes: list[tuple[str, str]]
) -> None:
    write_modules(
        {"one.py": "import two\nimport four", "two.py": "import three", "three.py": "", "four.py": ""}
    )

    with ImportSandbox():
        importlib.import_module("one")

    assert notes == [("one", "two"), ("two", "three"), ("one", "four")]


def test_modules_loaded_one_after_the_other_do_not_bring_along_each_other(
    write_modules: Write, notes: list[tuple[str, str]]
) -> None:
    write_modules({"one.py": "", "two.py": "", "failing.py": "raise ValueError"})

    with ImportSandbox():
        importlib.import_module("one")
        with pytest.raises(ValueError, match=r"^$"):
            importlib.import_module("failing")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("there_is_no_such_module")
        importlib.import_module("two")

    assert notes == []


def test_module_that_is_missing_brings_nothing_along(
    write_modules: Write, notes: list[tuple[str, str]]
) -> None:
    write_modules(
        {
            "one.py": "try:\n    import there_is_no_such_module\nexcept ImportError:\n    import two",
            "two.py": "",
        }
    )

    with ImportSandbox():
        importlib.import_module("one")

    assert notes == [("one", "there_is_no_such_module"), ("one", "two")]


def test_modules_loaded_by_another_thread_are_not_brought_along(
    write_modules: Write, notes: list[tuple[str, str]]
) -> None:
    write_modules(
        {
            "one.py": """
                import importlib
                import threading

                thread = threading.Thread(target=importlib.import_module, args=["two"])
                thread.start()
                thread.join()
                """,
            "two.py": "",
        }
    )

    with ImportSandbox():
        importlib.import_module("one")

    assert notes == []


# Handing back


def test_module_whose_class_answers_for_its_attributes_is_not_touched(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        from types import ModuleType

        from pytest_importsandbox import ImportSandbox

        class Odd(ModuleType):
            def __setattr__(self, name, value):
                print("set", name)

        for _ in range(2):
            with ImportSandbox(preserve="odd"):
                import odd
                object.__setattr__(odd, "__class__", ModuleType)
                print(odd.X)
                object.__setattr__(odd, "__class__", Odd)
        """,
        files={"odd.py": "X = 1"},
    )

    assert output.split() == ["1"] * 2


@pytest.mark.parametrize("place", ["front", "middle", "end"])
def test_preserved_module_is_handed_back_wherever_the_watcher_stands(place: str, run_script: Run) -> None:
    run_script(
        f"""
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        with ImportSandbox(preserve="plain"):
            import plain as first
        with ImportSandbox():
            sys.meta_path.remove(process.watcher)
            position = dict(front=0, middle=1, end=len(sys.meta_path))[{place!r}]
            sys.meta_path.insert(position, process.watcher)
            import plain
            assert plain is first
        """,
        files={"plain.py": ""},
    )


@pytest.mark.parametrize(
    "imports",
    [
        pytest.param("import pkg.sub", id="the last one that was imported"),
        pytest.param("import pkg.sub, pkg.other, other", id="with others after it"),
        pytest.param("import other, pkg.sub, pkg.other", id="with another submodule after it"),
    ],
)
@pytest.mark.parametrize("removed", ["pkg.sub", "pkg.sub, pkg.other"])
def test_package_has_its_submodule_again_if_the_test_undid_the_rest(
    imports: str, removed: str, run_script: Run
) -> None:
    output = run_script(
        f"""
        import sys
        from importlib.machinery import PathFinder

        from pytest_importsandbox import ImportSandbox

        {imports}
        import pkg.other
        before = dict(vars(pkg))

        class Finder:
            find_spec = staticmethod(PathFinder.find_spec)

        with ImportSandbox():
            sys.meta_path.insert(0, Finder)
            saved = {{name: sys.modules.pop(name) for name in {removed!r}.split(", ")}}
            import pkg.sub, pkg.other
            sys.meta_path.remove(Finder)
            sys.modules.update(saved)
        print([name for name, value in vars(pkg).items() if value is not before.get(name)])
        """,
        files={"pkg/__init__.py": "", "pkg/sub.py": "", "pkg/other.py": "", "other.py": ""},
    )

    assert output == "[]\n"


def test_module_that_an_earlier_thread_gets_back_belongs_to_the_outer_state(run_script: Run) -> None:
    run_script(
        """
        import importlib
        import sys
        import threading

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="one"):
            import one
        begin = threading.Event()
        thread = threading.Thread(target=lambda: begin.wait(60) and importlib.import_module("one"))
        thread.start()
        with ImportSandbox():
            begin.set()
            thread.join()
        assert sys.modules["one"] is one
        assert sys.modules["two"] is one.two
        """,
        files={"one.py": "import two", "two.py": ""},
    )
