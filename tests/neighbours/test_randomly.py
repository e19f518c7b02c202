"""Isolated tests in the random order of pytest-randomly."""

from __future__ import annotations

import pytest

pytest.importorskip("pytest_randomly")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n2"]], ids=["one process", "xdist"])
def test_suite_passes_in_any_order(pytester: pytest.Pytester, seed: int, workers: list[str]) -> None:
    pytester.makepyfile(
        """
        import random
        import sys

        import pytest


        @pytest.fixture(scope="module")
        def parser():
            from html.parser import HTMLParser
            return HTMLParser


        @pytest.mark.parametrize("number", range(20))
        def test_temp_package(number, temp_package, fresh_import):
            assert "package" not in sys.modules
            temp_package("package", f"NUMBER = {number}")
            assert fresh_import("package").NUMBER == number


        @pytest.mark.isolated_imports
        @pytest.mark.parametrize("number", range(20))
        def test_marker(number, parser):
            from html.parser import HTMLParser
            assert HTMLParser is parser
            assert "left" not in sys.path
            sys.path.append("left")


        @pytest.mark.parametrize("number", range(20))
        def test_plain(number, parser):
            from html.parser import HTMLParser
            assert HTMLParser is parser
            assert "left" not in sys.path
            assert "package" not in sys.modules
        """
    )

    result = pytester.runpytest_subprocess("-p", "randomly", f"--randomly-seed={seed}", *workers)

    result.assert_outcomes(passed=60)


def test_random_numbers_stay_reproducible(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import random
        import sys


        def test_fresh(fresh_import):
            assert fresh_import("random") is sys.modules["random"] is not random
            random.random()


        def test_number():
            assert sys.modules["random"] is random
            print("number", random.random())
        """
    )
    arguments = ["-p", "randomly", "--randomly-seed=1", "--randomly-dont-reorganize", "-s"]

    results = [
        pytester.runpytest_subprocess(*arguments, *more)
        for more in ([], ["-k", "number"], ["--isolated-imports"])
    ]

    numbers = [[line for line in each.outlines if "number 0." in line] for each in results]
    assert [len(each) for each in numbers] == [1, 1, 1]
    assert len({line.partition("number ")[2] for (line,) in numbers}) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stubs_of_files_stay_in_them_in_any_order(pytester: pytest.Pytester, seed: int) -> None:
    source = """
        import sys

        import pytest

        sys.path.append(__name__)
        sys.modules["colorsys"] = __name__


        @pytest.mark.parametrize("number", range(5))
        def test_it(number):
            import colorsys

            assert colorsys == sys.path[-1] == __name__
    """
    pytester.makepyfile(test_one=source, test_two=source, test_three=source)

    result = pytester.runpytest_subprocess("-p", "randomly", f"--randomly-seed={seed}", "--isolated-modules")

    result.assert_outcomes(passed=15)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n2"]], ids=["one process", "xdist"])
def test_leaks_are_found_in_any_order(pytester: pytest.Pytester, seed: int, workers: list[str]) -> None:
    pytester.makepyfile(
        test_leaks="""
        import sys

        import pytest

        sys.modules["of_the_file"] = None


        @pytest.fixture(scope="module")
        def wider():
            sys.modules["of_the_fixture"] = None


        @pytest.mark.parametrize("number", range(5))
        def test_wider(number, wider):
            pass


        def test_path():
            sys.path.append("of_the_test")


        def test_fake():
            sys.modules["of_another_test"] = object()


        @pytest.mark.isolated_imports
        def test_isolated():
            sys.modules["of_no_test"] = object()
        """
    )

    result = pytester.runpytest_subprocess(
        "--import-leaks=report", "-p", "randomly", f"--randomly-seed={seed}", *workers
    )

    result.assert_outcomes(passed=8)
    for who, what in [
        ("collection", "sys.modules[[]'of_the_file'] was nothing"),
        ("setup of the module-scoped fixture 'wider'", "sys.modules[[]'of_the_fixture'] was nothing"),
        ("call", "sys.path has gained 'of_the_test'"),
        ("call", "sys.modules[[]'of_another_test'] was nothing"),
    ]:
        result.stdout.fnmatch_lines([f"  {who}: {what}*"])
    assert result.stdout.str().count("remedy:") == 4
