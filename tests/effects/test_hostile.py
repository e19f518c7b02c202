"""Imports that do what they can to be in the way: there is a result all the same."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects, import_effects

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")

Observe = Callable[..., ImportEffects]
Write = Callable[..., Path]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="is for POSIX")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs the list of processes of Linux")

# Each of these comes between two effects, of which the second must be seen as well.
HOSTILE = {
    "prints megabytes": "print('x' * 5_000_000)",
    "replaces standard output": "sys.stdout = None; sys.stderr = 5",
    "closes standard output": "sys.stdout.close()",
    "closes the descriptor of standard output": "os.close(1)",
    "closes all descriptors": "os.closerange(0, 100)",
    "puts files of its own in their place": """
        os.closerange(0, 100)
        files = [os.open(__file__, os.O_RDONLY) for _ in range(10)]
        """,
    "has an audit hook that counts": "count = []; sys.addaudithook(lambda *event: count.append(event))",
    "has an audit hook that fails on frames": """
        def hook(event, arguments):
            if event in ("sys._getframe", "object.__getattr__"):
                raise RuntimeError("no frames")
        sys.addaudithook(hook)
        """,
    "deletes modules": """
        for name in list(sys.modules):
            if name not in ("inkhorn", "sys"):
                del sys.modules[name]
        """,
    "clears the modules": """
        modules = dict(sys.modules)
        sys.modules.clear()
        sys.modules["inkhorn"] = modules["inkhorn"]
        """,
    "puts objects into the modules": """
        class Any:
            __file__ = __dict__ = property(lambda self: 1 / 0)
            def __getattr__(self, name): raise SystemExit
            def __eq__(self, other): raise SystemExit
            __hash__ = None
        sys.modules["one"] = Any(); sys.modules["two"] = None; sys.modules[5] = 5
        """,
    "takes functions away": """
        import posix as system
        for name in ("write", "open", "fstat", "getpid", "stat", "_exit", "getcwd"):
            setattr(os, name, None); setattr(system, name, None)
        """,
    "takes builtins away": """
        import builtins
        for name in ("id", "map", "enumerate", "zip", "issubclass", "sorted"):
            delattr(builtins, name)
        """,
    "replaces what import uses": "import builtins; builtins.__import__ = lambda *arguments: sys",
    "has next to no room on the stack": "sys.setrecursionlimit(30)",
    "empties the search path": "sys.path[:] = []; sys.meta_path[:] = []; sys.path_hooks[:] = []",
    "puts anything into the lists": "sys.path[:0] = [5, None, b'x']; sys.meta_path.append(None)",
    "breaks the logging module": "import logging; logging.root = None; logging._levelToName = None",
    "breaks the threading module": "import threading; threading._active = None",
    "leaves its directory": "os.chdir(directory := __import__('tempfile').mkdtemp()); os.rmdir(directory)",
}
POSIX_ONLY = ("takes functions away", "leaves its directory")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(HOSTILE[name], id=name, marks=[posix_only] if name in POSIX_ONLY else [])
        for name in HOSTILE
    ],
)
def test_effects_before_and_after_are_seen_if_the_import(effects_of: Observe, source: str) -> None:
    effects = effects_of(_between(source), args=("-W", "ignore"))

    assert "BEFORE" in [each.what for each in effects.environ]
    assert "sys.dont_write_bytecode" in [each.what for each in effects.patched]


@pytest.mark.parametrize(
    "name", ["clears the modules", "has next to no room on the stack", "replaces what import uses"]
)
def test_exception_is_told_if_the_import(effects_of: Observe, name: str) -> None:
    effects = effects_of(f"{_between(HOSTILE[name])}\n1 / 0", check=False)

    assert effects.error.splitlines()[-1].startswith("ZeroDivisionError")


def _between(source: str) -> str:
    """Code that has an effect before the source, and one after it."""
    lines = [line.removeprefix(" " * 8) for line in source.splitlines()]
    before = ["import os, sys", "environ, settings = os.environ, sys.__dict__", "environ['BEFORE'] = '1'"]
    return "\n".join([*before, *lines, "settings['dont_write_bytecode'] = 5"])


def test_import_is_seen_without_its_place_if_an_audit_hook_refuses_frames(effects_of: Observe) -> None:
    source = HOSTILE["has an audit hook that fails on frames"]
    lines = [line.removeprefix(" " * 8) for line in source.splitlines()]

    effects = effects_of("\n".join(["import sys", *lines, "import inkhorn.sub"]))

    assert [(each.name, each.place) for each in effects.modules] == [("inkhorn.sub", ""), ("inkhorn", "")]


def test_exception_that_cannot_be_shown_is_told_by_its_class(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import sys
        class Silent(Exception):
            def __str__(self):
                raise SystemExit
        sys.modules["traceback"] = None
        raise Silent
        """,
        check=False,
    )

    assert effects.error == "Silent"


def test_output_of_megabytes_is_there_whole(effects_of: Observe) -> None:
    effects = effects_of("print('x' * 5_000_000)")

    assert effects.stdout[0].what == "x" * 5_000_000 + "\n"
    assert len(repr(effects.stdout)) < 200


def test_exit_without_a_word_is_told_with_what_was_seen(write: Write) -> None:
    write(
        inkhorn="import inkhorn_sub",
        inkhorn_sub="import os\nos.environ['A'] = '1'\nprint('text', flush=True)\nos._exit(3)",
    )

    effects = import_effects("inkhorn", check=False)

    assert effects.error == (
        "the interpreter ended with exit status 3 while importing inkhorn_sub (inkhorn.py:1)"
    )
    assert [(each.what, each.place) for each in effects.environ] == [("A", "inkhorn_sub.py:2")]
    assert [(each.what, each.module) for each in effects.stdout] == [("text\n", "inkhorn_sub")]
    assert effects.seconds < 60


@posix_only
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_crash_is_told_with_what_was_seen(effects_of: Observe, name: str) -> None:
    effects = effects_of(
        f"import os, signal\nos.environ['A'] = '1'\nos.kill(os.getpid(), signal.{name})", check=False
    )

    assert effects.error == f"the interpreter was killed by {name} while importing inkhorn"
    assert [each.what for each in effects.environ] == ["A"]


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="needs a signal that has no name")
def test_crash_by_a_signal_without_a_name_is_told_by_its_number(effects_of: Observe) -> None:
    number = int(signal.SIGRTMIN) + 1

    effects = effects_of(f"import os; os.kill(os.getpid(), {number})", check=False)

    assert effects.error == f"the interpreter was killed by signal {number} while importing inkhorn"


@posix_only
def test_fork_that_goes_on_is_not_recorded(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import os
        child = os.fork()
        os.environ["CHILD" if not child else "PARENT"] = "1"
        if child:
            os.waitpid(child, 0)
        """,
        args=("-W", "ignore"),
    )

    assert [each.what for each in effects.environ] == ["PARENT"]


def test_threads_and_callbacks_that_do_not_end_are_not_waited_for(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import atexit, threading
        threading.Thread(target=threading.Event().wait).start()
        atexit.register(threading.Event().wait)
        """,
        timeout=30,
    )

    assert [each.after for each in effects.threads] == ["alive"]


@linux_only
@pytest.mark.parametrize("new_session", [False, True])
def test_timeout_kills_all_that_was_started(
    effects_of: Observe, wait_for_end: Callable[[int], None], new_session: bool
) -> None:
    effects = effects_of(
        f"""
        import subprocess, sys, time
        code = "import time; time.sleep(600)"
        parent = "import subprocess, sys, time; " \\
            f"print(subprocess.Popen([sys.executable, '-c', {{code!r}}]).pid, flush=True); {{code}}"
        process = subprocess.Popen([sys.executable, "-c", parent], start_new_session={new_session})
        print(process.pid, flush=True)
        time.sleep(600)
        """,
        timeout=4,
        check=False,
    )

    assert effects.error.startswith("the import was not over after 4 seconds while importing inkhorn")
    pids = [int(pid) for each in effects.stdout for pid in each.what.split()]
    assert len(pids) == 2
    for pid in pids:
        wait_for_end(pid)


def test_output_of_a_process_that_goes_on_does_not_keep_the_result_waiting(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        """,
        args=("-W", "ignore"),
        timeout=30,
    )

    assert [each.how for each in effects.processes] == ["started"]
