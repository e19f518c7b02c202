"""Modules as they are: reading module objects without running foreign code, and the single writes to `sys`.

An entry of `sys.modules` can be a lazy module that loads when it is touched, a mock, or an object that
raises from every special method. So foreign objects are compared by identity and read through
`object.__getattribute__` alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any, Final

MISSING: Final = object()
"""Stands for no value, where None can be one."""

_INTERPRETER_MODULES: Final = sys.modules
"""Where import statements look, whatever `sys.modules` is bound to."""

# What an installation has of the standard library: Python code, and shared libraries beside it.
# https://docs.python.org/3/library/sys_path_init.html
_STANDARD_DIRECTORIES: Final = tuple(
    f"{directory}{os.sep}"
    for directory in {
        Path(os.__file__).parent,
        Path(sys.base_exec_prefix, sys.platlibdir, "python{}.{}".format(*sys.version_info), "lib-dynload"),
        Path(sys.base_exec_prefix, "DLLs"),
    }
)
_SITE_DIRECTORIES: Final = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_EXTENSION_SUFFIXES: Final = tuple(EXTENSION_SUFFIXES)


def namespace(module: object) -> dict[str, Any] | None:
    """The attributes of a module as they are, or None for an object that keeps none in a dict."""
    try:
        attributes = object.__getattribute__(module, "__dict__")
    except Exception:
        return None
    return attributes if type(attributes) is dict else None


def is_module(value: object) -> bool:
    """Whether a value is a module, asked of its type alone: `isinstance` reads `__class__`."""
    return issubclass(type(value), ModuleType)


def spec_of(module: object) -> dict[str, Any]:
    """The attributes of a module's spec; empty where there is none."""
    return namespace((namespace(module) or {}).get("__spec__")) or {}


def is_imported_as(name: str, module: object) -> bool:
    """Whether import made a module under this name: it is no fake and no alias."""
    found = spec_of(module).get("name")
    return type(found) is str and found == name


def is_loading(module: object) -> bool:
    """Whether a module has not run to its end yet."""
    return spec_of(module).get("_initializing") is True


def is_extension(module: object) -> bool:
    """Whether a module is compiled code: built into the interpreter or a shared library."""
    origin = spec_of(module).get("origin")
    return isinstance(origin, str) and (origin == "built-in" or origin.endswith(_EXTENSION_SUFFIXES))


def is_standard(module: object) -> bool:
    """Whether a module is the standard library's, judged by where it comes from."""
    origin = spec_of(module).get("origin")
    if not isinstance(origin, str):
        return False
    if origin in ("built-in", "frozen"):
        return True
    return origin.startswith(_STANDARD_DIRECTORIES) and not any(site in origin for site in _SITE_DIRECTORIES)


def stays_in_place(module: object) -> bool:
    """Whether a module is not even evicted: compiled and frozen parts of the standard library."""
    return is_standard(module) and (is_extension(module) or spec_of(module)["origin"] == "frozen")


def remove_modules(names: Iterable[str]) -> None:
    """Take modules out of `sys.modules`."""
    for name in names:
        sys.modules.pop(name, None)
        _INTERPRETER_MODULES.pop(name, None)


def put_modules(modules: Mapping[str, Any]) -> None:
    """Put modules into `sys.modules`."""
    sys.modules.update(modules)


def unbind(name: str, module: object) -> None:
    """Delete the attribute on the parent package if it is this module."""
    package, _, child = name.rpartition(".")
    attributes = namespace(sys.modules.get(package)) if package else None
    if attributes is not None and attributes.get(child, MISSING) is module:
        del attributes[child]


def bind(name: str, value: object) -> None:
    """Set the attribute on the parent package."""
    package, _, child = name.rpartition(".")
    attributes = namespace(sys.modules.get(package))
    if attributes is not None:
        attributes[child] = value


def prepend_to_path(directory: str) -> None:
    """Make a directory the first that is searched."""
    sys.path.insert(0, directory)


def is_first(finder: object) -> bool:
    """Whether a finder is asked before any other."""
    finders: list[Any] = getattr(sys, "meta_path", [])
    return bool(finders) and finders[0] is finder


def put_first(finder: Any) -> None:
    """Make a finder the first that import asks."""
    remove_finder(finder)
    sys.meta_path.insert(0, finder)


def remove_finder(finder: Any) -> None:
    """Take a finder out of `sys.meta_path`."""
    sys.meta_path[:] = [each for each in sys.meta_path if each is not finder]
