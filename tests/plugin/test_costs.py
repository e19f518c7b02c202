"""The end of a run names the modules that ran again in isolated tests, if that took a good part of it."""

from __future__ import annotations

import pytest

from pytest_importsandbox._plugin import costs

PASS = "from pytest_importsandbox._plugin import costs\ncosts.time.now += {}"
LINE = (
    "modules that ran again took 8.00s: slow (2 times, 8.00s). If tests can share them, "
    "import them in conftest.py, or name them in isolated_imports_preserve."
)
TEST = """
import importlib.util

import pytest
from pytest_importsandbox._plugin import costs


@pytest.mark.isolated_imports
@pytest.mark.parametrize("number", range(3))
def test_it(number):
    costs.time.now += 10
    {}
"""


class Clock:
    """Stands still, unless the modules and tests of the inner run let time pass."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "time", Clock())


def test_module_that_ran_again_is_named_with_what_it_imports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(slow="import inner", inner=PASS.format(4), test_it=TEST.format("import slow"))

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["*= imports of isolated tests =*", LINE])


def test_modules_that_cost_most_come_first_and_those_that_cost_little_not_at_all(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        quick=PASS.format(0.1),
        slow=PASS.format(3),
        slower=PASS.format(4),
        test_it=TEST.format("import quick, slow, slower"),
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines(["*took 14.20s: slower (2 times, 8.00s), slow (2 times, 6.00s). If *"])


def test_module_is_measured_after_one_whose_lock_somebody_keeps(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        first="",
        slow=PASS.format(4),
        test_it=TEST.format(
            """
    from importlib._bootstrap import _get_module_lock

    kept = _get_module_lock("first")
    import first
    import slow
"""
        ),
    )

    result = pytester.runpytest()

    result.stdout.fnmatch_lines([LINE])


@pytest.mark.parametrize(
    ("seconds", "body", "arguments"),
    [
        pytest.param(4, "import slow", ["-q"], id="quiet"),
        pytest.param(4, "import slow", ["-k", "0"], id="once"),
        pytest.param(4, "importlib.util.find_spec('slow')", [], id="not imported"),
        pytest.param(4, "import slow", ["-o", "isolated_imports_preserve=slow"], id="preserved"),
        pytest.param(1, "import slow", [], id="takes little of the run"),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_say(
    seconds: int, body: str, arguments: list[str], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(slow=PASS.format(seconds), test_it=TEST.format(body))

    result = pytester.runpytest(*arguments)

    result.stdout.no_fnmatch_line("*ran again*")
    assert result.ret == 0
