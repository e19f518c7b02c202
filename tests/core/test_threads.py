"""Imports in other threads: which are in progress, and that none is lost or fails because of a sandbox."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from importlib._bootstrap import _blocking_on, _get_module_lock  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import pytest

from pytest_importsandbox._core.threads import imports_in_progress, is_being_imported

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]

PATIENCE = 60


# Imports in progress


@pytest.fixture
def importing(write_modules: Write) -> Any:
    """A thread in the middle of the import of `slow`, and the event that lets it go on."""
    write_modules(
        {
            "gate.py": "import threading\nbegun = threading.Event()\ngo = threading.Event()",
            "slow.py": f"import gate\ngate.begun.set()\ngate.go.wait({PATIENCE})\nX = 1",
        }
    )
    gate = importlib.import_module("gate")
    thread = threading.Thread(target=importlib.import_module, args=["slow"])
    thread.start()
    assert gate.begun.wait(PATIENCE)
    yield gate
    gate.go.set()
    thread.join(PATIENCE)


@pytest.mark.usefixtures("importing")
def test_imports_of_other_threads_are_in_progress() -> None:
    assert imports_in_progress() == {"slow"}


@pytest.mark.usefixtures("importing")
def test_imports_in_progress_can_be_asked_for_by_name() -> None:
    assert imports_in_progress(lambda name: name == "slow") == {"slow"}
    assert imports_in_progress(lambda name: name == "fast") == set()


def test_import_whose_lock_is_about_to_be_taken_is_in_progress(write_modules: Write) -> None:
    write_modules({"soon.py": ""})
    lock = _get_module_lock("soon")
    thread = threading.Thread(target=importlib.import_module, args=["soon"])
    with lock.lock:
        thread.start()
        while not _blocking_on.get(thread.ident):
            time.sleep(0.001)
        owner, names = lock.owner, imports_in_progress()
    thread.join(PATIENCE)

    assert (owner, names) == (None, {"soon"})


def test_lock_that_somebody_keeps_after_the_import_is_not_in_progress() -> None:
    lock = _get_module_lock("over")

    assert (lock.owner, imports_in_progress()) == (None, set())


def test_failed_import_whose_exception_is_kept_is_not_in_progress() -> None:
    with pytest.raises(ModuleNotFoundError) as kept:
        importlib.import_module("there_is_no_such_module")

    assert kept.tb is not None
    assert imports_in_progress() == set()


def test_imports_of_this_thread_are_not_in_progress(write_modules: Write) -> None:
    write_modules(
        {
            "asking.py": """
                from pytest_importsandbox._core.threads import imports_in_progress

                others = imports_in_progress()
                """,
        }
    )

    asking = importlib.import_module("asking")

    assert asking.others == set()


def test_module_is_being_imported_while_its_code_runs(write_modules: Write) -> None:
    write_modules(
        {
            "asking.py": """
                from pytest_importsandbox._core.threads import is_being_imported

                asked = is_being_imported("asking")
                """,
        }
    )

    asking = importlib.import_module("asking")

    assert (asking.asked, is_being_imported("asking")) == (True, False)


@pytest.mark.usefixtures("importing")
def test_module_that_another_thread_imports_is_not_being_imported_by_this_one() -> None:
    assert not is_being_imported("slow")


# What other threads import


@pytest.mark.parametrize(
    "step", ['sandbox.evict("shop")', 'sandbox.fresh_import("shop")', 'sandbox.evict("shop.late")']
)
def test_module_that_an_earlier_thread_imported_stays_though_its_package_is_evicted(
    step: str, run_script: Run
) -> None:
    run_script(
        f"""
        import sys, threading
        from pytest_importsandbox import ImportSandbox

        import shop

        wanted, done = threading.Event(), threading.Event()

        def import_late():
            wanted.wait()
            import shop.late
            done.set()

        thread = threading.Thread(target=import_late)
        thread.start()
        with ImportSandbox() as sandbox:
            wanted.set()
            done.wait()
            late = sys.modules["shop.late"]
            {step}
        thread.join()
        assert sys.modules["shop.late"] is late
        assert shop.late is late
        """,
        files={"shop/__init__.py": "", "shop/late.py": ""},
    )


@pytest.mark.parametrize("delay", [0.001, 0.005, 0.02])
def test_import_that_another_thread_has_begun_survives_that_a_sandbox_is_put_aside(
    delay: float, run_script: Run
) -> None:
    run_script(
        f"""
        import sys, threading, time
        from importlib.machinery import ModuleSpec
        from pytest_importsandbox._core.process import process

        creating = threading.Event()
        failures = []

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                return ModuleSpec(name, Finder) if name.startswith("slow") else None

            @staticmethod
            def create_module(spec):
                creating.set()
                time.sleep({delay})

            @staticmethod
            def exec_module(module):
                time.sleep(0.002)

        def import_slow(name):
            wanted.wait()
            try:
                __import__(name)
            except BaseException as exc:
                failures.append(exc)

        sys.meta_path.append(Finder)
        # With many modules, it takes a while to put a sandbox aside.
        sys.modules.update({{f"many{{number}}": threading for number in range(30_000)}})
        sys.setswitchinterval(1e-5)
        for number in range(10):
            creating.clear()
            wanted = threading.Event()
            thread = threading.Thread(target=import_slow, args=(f"slow{{number}}",))
            thread.start()
            span = process.open(shares=True)
            wanted.set()
            creating.wait()
            process.put_aside(span)
            thread.join()
            assert not failures, failures
            assert f"slow{{number}}" in sys.modules
            process.take_up(span)
            assert f"slow{{number}}" in sys.modules
            process.close(span)
        """
    )
