"""Which modules a piece of code asks for, as far as its bytecode tells."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any, cast

from pytest_importsandbox._core.modules import MISSING, is_module, namespace, spec_of
from pytest_importsandbox._core.names import in_tree, resolve


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
    instructions = list(dis.get_instructions(code))
    for number, instruction in enumerate(instructions):
        if instruction.opname != "IMPORT_NAME":
            continue
        level, names = (each.argval for each in instructions[number - 2 : number])
        try:
            base = resolve("." * level + instruction.argval, package if type(package) is str else None)
        except (ImportError, TypeError, ValueError):
            continue
        yield base
        yield from (f"{base}.{each}" for each in names or ())


def code_of(modules: Iterable[object]) -> Iterator[tuple[CodeType, Mapping[str, Any]]]:
    """The code of some modules, of those with a source file, each with its global variables."""
    for module in modules:
        loader, name = spec_of(module).get("loader"), spec_of(module).get("name")
        # No code of a foreign loader.
        if is_module(module) and type(loader) is SourceFileLoader and type(name) is str:
            try:
                code = cast(CodeType, loader.get_code(name))
            except (ImportError, OSError, SyntaxError, ValueError):
                continue
            yield code, namespace(module) or {}
