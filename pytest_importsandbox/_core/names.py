"""Names of modules: resolving them, asking which tree they belong to, and which ones the run stands on."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

# What import itself runs on: without these, nothing can be imported again.
# https://docs.python.org/3/reference/import.html and CPython's Lib/importlib/_bootstrap.py, _setup().
_MACHINERY = (
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_io",
    "_thread",
    "_warnings",
    "_weakref",
    "builtins",
    "importlib",
    "marshal",
    "nt",
    "posix",
    "sys",
    "zipimport",
)
# What a test run itself stands on.
_RUNNING = ("__main__", "_pytest", "pluggy", "pytest", "pytest_importsandbox")

PROTECTED = frozenset(_MACHINERY + _RUNNING)


def resolve(name: object, package: str | None) -> str:
    """The absolute name that `importlib.import_module(name, package)` imports, or its own exception."""
    __tracebackhide__ = True
    if not isinstance(name, str):
        raise TypeError(f"the name of a module must be a str, not {type(name).__name__}: {name!r}")
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if bare and not level:
        return name
    if level and isinstance(package, str) and package and package.count(".") >= level - 1:
        base = package.rsplit(".", level - 1)[0]
        return f"{base}.{bare}" if bare else base
    try:
        return importlib.import_module(name, package).__name__
    except Exception as exc:
        # The fault is in the arguments, and the wording is importlib's; its frames tell nothing.
        raise exc.with_traceback(None) from None


def as_names(names: str | Iterable[str], argument: str) -> tuple[str, ...]:
    """The absolute module names in an argument; one name may stand alone."""
    __tracebackhide__ = True
    if isinstance(names, str):
        names = (names,)
    try:
        found = tuple(names)
    except TypeError:
        raise TypeError(
            f"{argument} must be the name of a module or an iterable of names, not {names!r}"
        ) from None
    for name in found:
        if not isinstance(name, str):
            raise TypeError(
                f"{argument} must hold names of modules as str, not {type(name).__name__}: {name!r}"
            )
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(
                f"{argument}: {name!r} is not the name of a module; "
                "give an absolute dotted name such as 'package.module'"
            )
    return found


def parents(name: str) -> Iterator[str]:
    """The packages that contain a module, the nearest first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def top_level(name: str) -> str:
    """The top-level package of a module."""
    return name.partition(".")[0]


def in_tree(name: str, roots: Iterable[str]) -> bool:
    """Whether a module is one of the roots or lies below one of them."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def tree(names: Iterable[object], root: str) -> list[str]:
    """Those of the names that are the root or lie below it."""
    below = f"{root}."
    return [name for name in names if isinstance(name, str) and (name == root or name.startswith(below))]
