"""Whose line it was: from frames to the places that are worth telling."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

# A module, its file and a line; the file is empty where a module has none.
Place = tuple[str, str, int]
NOWHERE: Place = ("", "", 0)

_OURS = __name__.rpartition(".")[0] + "."
_BOOTSTRAP = frozenset({"_frozen_importlib", "importlib._bootstrap"})
_LOADERS = frozenset({"_frozen_importlib_external", "importlib._bootstrap_external", "zipimport"})
_MACHINERY = _BOOTSTRAP | _LOADERS | {"importlib"}

_getframe = sys._getframe
_standard_names = sys.stdlib_module_names
_home: str = getattr(sys, "_stdlib_dir", None) or ""


def is_standard(name: str, file: str) -> bool:
    """Whether a module is one of the standard library, and not one of the same name; some have no file."""
    return name.partition(".")[0] in _standard_names and (not file or file.startswith(_home))


def importing_line(loading: set[str]) -> Place:
    """The line of the statement that asked for a module; `NOWHERE` if the observer itself did.

    A function of the standard library imports on behalf of its caller, but for a module that is being loaded.
    """
    frame = _caller()
    while frame is not None:
        name = _name(frame)
        if name not in _MACHINERY and (name in loading or not is_standard(name, _file(frame))):
            break
        frame = frame.f_back
    return _place(frame)


def innermost_line() -> Place:
    """The innermost line that is not the standard library's, or the innermost if there is no other."""
    frame = _caller()
    fallback = NOWHERE
    while frame is not None:
        name = _name(frame)
        if name.startswith(_OURS):
            break
        if name not in _MACHINERY:
            if not is_standard(name, _file(frame)):
                return _place(frame)
            if fallback is NOWHERE:
                fallback = _place(frame)
        frame = frame.f_back
    return fallback


def calling_module() -> str:
    """The name of the module whose function does it."""
    frame = _caller()
    return "" if frame is None else _name(frame)


def calling_function() -> str:
    """The name of that function."""
    frame = _caller()
    return "" if frame is None else frame.f_code.co_name


def import_does_it() -> bool:
    """Whether it is the import system that reads or writes a file, for nobody but itself."""
    frame = _caller()
    outermost = None
    while frame is not None and _name(frame) in _LOADERS:
        outermost, frame = frame, frame.f_back
    if outermost is None:
        return False
    # `loader.get_data()` is public: `pkgutil` and others read files with it.
    return frame is None or _name(frame) in _BOOTSTRAP or outermost.f_code.co_name != "get_data"


def _caller() -> FrameType | None:
    """The innermost frame that is not the observer's."""
    frame: FrameType | None = _getframe(2)
    while frame is not None and _name(frame).startswith(_OURS):
        frame = frame.f_back
    return frame


def _name(frame: FrameType) -> str:
    # Reading the code object of a frame would raise an audit event; its globals do not.
    name = frame.f_globals.get("__name__")
    return name if type(name) is str else ""


def _place(frame: FrameType | None) -> Place:
    if frame is None or _name(frame).startswith(_OURS):
        return NOWHERE
    return _name(frame), _file(frame), frame.f_lineno or 0


def _file(frame: FrameType) -> str:
    file = frame.f_globals.get("__file__")
    return file if type(file) is str else ""
