"""Isolated tests next to those that pytest-run-parallel runs in many threads at once."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_run_parallel")

TESTS = """
    import sys
    import threading

    import pytest


    def test_plain():
        assert threading.current_thread() is not threading.main_thread()


    @pytest.mark.isolated_imports(False)
    def test_opted_out():
        assert threading.current_thread() is not threading.main_thread()


    @pytest.mark.isolated_imports
    def test_marker():
        assert threading.current_thread() is threading.main_thread()
        sys.path.append("left")


    @pytest.mark.isolated_imports
    class TestClass:
        def test_method(self):
            assert threading.current_thread() is threading.main_thread()


    @pytest.fixture
    def application(fresh_import):
        return fresh_import("json")


    @pytest.mark.usefixtures("import_sandbox")
    def test_requested():
        assert threading.current_thread() is threading.main_thread()


    def test_fresh_import(fresh_import):
        assert threading.current_thread() is threading.main_thread()


    def test_temp_package(temp_package):
        assert threading.current_thread() is threading.main_thread()
        temp_package("package")
        import package


    def test_application(application):
        assert threading.current_thread() is threading.main_thread()


    def test_afterwards():
        assert "left" not in sys.path
        assert "package" not in sys.modules
"""


def test_isolated_tests_run_in_one_thread_and_the_others_in_many(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("-p", "run-parallel", "--parallel-threads=4", "-v")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*::test_plain PARALLEL PASSED*",
            "*::test_opted_out PARALLEL PASSED*",
            "*::test_marker PASSED [[]thread-unsafe[]]*",
            "*::test_afterwards PARALLEL PASSED*",
        ]
    )


def test_flag_keeps_all_tests_in_one_thread(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import threading

        import pytest


        def test_plain():
            assert threading.current_thread() is threading.main_thread()
            sys.path.append("left")


        @pytest.mark.isolated_imports(False)
        def test_opted_out():
            assert threading.current_thread() is not threading.main_thread()
            assert "left" not in sys.path
        """
    )

    result = pytester.runpytest_subprocess(
        "-p", "run-parallel", "--parallel-threads=4", "-v", "--isolated-imports"
    )

    assert result.ret == pytest.ExitCode.OK


def test_marker_that_a_conftest_file_adds_while_collecting(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest


        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.isolated_imports)
        """
    )
    pytester.makepyfile(
        """
        import threading


        def test_it():
            assert threading.current_thread() is threading.main_thread()
        """
    )

    result = pytester.runpytest_subprocess("-p", "run-parallel", "--parallel-threads=4", "-v")

    assert result.ret == pytest.ExitCode.OK


def test_marker_is_added_where_the_plugin_is_installed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makeconftest(
        """
        def pytest_collection_finish(session):
            for item in session.items:
                if item.get_closest_marker("thread_unsafe"):
                    print("unsafe:", item.originalname)
        """
    )

    result = pytester.runpytest_subprocess("-p", "run-parallel", "--strict-markers", "-s")

    names = {line.partition("unsafe: ")[2] for line in result.outlines if "unsafe: " in line}
    assert names == {
        "test_marker",
        "test_method",
        "test_requested",
        "test_fresh_import",
        "test_temp_package",
        "test_application",
    }


def test_no_marker_where_the_plugin_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest


        @pytest.mark.isolated_imports
        def test_it(request):
            assert [marker.name for marker in request.node.iter_markers()] == ["isolated_imports"]
        """
    )

    result = pytester.runpytest_subprocess("--strict-markers")

    result.assert_outcomes(passed=1)
