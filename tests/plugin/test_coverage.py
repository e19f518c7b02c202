"""Coverage of modules that are imported afresh, and of temporary packages."""

from __future__ import annotations

import json
import os
import sys

import pytest

pytest.importorskip("coverage")

pytestmark = pytest.mark.slow

LIBRARY = """\
import os

if os.environ["MODE"] == "one":
    RESULT = 1
elif os.environ["MODE"] == "two":
    RESULT = 2
else:
    RESULT = 3


def one():
    return RESULT


def two():
    return RESULT


def three():
    return RESULT


def nobody():
    return RESULT
"""

TESTS = """
    import pytest


    @pytest.mark.parametrize("mode", ["one", "two", "three"])
    def test_it(mode, fresh_import, monkeypatch):
        monkeypatch.setenv("MODE", mode)
        getattr(fresh_import("library"), mode)()
"""

TEMPORARY = """
    def test_temporary(temp_package):
        temp_package("package", {"sub.py": "NUMBER = 1"})
        import package.sub
"""


@pytest.fixture(autouse=True)
def _no_coverage_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the measurement of this suite, if there is one, out of the inner ones."""
    for name in list(os.environ):
        if name.startswith(("COVERAGE_", "COV_CORE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def library(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    pytester.path.joinpath("library.py").write_text(LIBRARY, encoding="utf-8")


def missing_lines(pytester: pytest.Pytester) -> list[str]:
    """The lines of the library that were not measured."""
    result = pytester.run(sys.executable, "-m", "coverage", "json", "--include=library.py")
    assert result.ret == 0
    report = json.loads(pytester.path.joinpath("coverage.json").read_text(encoding="utf-8"))
    lines = LIBRARY.splitlines()
    return [lines[number - 1] for number in report["files"]["library.py"]["missing_lines"]]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "core",
    [
        "ctrace",
        pytest.param(
            "sysmon",
            marks=pytest.mark.skipif(
                sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12"
            ),
        ),
    ],
)
def test_lines_of_all_fresh_imports_are_measured(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, core: str
) -> None:
    monkeypatch.setenv("COVERAGE_CORE", core)

    result = pytester.run(sys.executable, "-m", "coverage", "run", "-m", "pytest")

    result.assert_outcomes(passed=3)
    assert missing_lines(pytester) == ["    return RESULT"]


@pytest.mark.usefixtures("library")
def test_lines_of_all_fresh_imports_are_measured_by_pytest_cov(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_cov")

    result = pytester.runpytest_subprocess("-p", "pytest_cov", "--cov=library", "--cov-report=")

    result.assert_outcomes(passed=3)
    assert missing_lines(pytester) == ["    return RESULT"]


@pytest.mark.usefixtures("library")
def test_lines_of_all_fresh_imports_are_measured_by_pytest_cov_in_workers(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_cov")
    pytest.importorskip("xdist")

    result = pytester.runpytest_subprocess(
        "-p", "pytest_cov", "-p", "xdist", "-n2", "--cov=library", "--cov-report="
    )

    result.assert_outcomes(passed=3)
    assert missing_lines(pytester) == ["    return RESULT"]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "setting",
    ["source_pkgs = library", "source = .", "omit = */importsandbox-*/*"],
)
def test_report_does_without_temporary_packages(pytester: pytest.Pytester, setting: str) -> None:
    pytester.makepyfile(test_temporary=TEMPORARY)
    pytester.path.joinpath(".coveragerc").write_text(f"[run]\n{setting}\n", encoding="utf-8")

    run = pytester.run(sys.executable, "-m", "coverage", "run", "-m", "pytest")
    report = pytester.run(sys.executable, "-m", "coverage", "report")

    run.assert_outcomes(passed=4)
    assert report.ret == 0
    report.stdout.fnmatch_lines(["library.py *"])
    report.stdout.no_fnmatch_line("*importsandbox-*package*")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("setting", "option"), [("", "--cov=library"), ("omit = */importsandbox-*/*", "--cov")]
)
def test_pytest_cov_report_does_without_temporary_packages(
    pytester: pytest.Pytester, setting: str, option: str
) -> None:
    pytest.importorskip("pytest_cov")
    pytester.makepyfile(test_temporary=TEMPORARY)
    pytester.path.joinpath(".coveragerc").write_text(f"[run]\n{setting}\n", encoding="utf-8")

    result = pytester.runpytest_subprocess("-p", "pytest_cov", option, "--cov-report=term")

    result.assert_outcomes(passed=4)
    assert result.errlines == []
    result.stdout.fnmatch_lines(["library.py *"])
    result.stdout.no_fnmatch_line("*importsandbox-*package*")
