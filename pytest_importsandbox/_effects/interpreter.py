"""A new interpreter that imports and is observed: how it starts, how long it may take, how it ends."""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pytest_importsandbox._core.cpython import interpreter_flags
from pytest_importsandbox._effects import observer

# What the new interpreter runs. The names of the observer's modules are in `sys.modules` only as long as
# these import each other.
_START = """\
def start():
    import marshal, sys
    with open(sys.argv.pop(), "rb") as file:
        # At once: marshal.load() would read it piece by piece.
        parts, orders = map(marshal.loads, marshal.loads(file.read()))
    builtins = vars(sys.modules["builtins"]).copy()
    for name, code in parts:
        module = sys.modules[name] = type(sys)(name)
        vars(module)["__builtins__"] = builtins
        exec(code, vars(module))
    for name, code in parts:
        del sys.modules[name]
    del sys.modules["__main__"].start
    module.observe(orders)
start()
"""


@dataclass(frozen=True)
class Outcome:
    """What is left of an interpreter that has ended."""

    records: list[Any]
    """What it recorded, in that order."""
    stdout: bytes
    stderr: bytes
    status: int
    """The exit status; on POSIX, the number of a signal below zero."""
    timed_out: bool


def run(
    names: Sequence[str],
    *,
    path: Sequence[str],
    blocked: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    timeout: float,
) -> Outcome:
    """Import modules in a new interpreter.

    :param names: What to import, in turn.
    :param path: The `sys.path` to import from.
    :param blocked: What is to look as if it were not installed.
    :param args: Arguments for the interpreter, beside the flags of this one.
    :param env: The whole environment.
    :param timeout: The number of seconds after which it is killed, with all that it started.
    """
    # A process that outlives this may keep a file open, which then can't be deleted on Windows.
    with tempfile.TemporaryDirectory(prefix="importsandbox-", ignore_cleanup_errors=True) as directory:
        orders, records, stdout, stderr = (
            Path(directory, name) for name in ("orders", "records", "stdout", "stderr")
        )
        content = {
            "names": tuple(names),
            "path": list(path),
            "blocked": tuple(blocked),
            "records": str(records),
            "outputs": [str(stdout), str(stderr)],
        }
        orders.write_bytes(marshal.dumps((_parts(), marshal.dumps(content))))
        records.touch()
        command = [sys.executable, *interpreter_flags(), *args, "-c", _START, str(orders)]
        # Files, not pipes: these are never full, and nobody who keeps them open is waited for.
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(env),
                start_new_session=True,
            )
            timed_out = _wait(process, timeout)
        return Outcome(
            list(_read(records.read_bytes())),
            stdout.read_bytes(),
            stderr.read_bytes(),
            process.returncode,
            timed_out,
        )


@cache
def _parts() -> bytes:
    """The code of the observer, module by module."""
    parts = []
    for part in observer.PARTS:
        name = f"{observer.__name__}.{part}"
        # pytest has a finder of its own for plugins, whose loader rewrites them.
        spec = PathFinder.find_spec(name, observer.__path__)
        # The loaders of files and of zip archives have this method.
        parts.append((name, spec.loader.get_code(name)))  # type: ignore[union-attr]
    return marshal.dumps(parts)


def _read(content: bytes) -> Iterator[Any]:
    """The records, up to the last one that is complete."""
    start = 0
    while start + 4 <= len(content):
        end = start + 4 + int.from_bytes(content[start : start + 4], "little")
        if end > len(content):
            return
        yield marshal.loads(content[start + 4 : end])
        start = end


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for a process, and return whether it had to be killed."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        _kill_tree(process)

    # `wait(timeout)` looks now and then, and up to 50 ms too late; this thread does nothing but sleep.
    timer = threading.Timer(timeout, kill)
    timer.daemon = True
    timer.start()
    try:
        process.wait()
    except BaseException:
        _kill_tree(process)
        process.wait()
        raise
    finally:
        timer.cancel()
        timer.join()
        # Nobody else would end what the import has left running.
        _kill_group(process)
    return late.is_set()


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it started, as far as the system knows."""
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    else:
        # Some have left the session of the process: look for them while their parents are alive.
        descendants = list(_descendants(process.pid))
        _kill_group(process)
        for pid in descendants:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group of processes that a process leads."""
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def _descendants(pid: int) -> Iterator[int]:
    """The children of a process with theirs, where `/proc` tells."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text(encoding="ascii").split()):
                yield child
                yield from _descendants(child)
