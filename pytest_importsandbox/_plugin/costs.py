"""What it cost that modules ran again in isolated tests, for the end of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Final

import pytest

from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.threads import OutermostImports

NOTABLE: Final = 0.1
"""The share of the run from which on the modules are named, and the share of these that one must have."""


@dataclass(slots=True)
class Cost:
    """How often a module ran again, and the seconds that this took with all that it imports."""

    runs: int = 0
    seconds: float = 0.0


class Costs:
    """Counts the modules that run again in sandboxes, and names them at the end of the run.

    It is registered as a plugin when there is a test to isolate.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._start = time.perf_counter()
        self._modules: dict[str, Cost] = {}
        """By name; the first run of a module costs nothing."""
        self._imports = OutermostImports()
        process.watcher.observers.append(self._measure)
        config.add_cleanup(self._stop)

    def _stop(self) -> None:
        process.watcher.observers.remove(self._measure)

    def _measure(self, name: str, target: ModuleType | None) -> None:
        """Measure an import that no other one asked for."""
        if process.spans:
            self._imports.follow(name, partial(self._begin, name))

    def _begin(self, name: str) -> Callable[[], None]:
        return partial(self._end, name, time.perf_counter())

    def _end(self, name: str, start: float) -> None:
        cost = self._modules.get(name)
        if cost is None:
            self._modules[name] = Cost()
        else:
            cost.runs += 1
            cost.seconds += time.perf_counter() - start

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the modules that ran again, if that took more than a tenth of the run."""
        costs = {
            name: cost for name, cost in self._modules.items() if cost.runs and name not in process.store
        }
        seconds = sum(cost.seconds for cost in costs.values())
        if self._config.get_verbosity() < 0 or seconds <= NOTABLE * (time.perf_counter() - self._start):
            return
        most = sorted(costs, key=lambda name: costs[name].seconds, reverse=True)
        shown = [
            f"{name} ({costs[name].runs} times, {costs[name].seconds:.2f}s)"
            for name in most
            if costs[name].seconds > NOTABLE * seconds
        ]
        terminalreporter.write_sep("=", "imports of isolated tests")
        terminalreporter.write_line(
            f"modules that ran again took {seconds:.2f}s: {', '.join(shown)}. If tests can share them, "
            "import them in conftest.py, or name them in isolated_imports_preserve."
        )
