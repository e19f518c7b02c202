"""Isolated tests in the workers of pytest-xdist."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each", "no"])
def test_temporary_packages_of_the_same_name(pytester: pytest.Pytester, mode: str) -> None:
    test = """
        import sys

        import pytest


        @pytest.mark.parametrize("number", range(10))
        def test_fixture(number, temp_package, fresh_import):
            assert "package" not in sys.modules
            temp_package("package", {"sub.py": f"NUMBER = {number}"})
            assert fresh_import("package.sub").NUMBER == number


        @pytest.mark.isolated_imports
        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("number", range(10))
        def test_marker(number, tmp_path):
            tmp_path.joinpath("package.py").write_text(f"NUMBER = {number}", encoding="utf-8")
            sys.path.insert(0, str(tmp_path))
            import package
            assert package.NUMBER == number
    """
    pytester.makepyfile(test_first=test, test_second=test)

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2", f"--dist={mode}")

    result.assert_outcomes(passed=80 if mode == "each" else 40)


def test_worker_reports_that_a_failure_comes_from_a_second_copy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        shapes="class Point: pass",
        test_it="""
        import shapes


        def test_it(fresh_import):
            assert fresh_import("shapes").Point() == shapes.Point()
        """,
    )

    result = pytester.runpytest_subprocess("-p", "xdist", "-n1")

    result.stdout.fnmatch_lines(["there are two copies of 'shapes': the Point on the left of == is not *"])


def test_worker_that_crashes_in_an_isolated_test_is_replaced(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The worker that crashes cannot delete the temporary package that it has written.
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    pytester.makepyfile(
        """
        import os
        import sys

        import pytest


        @pytest.mark.parametrize("number", range(20))
        def test_it(number, temp_package):
            assert "package" not in sys.modules
            temp_package("package", f"NUMBER = {number}")
            import package
            if number == 5:
                os._exit(1)
            assert package.NUMBER == number
        """
    )

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2")

    result.assert_outcomes(passed=19, failed=1)
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed while running '*test_it[[]5[]]'*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.parametrize("way", ["--isolated-imports", "-oisolated_imports=test"])
def test_flag_and_setting_reach_the_workers(pytester: pytest.Pytester, way: str) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest


        @pytest.mark.parametrize("number", range(10))
        def test_it(number):
            assert "left" not in sys.path
            sys.path.append("left")
        """
    )

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2", way)

    result.assert_outcomes(passed=10)
