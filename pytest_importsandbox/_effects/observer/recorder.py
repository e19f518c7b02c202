"""The way out: a record is in its file as soon as it is written, whatever becomes of the process."""

from __future__ import annotations

from _thread import get_ident
from marshal import dumps
from time import perf_counter

from pytest_importsandbox._effects.observer.unseen import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_open, _write, _fstat, _getpid = system.open, system.write, system.fstat, system.getpid
# The last two exist on Windows alone, or nowhere else.
_FLAGS = (
    system.O_WRONLY | system.O_APPEND | getattr(system, "O_BINARY", 0) | getattr(system, "O_NOINHERIT", 0)
)


class Recorder:
    """Writes records to a file, and keeps the observer from observing itself.

    :param path: An existing file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._process = _getpid()
        self._descriptor = _open(path, _FLAGS)
        self._file = self._identity()
        self._working: set[int] = set()
        self._spent = 0.0

    def write(self, *record: Any) -> None:
        """Write a record of what `marshal` can write; a forked process writes none."""
        if _getpid() != self._process:
            return
        content = dumps(record)
        # The import may have closed the descriptor, and opened a file of its own that has the same number.
        if self._identity() != self._file:
            self._descriptor = _open(self._path, _FLAGS)
        _write(self._descriptor, len(content).to_bytes(4, "little") + content)

    def _identity(self) -> tuple[int, int] | None:
        """Which file the descriptor stands for."""
        try:
            found = _fstat(self._descriptor)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def begin(self) -> float | None:
        """Begin to observe, and return the time; `None` if this thread is observing already."""
        thread = get_ident()
        if thread in self._working:
            return None
        now = perf_counter()
        self._working.add(thread)
        return now

    def finish(self, began: float) -> None:
        """Count the time since then as the observer's."""
        self._spent += perf_counter() - began
        self._working.discard(get_ident())

    def clock(self, now: float) -> float:
        """The time that the import itself has had so far, in seconds."""
        return now - self._spent
