"""The process: threads, sandboxes that are put aside and taken up, and use in a script."""

from __future__ import annotations

import importlib
import importlib.abc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportChanges, ImportSandbox
from pytest_importsandbox._core import process as process_module
from pytest_importsandbox._core.process import process
from pytest_importsandbox._sandbox.sandbox import suspended

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]

PATIENCE = 60


# Threads


@pytest.fixture
def gate(write_modules: Write) -> ModuleType:
    """A module with two events; the import of `slow` says that it has begun and waits to go on."""
    write_modules(
        {
            "gate.py": f"""
                import threading

                begun = threading.Event()
                go = threading.Event()

                def wait():
                    begun.set()
                    if not go.wait({PATIENCE}):
                        raise RuntimeError("nobody opened the gate")
                """,
            "slow.py": "import gate\ngate.wait()\nimport quick\nX = 1",
            "slowpkg/__init__.py": "",
            "slowpkg/sub.py": "import gate\ngate.wait()\nX = 1",
            "quick.py": "Y = 2",
        }
    )
    return importlib.import_module("gate")


class Importing(threading.Thread):
    """Imports modules when it is told to."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        self.may_begin = threading.Event()
        self.modules: list[ModuleType] = []
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            if not self.may_begin.wait(PATIENCE):
                raise RuntimeError("nobody told the thread to begin")
            self.modules = [importlib.import_module(name) for name in self.names]
        except BaseException as exc:
            self.error = exc

    def begin(self, gate: ModuleType) -> None:
        """Import until the gate keeps the import waiting."""
        self.may_begin.set()
        assert gate.begun.wait(PATIENCE)

    def finish(self) -> list[ModuleType]:
        self.may_begin.set()
        self.join(PATIENCE)
        assert self.error is None
        return self.modules


def test_imports_of_threads_that_ran_before_belong_to_the_outer_state(write_modules: Write) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "import plain", "plain.py": ""})
    thread = Importing("pkg.sub")

    with ImportSandbox():
        (sub,) = thread.finish()

    assert sys.modules["pkg.sub"] is sub
    assert sys.modules["pkg"].sub is sub
    assert "plain" in sys.modules


def test_imports_of_threads_of_the_test_go(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        Importing("pkg.sub").finish()

    assert before.differences() == []


def test_imports_of_earlier_threads_belong_to_every_sandbox_that_they_are_earlier_than(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"plain.py": ""})
    before = picture()

    with ImportSandbox():
        thread = Importing("plain")
        with ImportSandbox():
            (plain,) = thread.finish()

        assert sys.modules["plain"] is plain

    assert before.differences() == []


def test_module_that_both_import_is_the_one_of_the_snapshot_afterwards(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"plain.py": ""})
    plain = importlib.import_module("plain")
    thread = Importing("plain")

    with ImportSandbox() as sandbox:
        sandbox.evict("plain")
        thread.finish()

    assert sys.modules["plain"] is plain


def test_import_in_progress_in_another_thread_is_left_alone(gate: ModuleType) -> None:
    thread = Importing("slow")

    with ImportSandbox():
        thread.begin(gate)
    slow_while_loading = sys.modules["slow"]
    gate.go.set()

    assert thread.finish() == [slow_while_loading]
    assert (slow_while_loading.X, sys.modules["quick"].Y) == (1, 2)


def test_import_in_progress_of_a_submodule_is_left_alone_with_its_parents(gate: ModuleType) -> None:
    thread = Importing("slowpkg.sub")

    with ImportSandbox():
        thread.begin(gate)
    package = sys.modules["slowpkg"]
    gate.go.set()
    (sub,) = thread.finish()

    assert (sys.modules["slowpkg"], sys.modules["slowpkg.sub"], package.sub) == (package, sub, sub)


def test_import_that_began_before_the_sandbox_ends_well_inside_it(gate: ModuleType) -> None:
    thread = Importing("slow")
    thread.begin(gate)

    with ImportSandbox():
        gate.go.set()
        (slow,) = thread.finish()

    assert sys.modules["slow"] is slow
    assert "quick" in sys.modules


def test_eviction_waits_for_an_import_in_another_thread(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep, slept = time.sleep, []

    def go_on(seconds: float) -> None:
        slept.append(seconds)
        gate.go.set()
        sleep(seconds)

    thread = Importing("slowpkg.sub")

    with ImportSandbox() as sandbox:
        thread.begin(gate)
        monkeypatch.setattr(time, "sleep", go_on)
        sandbox.evict("slowpkg")

        assert slept
        assert "slowpkg.sub" not in sys.modules
    (sub,) = thread.finish()

    assert sub.X == 1


def test_eviction_lets_the_import_that_it_waits_for_import_more(write_modules: Write) -> None:
    write_modules(
        {
            "begun.py": "import threading\nevent = threading.Event()",
            "pkg/__init__.py": "",
            "pkg/sub.py": "import begun\nbegun.event.set()\nimport time\ntime.sleep(0.05)\nimport more",
            "more.py": "",
        }
    )
    begun = importlib.import_module("begun")
    thread = Importing("pkg.sub")

    with ImportSandbox() as sandbox:
        thread.may_begin.set()
        assert begun.event.wait(PATIENCE)
        sandbox.evict("pkg")

    thread.finish()
    assert "more" in sys.modules


def test_eviction_names_the_module_whose_import_does_not_end(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch, picture: Any
) -> None:
    monkeypatch.setattr(process_module, "STUCK_AFTER", 0.01)
    thread = Importing("slowpkg.sub")

    with ImportSandbox() as sandbox:
        thread.begin(gate)
        before = picture()
        with pytest.raises(RuntimeError) as raised:
            sandbox.fresh_import("slowpkg")
        assert before.differences() == []
        gate.go.set()
        thread.finish()

    assert str(raised.value) == (
        "'slowpkg.sub' cannot be evicted: another thread has been importing it for 0.01 seconds. "
        "Let that import end before, or find out what it waits for."
    )


def test_package_that_was_evicted_is_absent_again_when_another_thread_has_imported_it(
    gate: ModuleType,
) -> None:
    importlib.import_module("slowpkg")
    thread = Importing("slowpkg.sub")

    with ImportSandbox() as sandbox:
        sandbox.evict("slowpkg")
        with suspended(sandbox):
            thread.begin(gate)
            threading.Timer(0.05, gate.go.set).start()
        (sub,) = thread.finish()
        assert "slowpkg" not in sys.modules

    assert sys.modules["slowpkg"].sub is sub


def test_package_that_was_evicted_stays_while_another_thread_imports_it_without_end(
    gate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "PATIENCE", 0.01)
    importlib.import_module("slowpkg")
    thread = Importing("slowpkg.sub")

    with ImportSandbox() as sandbox:
        sandbox.evict("slowpkg")
        with suspended(sandbox):
            thread.begin(gate)
        gate.go.set()
        (sub,) = thread.finish()

    assert sys.modules["slowpkg"].sub is sub


def test_eviction_does_not_wait_for_imports_of_other_packages(gate: ModuleType) -> None:
    thread = Importing("slow")

    with ImportSandbox() as sandbox:
        thread.begin(gate)
        sandbox.evict("quick")
        gate.go.set()
        thread.finish()

    assert "slow" in sys.modules


def test_module_that_an_earlier_thread_is_about_to_make_is_left_alone(write_modules: Write) -> None:
    write_modules({"plain.py": ""})
    making, may_make = threading.Event(), threading.Event()

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(name, Loader()) if name == "made" else None

    class Loader(importlib.abc.Loader):
        def create_module(self, spec: ModuleSpec) -> None:
            making.set()
            assert may_make.wait(PATIENCE)

        def exec_module(self, module: ModuleType) -> None:
            pass

    class Row:
        """Lets the module be made when a restore has begun."""

        def __init__(self, row: Any) -> None:
            self.row = row

        def restore(self) -> None:
            may_make.set()
            while "made" not in sys.modules:
                time.sleep(0.001)
            self.row.restore()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.row, name)

    sys.meta_path.append(Finder)  # type: ignore[arg-type]
    try:
        thread = Importing("made")
        with ImportSandbox() as sandbox:
            importlib.import_module("plain")
            state = sandbox._opened().state
            state.rows = (Row(state.rows[0]), *state.rows[1:])
            thread.may_begin.set()
            assert making.wait(PATIENCE)
        (made,) = thread.finish()

        assert sys.modules.pop("made") is made
    finally:
        sys.meta_path.remove(Finder)  # type: ignore[arg-type]


def test_module_that_was_about_to_be_made_when_the_sandbox_opened_stays(write_modules: Write) -> None:
    write_modules({"plain.py": ""})
    making, may_make = threading.Event(), threading.Event()

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(name, Loader()) if name == "made" else None

    class Loader(importlib.abc.Loader):
        def create_module(self, spec: ModuleSpec) -> None:
            making.set()
            assert may_make.wait(PATIENCE)

        def exec_module(self, module: ModuleType) -> None:
            pass

    sys.meta_path.append(Finder)  # type: ignore[arg-type]
    try:
        thread = Importing("made")
        thread.may_begin.set()
        assert making.wait(PATIENCE)
        with ImportSandbox():
            importlib.import_module("plain")
            may_make.set()
            (made,) = thread.finish()

        assert sys.modules.pop("made") is made
    finally:
        sys.meta_path.remove(Finder)  # type: ignore[arg-type]


def test_submodule_that_an_earlier_thread_imports_below_a_fresh_copy_is_bound_on_the_old_one(
    write_modules: Write,
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    pkg = importlib.import_module("pkg")
    thread = Importing("pkg.sub")

    with ImportSandbox() as sandbox:
        sandbox.evict("pkg")
        (sub,) = thread.finish()

    assert sys.modules["pkg"] is pkg
    assert pkg.sub is sub is sys.modules["pkg.sub"]


def test_imports_of_threads_that_began_while_suspended_belong_to_the_outer_state(
    write_modules: Write,
) -> None:
    write_modules({"plain.py": ""})

    with ImportSandbox() as sandbox:
        with suspended(sandbox):
            thread = Importing("plain")
        (plain,) = thread.finish()

    assert sys.modules["plain"] is plain


def test_import_in_progress_when_a_sandbox_is_taken_up_is_left_alone(gate: ModuleType) -> None:
    with ImportSandbox() as sandbox:
        importlib.import_module("quick")
        with suspended(sandbox):
            thread = Importing("slowpkg.sub")
            thread.begin(gate)
        gate.go.set()
        (sub,) = thread.finish()
        assert sys.modules["slowpkg.sub"] is sub

    assert sys.modules["slowpkg.sub"] is sys.modules["slowpkg"].sub is sub


def test_another_thread_misses_no_finder_when_a_sandbox_ends(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        import threading

        from pytest_importsandbox import ImportSandbox

        asked, between, closed = threading.Event(), threading.Event(), threading.Event()

        class LastButOne:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "there":
                    asked.set()

        def hold(frame, event, argument):
            # Between two finders the thread does not have the import lock.
            place = frame.f_code.co_filename, frame.f_code.co_name, event
            if place == ("<frozen importlib._bootstrap>", "__exit__", "return") and asked.is_set():
                sys.setprofile(None)
                between.set()
                closed.wait(60)

        def early():
            sys.setprofile(hold)
            import there
            print(there.X)

        sys.meta_path.insert(-1, LastButOne)
        with ImportSandbox():
            pass
        with ImportSandbox():
            thread = threading.Thread(target=early)
            thread.start()
            print(between.wait(60))
        closed.set()
        thread.join()
        """,
        files={"there.py": "X = 1"},
    )

    assert output.split() == ["True", "1"]


def test_finalizer_of_garbage_may_wait_for_a_thread_that_imports(run_script: Run) -> None:
    output = run_script(
        """
        import gc
        import threading

        from pytest_importsandbox import ImportSandbox

        class Dying:
            def __init__(self):
                self.cycle = self

            def __del__(self):
                thread = threading.Thread(target=__import__, args=["late"], daemon=True)
                thread.start()
                thread.join(10)
                print(thread.is_alive())

        gc.set_threshold(1)
        for _ in range(3):
            with ImportSandbox():
                import plain
                Dying()
        gc.collect()
        print(gc.isenabled())
        """,
        files={"plain.py": "", "late.py": ""},
    )

    assert output.split() == ["False"] * 3 + ["True"]


def test_collection_of_garbage_that_is_off_stays_off(run_script: Run) -> None:
    output = run_script(
        """
        import gc

        from pytest_importsandbox import ImportSandbox

        gc.disable()
        with ImportSandbox() as sandbox:
            sandbox.evict("plain")
        print(gc.isenabled())
        """
    )

    assert output.split() == ["False"]


# Leaving a sandbox for a while, as wider fixtures do


def test_imports_while_suspended_outlive_the_sandbox(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "plain.py": ""})
    importlib.import_module("pkg")

    with ImportSandbox() as sandbox:
        importlib.import_module("plain")
        with suspended(sandbox):
            assert "plain" not in sys.modules
            sub = importlib.import_module("pkg.sub")
        assert "plain" in sys.modules
        assert sys.modules["pkg.sub"] is sub

    assert "plain" not in sys.modules
    assert sys.modules["pkg"].sub is sub
    assert sys.modules["pkg.sub"] is sub


def test_inside_of_the_sandbox_is_what_it_was_after_the_suspension(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "plain.py": "X = []"})
    importlib.import_module("pkg.sub")
    importlib.import_module("plain")
    before = picture("pkg", "plain")

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("pkg.sub")
        importlib.reload(sys.modules["plain"])
        sandbox.block("textwrap")
        sys.path.append("/inside")
        inside = picture("pkg", "plain")
        with suspended(sandbox):
            assert before.differences() == []

        assert inside.differences() == []

    assert before.differences() == []


def test_changes_of_the_lists_while_suspended_outlive_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/one", "/two", "/three"])

    with ImportSandbox() as sandbox:
        sys.path[:] = ["/inside", "/two", "/one", "/three"]
        with suspended(sandbox):
            assert sys.path == ["/one", "/two", "/three"]
            sys.path.insert(0, "/first")
            sys.path.append("/last")
            sys.path.remove("/two")
        assert sys.path == ["/first", "/inside", "/one", "/three", "/last"]

    assert sys.path == ["/first", "/one", "/three", "/last"]


def test_list_that_is_filled_while_suspended_stays_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path_hooks", [])

    with ImportSandbox() as sandbox:
        with suspended(sandbox):
            sys.path_hooks.append(ModuleType)
        assert sys.path_hooks == [ModuleType]

    assert sys.path_hooks == [ModuleType]


def test_module_that_is_replaced_while_suspended_stays_replaced(write_modules: Write) -> None:
    write_modules({"plain.py": "", "other.py": ""})
    plain = importlib.import_module("plain")

    with ImportSandbox() as sandbox:
        with suspended(sandbox):
            del sys.modules["plain"]
            again = importlib.import_module("plain")
        assert sys.modules["plain"] is again

    assert sys.modules["plain"] is again
    assert again is not plain


def test_blocked_module_stays_blocked_after_it_was_imported_outside(write_modules: Write) -> None:
    write_modules({"plain.py": ""})

    with ImportSandbox() as sandbox:
        sandbox.block("plain")
        with suspended(sandbox):
            plain = importlib.import_module("plain")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("plain")

    assert sys.modules["plain"] is plain


def test_blocked_module_stays_blocked_in_the_sandboxes_inside_as_well(write_modules: Write) -> None:
    write_modules({"plain.py": ""})

    with ImportSandbox() as outer:
        outer.block("plain")
        with ImportSandbox():
            with suspended(outer):
                plain = importlib.import_module("plain")
            assert sys.modules["plain"] is None
        assert sys.modules["plain"] is None

    assert sys.modules["plain"] is plain


def test_submodule_stays_what_its_package_is_bound_to_in_the_sandboxes_inside_a_block(
    write_modules: Write,
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    package = importlib.import_module("pkg")

    with ImportSandbox() as outer:
        outer.block("pkg.sub")
        with ImportSandbox():
            with suspended(outer):
                submodule = importlib.import_module("pkg.sub")
            assert sys.modules["pkg.sub"] is None

    assert package.sub is sys.modules["pkg.sub"] is submodule


def test_exception_while_suspended_leaves_the_sandbox_open(write_modules: Write) -> None:
    write_modules({"plain.py": ""})

    def fail(sandbox: ImportSandbox) -> None:
        with suspended(sandbox):
            raise ZeroDivisionError

    with ImportSandbox() as sandbox:
        importlib.import_module("plain")
        with pytest.raises(ZeroDivisionError):
            fail(sandbox)

        assert sandbox.changes() == ImportChanges(added=("plain",))


def test_suspension_leaves_the_sandboxes_inside_as_well(write_modules: Write) -> None:
    write_modules({"one.py": "", "two.py": "", "outside.py": ""})

    with ImportSandbox() as outer:
        importlib.import_module("one")
        with ImportSandbox() as inner:
            importlib.import_module("two")
            with suspended(outer):
                assert {"one", "two"} & sys.modules.keys() == set()
                importlib.import_module("outside")
            assert {"one", "two", "outside"} <= sys.modules.keys()
            assert inner.changes().added == ("two",)
        assert {"one", "two", "outside"} & sys.modules.keys() == {"one", "outside"}
    assert {"one", "two", "outside"} & sys.modules.keys() == {"outside"}


def test_suspension_of_an_inner_sandbox_leaves_the_outer_one_open(write_modules: Write, picture: Any) -> None:
    write_modules({"one.py": "", "two.py": ""})
    before = picture()

    with ImportSandbox() as outer:
        with ImportSandbox() as inner:
            importlib.import_module("one")
            with suspended(inner):
                importlib.import_module("two")
        assert outer.changes().added == ("two",)

    assert before.differences() == []


def test_reload_while_suspended_outlives_the_sandbox(write_modules: Write) -> None:
    write_modules({"settings.py": "X = []"})
    settings = importlib.import_module("settings")

    with ImportSandbox() as sandbox, suspended(sandbox):
        importlib.reload(settings)
        reloaded = settings.X

    assert settings.X is reloaded


def test_submodule_imported_while_suspended_is_bound_on_the_copy_inside_as_well(
    write_modules: Write,
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    old = importlib.import_module("pkg")

    with ImportSandbox() as sandbox:
        fresh = sandbox.fresh_import("pkg")
        with suspended(sandbox):
            sub = importlib.import_module("pkg.sub")
        assert fresh.sub is sub

    assert sys.modules["pkg"] is old
    assert old.sub is sub


def test_submodules_of_a_subpackage_imported_while_suspended_are_reached_from_the_copy_inside(
    write_modules: Write,
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/sub/deep.py": ""})
    importlib.import_module("pkg")

    with ImportSandbox() as sandbox:
        fresh = sandbox.fresh_import("pkg")
        with suspended(sandbox):
            deep = importlib.import_module("pkg.sub.deep")
        assert fresh.sub.deep is deep


def test_module_of_the_sandbox_is_another_one_outside(write_modules: Write) -> None:
    write_modules({"plain.py": ""})

    with ImportSandbox() as sandbox:
        inside = importlib.import_module("plain")
        with suspended(sandbox):
            outside = importlib.import_module("plain")
        now = sys.modules["plain"]

    assert inside is not outside
    assert now is outside
    assert sys.modules["plain"] is outside


# In a script, without pytest


def test_script_needs_no_pytest(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            sandbox.temp_package("pkg", "X = 1")
            print(sandbox.fresh_import("pkg").X)
        print([name for name in sys.modules if name in ("pkg", "pytest", "_pytest", "pluggy")])
        """
    )

    assert output.splitlines() == ["1", "[]"]


def test_watcher_stays_when_the_last_sandbox_has_ended(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        before = list(sys.meta_path)
        for _ in range(2):
            with ImportSandbox() as outer:
                with ImportSandbox():
                    import plain
            assert [each for each in sys.meta_path if each not in before] == [process.watcher, process.finder]
        """,
        files={"plain.py": ""},
    )


def test_finder_that_takes_the_first_place_between_sandboxes_is_not_asked_before_the_watcher(
    run_script: Run,
) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        with ImportSandbox():
            pass
        sys.meta_path.reverse()
        with ImportSandbox():
            assert sys.meta_path[0] is process.watcher
            assert sys.meta_path.count(process.watcher) == 1
        """
    )


def test_finder_that_was_first_before_the_sandbox_is_first_afterwards(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                return None

        with ImportSandbox():
            pass
        before = list(sys.meta_path)
        sys.meta_path.insert(0, Finder)
        for _ in range(2):
            with ImportSandbox():
                assert sys.meta_path[:2] == [process.watcher, Finder]
        assert sys.meta_path.pop(0) is Finder
        assert sys.meta_path == before
        """
    )


def test_watcher_that_was_taken_away_between_sandboxes_is_back_in_the_next(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        with ImportSandbox():
            pass
        before = list(sys.meta_path)
        sys.meta_path.remove(process.watcher)
        with ImportSandbox():
            assert sys.meta_path == before
        assert sys.meta_path == before
        """
    )


def test_modules_that_another_finder_answers_for_between_sandboxes_are_known(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        from importlib.machinery import PathFinder

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            pass
        sys.meta_path.insert(0, PathFinder)
        with ImportSandbox():
            pass
        for name in ("spread", "scattered"):
            __import__(name)
            with ImportSandbox():
                sys.path.append("second")
                __import__(f"{name}.two")
            print(len(sys.modules[name].__dict__["__path__"]._path))
        """,
        files={
            f"{name}.py": ""
            for name in ("spread/one", "second/spread/two", "scattered/one", "second/scattered/two")
        },
    )

    assert output.split() == ["1", "1"]


def test_installed_watcher_stays_until_it_is_taken_away(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        before = list(sys.meta_path)
        assert process.install()
        assert not process.install()
        with ImportSandbox():
            pass
        assert [each for each in sys.meta_path if each not in before] == [process.watcher, process.finder]
        process.uninstall()
        assert sys.meta_path == before
        """
    )


def test_modules_imported_past_the_watcher_before_a_sandbox_are_known_in_it(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        from importlib.machinery import PathFinder

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        process.install()
        sys.meta_path.insert(0, PathFinder)
        import spread
        with ImportSandbox():
            assert sys.meta_path[0] is process.watcher
            sys.path.append("second")
            import spread.two
            print(len(spread.__path__))
        print(len(spread.__dict__["__path__"]._path))
        """,
        files={"spread/one.py": "", "second/spread/two.py": ""},
    )

    assert output.split() == ["2", "1"]


def test_what_left_past_the_watcher_before_a_sandbox_does_not_come_back_with_it(run_script: Run) -> None:
    run_script(
        """
        import sys
        from importlib.machinery import PathFinder

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        class Front:
            find_spec = PathFinder.find_spec

        process.install()
        sys.meta_path.insert(0, Front)
        import pkg
        with ImportSandbox():
            pass
        assert sys.meta_path[0] is Front
        del sys.modules["pkg.run"], pkg.run
        with ImportSandbox():
            import pkg.run
        assert "run" not in vars(pkg)
        """,
        files={"pkg/__init__.py": "from .run import run", "pkg/run.py": "def run(): pass"},
    )


def test_unittest_can_use_a_sandbox(run_script: Run) -> None:
    run_script(
        """
        import sys
        import unittest

        from pytest_importsandbox import ImportSandbox

        class Test(unittest.TestCase):
            def setUp(self):
                self.sandbox = self.enterContext(ImportSandbox())

            def test_one(self):
                self.sandbox.fresh_import("plain").X.append(1)

            def test_two(self):
                self.assertEqual(__import__("plain").X, [])

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(Test).run(result)
        assert result.testsRun == 2
        assert result.wasSuccessful()
        assert "plain" not in sys.modules
        """,
        files={"plain.py": "X = []"},
    )


# Sandboxes of test modules


@pytest.fixture
def aside() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Be inside of the sandbox of a test module, at first and whenever it is called for."""
    added = process.install()
    store = vars(process.store)
    before = {name: table.copy() for name, table in store.items() if isinstance(table, dict)}
    span = process.open(shares=True)
    kept = [process.put_aside(span)]

    @contextmanager
    def inside() -> Iterator[None]:
        process.take_up(kept.pop())
        try:
            yield
        finally:
            kept.append(process.put_aside(span, pinned=("pinned", "absent")))

    yield inside
    process.take_up(kept.pop())
    process.close(span)
    # What these tests share is no concern of others, which write modules of the same names.
    for name, table in before.items():
        store[name].clear()
        store[name].update(table)
    if added:
        process.uninstall()


Inside = Callable[[], AbstractContextManager[None]]


def test_module_sandbox_keeps_what_it_changed(write_modules: Write, picture: Any, aside: Inside) -> None:
    write_modules(
        {"pkg/__init__.py": "", "pkg/sub.py": "", "plain.py": "", "gone.py": "", "namesp/module.py": ""}
    )
    for name in ("pkg", "plain", "gone", "namesp.module"):
        importlib.import_module(name)
    # The outer state may have the finders of the same directories.
    before = picture("pkg", "plain", "namesp")

    def differences() -> list[str]:
        return [each for each in before.differences() if "path_importer_cache" not in each]

    with aside():
        sys.modules["plain"] = sys
        del sys.modules["gone"]
        importlib.import_module("pkg.sub")
        importlib.reload(sys.modules["pkg"])
        sys.path.insert(0, "inside")
        sys.modules["namesp"].__path__.append("inside")
        sys.path_importer_cache["custom"] = aside
        inside = picture("pkg", "namesp")
    outside = differences()
    with aside():
        # A reload makes a module the last one.
        back = [each for each in inside.differences() if "nothing came, nothing went" not in each]

    assert outside == differences() == []
    assert "custom" not in sys.path_importer_cache
    assert back == []


def test_module_sandbox_keeps_its_own_in_place_of_what_is_imported_outside(
    write_modules: Write, aside: Inside
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "other/__init__.py": "", "other/sub.py": ""})
    with aside():
        sys.modules["pkg"] = stub = ModuleType("pkg")

    real = importlib.import_module("pkg.sub")
    other = importlib.import_module("other.sub")

    with aside():
        assert sys.modules["pkg"] is stub
        assert "pkg.sub" not in sys.modules
        assert sys.modules["other.sub"] is other
    assert sys.modules["pkg.sub"] is real


def test_module_that_was_taken_out_and_is_imported_anew_outside_is_back(
    write_modules: Write, aside: Inside
) -> None:
    write_modules({"one.py": "", "two.py": ""})
    importlib.import_module("one")
    importlib.import_module("two")
    with aside():
        del sys.modules["one"], sys.modules["two"]

    del sys.modules["one"]
    anew = importlib.import_module("one")

    with aside():
        assert sys.modules["one"] is anew
        assert "two" not in sys.modules


def test_attribute_of_a_submodule_that_is_imported_outside_is_there(
    write_modules: Write, aside: Inside
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    package = importlib.import_module("pkg")
    with aside():
        importlib.import_module("pkg.sub")
        del sys.modules["pkg.sub"], package.sub

    submodule = importlib.import_module("pkg.sub")

    with aside():
        assert package.sub is sys.modules["pkg.sub"] is submodule
    assert package.sub is submodule


def test_attribute_that_was_deleted_is_there_once_its_submodule_is_imported_anew_outside(
    write_modules: Write, aside: Inside
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    package = importlib.import_module("pkg")
    importlib.import_module("pkg.sub")
    with aside():
        del sys.modules["pkg.sub"]
        importlib.import_module("pkg.sub")
        del sys.modules["pkg.sub"], package.sub

    del sys.modules["pkg.sub"]
    anew = importlib.import_module("pkg.sub")

    with aside():
        assert package.sub is sys.modules["pkg.sub"] is anew
    assert package.sub is anew


def test_pinned_module_stays_what_it_was(aside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ModuleType("pinned"), ModuleType("pinned")
    monkeypatch.setitem(sys.modules, "pinned", first)
    with aside():
        pass

    monkeypatch.setitem(sys.modules, "pinned", second)

    with aside():
        assert sys.modules["pinned"] is first
    assert sys.modules["pinned"] is second


def test_hostile_key_in_a_module_sandbox(aside: Inside) -> None:
    class Hostile:
        def __hash__(self) -> int:
            return hash("hostile_name")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    modules: dict[Any, Any] = sys.modules
    names = list(sys.modules)

    with aside():
        sys.modules["plain_name"] = sys
        modules[Hostile()] = sys

    assert list(sys.modules) == names
    with aside():
        assert sys.modules["plain_name"] is sys


def test_hostile_key_in_place_of_the_last_name_of_a_module_sandbox(
    aside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile:
        def __hash__(self) -> int:
            return 0

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

    modules: dict[Any, Any] = sys.modules
    monkeypatch.setitem(modules, "last_name", sys)
    names = list(modules)

    with aside():
        del modules["last_name"]
        modules[Hostile()] = sys
        modules["plain_name"] = sys

    assert list(modules) == names
    with aside():
        assert modules["plain_name"] is sys
        assert "last_name" not in modules


def test_lists_that_are_overlooked_stay_what_they_were(
    aside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path_hooks", [str])
    span = process.open(shares=True)
    sys.path_hooks.append(int)
    kept = process.put_aside(span)

    sys.path_hooks.insert(0, bytes)
    process.overlook(kept)
    sys.path_hooks.append(float)

    process.take_up(kept)
    assert sys.path_hooks == [str, int, float]
    process.close(span)
    assert sys.path_hooks == [bytes, str, float]


def test_finder_that_a_preserved_module_installs_late_is_in_all_module_sandboxes(
    write_modules: Write, aside: Inside
) -> None:
    write_modules(
        {
            "hooking.py": """
                import sys

                class Finder:
                    def find_spec(self, name, path=None, target=None): return None

                installed = False

                def install():
                    global installed
                    if not installed:
                        installed = True
                        sys.meta_path.insert(0, Finder())
            """
        }
    )
    span = process.open(("hooking",), shares=True)
    importlib.import_module("hooking")
    first = process.put_aside(span)
    other = process.open(("hooking",), shares=True)
    importlib.import_module("hooking").install()
    process.put_aside(other)

    process.take_up(first)
    found = [each for each in sys.meta_path if type(each).__name__ == "Finder"]
    process.close(span)

    assert len(found) == 1
    assert not any(type(each).__name__ == "Finder" for each in sys.meta_path)


def test_shared_submodule_of_another_package_of_the_same_name_runs_again(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox._core.process import process

        def import_in_module_sandbox():
            span = process.open(shares=True)
            import pkg.sub
            print(pkg.sub.X)
            process.close(span)

        for where in ("one", "two"):
            sys.path.insert(0, where)
            sys.modules.pop("pkg", None)
            import pkg
            import_in_module_sandbox()
        """,
        files={
            f"{where}/pkg/{file}": f"X = {where!r}"
            for where in ("one", "two")
            for file in ("__init__.py", "sub.py")
        },
    )

    assert output.split() == ["one", "two"]
