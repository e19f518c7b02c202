"""Module sandboxes: when the sandbox of a test file opens, is put aside, taken up and closed.

It is in place while pytest collects the file and while its tests run, from the first module-scoped
fixture to the last finalizer. Directories, packages, conftest files and fixtures of package and session
scope have the outer state. A session-scoped fixture that a test file defines for itself belongs to the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.watcher import Span
from pytest_importsandbox._plugin.imports import take_part


@dataclass(eq=False)
class _Sandbox:
    """The sandbox of a test file."""

    span: Span
    has_session_fixture: bool = False
    """Whether finalizers of the file run when the session ends."""


def isolate(config: pytest.Config, preserve: tuple[str, ...]) -> None:
    """Give each test module of a run a sandbox of its own."""
    take_part(config)
    sandboxes = ModuleSandboxes(preserve)
    config.pluginmanager.register(sandboxes)
    config.add_cleanup(sandboxes.close_all)


class ModuleSandboxes:
    """Gives each test file a sandbox of its own; registered as a plugin if that is wanted."""

    def __init__(self, preserve: tuple[str, ...]) -> None:
        self._preserve = preserve
        self._sandboxes: dict[Path, _Sandbox] = {}
        """By test file: those that are open."""
        self._in_place: Path | None = None
        """The test file whose sandbox is in place; none while the outer state is."""
        self._left: Counter[Path | None] = Counter()
        """By test file: how many of its tests have not run yet."""

    # Within it, others may leave out some of what was collected.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        file = _file_of(collector)
        if file is None:
            collector.setup = partial(self._run_in, None, collector.setup)  # type: ignore[method-assign]
            return (yield)
        if file is collector:
            _import_packages_of(file)
            # The last finalizer of a file: what is torn down after it belongs to packages and the session.
            file.teardown = partial(self._tear_down, file.teardown)  # type: ignore[method-assign]
        with self._being_in(file.path):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # Around plugins that replace the loop.
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        self._left = Counter(map(_path_of, session.items))
        for path in self._sandboxes.keys() - self._left.keys():
            self._close(path)
        # The conftest files and packages of other directories, which a file that is run alone would not meet.
        for sandbox in self._sandboxes.values():
            process.overlook(sandbox.span)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # Around plugins that run a test several times.
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        path = _path_of(item)
        self._change_to(path)
        # Not if it is interrupted: the finalizers will run when the session ends.
        result = yield
        self._left[path] -= 1
        if path is not None and self._left[path] <= 0 and not self._sandboxes[path].has_session_fixture:
            self._close(path)
        elif nextitem is None or _path_of(nextitem) != path:
            self._change_to(None)
        return result

    # Within the hook that puts the sandbox of the test aside for wider fixtures.
    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Set up what outlives the file outside of its sandbox, and have it finalized there."""
        __tracebackhide__ = True
        if fixturedef.scope not in ("package", "session"):
            return (yield)
        place = self._in_place if _is_defined_in_file(fixturedef) else None
        if place is not None:
            self._sandboxes[place].has_session_fixture = True
        # Finalizers run in reverse order: the first one ends what the last one begins.
        finalizing = ExitStack()
        fixturedef.addfinalizer(finalizing.close)
        try:
            with self._being_in(place):
                return (yield)
        finally:
            fixturedef.addfinalizer(partial(finalizing.enter_context, self._being_in(place)))

    # Within all others, but around the finalizers that an interrupted test has left.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            self.close_all()

    def close_all(self) -> None:
        """Close what is open; the outer state is in place then."""
        for path in list(self._sandboxes):
            self._close(path)

    def _run_in(self, path: Path | None, function: Callable[[], None]) -> None:
        """Call a function while the sandbox of a file, or the outer state, is in place."""
        __tracebackhide__ = True
        with self._being_in(path):
            function()

    def _tear_down(self, teardown: Callable[[], None]) -> None:
        """End a file, of which nothing is left to be finalized."""
        __tracebackhide__ = True
        try:
            teardown()
        finally:
            self._change_to(None)

    @contextmanager
    def _being_in(self, path: Path | None) -> Iterator[None]:
        """Have the sandbox of a file, or the outer state, in place for a while."""
        before = self._in_place
        self._change_to(path)
        try:
            yield
        finally:
            self._change_to(before)

    def _change_to(self, path: Path | None) -> None:
        """Put the sandbox in place aside and another one in place; none for the outer state."""
        if path == self._in_place:
            return
        if self._in_place is not None:
            process.put_aside(self._sandboxes[self._in_place].span, pinned=("conftest",))
            self._in_place = None
        if path is None:
            return
        if path in self._sandboxes:
            process.take_up(self._sandboxes[path].span)
        else:
            self._sandboxes[path] = _Sandbox(process.open(self._preserve, shares=True))
        self._in_place = path

    def _close(self, path: Path) -> None:
        """End the sandbox of a file."""
        if self._in_place == path:
            process.close(self._sandboxes[path].span)
            self._in_place = None
        del self._sandboxes[path]


def _file_of(node: pytest.Item | pytest.Collector) -> pytest.File | None:
    """The test file that an item or a collector is in, or is."""
    return node.getparent(pytest.File)  # type: ignore[type-abstract]


def _path_of(item: pytest.Item) -> Path | None:
    """The path of the test file that an item is in."""
    file = _file_of(item)
    return None if file is None else file.path


def _import_packages_of(file: pytest.File) -> None:
    """Import the packages that a test file lies in, which it shares with others.

    pytest runs their `setup_module` at the first of their tests. Imported with the test file, they
    would be in its sandbox only. What they raise is told when the test file imports them.
    """
    if isinstance(file, pytest.Module):
        for package in file.listchain():
            if isinstance(package, pytest.Package):
                with suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
                    # The one way to import a file as pytest does that is public.
                    pytest.Module.from_parent(package, path=package.path / "__init__.py").obj  # noqa: B018


def _is_defined_in_file(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture is defined in a test file, so that no other file can request it."""
    return fixturedef.baseid.partition("::")[0].endswith(".py")
