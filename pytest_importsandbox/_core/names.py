"""Names of modules: resolving them, asking which tree they belong to, and which ones the run stands on."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

# Imports fail while one of these is blocked, or after it ran again: tests/core/test_names.py tries it.
# Of what only looks like machinery, such as `_warnings` or `zipimport`, import keeps the objects it needs.
_MACHINERY = (
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_io",
    "builtins",
    "importlib._bootstrap",
    "importlib._bootstrap_external",
    "importlib.util",
    "sys",
)
# What a test run itself stands on.
_RUNNING = ("__main__", "_pytest", "pluggy", "pytest", "pytest_importsandbox")

PROTECTED = (*_MACHINERY, *_RUNNING)
# The packages around them are protected as well; none of them is nested deeper.
_AROUND_PROTECTED = {name.partition(".")[0] for name in PROTECTED}


def is_protected(name: str) -> bool:
    """Whether the run stands on a module, on a package around it, or on a part of it."""
    return name in _AROUND_PROTECTED or any(each in PROTECTED for each in (name, *parents(name)))


def resolve(name: object, package: str | None) -> str:
    """The absolute name that `importlib.import_module(name, package)` imports, or its own exception."""
    __tracebackhide__ = True
    if not isinstance(name, str):
        raise TypeError(f"the name of a module must be a str, not {type(name).__name__}: {name!r}")
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if bare and not level:
        if package is not None and not isinstance(package, str):
            raise TypeError(
                f"package must be the name of a package as str, not {type(package).__name__}: {package!r}; "
                "names to run afresh or to block go to fresh= or blocked="
            )
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
    if isinstance(names, (str, bytes)):
        # bytes are refused as one name, not as the numbers that they are made of.
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


def flat_names(names: Iterable[object], argument: str) -> tuple[str, ...]:
    """The absolute module names in positional arguments, each a name or an iterable of names."""
    __tracebackhide__ = True
    flat: list[Any] = []
    for each in names:
        flat += each if isinstance(each, Iterable) and not isinstance(each, (str, bytes)) else [each]
    return as_names(flat, argument)


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
    # Asked several times at each import, mostly of no roots at all: a generator would cost most of that.
    for root in roots:  # noqa: SIM110
        if name == root or name.startswith(f"{root}."):
            return True
    return False


def tree(names: Collection[object], root: str) -> list[str]:
    """Those of the names that are the root or lie below it."""
    # One search in C instead of a loop: there are thousands of names, and few of them begin like this.
    try:
        text = "\n".join(names)  # type: ignore[arg-type]
    except TypeError:
        # A key of `sys.modules` that is no str.
        text = "\n".join(name for name in names if isinstance(name, str))
    found = [root + rest.partition("\n")[0] for rest in f"\n{text}".split(f"\n{root}")[1:]]
    # Among the names: one of two lines may have got here with its second.
    return [name for name in found if name in names and (name == root or name.startswith(f"{root}."))]
