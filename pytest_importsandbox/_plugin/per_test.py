"""When the sandbox of a test opens and closes: round its function-scoped fixtures, and no others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from types import ModuleType
from typing import Any, Final

import pytest

from pytest_importsandbox._core.names import as_names
from pytest_importsandbox._plugin.costs import Costs
from pytest_importsandbox._plugin.failures import FailureReports
from pytest_importsandbox._plugin.imports import is_conftest, take_part
from pytest_importsandbox._sandbox.sandbox import ImportSandbox, protect, suspended

MARKER: Final = "isolated_imports"


def _problem_with(marker: pytest.Mark) -> str | None:
    """What is wrong with the arguments of a marker."""
    if len(marker.args) > 1:
        return (
            f"takes one positional argument, enabled, not {marker.args!r}; names go to preserve= or blocked="
        )
    if marker.args and not isinstance(marker.args[0], bool):
        return f"takes True or False, not {marker.args[0]!r}; names go to preserve= or blocked="
    for argument, value in sorted(marker.kwargs.items()):
        if argument not in ("preserve", "blocked"):
            return f"takes preserve= and blocked=, not {argument}={value!r}"
        if marker.args == (False,):
            return f"takes False or {argument}={value!r}, not both; with False nothing is isolated"
        # Several tests may bear the marker, and a test may run several times.
        if isinstance(value, Iterator):
            return f"takes names that can be read more than once, not {argument}={value!r}; make it a list"
        try:
            as_names(value, argument)
        except (TypeError, ValueError) as exc:
            return f"has a bad argument: {exc}"
    return None


def _is_isolated(markers: list[pytest.Mark], otherwise: bool) -> bool:
    """Whether a test is isolated: the closest of its markers, which is the first, has the say."""
    if not markers:
        return otherwise
    return bool(markers[0].args[0]) if markers[0].args else True


def _refuse_marker(problem: str) -> None:
    """Fail a test with a bad marker before its fixtures are set up."""
    raise pytest.fail.Exception(f"the marker {MARKER} {problem}", pytrace=False) from None


def _names_given_to(markers: list[pytest.Mark], argument: str) -> Iterator[str]:
    """What the markers of a test give for an argument, added up."""
    for marker in markers:
        yield from as_names(marker.kwargs.get(argument, ()), argument)


class TestSandboxes:
    """The sandbox of the test that is running, which spans its function-scoped fixtures and no others.

    It is made, and registered as a plugin, when there is a test to isolate.
    """

    def __init__(self, config: pytest.Config, preserve: tuple[str, ...]) -> None:
        take_part(config)
        self._preserve = preserve
        self._waiting: pytest.Item | None = None
        """The test whose fixtures are being set up, until its sandbox opens."""
        self._failures = FailureReports()
        self.open: ImportSandbox | None = None
        """The sandbox of the test that is running, unless a wider fixture is being set up."""
        # Of pytest-run-parallel, which runs a test in many threads at once.
        self._knows_threads = any(line.startswith("thread_unsafe") for line in config.getini("markers"))
        for plugin in (self._failures, Costs(config), self):
            config.pluginmanager.register(plugin)
        # For a teardown that is interrupted when the session ends.
        config.add_cleanup(self.close)

    def prepare(self, item: pytest.Item, *, isolated: bool, requested: bool) -> None:
        """Isolate a test, refuse its markers, or let it run as it is.

        :param isolated: Whether tests without a marker are isolated.
        :param requested: Whether the test requests a sandbox, whatever its markers say.
        """
        markers = list(item.iter_markers(MARKER))
        problem = next(filter(None, map(_problem_with, markers)), None)
        if problem is not None:
            item.setup = partial(_refuse_marker, problem)  # type: ignore[method-assign]
            # Some kinds of tests can't be torn down if they were not set up.
            item.teardown = lambda: None  # type: ignore[method-assign]
        elif requested or _is_isolated(markers, isolated):
            self.explain_failure(item)
            item.setup = partial(self._set_up, item, item.setup)  # type: ignore[method-assign]
            item.teardown = partial(self._tear_down, item.teardown)  # type: ignore[method-assign]
            if self._knows_threads:
                item.add_marker(pytest.mark.thread_unsafe(reason="isolates imports, which threads share"))

    def explain_failure(self, item: pytest.Item) -> None:
        """Let the report of a test that fails say whether a second copy of a module is behind it."""
        self._failures.explain(item)

    def _set_up(self, item: pytest.Item, set_up: Callable[[], None]) -> None:
        """Set up a test, and have its sandbox open at the end."""
        __tracebackhide__ = True
        self._waiting = item
        if not hasattr(item, "fixturenames"):
            self._open_for_waiting()
        set_up()
        self._open_for_waiting()

    def _tear_down(self, tear_down: Callable[[], None]) -> None:
        """Tear down a test; its fixtures have been torn down before."""
        __tracebackhide__ = True
        try:
            tear_down()
        finally:
            self.close()

    def _open_for_waiting(self) -> None:
        """Open the sandbox of the test that is being set up, if it isn't open yet."""
        __tracebackhide__ = True
        if self._waiting is not None:
            item, self._waiting = self._waiting, None
            self.open_for(item)

    def open_for(self, item: pytest.Item) -> ImportSandbox:
        """Open the sandbox of a test, as its markers and the settings want it."""
        __tracebackhide__ = True
        markers = list(item.iter_markers(MARKER))
        sandbox = ImportSandbox(preserve=(*self._preserve, *_names_given_to(markers, "preserve")))
        protect(sandbox, lambda: _modules_of_the_tests(item))
        blocked = tuple(_names_given_to(markers, "blocked"))
        self.open = sandbox.__enter__()
        if blocked:
            try:
                sandbox.block(*blocked)
            except ValueError as exc:
                self.close()
                _refuse_marker(f"has a bad argument: {exc}")
        return sandbox

    def close(self) -> None:
        """Close the sandbox of the test, if it is open."""
        self._waiting = None
        if self.open is not None:
            # First: an interrupt at its very beginning leaves it to the next one who closes.
            self.open.__exit__(None, None, None)
            self.open = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # Around the plugins that run async fixtures.
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Open the sandbox before the first function-scoped fixture, and put it aside for wider ones."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            self._open_for_waiting()
        if fixturedef.scope == "function" or self.open is None:
            return (yield)
        # What the fixture requests in turn is outside already.
        sandbox, self.open = self.open, None
        try:
            with suspended(sandbox):
                return (yield)
        finally:
            self.open = sandbox

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Close the sandbox also after `SystemExit`, for which pytest drops all finalizers that are left."""
        try:
            return (yield)
        finally:
            self.close()


def _modules_of_the_tests(item: pytest.Item) -> Iterator[ModuleType]:
    """The running test module and the conftest files."""
    plugins = item.config.pluginmanager.get_plugins()
    for module in (getattr(item, "module", None), *filter(is_conftest, plugins)):
        if isinstance(module, ModuleType):
            yield module
