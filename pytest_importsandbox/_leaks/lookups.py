"""What a failing test has asked for, as far as its code and the modules that it loaded tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, cast

from pytest_importsandbox._core.cpython import directories, find_imports
from pytest_importsandbox._core.modules import MISSING, is_module, namespace, spec_of
from pytest_importsandbox._core.names import in_tree, resolve

Code = tuple[CodeType, Mapping[str, Any]]
"""A piece of code, and its global variables."""


class Lookups:
    """What one test has asked for.

    :param names: What finders were asked for while it ran.
    :param executed: The code that it ran.
    """

    def __init__(self, names: Iterable[str], executed: Iterable[Code]) -> None:
        self._loaded = {name: sys.modules.get(name) for name in names}
        self._codes = [*executed, *code_of(self._loaded.values())]

    def __bool__(self) -> bool:
        """Whether finders were asked for anything."""
        return bool(self._loaded)

    def has(self, name: str) -> bool:
        """Whether the code refers to a module."""
        module = sys.modules.get(name, MISSING)
        return any(asks_for(code, variables, name, module) for code, variables in self._codes)

    def found_in(self, directory: str) -> bool:
        """Whether any of the modules comes from a directory."""
        places = (place for module in self._loaded.values() for place in locations(module))
        return any(real(place).is_relative_to(real(directory)) for place in places)


def asks_for(code: CodeType, attributes: Mapping[str, Any], name: str, module: object) -> bool:
    """Whether code refers to a module: in an import statement, as a text, or by a global variable.

    :param attributes: The global variables of the code.
    :param module: What the name of the module stands for, or `MISSING`.
    """
    package = attributes.get("__package__")
    for each in _with_inner(code):
        if any(in_tree(asked, (name,)) for asked in _imported(each, package)):
            return True
        if any(type(text) is str and in_tree(text, (name,)) for text in each.co_consts):
            return True
        # Of what is gone there is nothing to refer to.
        variables = () if module is MISSING else each.co_names
        if any(attributes.get(variable, MISSING) is module for variable in variables):
            return True
    return False


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """Code, and that of the functions and classes in it."""
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _with_inner(constant)


def _imported(code: CodeType, package: object) -> Iterator[str]:
    """The absolute names in import statements."""
    for name, level, attributes in find_imports(code):
        try:
            base = resolve("." * level + name, package if type(package) is str else None)
        except (ImportError, TypeError, ValueError):
            continue
        yield base
        yield from (f"{base}.{each}" for each in attributes or ())


def code_of(modules: Iterable[object]) -> Iterator[Code]:
    """The code of some modules, of those with a source file."""
    for module in modules:
        loader, name = spec_of(module).get("loader"), spec_of(module).get("name")
        # No code of a foreign loader.
        if is_module(module) and type(loader) is SourceFileLoader and type(name) is str:
            try:
                code = cast(CodeType, loader.get_code(name))
            except (ImportError, OSError, SyntaxError, ValueError):
                continue
            yield code, namespace(module) or {}


def locations(module: object) -> list[str]:
    """Where a module comes from: its file, or the directories of a namespace package."""
    origin = spec_of(module).get("origin")
    if type(origin) is str:
        return [origin] if os.sep in origin else []
    paths = spec_of(module).get("submodule_search_locations")
    entries = paths if type(paths) is list else directories(paths)
    return [entry for entry in entries if type(entry) is str]


def real(path: str) -> Path:
    """A path without symbolic links: that of the temporary directories has one on macOS."""
    return Path(path).resolve()
