"""What it cost that modules ran again in isolated tests, for the end of a run.

An import begins when the watcher is asked, and ends when its module lock is gone: only the import itself
holds that. So a weak reference to the lock is called at the end, and nothing gets between a module and its
loader.
"""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pytest

from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.watcher import is_held, owned_lock

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
        self._pending: dict[int, weakref.ref[Any]] = {}
        """By thread, a reference to the lock of the import that goes on."""
        process.watcher.observers.append(self._measure)
        config.add_cleanup(self._stop)

    def _stop(self) -> None:
        process.watcher.observers.remove(self._measure)

    def _measure(self, name: str, target: ModuleType | None) -> None:
        """Measure an import that no other one asked for, from now on until its lock is gone."""
        thread = threading.get_ident()
        pending = self._pending.get(thread)
        # From Python 3.15 on, the exception of a failed import keeps its lock, which nobody holds then.
        if not process.spans or (pending is not None and is_held(pending())):
            return
        lock = owned_lock(name)
        # There is none where somebody only asks where a module can be found.
        if not is_held(lock):
            return
        start = time.perf_counter()

        def ended(_: object) -> None:
            del self._pending[thread]
            cost = self._modules.get(name)
            if cost is None:
                self._modules[name] = Cost()
            else:
                cost.runs += 1
                cost.seconds += time.perf_counter() - start

        self._pending[thread] = weakref.ref(lock, ended)

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
