"""Imports that do what they can to be in the way: there is a result all the same."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")

Observe = Callable[..., ImportEffects]

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
    "deletes modules": "[sys.modules.pop(name) for name in list(sys.modules) if name not in ('builtins', 'sys')]",
    "clears the modules": "modules = dict(sys.modules); sys.modules.clear(); sys.modules.update(sys=sys)",
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
@pytest.mark.parametrize("end", ["", "1 / 0"], ids=["succeeds", "fails"])
def test_effects_before_and_after_are_seen_if_the_import(effects_of: Observe, source: str, end: str) -> None:
    effects = effects_of(
        "import os, sys\nenviron = os.environ\nenviron['BEFORE'] = '1'\n"
        + "\n".join(line.removeprefix(" " * 8) for line in source.splitlines())
        + f"\nsys.__dict__['dont_write_bytecode'] = 5\n{end}\n",
        check=False,
        args=("-W", "ignore"),
    )

    assert "BEFORE" in [each.what for each in effects.environ]
    assert "sys.dont_write_bytecode" in [each.what for each in effects.patched]
    assert effects.error.partition(":")[0] == ("ZeroDivisionError" if end else "")
