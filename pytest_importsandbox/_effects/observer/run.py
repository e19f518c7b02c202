"""The order of things in the new interpreter: prepare, import, look, leave."""

from __future__ import annotations

import sys
from time import perf_counter

from pytest_importsandbox._effects.observer.children import running_children
from pytest_importsandbox._effects.observer.events import Audit
from pytest_importsandbox._effects.observer.imports import Imports, block
from pytest_importsandbox._effects.observer.places import NOWHERE, is_standard
from pytest_importsandbox._effects.observer.recorder import Recorder
from pytest_importsandbox._effects.observer.rows import own
from pytest_importsandbox._effects.observer.standard import StandardLibrary
from pytest_importsandbox._effects.observer.state import rows
from pytest_importsandbox._effects.observer.threads import Threads, announce_threads
from pytest_importsandbox._effects.observer.unseen import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_stat, _getpid = system.stat, system.getpid
# That of `os` may be one that lets a tool write down what it has measured.
_exit = getattr(sys.modules.get("os"), "_exit", system._exit)
_modules = sys.modules


class Observer:
    """Puts the parts together, and looks where one module's code ends and another's goes on.

    :param packages: The packages that are looked at closely: their modules one by one, others as a whole.
    :param outputs: The files that take what is written to standard output and standard error.
    """

    def __init__(self, recorder: Recorder, packages: set[str], outputs: list[str]) -> None:
        self._recorder = recorder
        self._packages = packages
        self._outputs = outputs
        self._streams = [sys.stdout, sys.stderr]
        self._written = [0 for _ in outputs]
        self._threads = Threads()
        self._library = StandardLibrary()
        self._imports = Imports(recorder, self._look, self._library.add)
        self._audit = Audit(recorder, self._imports, self._threads)

    def install(self) -> None:
        """Observe from now on."""
        # First what takes the place of functions of the standard library, then a picture of it.
        if sys.version_info < (3, 12):
            announce_threads(self._audit)
        self._imports.install()
        self._library.add_loaded()
        self._rows = rows(self._library.loaded)
        self._audit.install()

    def last_look(self) -> None:
        """Record what can be seen when the import is over; nothing is observed any more."""
        self._recorder.begin()
        for look in (self._look_at_everything, self._look_at_threads, self._look_at_processes):
            try:
                look()
            # Whatever the import has broken, the rest can still be seen.
            except BaseException as exc:
                self._recorder.write("missed", f"{look.__name__}: {type(exc).__name__}")

    def _look(self, module: str, other: str) -> None:
        """Record what the code of a module changed since the last look; from now on it is another's."""
        # Nobody's code was running.
        if not module:
            return
        standard = _is_standard(module)
        if standard and _is_standard(other):
            return
        self._look_at_state("" if standard else module, standard)
        package = module.partition(".")[0]
        if not standard and (package in self._packages or package != other.partition(".")[0]):
            self._look_at_library(module)
        self._look_at_output(module)

    def _look_at_everything(self) -> None:
        # There was a look when the last load was over.
        if self._threads.any_alive():
            self._look_at_state("", False)
            self._look_at_library("")
        self._look_at_output("")

    def _look_at_state(self, module: str, standard: bool) -> None:
        for row in self._rows:
            try:
                changes = list(row.changes())
            # The import may have put anything anywhere.
            except BaseException as exc:
                self._recorder.write("missed", f"{row.kind}: {type(exc).__name__}")
                continue
            # What the standard library sets up for itself belongs to its being loaded.
            for change in () if standard else changes:
                self._recorder.write("effect", row.kind, *change, module, NOWHERE)

    def _look_at_library(self, module: str) -> None:
        for what, before, after, origin in self._library.changes():
            # The object may come from another module of the same package, which has run meanwhile.
            closer = origin if origin.partition(".")[0] == module.partition(".")[0] else module
            how = "removed" if after is None else "changed"
            self._recorder.write("effect", "patched", what, how, before, after, closer, NOWHERE)

    def _look_at_output(self, module: str) -> None:
        for stream in self._streams:
            try:
                stream.flush()
            # The import has closed it, or there is none: `pythonw` on Windows.
            except (AttributeError, OSError, ValueError):
                continue
        written = [_stat(path).st_size for path in self._outputs]
        if written != self._written:
            self._written = written
            self._recorder.write("output", module, written)

    def _look_at_threads(self) -> None:
        self._recorder.write("alive", self._threads.alive(self._library.loaded.get("threading")))

    def _look_at_processes(self) -> None:
        self._recorder.write("running", running_children())


def observe(orders: dict[str, Any]) -> None:
    """Import what is asked for, record it, and end the process: threads and `atexit` have no say in that."""
    process = _getpid()
    preloaded = list(_modules)
    sys.path[:] = orders["path"]
    recorder = Recorder(orders["records"])
    recorder.write("start", preloaded, getattr(sys.stdout, "encoding", None) or "utf-8")
    if orders["blocked"]:
        block(orders["blocked"])
    packages = {name.partition(".")[0] for name in orders["names"]}
    observer = Observer(recorder, packages, orders["outputs"])
    observer.install()
    failure = None
    began = recorder.clock(perf_counter())
    try:
        for name in orders["names"]:
            __import__(name)
    except BaseException as exc:
        failure = exc
    seconds = recorder.clock(perf_counter()) - began
    if _getpid() != process:
        # A fork of the import that has come this far: what it observes is not written.
        _exit(0)
    observer.last_look()
    recorder.write("loaded", [name for name in list(_modules) if type(name) is str])
    if failure is not None:
        recorder.write("error", _told(failure))
    recorder.write("done", seconds)
    _exit(0)


def _told(failure: BaseException) -> str:
    """An exception with its traceback, as far as the import has left what it takes to tell it."""
    # The first frame is the observer's.
    traceback = failure.__traceback__ and failure.__traceback__.tb_next
    try:
        sys.setrecursionlimit(max(1000, sys.getrecursionlimit()))
        from traceback import format_exception

        return "".join(format_exception(type(failure), failure, traceback)).rstrip()
    except BaseException:
        pass
    try:
        return f"{type(failure).__name__}: {failure}"
    except BaseException:
        return type(failure).__name__


def _is_standard(name: str) -> bool:
    file = own(_modules.get(name), "__file__")
    return is_standard(name, file if type(file) is str else "")
