"""Mistakes in the configuration and in markers are told before any test runs."""

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


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("isolated_imports = all", "isolated_imports must be 'marked' or 'test', not 'all'"),
        ("isolated_imports =", "isolated_imports must be 'marked' or 'test', not ''"),
        ("isolated_imports = Test", "isolated_imports must be 'marked' or 'test', not 'Test'"),
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


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            "'numpy'",
            "takes True or False, not 'numpy'; names go to preserve= or blocked=",
        ),
        ("1", "takes True or False, not 1; names go to preserve= or blocked="),
        ("None", "takes True or False, not None; names go to preserve= or blocked="),
        ("True, 'numpy'", "takes one positional argument, enabled, not (True, 'numpy')"),
        ("block='numpy'", "takes preserve= and blocked=, not block='numpy'"),
        ("enabled=False", "takes preserve= and blocked=, not enabled=False"),
        (
            "blocked=3",
            "has a bad argument: blocked must be the name of a module or an iterable of names, not 3",
        ),
        ("blocked=[3]", "has a bad argument: blocked must hold names of modules as str, not int: 3"),
        (
            "blocked='.numpy'",
            f"has a bad argument: blocked: '.numpy' {NO_NAME}",
        ),
        (
            "preserve=['a', '']",
            f"has a bad argument: preserve: '' {NO_NAME}",
        ),
    ],
)
def test_bad_marker(pytester: pytest.Pytester, arguments: str, problem: str) -> None:
    pytester.makepyfile(
        test_it=f"""
        import pytest


        def test_fine():
            pass


        @pytest.mark.isolated_imports({arguments})
        def test_it():
            pass
        """
    )

    result = pytester.runpytest()

    assert_usage_error(result, f"test_it.py::test_it: the marker isolated_imports {problem}")


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

    problem = "the marker isolated_imports takes preserve= and blocked=, not block='numpy'"
    assert_usage_error(result, f"test_it.py::TestIt::test_it: {problem}")


@pytest.mark.parametrize("name", ["pytest", "sys", "importlib.util", "builtins"])
def test_block_of_a_module_that_the_run_stands_on(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(
        test_it=f"""
        import pytest


        @pytest.mark.isolated_imports(blocked={name!r})
        def test_it():
            pass


        def test_afterwards():
            assert {name!r} in __import__("sys").modules
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [f"E * ValueError: {name!r} can be neither evicted nor blocked: the test run itself stands on it.*"]
    )


def test_bad_setting_with_xdist(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\nisolated_imports = all")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2")

    assert_usage_error(result, "isolated_imports must be 'marked' or 'test', not 'all'")


def test_bad_marker_with_xdist(pytester: pytest.Pytester) -> None:
    """A worker can't end the run with a usage error, so the test has an error of its own."""
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
    result.stdout.fnmatch_lines(
        ["*test_it.py::test_it: the marker isolated_imports takes preserve= and blocked=, not block='all'"]
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
