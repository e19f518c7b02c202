"""Which processes are still running when the import is over, where the system tells."""

from __future__ import annotations

from pytest_importsandbox._effects.observer.unseen import system

_open, _read, _close, _listdir = system.open, system.read, system.close, system.listdir
_TASKS = "/proc/self/task"
_PATIENCE = 1000


def running_children() -> list[str]:
    """Their commands; none where there is no list of them, as outside of Linux."""
    try:
        tasks = _listdir(_TASKS)
        own_command = _content("/proc/self/cmdline")
    except OSError:
        return []
    commands = []
    for task in tasks:
        try:
            children = _content(f"{_TASKS}/{task}/children").split()
        # The thread has ended, or the kernel was built without such lists.
        except OSError:
            continue
        commands += [_command(child, own_command) for child in children]
    return [command for command in commands if command]


def _command(process: str, own_command: str) -> str:
    """The command of a process; empty if it has ended."""
    try:
        # A process that has just begun to run a program has no command for a moment.
        for _ in range(_PATIENCE):
            command = _content(f"/proc/{process}/cmdline")
            if command or _content(f"/proc/{process}/stat").rpartition(") ")[2].startswith("Z"):
                break
    except OSError:
        return ""
    return "fork" if command == own_command else command.rstrip("\0").replace("\0", " ")


def _content(path: str) -> str:
    descriptor = _open(path, system.O_RDONLY)
    try:
        return str(_read(descriptor, 1 << 16), "utf-8", "surrogateescape")
    finally:
        _close(descriptor)
