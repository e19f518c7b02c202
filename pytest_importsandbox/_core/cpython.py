"""What CPython has and does not promise to keep: all that this package needs of it, in one place.

Each name says what it is needed for, and what would tell of a change. tests/core/test_cpython.py asks just
that of CPython itself, with every version.

Two things are elsewhere. The table of pending submodules has no name, and `lazy` finds it. The observer of
import effects runs in a new interpreter and imports nothing of ours; what it needs is in that test as well.
"""

from __future__ import annotations

import _imp
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import _bootstrap, _bootstrap_external, util
from operator import attrgetter
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

acquire_import_lock: Final[Callable[[], None]] = _imp.acquire_lock
"""Needed to look at the import state and change it while nobody begins to import.
Changed if a thread that imports asks a finder all the same."""

release_import_lock: Final[Callable[[], None]] = _imp.release_lock
"""Needed to let other threads import again. Changed if a thread that waited asks no finder then."""

module_locks: Final[dict[str, Callable[[], Any]]] = _bootstrap._module_locks  # type: ignore[attr-defined]
"""Needed to know what is being imported, and when that is over. Changed if it has, under the name of a
module, no weak reference to a lock that lives for as long as the module is being imported."""

owner: Final[Callable[[Any], int | None]] = attrgetter("owner")
"""The thread that holds the lock of a module. Needed to know who imports it.
Changed if it is not the `threading.get_ident()` of that thread, or not None while no thread has the lock."""

ModuleLockManager: Final[Any] = _bootstrap._ModuleLockManager  # type: ignore[attr-defined]
"""Needed to import a module that another one brings along, as import itself does.
Changed if the module does not have a lock of this thread meanwhile."""

load_unlocked: Final[Callable[[Any], Any]] = _bootstrap._load_unlocked  # type: ignore[attr-defined]
"""Needed to load the module of a spec that a finder has found.
Changed if the module is not what `sys.modules` has in the end, or has not run."""


def find_and_load() -> Callable[..., ModuleType | None]:
    """What carries out an import that `sys.modules` does not answer, or answers with None.

    Needed to say of a blocked module what import says of one that is not installed.
    Changed if an import asks something else, or with other arguments.
    """
    return _bootstrap._find_and_load  # type: ignore[attr-defined,no-any-return]


def set_find_and_load(function: Callable[..., ModuleType | None]) -> None:
    """Let something else carry out imports."""
    _bootstrap._find_and_load = function  # type: ignore[attr-defined]


BOOTSTRAP_FILE: Final[str] = load_unlocked.__code__.co_filename
"""Needed to know the frames of import: tracebacks are to have none, and whoever has some is importing.
Changed if import runs in frames of another file."""

NamespacePath: Final[Any] = _bootstrap_external._NamespacePath  # type: ignore[attr-defined]
"""Needed to know the search path of a namespace package; `importlib.machinery` has it from Python 3.15 on.
Changed if such a package has a `__path__` of another type."""

LOADERS_FILE: Final[str] = NamespacePath.__init__.__code__.co_filename
"""The same as the other file. Changed if loaders run in frames of another file."""


def directories(path: object) -> list[Any]:
    """The directories in the search path of a namespace package; none for any other object.

    Needed to put it back: reading the path as a sequence would compute it anew. Changed if what is written
    into this list is not what the path has then.
    """
    found = vars(path).get("_path") if type(path) is NamespacePath else None
    return found if type(found) is list else []


def is_initializing(spec: Mapping[str, Any]) -> bool:
    """Whether the module with these attributes of its spec has not run to its end yet.

    Needed because it goes on to change. Changed if a module that is running says no, or one that has run yes.
    """
    return spec.get("_initializing") is True


LazyModule: Final[type] = util._LazyModule  # type: ignore[attr-defined]
"""Needed to take back what `importlib.util.LazyLoader` does to a module.
Changed if a module has another type while it waits for its first use."""


def metadata_finder() -> Any:
    """The finder of `importlib.metadata`.

    Needed before Python 3.13 to make it look at its directories anew.
    Changed if it does not see what has been installed since.
    """
    # Here and below: loading it takes milliseconds, which most runs need not spend.
    from importlib.metadata import MetadataPathFinder

    return MetadataPathFinder()


def find_imports(code: CodeType) -> Iterator[tuple[str, int, Sequence[str] | None]]:
    """Name, level and the names behind `from ... import` of each import statement in a piece of code.

    Needed to know what it asks for. Changed if it tells something else.
    """
    from dis import _find_imports  # type: ignore[attr-defined]

    return _find_imports(code)  # type: ignore[no-any-return]


current_frames: Final[Callable[[], dict[int, FrameType]]] = sys._current_frames
"""Needed to see that another thread is in the middle of an import.
Changed if it has not, under the `threading.get_ident()` of a thread, the innermost frame of that."""

getframe: Final[Callable[[int], FrameType]] = sys._getframe
"""Needed to find the assertion that failed. Changed if 1 is not the caller of the function that asks."""


def is_gil_enabled() -> bool:
    """Whether a call into C keeps other threads from running.

    Needed to move names in a dict that others read. Changed if an ordinary build says no.
    """
    # Before Python 3.13, there is always the GIL.
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def line_cache() -> dict[str, Any]:
    """What `linecache` has read, by file.

    Needed to forget what was read from a file that is written anew.
    Changed if a file that was read is not in it.
    """
    return linecache.cache


def source_lines(file: str, variables: dict[str, Any]) -> list[str]:
    """The lines of a file, or of what a loader among these global variables has for it.

    Needed to read the code that failed. Changed if they are not the lines that `linecache.getline()` gives.
    """
    return linecache.getlines(file, variables)


def interpreter_flags() -> list[str]:
    """The options to start an interpreter like this one with.

    Needed for import effects. Changed if an option of this one is not among the arguments.
    """
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

    return _args_from_interpreter_flags()  # type: ignore[no-any-return]
