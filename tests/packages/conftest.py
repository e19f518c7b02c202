"""How the inner suites run: each in a process of its own, where nothing may be left behind or said."""

import inspect
import textwrap
from collections.abc import Callable

import pytest

_CONFTEST = """
import sys
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    before = [(name, id(module)) for name, module in sys.modules.items()]
    result = yield
    if "import_sandbox" in item.fixturenames:
        after = [(name, id(module)) for name, module in sys.modules.items()]
        assert [pair for pair in after if pair not in before] == []
        assert after == before
    return result
"""

_THREE_TIMES = """
import sys
import pytest

earlier = []

{source}

def use_and_compare():
    objects = {use}()
    assert {module!r} in sys.modules
    for others in earlier:
        for (old_class, old), (new_class, new) in zip(others.items(), objects.items(), strict=True):
            assert new_class is old_class
            assert isinstance(old, new_class)
            assert isinstance(new, old_class)
    earlier.append(objects)

@pytest.mark.isolated_imports
@pytest.mark.parametrize("time", range(3))
def test_isolated(time):
    use_and_compare()

def test_plain():
    use_and_compare()
    assert len(earlier) == 4
"""


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a test file, of which so many tests have to pass, after some code that runs first.

    Each isolated test has to leave `sys.modules` exactly as it was, no test may warn, and the
    interpreter has to end without a word.
    """

    def run(suite: str, *, passed: int, first: str = "") -> None:
        # Also before and after the tests, where pytest catches no warnings.
        monkeypatch.setenv("PYTHONWARNINGS", "error")
        pytester.makeconftest(_CONFTEST + textwrap.dedent(first))
        pytester.makepyfile(suite)

        result = pytester.runpytest_subprocess("-W", "error")

        assert result.ret == 0
        assert result.errlines == []
        result.assert_outcomes(passed=passed)

    return run


@pytest.fixture
def use_three_times(run_suite: Callable[..., None]) -> Callable[..., None]:
    """Let three isolated tests in a row, then a plain one, call a function that uses a module.

    The function returns classes with an object of each: they have to be the same classes each time.
    """

    def run(module: str, use: Callable[[], object], *, first: str = "") -> None:
        suite = _THREE_TIMES.format(module=module, use=use.__name__, source=inspect.getsource(use))
        run_suite(suite, passed=4, first=first)

    return run
