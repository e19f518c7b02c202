"""Mistakes in the configuration end the run before any test, and a bad marker fails its test at setup."""

from __future__ import annotations

import pytest

NO_NAME = "is not the name of a module; give an absolute dotted name such as 'package.module'"


def assert_usage_error(result: pytest.RunResult, message: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert " passed" not in result.stdout.str()
    (line,) = [line for line in [*result.errlines, *result.outlines] if line.startswith("ERROR: ")]
    assert line.removeprefix("ERROR: ") == message
    output = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output


def assert_refused(result: pytest.RunResult, test: str, problem: str) -> None:
    """The error of a test is one line, and nothing of the test was set up."""
    header = next(line for line in result.outlines if f" ERROR at setup of {test} " in line)
    report = result.outlines[result.outlines.index(header) + 1 :]
    # A worker of pytest-xdist says who it is.
    lines = [line for line in report if not line.startswith("[gw0]")]
    assert lines[0] == f"the marker isolated_imports {problem}"
    assert lines[1].startswith("=====")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("isolated_imports = all", "isolated_imports must be 'marked', 'test' or 'module', not 'all'"),
        ("isolated_imports =", "isolated_imports must be 'marked', 'test' or 'module', not ''"),
        ("isolated_imports = Test", "isolated_imports must be 'marked', 'test' or 'module', not 'Test'"),
        ("isolated_imports_preserve = numpy .relative", f"isolated_imports_preserve: '.relative' {NO_NAME}"),
        (
            "isolated_imports_preserve = my-package",
            f"isolated_imports_preserve: 'my-package' {NO_NAME}",
        ),
    ],
)
def test_bad_setting(pytester: pytest.Pytester, setting: str, message: str) -> None:
    pytester.makeini(f"[pytest]\n{setting}")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest()

    assert_usage_error(result, message)


NO_SECOND = "takes one positional argument, enabled, not"
NO_NAMES = "names go to preserve= or blocked="
TWO_MEANINGS = "not both; with False nothing is isolated"
STANDS_ON = (
    "can be neither evicted nor blocked: the test run itself stands on it. "
    "To run its code again, use a new process."
)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("'numpy'", f"takes True or False, not 'numpy'; {NO_NAMES}"),
        ("1", f"takes True or False, not 1; {NO_NAMES}"),
        ("None", f"takes True or False, not None; {NO_NAMES}"),
        ("True, 'numpy'", f"{NO_SECOND} (True, 'numpy'); {NO_NAMES}"),
        ("block='numpy'", "takes preserve= and blocked=, not block='numpy'"),
        ("enabled=False", "takes preserve= and blocked=, not enabled=False"),
        ("False, blocked='numpy'", f"takes False or blocked='numpy', {TWO_MEANINGS}"),
        ("False, preserve=['numpy']", f"takes False or preserve=['numpy'], {TWO_MEANINGS}"),
        (
            "blocked=3",
            "has a bad argument: blocked must be the name of a module or an iterable of names, not 3",
        ),
        ("blocked=[3]", "has a bad argument: blocked must hold names of modules as str, not int: 3"),
        ("blocked='.numpy'", f"has a bad argument: blocked: '.numpy' {NO_NAME}"),
        ("preserve=['a', '']", f"has a bad argument: preserve: '' {NO_NAME}"),
        ("blocked='sys'", f"has a bad argument: 'sys' {STANDS_ON}"),
        ("blocked=['json', 'pytest']", f"has a bad argument: 'pytest' {STANDS_ON}"),
        ("blocked='importlib.util'", f"has a bad argument: 'importlib.util' {STANDS_ON}"),
        ("blocked='test_it'", f"has a bad argument: 'test_it' {STANDS_ON}"),
    ],
)
def test_bad_marker_is_one_line_that_fails_the_test_at_setup(
    pytester: pytest.Pytester, arguments: str, problem: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import json
        import sys

        import pytest


        @pytest.fixture
        def fixture():
            sys.path.append("set up")


        @pytest.mark.isolated_imports({arguments})
        def test_it(fixture):
            sys.path.append("ran")


        def test_another_one():
            assert not {{"set up", "ran"}} & set(sys.path)
            assert sys.modules["json"] is json
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=1, passed=1)
    assert_refused(result, "test_it", problem)


@pytest.mark.parametrize("names", ["(name for name in ['wave'])", "map(str, ['wave'])", "iter(['wave'])"])
@pytest.mark.parametrize("argument", ["blocked", "preserve"])
def test_names_that_can_be_read_only_once_are_refused(
    pytester: pytest.Pytester, argument: str, names: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import pytest

        names = {names}


        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.isolated_imports({argument}=names)
        def test_it(number):
            pass


        def test_another_one():
            assert next(names) == "wave"
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=2, passed=1)
    problem = "the marker isolated_imports takes names that can be read more than once"
    result.stdout.re_match_lines([rf"{problem}, not {argument}=<.* at 0x\w+>; make it a list$"])


def test_bad_marker_on_a_class_is_told_although_a_closer_one_is_fine(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest


        @pytest.mark.isolated_imports(block="numpy")
        class TestIt:
            @pytest.mark.isolated_imports(False)
            def test_it(self):
                pass
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=1)
    assert_refused(result, "TestIt.test_it", "takes preserve= and blocked=, not block='numpy'")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("block='numpy'", "takes preserve= and blocked=, not block='numpy'"),
        ("blocked='sys'", f"has a bad argument: 'sys' {STANDS_ON}"),
    ],
)
def test_bad_marker_fails_a_method_of_unittest(
    pytester: pytest.Pytester, arguments: str, problem: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import unittest

        import pytest


        @pytest.mark.isolated_imports({arguments})
        class TestIt(unittest.TestCase):
            def test_it(self):
                pass
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=1)
    assert_refused(result, "TestIt.test_it", problem)


def test_bad_marker_fails_a_doctest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        library='''
        import pytest

        pytestmark = pytest.mark.isolated_imports(block="numpy")


        def function():
            """
            >>> 1 + 1
            2
            """
        '''
    )

    result = pytester.runpytest("--doctest-modules")

    result.assert_outcomes(errors=1)
    assert_refused(result, "[doctest] library.function", "takes preserve= and blocked=, not block='numpy'")


@pytest.mark.slow
def test_bad_setting_with_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\nisolated_imports = all")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2")

    assert_usage_error(result, "isolated_imports must be 'marked', 'test' or 'module', not 'all'")


@pytest.mark.slow
def test_bad_marker_with_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        test_it="""
        import pytest


        @pytest.mark.isolated_imports(block="all")
        def test_it():
            pass


        def test_another_one():
            pass
        """
    )

    result = pytester.runpytest_subprocess("-p", "xdist", "-n1")

    result.assert_outcomes(errors=1, passed=1)
    assert_refused(result, "test_it", "takes preserve= and blocked=, not block='all'")
