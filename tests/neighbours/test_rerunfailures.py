"""Isolated tests that pytest-rerunfailures runs again."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_rerunfailures")


def test_every_run_of_a_test_has_a_sandbox_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest

        runs = []


        @pytest.fixture(autouse=True)
        def autouse():
            assert "left" not in sys.path
            sys.path.append("left")


        @pytest.mark.isolated_imports(blocked="json")
        def test_marker():
            runs.append("marker")
            assert "package" not in sys.modules
            sys.modules["package"] = sys
            with pytest.raises(ModuleNotFoundError):
                import json
            assert runs.count("marker") == 3


        def test_fixtures(temp_package, fresh_import):
            runs.append("fixtures")
            temp_package("package", f"NUMBER = {len(runs)}")
            assert fresh_import("package").NUMBER == len(runs)
            assert runs.count("fixtures") == 3


        def test_afterwards(import_sandbox):
            import json
            assert "package" not in sys.modules
            assert import_sandbox.changes().path == ("+left",)
        """
    )

    result = pytester.runpytest_subprocess("-p", "rerunfailures", "--reruns=2")

    assert result.parseoutcomes() == {"passed": 3, "rerun": 4}


def test_error_in_setup_is_followed_by_a_clean_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest

        runs = []


        @pytest.fixture(scope="module")
        def wider():
            runs.append("wider")
            from html.parser import HTMLParser
            if len(runs) == 1:
                raise OSError
            return HTMLParser


        @pytest.fixture
        def broken():
            runs.append("broken")
            sys.path.append("left")
            if len(runs) == 3:
                raise OSError


        @pytest.mark.isolated_imports
        def test_isolated(wider, broken):
            from html.parser import HTMLParser
            assert HTMLParser is wider
            assert sys.path.count("left") == 1


        def test_afterwards(wider):
            from html.parser import HTMLParser
            assert HTMLParser is wider
            assert "left" not in sys.path
        """
    )

    result = pytester.runpytest_subprocess("-p", "rerunfailures", "--reruns=2")

    assert result.parseoutcomes() == {"passed": 2, "rerun": 2}


def test_unittest_class_with_the_flag(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        runs = []


        class TestIt(unittest.TestCase):
            def setUp(self):
                assert "left" not in sys.path
                sys.path.append("left")

            def test_it(self):
                runs.append("test")
                assert len(runs) == 3
        """
    )

    result = pytester.runpytest_subprocess("-p", "rerunfailures", "--reruns=2", "--isolated-imports")

    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}


def test_later_run_of_a_test_finds_its_file_as_it_was(pytester: pytest.Pytester) -> None:
    source = """
        import sys

        sys.path.append(__name__)
        runs = []


        def test_it():
            runs.append("test")
            assert sys.path[-1] == __name__
            assert len(runs) == 3


        def test_afterwards():
            assert sys.path[-1] == __name__
    """
    pytester.makepyfile(test_one=source, test_two=source)

    result = pytester.runpytest_subprocess("-p", "rerunfailures", "--reruns=2", "--isolated-modules")

    assert result.parseoutcomes() == {"passed": 4, "rerun": 4}


def test_leak_of_a_test_that_runs_again_is_reported_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        runs = []


        def test_it():
            runs.append("test")
            sys.modules["stub"] = None
            assert len(runs) == 3
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report", "-p", "rerunfailures", "--reruns=2")

    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}
    assert result.stdout.str().count("remedy:") == 1
