"""Which threads were started, and which of them are still alive."""

from __future__ import annotations

import _thread
import sys
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_count = _thread._count


class Threads:
    """The threads that the import started, in that order."""

    def __init__(self) -> None:
        self._before = _count()
        self._started: list[Callable[[], object] | None] = []

    def add(self, function: object) -> None:
        """Note a thread by the function that it is to run: a method, if it is one of `threading`."""
        thread = getattr(function, "__self__", None)
        known = type(getattr(thread, "_name", None)) is str
        self._started.append(ref(thread) if known else None)

    def any_alive(self) -> bool:
        """Whether there is any thread beside the main one."""
        return _count() > 0

    def alive(self, threading: ModuleType | None) -> list[int]:
        """Which of them have not ended, by their number."""
        # Those that run, and those that are about to; none if the module is not loaded.
        tables = [getattr(threading, name, {}) for name in ("_active", "_limbo")]
        identities = {id(thread) for table in tables for thread in table.copy().values()}
        found = [
            number
            for number, thread in enumerate(self._started)
            if thread is not None and id(thread()) in identities
        ]
        # Of the others nobody keeps anything but their number.
        others = [number for number, thread in enumerate(self._started) if thread is None]
        left = _count() - self._before - len(found)
        return sorted(found + others[len(others) - left :] if left > 0 else found)


def announce_threads(hear: Callable[[str, tuple[Any, ...]], None]) -> None:
    """Make Python 3.11 tell of new threads, as later versions do."""
    native: Any = sys.modules["_thread"]
    namespace = {"__name__": "_thread", "hear": hear, "start": native.start_new_thread}
    exec(_ANNOUNCING, namespace)
    native.start_new_thread = native.start_new = namespace["start_new_thread"]
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._start_new_thread = native.start_new_thread


_ANNOUNCING = """
def start_new_thread(function, *arguments, **keywords):
    hear("_thread.start_new_thread", (function,))
    return start(function, *arguments, **keywords)
"""
