"""A plugin of pytest that writes the outcome of each test to a file, as JSON.

pytest is run with `-p record_outcomes --outcomes FILE` and with the folder of this module in `PYTHONPATH`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", metavar="FILE", type=Path, help="where to write the outcome of each test")


def pytest_configure(config: pytest.Config) -> None:
    file: Path | None = config.getoption("outcomes")
    # The workers of pytest-xdist send their reports to the controller, and that one writes.
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(OutcomeRecorder(config, file))


class OutcomeRecorder:
    """What became of each test, and of what could not be collected.

    The words are those that pytest counts at the end of a run: "passed", "failed", "error", "xfailed" and
    so on. A test with more than one of them, such as a failure and an error in a fixture, has them all.
    """

    def __init__(self, config: pytest.Config, file: Path) -> None:
        self.config = config
        self.file = file
        self.outcomes: dict[str, list[str]] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self._add(report.nodeid, f"collection {report.outcome}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        category, *_ = self.config.hook.pytest_report_teststatus(report=report, config=self.config)
        # A phase that needs no word, such as a setup that succeeded, has an empty category.
        if category:
            self._add(report.nodeid, category)

    def pytest_sessionfinish(self) -> None:
        outcomes = {test: ", ".join(words) for test, words in self.outcomes.items()}
        self.file.write_text(json.dumps(outcomes), encoding="utf-8")

    def _add(self, test: str, word: str) -> None:
        words = self.outcomes.setdefault(test, [])
        if word not in words:
            words.append(word)
