"""What the files of the project say about each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def read(file: str) -> str:
    return (CHECKOUT / file).read_text(encoding="utf-8")


@pytest.fixture
def excluded_lines(run_script: Callable[..., str]) -> Callable[[str | None], str]:
    """The lines of a module that coverage leaves out, depending on what has not run."""

    def ask(not_run: str | None) -> str:
        return run_script(
            f"""
            import coverage

            measured = coverage.Coverage(data_file=None, config_file={str(CHECKOUT / "pyproject.toml")!r})
            _, _, excluded, _, _ = measured.analysis2("module.py")
            measured.get_data().close(force=True)
            print(excluded)
            """,
            files={"module.py": "if AVAILABLE:  # from 3.15\n    first = 1\nsecond = 2\n"},
            environment={"COVERAGE_NOT_RUN": not_run},
        )

    return ask


def test_all_checks_are_the_command_that_the_readme_gives() -> None:
    command = read(".ci/run").splitlines()[-1]

    assert command.endswith("tox run")
    assert command in read("README.md").splitlines()


def test_coverage_leaves_out_what_waits_for_a_newer_python(
    excluded_lines: Callable[[str | None], str],
) -> None:
    assert excluded_lines(None) == "[1, 2]\n"


def test_coverage_counts_all_lines_where_tox_joins_a_run_with_that_python(
    excluded_lines: Callable[[str | None], str],
) -> None:
    (pattern,) = re.findall(r"^ *py315: COVERAGE_NOT_RUN = (.+)$", read("tox.ini"), re.MULTILINE)

    assert excluded_lines(pattern) == "[]\n"
