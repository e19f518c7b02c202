"""Import leaks: which test, fixture, test file or conftest file left what behind.

Pictures of the import state are taken before and after each phase of a test, and round the setup and the
teardown of wider fixtures and the collection of files; the first and the last one are compared.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import pytest
from _pytest.junitxml import xml_key
from _pytest.outcomes import Failed

from pytest_importsandbox._core.names import in_tree
from pytest_importsandbox._core.process import process
from pytest_importsandbox._leaks.changes import COLLECTION, By, Fixture, Picture
from pytest_importsandbox._leaks.comparing import Comparison
from pytest_importsandbox._leaks.kinds import KINDS
from pytest_importsandbox._leaks.lookups import Code, Lookups, real
from pytest_importsandbox._leaks.open_leaks import Allowed, OpenLeak, OpenLeaks
from pytest_importsandbox._leaks.report import LeakReport, as_text, lines_of
from pytest_importsandbox._plugin.imports import take_part

_ATTRIBUTE: Final = "importsandbox_leaks"
"""Where reports carry what was found since the report before."""
_NAMES_OF_XUNIT_FIXTURES: Final = ("setup_module", "setup_class", "setUpClass", "setUpModule")


def turn_on(config: pytest.Config, mode: str) -> None:
    """Look for leaks in this run.

    :raises pytest.UsageError: If an entry of `import_leaks_allow` can't be understood.
    """
    take_part(config)
    try:
        allowed = [Allowed.read(line) for line in config.getini("import_leaks_allow")]
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None
    run = PytestRun(config)
    comparison = Comparison(run, OpenLeaks(allowed))
    observers = process.watcher.observers
    observers.append(comparison.recorder)
    config.add_cleanup(partial(observers.remove, comparison.recorder))
    config.pluginmanager.register(LeakObserver(config, mode, run, comparison), "importsandbox-leak-observer")
    config.pluginmanager.register(LeakSummary(config, comparison, allowed), "importsandbox-leak-summary")


class LeakFound(Failed):
    """A test has left something behind, in the mode `error`."""

    # As with pytest's own outcomes, reports show the bare name.
    __module__ = "builtins"


class LeakObserver:
    """Says where tests, fixtures and files begin and end, and fails those that have left something behind."""

    def __init__(self, config: pytest.Config, mode: str, run: PytestRun, comparison: Comparison) -> None:
        self._config = config
        self._is_error = mode == "error"
        self._run = run
        self._comparison = comparison

    # Collection

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        self._comparison.attributes.look()
        self._comparison.begin("collection", by=COLLECTION)
        try:
            return (yield)
        finally:
            self._comparison.drop()

    # Around the hook that puts the sandbox of a test module in place.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        file = collector.getparent(pytest.File)  # type: ignore[type-abstract]
        if file is None:
            self._comparison.begin("collection", by=COLLECTION)
            return (yield)
        self._comparison.begin(file.nodeid, [file.path], COLLECTION)
        self._run.collect(file.path)
        try:
            report = yield
        finally:
            self._run.test_files.clear()
        found = self._comparison.end()
        if found and self._is_error:
            report.outcome = "failed"
            report.longrepr = _text(found)
            report.result = []
        # A conftest file may be loaded before the next one is begun.
        self._comparison.begin("collection", by=COLLECTION)
        return report

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Compare what was there before and after a conftest file was loaded during the collection."""
        period = self._comparison.period
        path = getattr(plugin, "__file__", None)
        if period is None or type(path) is not str or Path(path).name != "conftest.py":
            return
        # All that has happened since a directory or a file was begun is its own.
        origin, files = period.origin, period.files
        period.origin, period.files = self._run.shown(Path(path)), [Path(path)]
        found = self._comparison.end()
        if found and self._is_error:
            self._config.hook.pytest_collectreport(
                report=pytest.CollectReport(period.origin, "failed", _text(found), [])
            )
        self._comparison.begin(origin, files, COLLECTION)

    # Tests

    def pytest_runtest_logstart(self) -> None:
        self._comparison.leaks.tests += 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        packages = [node.path for node in item.listchain() if isinstance(node, pytest.Package)]
        self._comparison.begin(item.nodeid, [package / "__init__.py" for package in packages])
        return (yield from self._phase("setup"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        return (yield from self._phase("call"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            result = yield from self._phase("teardown")
        finally:
            found = self._comparison.end()
            item.user_properties += [("import_leak", each.leak.line) for each in found]
        if found and self._is_error:
            raise LeakFound(_text(found), pytrace=False)
        return result

    def _phase(self, name: str) -> Generator[None, object, object]:
        """Let a phase run."""
        __tracebackhide__ = True
        self._comparison.enter(By(name))
        try:
            return (yield)
        finally:
            self._comparison.leave()

    # Within the hooks that put sandboxes aside for wider fixtures.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if fixturedef.scope == "function" or self._comparison.period is None:
            return (yield)
        fixture = Fixture(_shown_name(fixturedef), fixturedef.scope, _has_teardown(fixturedef))
        # Finalizers run in reverse order.
        fixturedef.addfinalizer(partial(self._end_teardown, fixture))
        self._comparison.enter(By("setup", fixture))
        try:
            return (yield)
        finally:
            self._comparison.leave()
            fixturedef.addfinalizer(partial(self._comparison.enter, By("teardown", fixture)))

    def _end_teardown(self, fixture: Fixture) -> None:
        fixture.has_ended = True
        self._comparison.leave()


class LeakSummary:
    """Brings together what all processes have found, and shows it at the end of the run."""

    def __init__(self, config: pytest.Config, comparison: Comparison, allowed: list[Allowed]) -> None:
        self._config = config
        self._comparison = comparison
        self._allowed = allowed
        self._report = LeakReport()
        """What is reported where the run ends; that of a worker of pytest-xdist is of no use."""
        self._is_worker = hasattr(config, "workerinput")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report take along what was found since the one before."""
        report = yield
        leaks = self._comparison.leaks
        is_failed = call.excinfo is not None and not isinstance(call.excinfo.value, LeakFound)
        if report.failed and is_failed and any(leaks):
            asked = self._comparison.recorder.period.asked
            leaks.note_met(item.nodeid, Lookups(asked, _executed(item, call)))
        if events := leaks.taken():
            setattr(report, _ATTRIBUTE, events)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worker = getattr(report, "worker_id", "")
        self._report.count(worker, report.nodeid)
        self._report.add(worker, getattr(report, _ATTRIBUTE, ()))

    # Within all others, but around the finalizers that an interrupted test has left, and before the file of
    # JUnit is written.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        self._comparison.drop()
        self._pass_on()
        # What tests have left is with the tests.
        xml = self._config.stash.get(xml_key, None)
        if xml is not None:
            for leak in self._report.leaks():
                if leak.phase == "collection":
                    xml.add_global_property("import_leak", f"{leak.origin}: {leak.line}")
        try:
            return (yield)
        finally:
            self._comparison.leaks.confirm(Picture(KINDS), lambda fixture: True)
            self._pass_on()

    def _pass_on(self) -> None:
        """Hand over what no report has taken along."""
        events = self._comparison.leaks.taken()
        if self._is_worker:
            sent = self._config.workeroutput.setdefault(_ATTRIBUTE, [])  # type: ignore[attr-defined]
            sent += events
        else:
            self._report.add("", events)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what a worker of pytest-xdist had not sent yet; one that crashed has no output."""
        output = getattr(node, "workeroutput", {})
        self._report.add(node.gateway.id, output.get(_ATTRIBUTE, ()))

    def pytest_unconfigure(self) -> None:
        """Write the file for tools."""
        path = self._config.getoption("--import-leaks-json")
        if path is not None and not self._is_worker:
            self._report.write_json(self._config.invocation_params.dir / path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        leaks = self._report.leaks()
        unused = [each.line for each in self._allowed if each.line not in self._report.allowing]
        if not leaks and not unused:
            return
        if terminalreporter.verbosity < 0:
            terminalreporter.write_line(f"import leaks: {len(leaks)}; without -q they are shown")
            return
        terminalreporter.write_sep("=", "import leaks")
        for line in as_text(leaks):
            terminalreporter.write_line(line)
        for line in unused:
            terminalreporter.write_line(f"import_leaks_allow: {line!r} allowed nothing in this run")


def _text(found: Iterable[OpenLeak]) -> str:
    """What is said of leaks at once, in a line or two for each."""
    lines: list[str] = []
    for each in found:
        lines += [f"import leak of {each.leak.origin}", *(f"  {line}" for line in lines_of(each.leak))]
    return "\n".join(lines)


def _shown_name(fixturedef: pytest.FixtureDef[Any]) -> str:
    """The name of a fixture, or of the function that pytest makes one of."""
    for name in _NAMES_OF_XUNIT_FIXTURES:
        if f"{name}_fixture" in fixturedef.argname:
            return name
    return fixturedef.argname


def _has_teardown(fixturedef: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture may put back what it has changed: by itself, or by one that it requests."""
    if fixturedef.argnames and set(fixturedef.argnames) != {"tmp_path_factory"}:
        return True
    return inspect.isgeneratorfunction(fixturedef.func) or inspect.isasyncgenfunction(fixturedef.func)


def _executed(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Code]:
    """The code that a failing test has run, as far as its traceback tells, with the global variables."""
    function = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    if isinstance(function, FunctionType):
        yield function.__code__, function.__globals__
    assert call.excinfo is not None
    for entry in call.excinfo.traceback:
        yield entry.frame.code.raw, entry.frame.f_globals


class PytestRun:
    """What pytest is told by its configuration, and does when it imports files."""

    def __init__(self, config: pytest.Config) -> None:
        self.test_files: list[Path] = []
        """The one that is being collected."""
        self._config = config
        roots = [tempfile.gettempdir(), os.environ.get("PYTEST_DEBUG_TEMPROOT"), config.getoption("basetemp")]
        self._temporary = [real(root) for root in roots if root]
        project = [str(config.rootpath), str(config.invocation_params.dir)]
        self._kept = [real(each) for each in (*project, sys.prefix, sys.base_prefix, *sys.path)]
        """Where files are that are there before the run, even if it is in a temporary directory."""

    def is_temporary(self, file: str) -> bool:
        """Whether it is in a temporary directory, and not with the project, the interpreter or its path."""
        path = real(file)
        return any(
            path.is_relative_to(root)
            and not any(kept.is_relative_to(root) and path.is_relative_to(kept) for kept in self._kept)
            for root in self._temporary
        )

    def is_plugin(self, module: object) -> bool:
        """Whether a module is a plugin of pytest: a conftest file is."""
        return any(each is module for each in self._config.pluginmanager.get_plugins())

    def collect(self, file: Path) -> None:
        """Be told that a file is being collected; it may be one of documentation."""
        if any(fnmatchcase(file.name, pattern) for pattern in self._config.getini("python_files")):
            self.test_files.append(file)

    def is_test_file(self, name: str) -> bool:
        """Whether a module is the test file that is being collected, a package of it, or a conftest file."""
        if name == "conftest" or name.endswith(".conftest"):
            return True
        return any(
            in_tree(".".join(file.relative_to(root).with_suffix("").parts), (name,))
            for file in self.test_files
            for root in self.roots(file)
        )

    def roots(self, file: Path) -> list[Path]:
        """The directories that pytest may put on `sys.path` to import a file."""
        directory = file.parent
        while (directory / "__init__.py").is_file():
            directory = directory.parent
        with suppress(ValueError):  # The setting is there from pytest 8.1 on.
            if self._config.getini("consider_namespace_packages"):
                return [directory, *directory.parents]
        return [directory]

    def shown(self, path: Path) -> str:
        """How reports call a file."""
        root = self._config.rootpath
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
