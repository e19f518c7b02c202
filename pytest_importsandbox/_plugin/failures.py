"""Where a failure comes from: a class that is there twice, in two copies of a module.

Nothing of this runs before a test has failed. Then the frames of the traceback are searched for two classes
of the same qualified name. Foreign objects are compared by identity, asked for their type, and read as dicts.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import tokenize
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import zip_longest
from types import FrameType, FunctionType, TracebackType
from typing import Any, Final, TypeGuard

import pytest

from pytest_importsandbox._core.cpython import getframe, source_lines
from pytest_importsandbox._core.modules import MISSING, defining_module, namespace
from pytest_importsandbox._core.names import top_level
from pytest_importsandbox._core.process import process

SECTION: Final = "pytest-importsandbox"
"""The title of the section that a report gets."""

_RAISES: Final = {"raises", "RaisesExc", "assertRaises", "assertRaisesRegex", "suppress"}
# Read like this, they run no code of a metaclass.
_MRO: Final = type.__dict__["__mro__"]
_CLASS_DICT: Final = type.__dict__["__dict__"]
_QUALNAME: Final = type.__dict__["__qualname__"]


class FailureReports:
    """Adds a line to the report of a test that failed for the sake of a second copy of a module.

    It is registered as a plugin when there is a test to isolate.
    """

    def __init__(self) -> None:
        self._compared: tuple[int, int, str] | None = None
        """The frame and the line of the assertion that failed last, and what was found there."""

    def explain(self, item: pytest.Item) -> None:
        """Let the report of a test say where its failure comes from."""
        if "repr_failure" not in vars(item):
            shown = item.repr_failure
            item.repr_failure = lambda excinfo: self._repr_failure(shown, excinfo)  # type: ignore[method-assign,assignment,misc]

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Look at what a failing assertion compares; how that is shown is left to others."""
        self._compared = None
        frame: FrameType | None = getframe(1)
        while frame is not None and _is_of_pytest(frame):
            frame = frame.f_back
        # A report of pytest must come out, whatever a hostile object does.
        with suppress(Exception):
            for one, other in _compared(op, left, right):
                if frame is not None and _are_copies(type(one), type(other)):
                    what = f"the {{0}} on the left of {op} is not the {{0}} on the right"
                    self._compared = (id(frame), frame.f_lineno, _line(type(one), what))

    def _repr_failure(
        self, shown: Callable[[pytest.ExceptionInfo[BaseException]], Any], excinfo: Any
    ) -> object:
        """What pytest shows of a failure, with a section more where a module is there twice."""
        report = shown(excinfo)
        line = None
        with suppress(Exception):
            line = self._explanation(excinfo.value, list(_frames(excinfo.tb)))
        if line is not None and hasattr(report, "addsection"):
            report.addsection(SECTION, line)
        return report

    def _explanation(self, exc: BaseException, frames: list[tuple[FrameType, int]]) -> str | None:
        """The line about the two copies, if it is these that made a test fail."""
        if self._compared is not None and frames:
            frame, line = frames[-1]
            if self._compared[:2] == (id(frame), line):
                return self._compared[2]
        for frame, line in reversed(frames):
            found = _explain_raised(type(exc), frame, line)
            if found is None and isinstance(exc, AssertionError):
                found = _explain_asserted(frame, line)
            if found is not None:
                return found
        return None


def _is_of_pytest(frame: FrameType) -> bool:
    """Whether code of pytest runs in a frame."""
    return top_level(frame.f_globals.get("__name__", "")) in ("_pytest", "pluggy")


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """The frames of a traceback with their lines, the outermost first, but for those of pytest."""
    while traceback is not None:
        if not _is_of_pytest(traceback.tb_frame):
            yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _compared(op: str, left: object, right: object) -> Iterator[tuple[object, object]]:
    """The values that were compared with each other, those in lists and tuples included."""
    if op in ("==", "is"):
        yield left, right
        if type(left) is type(right) and type(left) in (list, tuple):
            yield from zip_longest(left, right)  # type: ignore[call-overload]
    elif op == "in" and type(right) in (list, tuple):
        yield from ((left, each) for each in right)  # type: ignore[attr-defined]


def _explain_raised(raised: type, frame: FrameType, line: int) -> str | None:
    """Whether something round a line waits for an exception of another copy."""
    for node in _waited_for(_statements(frame), line - _offset(frame)):
        wanted = _resolve(node, frame)
        for each in _MRO.__get__(raised):
            if _is_class(wanted) and _are_copies(each, wanted):
                at = node.lineno + _offset(frame)
                return _line(each, f"the {{0}} that was raised is not the {{0}} in line {at}")
    return None


def _waited_for(tree: ast.AST, line: int) -> Iterator[ast.expr]:
    """The expressions that name the exceptions which a line is expected to raise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith) and _spans(node.body, line):
            for item in node.items:
                yield from _given_to(item.context_expr, _RAISES)
        elif isinstance(node, ast.Try | ast.TryStar) and _spans(node.body, line):
            for handler in node.handlers:
                yield from _names_in(handler.type)
        elif isinstance(node, ast.Expr) and _spans([node], line):
            yield from _given_to(node.value, _RAISES)


def _explain_asserted(frame: FrameType, line: int) -> str | None:
    """Whether the assertion in a line asks for an instance of a class of another copy."""
    for value, wanted in _asked_for(frame, line):
        found = value if _is_class(value) else type(value)
        for each in _MRO.__get__(found):
            if _is_class(wanted) and _are_copies(each, wanted):
                return _line(each, "the {0} of the object is not the {0} that was asked for")
    return None


def _asked_for(frame: FrameType, line: int) -> Iterator[tuple[object, object]]:
    """The values of which a failing line asks whether they are instances, and the classes."""
    if "__unittest" in frame.f_globals:
        given = frame.f_locals
        if frame.f_code.co_name == "assertIsInstance":
            classes = given["cls"] if type(given["cls"]) is tuple else (given["cls"],)
            yield from ((given["obj"], each) for each in classes)
        elif frame.f_code.co_name == "assertEqual" and type(given["first"]) is not type(given["second"]):
            yield given["first"], type(given["second"])
        return
    line -= _offset(frame)
    for node in ast.walk(_statements(frame)):
        if isinstance(node, ast.Assert) and _spans([node], line):
            for call in ast.walk(node.test):
                if isinstance(call, ast.Call) and _is_called(call, {"isinstance", "issubclass"}):
                    for name in _names_in(call.args[1]):
                        for value in _values(call.args[0], frame):
                            yield value, _resolve(name, frame)


def _values(node: ast.expr, frame: FrameType) -> list[object]:
    """The value of an expression, or all that pytest noted of the assertion that it is in."""
    value = _resolve(node, frame)
    if value is not MISSING:
        return [value]
    return [each for name, each in frame.f_locals.items() if name.startswith("@py_assert")]


def _statements(frame: FrameType) -> ast.AST:
    """The source of the function that runs in a frame; empty if there is none."""
    code = frame.f_code
    lines = source_lines(code.co_filename, frame.f_globals)[_offset(frame) :]
    try:
        source = lines if code.co_name == "<module>" else inspect.getblock(lines)
        with warnings.catch_warnings():
            # They were given when the file was compiled.
            warnings.simplefilter("ignore")
            return ast.parse(textwrap.dedent("".join(source)))
    except (SyntaxError, tokenize.TokenError):
        # The function is part of an expression.
        return ast.Module([], [])


def _offset(frame: FrameType) -> int:
    """The number of lines before the function that runs in a frame."""
    return max(frame.f_code.co_firstlineno, 1) - 1


def _spans(nodes: list[Any], line: int) -> bool:
    """Whether a line is one of some statements."""
    return bool(nodes[0].lineno <= line <= nodes[-1].end_lineno)


def _is_called(call: ast.Call, names: set[str]) -> bool:
    """Whether a call is one of a function or method with a certain name."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in names


def _given_to(node: ast.expr, names: set[str]) -> Iterator[ast.expr]:
    """What is named in the arguments, if an expression is a call of a function with a certain name."""
    if isinstance(node, ast.Call) and _is_called(node, names):
        for argument in node.args:
            yield from _names_in(argument)


def _names_in(node: ast.expr | None) -> Iterator[ast.expr]:
    """The names in an expression, dotted ones included."""
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Name | ast.Attribute):
            yield each


def _resolve(node: ast.expr, frame: FrameType) -> Any:
    """What a name stands for in a frame, read without running any code."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id, MISSING))
    if isinstance(node, ast.Attribute):
        value = _resolve(node.value, frame)
        attributes = _CLASS_DICT.__get__(value) if _is_class(value) else namespace(value)
        return (attributes or {}).get(node.attr, MISSING)
    return MISSING


def _is_class(value: object) -> TypeGuard[type]:
    """Whether a value is a class, asked of its type alone."""
    return issubclass(type(value), type)


def _are_copies(one: type, other: type) -> bool:
    """Whether two classes are the same one of two copies of a module."""
    module, qualname = defining_module(one), _QUALNAME.__get__(one)
    if (
        one is other
        or module != defining_module(other)
        or qualname != _QUALNAME.__get__(other)
        # A function makes a new class with each call.
        or "<locals>" in qualname
    ):
        return False
    mine, others = _globals(one, module), _globals(other, module)
    if mine is not None and others is not None:
        # Not for one that a decorator made anew, as `dataclass(slots=True)` does.
        return mine is not others
    return _has_run_again(module)


def _globals(kind: type, module: str) -> dict[str, Any] | None:
    """The namespace of the copy of a module that a class is of, if its methods tell."""
    for value in _CLASS_DICT.__get__(kind).values():
        if type(value) is FunctionType and value.__globals__.get("__name__") == module:
            return value.__globals__
    return None


def _has_run_again(module: str) -> bool:
    """Whether a module was loaded before, and has been imported in an open sandbox."""
    return any(
        module in span.imported and (module in span.state.modules.saved or module in span.again)
        for span in process.spans
    )


def _line(kind: type, what: str) -> str:
    """What the report says of a class that is there twice."""
    name = _QUALNAME.__get__(kind)
    return (
        f"there are two copies of {defining_module(kind)!r}: {what.format(name)}. Take {name} from the copy "
        "that the test works with: from what fresh_import() returned, or by an import inside of the test."
    )
