"""Modules as they are: reading module objects without running foreign code, and the single writes to `sys`.

An entry of `sys.modules` can be a lazy module that loads when it is touched, a mock, or an object that
raises from every special method. So foreign objects are compared by identity and read through
`object.__getattribute__` alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES, BuiltinImporter, FrozenImporter, PathFinder
from operator import is_
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from pytest_importsandbox._core.cpython import is_initializing

# Read like this, they run no code of a metaclass.
_MRO: Final = type.__dict__["__mro__"]
_CLASS_DICT: Final = type.__dict__["__dict__"]

_MODULE_DICT: Final = type.__getattribute__(ModuleType, "__dict__")["__dict__"].__get__

MISSING: Final = object()
"""Stands for no value, where None can be one."""

_INTERPRETER_MODULES: Final = sys.modules
"""Where import statements look, whatever `sys.modules` is bound to."""

# What an installation has of the standard library: Python code, and shared libraries beside it.
# https://docs.python.org/3/library/sys_path_init.html
_STANDARD_DIRECTORIES: Final = tuple(
    os.path.normcase(f"{directory}{os.sep}")
    for directory in {
        Path(os.__file__).parent,
        Path(sys.base_exec_prefix, sys.platlibdir, "python{}.{}".format(*sys.version_info), "lib-dynload"),
        Path(sys.base_exec_prefix, "DLLs"),
    }
)
_SITE_DIRECTORIES: Final = tuple(
    os.path.normcase(f"{os.sep}{name}{os.sep}") for name in ("site-packages", "dist-packages")
)
_EXTENSION_SUFFIXES: Final = tuple(EXTENSION_SUFFIXES)
_STANDARD_FINDERS: Final = (BuiltinImporter, FrozenImporter, PathFinder)


def namespace(module: object) -> dict[str, Any] | None:
    """The attributes of a module as they are, or None for an object that keeps none in a dict."""
    # Both are asked for at every import, and an exception costs many times as much.
    if module is None or module is MISSING:
        return None
    try:
        if is_module(module):
            # Not by its class, which can define a property of that name: those of apipkg and py do.
            attributes = _MODULE_DICT(module)
        else:
            attributes = object.__getattribute__(module, "__dict__")
    except Exception:
        return None
    return attributes if type(attributes) is dict else None


def is_module(value: object) -> bool:
    """Whether a value is a module, asked of its type alone: `isinstance` reads `__class__`."""
    return issubclass(type(value), ModuleType)


def class_defines(value: object, name: str) -> bool:
    """Whether the class of a module, if it has one of its own, defines an attribute."""
    kind = type(value)
    if kind is ModuleType:
        return False
    classes = [each for each in _MRO.__get__(kind) if each is not ModuleType and each is not object]
    return any(name in _CLASS_DICT.__get__(each) for each in classes)


def spec_of(module: object) -> dict[str, Any]:
    """The attributes of a module's spec; empty where there is none."""
    return namespace((namespace(module) or {}).get("__spec__")) or {}


def is_imported_as(name: str, module: object) -> bool:
    """Whether import made a module under this name: it is no fake and no alias."""
    found = spec_of(module).get("name")
    return type(found) is str and found == name


def is_loading(module: object) -> bool:
    """Whether a module has not run to its end yet."""
    return is_initializing(spec_of(module))


def is_extension_spec(spec: Mapping[str, Any]) -> bool:
    """Whether a spec is one of compiled code: built into the interpreter or a shared library.

    https://docs.python.org/3/library/importlib.html#importlib.machinery.ExtensionFileLoader
    """
    origin = spec.get("origin")
    return type(origin) is str and (origin == "built-in" or origin.endswith(_EXTENSION_SUFFIXES))


def is_extension(module: object) -> bool:
    """Whether a module is compiled code."""
    return is_extension_spec(spec_of(module))


def is_standard_spec(spec: Mapping[str, Any]) -> bool:
    """Whether a spec is one of the standard library, judged by where the module comes from."""
    origin = spec.get("origin")
    if type(origin) is not str:
        return False
    if origin in ("built-in", "frozen"):
        return True
    path = os.path.normcase(origin)
    for directory in _STANDARD_DIRECTORIES:
        if path.startswith(directory):
            # Python itself may lie below a directory of that name.
            return not any(site in path[len(directory) - 1 :] for site in _SITE_DIRECTORIES)
    return False


def is_standard(module: object) -> bool:
    """Whether a module is the standard library's."""
    return is_standard_spec(spec_of(module))


def stays_in_place(module: object) -> bool:
    """Whether a module is not even evicted: compiled and frozen parts of the standard library."""
    return is_standard(module) and (is_extension(module) or spec_of(module)["origin"] == "frozen")


def is_passive(module: object) -> bool:
    """Whether reading and setting the attributes of a module runs no code of its class."""
    kind = type(module)
    return is_module(module) and all(
        type.__getattribute__(kind, name) is getattr(ModuleType, name)
        for name in ("__getattribute__", "__setattr__")
    )


def defining_module(entry: object) -> str:
    """The name of the module that defines a class or function, or the class of an object."""
    found: object = None
    with suppress(Exception):
        if issubclass(type(entry), FunctionType):
            found = object.__getattribute__(entry, "__module__")
        else:
            kind = entry if issubclass(type(entry), type) else type(entry)
            found = type.__getattribute__(kind, "__module__")
    return found if type(found) is str else ""


def type_name(entry: object) -> str:
    """A name for a foreign object that calls none of its code; a text is its own name."""
    if type(entry) is str:
        return entry
    if issubclass(type(entry), FunctionType):
        return str(object.__getattribute__(entry, "__qualname__"))
    kind = entry if issubclass(type(entry), type) else type(entry)
    return str(type.__getattribute__(kind, "__qualname__"))


def are_same(one: Collection[Any], other: Collection[Any]) -> bool:
    """Whether two collections hold the same objects in the same order."""
    return len(one) == len(other) and all(map(is_, one, other))


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names that stand for other objects after than before."""
    return [name for name, module in after.items() if before.get(name, MISSING) is not module]


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


def finders() -> list[Any]:
    """The finders that import asks, whatever a test made of the list."""
    found: list[Any] = getattr(sys, "meta_path", [])
    return found


def is_first(finder: object) -> bool:
    """Whether a finder is asked before any other."""
    try:
        return sys.meta_path[0] is finder
    except Exception:
        # A test can have emptied the list, deleted it, or made anything of it.
        return False


def is_installed(finder: object) -> bool:
    """Whether a finder is asked at all."""
    return any(each is finder for each in finders())


def put_first(finder: Any) -> None:
    """Make a finder the first that import asks."""
    # At once: other threads walk over the list.
    sys.meta_path[:] = [finder, *(each for each in sys.meta_path if each is not finder)]


def put_before_standard(finder: Any, others: Iterable[object] = ()) -> None:
    """Let import ask a finder before the standard ones, and before some others."""
    others = [*_STANDARD_FINDERS, *others]
    positions = [
        position for position, each in enumerate(sys.meta_path) if any(each is other for other in others)
    ]
    sys.meta_path.insert(min(positions, default=len(sys.meta_path)), finder)


def remove_finder(finder: Any) -> None:
    """Take a finder out of `sys.meta_path`."""
    sys.meta_path[:] = [each for each in sys.meta_path if each is not finder]


def put_entry(attribute: str, entry: object, *, front: bool) -> None:
    """Put an entry into a list of `sys`, behind the first one or at the end, unless it is there."""
    entries: list[Any] = getattr(sys, attribute)
    if not any(each is entry for each in entries):
        entries.insert(1 if front else len(entries), entry)
