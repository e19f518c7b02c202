"""What other threads import meanwhile: the import lock, and the imports in progress.

Whatever looks at the import state and changes it accordingly does so under the import lock
(https://docs.python.org/3/library/imp.html described it; today `_imp` alone has it). The import system
holds that lock whenever it asks a finder, so nobody begins to load anything meanwhile. What other threads
are loading already goes on: each import holds the lock of its module until it is over.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from traceback import walk_stack
from typing import Any, Final

from pytest_importsandbox._core.cpython import (
    BOOTSTRAP_FILE,
    acquire_import_lock,
    current_frames,
    module_locks,
    owner,
    release_import_lock,
)
from pytest_importsandbox._core.names import in_tree

_OF_RACES: Final = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What a step raises if another thread changes something meanwhile; time limits have types of their own."""

_MOMENT: Final = 0.001
"""Seconds that another thread gets to end its import."""


def run_each(steps: Collection[Callable[[], object]]) -> None:
    """Run all steps, whichever of them fail, and raise at the end what has interrupted them.

    A signal handler (Ctrl-C, a time limit) can raise between any two steps, and in the middle of one. So if
    anything is raised, all of them run a second time, one by one: each does no harm if it is done twice.
    What fails in both runs is the fault of a hostile object, which has no say here. What does not fail again
    has come from outside, and is raised when all is done, unless another thread can have brought it about.
    """
    try:
        for step in steps:
            step()
        return
    except BaseException as exc:
        interrupt = None if type(exc) in _OF_RACES else exc
    for step in steps:
        try:
            step()
        except Exception as exc:
            if type(interrupt) is type(exc):
                interrupt = None
        except BaseException as exc:
            interrupt = exc
            with suppress(BaseException):
                step()
    if interrupt is not None:
        raise interrupt


def wait_for_imports(roots: Collection[str], seconds: float) -> set[str]:
    """Wait until no other thread imports one of some packages; return what goes on longer than that.

    The import lock is held before and after.
    """
    end = time.monotonic() + seconds
    while (names := _imports_below(roots)) and time.monotonic() < end:
        # What needs no other import ends now, before the thread begins the next one.
        time.sleep(_MOMENT)
        if _imports_below(roots):
            try:
                release_import_lock()
                time.sleep(_MOMENT)
            finally:
                # Also if a signal ends the wait: whoever called gives the lock back.
                acquire_import_lock()
    return names


def _imports_below(roots: Collection[str]) -> set[str]:
    """The modules of some packages that other threads are importing."""
    return imports_in_progress(lambda name: in_tree(name, roots))


def is_being_imported(name: str) -> bool:
    """Whether this thread imports a module; if not, somebody asks where it can be found."""
    return is_held(owned_lock(name))


def is_held(lock: Any) -> bool:
    """Whether this thread holds the lock of a module, if there is one."""
    return lock is not None and owner(lock) == threading.get_ident()


def owned_lock(name: str) -> Any:
    """The lock of a module that is being imported by any thread."""
    reference = module_locks.get(name)
    return reference() if reference is not None else None


class OutermostImports:
    """The imports that no other one asked for, one in each thread, from their beginning to their end.

    An import begins when the watcher is asked, and ends when its module lock is gone: only the import itself
    holds that. So a weak reference to the lock is called at the end, and nothing gets between a module and
    its loader.
    """

    def __init__(self) -> None:
        self._locks: Final[dict[int, weakref.ref[Any]]] = {}
        """By thread, the lock of the import that goes on."""

    def is_one_going_on(self) -> bool:
        """Whether this thread is in one."""
        lock = self._locks.get(threading.get_ident())
        # From Python 3.15 on, the exception of a failed import keeps its lock, which nobody holds then.
        return lock is not None and is_held(lock())

    def follow(self, name: str, begin: Callable[[], Callable[[], object]]) -> None:
        """Call `begin` if the import of a module is one, and at its end what that returned."""
        thread, lock = threading.get_ident(), owned_lock(name)
        # There is none where somebody only asks where a module can be found.
        if self.is_one_going_on() or not is_held(lock):
            return
        end = begin()

        def ended(_: object) -> None:
            self._locks.pop(thread, None)
            end()

        self._locks[thread] = weakref.ref(lock, ended)

    def forget(self) -> None:
        """Let those that go on end unnoticed."""
        self._locks.clear()


def imports_in_progress(names: Callable[[str], bool] = lambda name: True) -> set[str]:
    """Names that other threads are importing at this moment, or are about to."""
    if not module_locks:
        return set()
    me = threading.get_ident()
    # Asked before the owners are: whoever has taken the lock by then is one of them.
    others_import = _other_threads_import(me)
    return {
        name
        for name in list(module_locks)
        if names(name)
        and (lock := owned_lock(name)) is not None
        and (others_import if owner(lock) is None else owner(lock) != me)
    }


def _other_threads_import(me: int) -> bool:
    """Whether another thread is in the middle of an import, and may take a lock that has no owner yet.

    It needs no import lock for that. Where there is none, locks without an owner are mere remains: from
    Python 3.15 on, the traceback of a failed import holds the lock for as long as somebody keeps the
    exception.
    """
    return any(
        frame.f_code.co_filename == BOOTSTRAP_FILE
        for thread, innermost in current_frames().items()
        if thread != me
        for frame, _ in walk_stack(innermost)
    )
