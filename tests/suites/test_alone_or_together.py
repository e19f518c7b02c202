"""The script that compares a suite with itself: each file alone, all together, and with the plugin."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("alone_or_together.py")

# Each run loads these plugins alone: many short runs would spend their time on loading all that is installed.
PLUGIN = "-p importsandbox"
XDIST = ("--", "-p", "xdist", "--numprocesses=1")

# What `test_leans.py` uses is loaded only where another file has imported it.
PASSES_IN_COMPANY = {
    "shop/__init__.py": "",
    "shop/prices.py": "",
    "test_imports.py": "import shop.prices\ndef test_import(): shop.prices",
    "test_leans.py": "import shop\ndef test_attribute(): shop.prices",
}
# The same in the tests themselves, so that the plugin makes a difference.
PASSES_AFTER_ANOTHER_TEST = {
    **PASSES_IN_COMPANY,
    "conftest.py": "import shop",
    "test_imports.py": "def test_import(): import shop.prices",
}
SAME_NAME = {
    "one/test_shop.py": "def test_one(): pass",
    "two/test_shop.py": "def test_two(): pass",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    """Run the script on a suite of these files; returns its status and its lines, the times left out."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(files: Mapping[str, str], *arguments: str) -> tuple[int, list[str]]:
        for file, source in {"pytest.ini": "[pytest]\npythonpath = .", **files}.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        result = subprocess.run(
            [sys.executable, SCRIPT, tmp_path, *arguments], capture_output=True, encoding="utf-8"
        )
        assert result.returncode in (0, 1), result.stderr
        lines = [line.rpartition("|")[0].rpartition("|")[0] or line for line in result.stdout.splitlines()]
        return result.returncode, lines

    return run


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """The names of the script."""
    return runpy.run_path(str(SCRIPT))


def test_a_test_that_passes_only_in_company_is_told(run: Callable[..., tuple[int, list[str]]]) -> None:
    status, lines = run(PASSES_IN_COMPANY, f"--flag={PLUGIN}")

    assert status == 1
    assert lines == [
        "test_leans.py::test_attribute: failed alone, passed together",
        "test_leans.py::test_attribute: failed alone, passed with -p importsandbox",
        "| run | outcomes | other than alone ",
        "| --- | --- | ---: ",
        "| alone | 1 failed, 1 passed | ",
        "| together | 2 passed | 1 ",
        "| with -p importsandbox | 2 passed | 1 ",
    ]


@pytest.mark.parametrize("options", [(), XDIST], ids=["one process", "xdist"])
def test_a_test_that_a_flag_changes_is_told(
    run: Callable[..., tuple[int, list[str]]], options: tuple[str, ...]
) -> None:
    status, lines = run(
        PASSES_AFTER_ANOTHER_TEST, "--reference=together", f"--flag={PLUGIN} --isolated-imports", *options
    )

    assert status == 1
    assert lines == [
        "test_leans.py::test_attribute: passed together, failed with -p importsandbox --isolated-imports",
        "| run | outcomes | other than together ",
        "| --- | --- | ---: ",
        "| together | 2 passed | ",
        "| with -p importsandbox --isolated-imports | 1 failed, 1 passed | 1 ",
    ]


def test_status_is_zero_where_no_flag_changes_an_outcome(run: Callable[..., tuple[int, list[str]]]) -> None:
    status, _ = run(PASSES_IN_COMPANY, "test_imports.py", "--flag=", f"--flag={PLUGIN} --isolated-imports")

    assert status == 0


def test_a_file_that_cannot_be_collected_hides_no_other(
    run: Callable[..., tuple[int, list[str]]],
) -> None:
    _, lines = run(SAME_NAME, "--flag=")

    assert lines[:2] == [
        "two/test_shop.py::test_two: passed alone, not run together",
        "two/test_shop.py: not run alone, collection failed together",
    ]


def test_a_run_that_pytest_refuses_is_a_difference(run: Callable[..., tuple[int, list[str]]]) -> None:
    status, lines = run(SAME_NAME, "one", "--reference=together", "--flag=--no-such-flag")

    assert status == 1
    assert "one: not run together, ended with status 4 with --no-such-flag" in lines


def test_differences_are_both_outcomes_of_a_test(script: dict[str, Any]) -> None:
    reference = {"same": "passed", "other": "passed", "gone": "skipped"}

    found = script["differences"](reference, {"new": "error", "other": "failed", "same": "passed"})

    assert found == {
        "other": ("passed", "failed"),
        "gone": ("skipped", "not run"),
        "new": ("not run", "error"),
    }


def test_files_are_named_once_in_the_order_of_their_tests(script: dict[str, Any]) -> None:
    assert script["files_of"](["b.py::test", "a.py::T::test[b.py::x]", "b.py::last"]) == ["b.py", "a.py"]
