"""A failure that comes from a second copy of a module says so, and no other failure does."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

Report = Callable[..., list[str]]

SHAPES = """
import dataclasses
import enum


class ShapeError(Exception):
    pass


class TooLarge(ShapeError):
    pass


class Color(enum.Enum):
    RED = 1


class Point:
    class Part:
        pass

    def __eq__(self, other):
        return isinstance(other, Point)

    __hash__ = None


def note(kind):
    global first
    first = kind
    return kind


@dataclasses.dataclass(slots=True)
@note
class Slots:
    number: int


def fail(kind=ShapeError):
    raise kind("too large")


def make_class():
    class Made:
        pass

    return Made
"""
START = """
import sys
import unittest
from contextlib import suppress

import pytest

import shapes
from shapes import Color, Point, ShapeError, TooLarge
"""
RAISED = "the {0} that was raised is not the {0} in line {1}"
ASKED_FOR = "the {0} of the object is not the {0} that was asked for"
COMPARED = "the {0} on the left of {1} is not the {0} on the right"


@pytest.fixture
def report(pytester: pytest.Pytester) -> Report:
    """Run a test that fails, and return what its report says of copies.

    The test has a fresh copy, `new`, of the module `shapes`, which its file imports too; its body begins in
    line 11.
    """

    def run(body: str, *arguments: str, head: str = "def test_it(fresh_import):") -> list[str]:
        test = f"{head}\n    new = fresh_import('shapes')\n{indent(dedent(body), '    ')}\n"
        pytester.makepyfile(shapes=SHAPES, test_it=f"{START}{test}")
        result = pytester.runpytest(*arguments)
        result.assert_outcomes(failed=1)
        return [line for line in result.outlines if line.startswith("there are two copies of ")]

    return run


def expected(what: str, name: str) -> list[str]:
    line = (
        f"there are two copies of 'shapes': {what}. Take {name} from the copy that the test works with: "
        "from what fresh_import() returned, or by an import inside of the test."
    )
    return [line]


@pytest.mark.parametrize(
    ("body", "name", "line"),
    [
        pytest.param("with pytest.raises(ShapeError):\n    new.fail()", "ShapeError", 11, id="raises"),
        pytest.param("with pytest.raises(shapes.ShapeError):\n    new.fail()", "ShapeError", 11, id="dotted"),
        pytest.param(
            "with suppress(OSError), pytest.raises((OSError, ShapeError), match='large'):\n    new.fail()",
            "ShapeError",
            11,
            id="one of several",
        ),
        pytest.param(
            "with pytest.raises(ShapeError):\n    new.fail(new.TooLarge)", "ShapeError", 11, id="base class"
        ),
        pytest.param("pytest.raises(ShapeError, new.fail)", "ShapeError", 11, id="function"),
        pytest.param(
            "pytest.raises(\n    ShapeError, lambda: (\n        new.fail()\n    ))",
            "ShapeError",
            12,
            id="lambda",
        ),
        pytest.param("with suppress(TooLarge):\n    new.fail(new.TooLarge)", "TooLarge", 11, id="suppress"),
        pytest.param(
            "try:\n    new.fail()\nexcept (OSError, ShapeError):\n    pass", "ShapeError", 13, id="except"
        ),
        pytest.param(
            "def run():\n    new.fail()\nwith pytest.raises(ShapeError):\n    run()",
            "ShapeError",
            13,
            id="in a function that the test calls",
        ),
    ],
)
def test_exception_of_another_copy_is_explained(body: str, name: str, line: int, report: Report) -> None:
    assert report(body) == expected(RAISED.format(name, line), name)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param("point = new.Point()\nassert isinstance(point, Point)", "Point", id="name"),
        pytest.param("assert isinstance(new.Point(), (int, Point))", "Point", id="call"),
        pytest.param("assert isinstance(\n    new.Point(),\n    shapes.Point,\n)", "Point", id="lines"),
        pytest.param("assert isinstance(new.TooLarge(), ShapeError)", "ShapeError", id="base class"),
        pytest.param("assert issubclass(new.TooLarge, ShapeError)", "ShapeError", id="class"),
        pytest.param("assert isinstance(new.Point.Part(), Point.Part)", "Point.Part", id="inner class"),
        pytest.param(
            "unittest.TestCase().assertIsInstance(new.Point(), Point)", "Point", id="assertIsInstance"
        ),
        pytest.param(
            "unittest.TestCase().assertIsInstance(new.Point(), (int, Point))", "Point", id="several classes"
        ),
        pytest.param("unittest.TestCase().assertEqual(new.Color.RED, Color.RED)", "Color", id="assertEqual"),
    ],
)
def test_object_of_another_copy_is_explained(body: str, name: str, report: Report) -> None:
    assert report(body) == expected(ASKED_FOR.format(name), name)


@pytest.mark.parametrize(
    ("body", "name", "op"),
    [
        pytest.param("assert new.Color.RED == Color.RED", "Color", "==", id="equal"),
        pytest.param("assert new.Color.RED is Color.RED", "Color", "is", id="identical"),
        pytest.param("assert [1, new.Point()] == [1, Point()]", "Point", "==", id="in lists"),
        pytest.param("assert new.Color.RED in (Color.RED, None)", "Color", "in", id="among others"),
        pytest.param("assert (\n    new.Point()\n    == Point()\n)", "Point", "==", id="lines"),
    ],
)
def test_comparison_with_another_copy_is_explained(body: str, name: str, op: str, report: Report) -> None:
    assert report(body) == expected(COMPARED.format(name, op), name)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("new.fail()", id="nothing is expected"),
        pytest.param("with pytest.raises(OSError):\n    new.fail()", id="another class"),
        pytest.param("try:\n    new.fail()\nexcept OSError:\n    pass", id="except another class"),
        pytest.param("with pytest.raises(ShapeError):\n    pass\n", id="nothing is raised"),
        pytest.param("with pytest.raises(new.ShapeError, match='x'):\n    new.fail()", id="another text"),
        pytest.param("assert ShapeError is not new.ShapeError\nnew.fail()", id="both copies are named"),
        pytest.param(
            "with pytest.raises(OSError):\n    pytest.raises(ShapeError)\n    new.fail()", id="elsewhere"
        ),
        pytest.param("with open(sys.executable, mode='rb') as file:\n    new.fail()", id="other context"),
        pytest.param("assert isinstance(new.Point(), int)", id="instance of another class"),
        pytest.param("assert not isinstance(new.Point(), new.Point)", id="an instance"),
        pytest.param("assert new.Point() == 3", id="values of other classes"),
        pytest.param("assert new.Point() != new.Point()", id="equal values"),
        pytest.param("assert [] == [1]", id="lists of another length"),
        pytest.param("assert (new.Color.RED.value, 1) == (Color.RED.value, 2)", id="values of both copies"),
        pytest.param("assert not (new.Color.RED == new.Color.RED and Color)", id="operators"),
        pytest.param("assert not new.Color.RED", id="no comparison"),
        pytest.param("assert shapes.make_class()() == shapes.make_class()()", id="a function's"),
        pytest.param("unittest.TestCase().assertEqual(1, 2)", id="assertEqual"),
        pytest.param("unittest.TestCase().assertTrue(new.Color.RED == Color.RED)", id="assertTrue"),
        pytest.param("exec('assert new.Color.RED == 1')", id="without source"),
        pytest.param("exec('with pytest.raises(ShapeError): new.fail()')", id="expected without source"),
    ],
)
def test_other_failure_is_left_alone(body: str, report: Report) -> None:
    assert report(body) == []


def test_comparison_that_was_expected_to_fail_does_not_explain_a_later_failure(report: Report) -> None:
    body = """
        with pytest.raises(AssertionError):
            assert new.Color.RED == Color.RED
        assert new.Color.RED is None
        """

    assert report(body) == []
    assert report(body.replace("assert new.Color.RED is None", "raise OSError")) == []


def test_class_that_a_decorator_made_anew_is_not_of_another_copy(report: Report) -> None:
    assert report("assert isinstance(new.Slots(1), new.first)") == []


def test_copies_are_explained_where_a_running_test_asks_for_the_sandbox(report: Report) -> None:
    body = "assert new.Point() == Point()"
    head = "def test_it(request):\n    fresh_import = request.getfixturevalue('fresh_import')"

    assert report(body, head=head) == expected(COMPARED.format("Point", "=="), "Point")


def test_copies_are_explained_once_where_a_test_runs_twice(report: Report, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol


        def pytest_runtest_protocol(item, nextitem):
            runtestprotocol(item, nextitem=None, log=False)
            item._initrequest()
        """
    )
    head = "def test_it(request):\n    fresh_import = request.getfixturevalue('fresh_import')"

    explained = report("assert new.Point() == Point()", head=head)

    assert explained == expected(COMPARED.format("Point", "=="), "Point")


def test_hostile_values_do_not_spoil_the_report(report: Report) -> None:
    body = """
        class Hostile:
            def __getattribute__(self, name):
                raise ZeroDivisionError("nobody may ask me")

        hostile = Hostile()
        with pytest.raises(hostile.missing if False else OSError):
            raise ShapeError
        """

    assert report(body) == []
