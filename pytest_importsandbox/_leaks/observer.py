"""Import leaks: which test, fixture, test file or conftest file left what behind.

Pictures of the import state are taken before and after each phase of a test, and round the setup and the
teardown of wider fixtures and the collection of files; the first and the last one are compared.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import pytest
from _pytest.junitxml import xml_key
from _pytest.outcomes import Failed

from pytest_importsandbox._core.modules import MISSING, namespace
from pytest_importsandbox._core.names import in_tree
from pytest_importsandbox._core.process import process
from pytest_importsandbox._leaks.kinds import (
    KINDS,
    Attributes,
    Change,
    ImportRecorder,
    Picture,
    attribute_leaks,
    author,
    differences,
    leaks,
    locations,
    reload_leaks,
)
from pytest_importsandbox._leaks.lookups import asks_for, code_of
from pytest_importsandbox._leaks.report import Leak, LeakReport, as_text, described, lines_of
from pytest_importsandbox._plugin.imports import take_part

_SUMMARY: Final = "importsandbox-leak-summary"
_ATTRIBUTE: Final = "importsandbox_leaks"
"""Where reports carry what was found since the report before."""
_NAMES_OF_XUNIT_FIXTURES: Final = ("setup_module", "setup_class", "setUpClass", "setUpModule")


def turn_on(config: pytest.Config, mode: str) -> None:
    """Look for leaks in this run.

    :raises pytest.UsageError: If an entry of `import_leaks_allow` can't be understood.
    """
    take_part(config)
    allowed = [Allowed.read(line) for line in config.getini("import_leaks_allow")]
    observer = LeakObserver(config, mode, allowed)
    config.pluginmanager.register(observer, "importsandbox-leak-observer")
    config.add_cleanup(observer.stop)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(LeakSummary(config, allowed), _SUMMARY)


@dataclass(frozen=True)
class Allowed:
    """An entry of the setting `import_leaks_allow`."""

    line: str
    origin: str | None
    kind: str
    name: str

    @classmethod
    def read(cls, line: str) -> Allowed:
        """Read ``kind:name`` or ``test id :: kind:name``.

        :raises pytest.UsageError: If it is neither.
        """
        origin, _, pattern = line.rpartition(" :: ")
        kind, colon, name = pattern.strip().partition(":")
        if not colon or not name or not any(fnmatchcase(each, kind) for each in KINDS):
            raise pytest.UsageError(
                f"import_leaks_allow: {line!r} is neither 'kind:name' nor 'test id :: kind:name'; "
                f"the kinds are {', '.join(KINDS)}"
            )
        return cls(line, origin.strip() or None, kind, name)

    def allows(self, leak: Leak) -> bool:
        """Whether a leak is a known one."""
        is_there = self.origin is None or leak.origin == self.origin or fnmatchcase(leak.origin, self.origin)
        return is_there and fnmatchcase(leak.kind, self.kind) and fnmatchcase(leak.name, self.name)


@dataclass(frozen=True)
class _By:
    """Who runs: a phase of a test, and a wider fixture in it."""

    phase: str
    fixture: pytest.FixtureDef[Any] | None = None


@dataclass(eq=False)
class _Found:
    """A leak that is there, with the objects themselves."""

    number: int
    leak: Leak
    change: Change
    is_allowed: bool
    fixture: pytest.FixtureDef[Any] | None = None
    """The wider fixture that may still put back what it has changed."""


@dataclass(eq=False)
class _Span:
    """The time between two moments that are compared."""

    origin: str
    timeline: list[tuple[_By | None, Picture]] = field(default_factory=list)
    attributes: list[tuple[_By, Change]] = field(default_factory=list)


class LeakFound(Failed):
    """A test has left something behind, in the mode `error`."""

    # As with pytest's own outcomes, reports show the bare name.
    __module__ = "builtins"


class LeakObserver:
    """Finds the leaks of the process that it is in, and sends them with the reports of tests."""

    def __init__(self, config: pytest.Config, mode: str, allowed: list[Allowed]) -> None:
        self._config = config
        self._is_error = mode == "error"
        self._allowed = allowed
        self._temporary = TemporaryDirectories(config)
        self._attributes = Attributes()
        self._recorder = ImportRecorder(self._is_test_file)
        self._files: list[Path] = []
        """The test file that is being collected."""
        self._running: list[_By] = []
        """Who runs, the innermost last."""
        self._span: _Span | None = None
        self._there: dict[tuple[str, object], list[_Found]] = {}
        """The leaks that nobody has put back, by place, the oldest first."""
        self._ended: list[pytest.FixtureDef[Any]] = []
        """The wider fixtures that have ended since the last comparison."""
        self._events: list[dict[str, Any]] = []
        """What is to be sent with the next report."""
        self._last = Picture()
        """The end of the last comparison."""
        self._numbers = 0
        self._tests = 0
        """How many tests have begun."""
        process.watcher.observers.append(self._recorder)

    def stop(self) -> None:
        """Be told of imports no more."""
        process.watcher.observers.remove(self._recorder)

    # Collection

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        self._attributes.look()
        self._begin("collection")
        try:
            return (yield)
        finally:
            self._span = None

    # Around the hook that puts the sandbox of a test module in place.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        file = collector.getparent(pytest.File)  # type: ignore[type-abstract]
        self._begin("collection" if file is None else file.nodeid)
        if file is not None and self._is_named_like_tests(file.path):
            self._files.append(file.path)
        try:
            report = yield
        finally:
            self._files.clear()
        if file is not None:
            found = self._compare(partial(_is_pytests_own, self._config, file.path))
            if found and self._is_error:
                report.outcome = "failed"
                report.longrepr = "\n".join(_texts(found))
                report.result = []
        return report

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Compare what was there before and after a conftest file was loaded during the collection."""
        path = getattr(plugin, "__file__", None)
        if self._span is None or type(path) is not str or Path(path).name != "conftest.py":
            return
        origin = self._span.origin
        self._span.origin = self._relative(Path(path))
        found = self._compare(partial(_is_pytests_own, self._config, Path(path)))
        if found and self._is_error:
            self._config.hook.pytest_collectreport(
                report=pytest.CollectReport(self._span.origin, "failed", "\n".join(_texts(found)), [])
            )
        self._begin(origin)

    def _is_named_like_tests(self, path: Path) -> bool:
        return any(fnmatchcase(path.name, pattern) for pattern in self._config.getini("python_files"))

    def _is_test_file(self, name: str) -> bool:
        """Whether a module is the test file that is being collected, a package of it, or a conftest file."""
        if name == "conftest" or name.endswith(".conftest"):
            return True
        return any(in_tree(each, (name,)) for path in self._files for each in _names_of(self._config, path))

    def _relative(self, path: Path) -> str:
        root = self._config.rootpath
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    # Tests

    def pytest_runtest_logstart(self) -> None:
        self._tests += 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        self._begin(item.nodeid)
        return (yield from self._run(_By("setup")))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        return (yield from self._run(_By("call")))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        try:
            result = yield from self._run(_By("teardown"))
        finally:
            found = self._compare(partial(_is_pytests_own_for_test, item))
            item.user_properties += [("import_leak", each.leak.line) for each in found]
            self._span = None
        if found and self._is_error:
            raise LeakFound("\n".join(_texts(found)), pytrace=False)
        return result

    def _run(self, by: _By) -> Generator[None, object, object]:
        """Let a phase run, and take a picture after it."""
        __tracebackhide__ = True
        self._enter(by)
        try:
            return (yield)
        finally:
            self._leave()

    # Within the hooks that put sandboxes aside for wider fixtures.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        if fixturedef.scope == "function" or self._span is None:
            return (yield)
        # Finalizers run in reverse order.
        fixturedef.addfinalizer(partial(self._end_teardown, fixturedef))
        self._look()
        self._enter(_By("setup", fixturedef))
        try:
            return (yield)
        finally:
            self._look()
            self._leave()
            fixturedef.addfinalizer(partial(self._begin_teardown, fixturedef))

    def _begin_teardown(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        if self._span is not None:
            self._look()
            self._enter(_By("teardown", fixturedef))

    def _end_teardown(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        self._ended.append(fixturedef)
        if self._span is not None:
            self._look()
            self._leave()

    # Comparing

    def _begin(self, origin: str) -> None:
        """Compare from now on."""
        now = Picture()
        self._span = _Span(origin, [(None, now)])
        self._running.clear()
        if not now.is_temporary and not self._last.seems_same(now):
            self._forget_what_is_gone(now)
        self._recorder.begin()
        self._recorder.by = _By("collection")

    def _enter(self, by: _By) -> None:
        """Somebody begins to run."""
        self._mark()
        self._running.append(by)
        self._recorder.by = by

    def _leave(self) -> None:
        """Whoever runs has ended."""
        self._mark()
        self._running.pop()
        self._recorder.by = self._running[-1] if self._running else None

    def _mark(self) -> None:
        """Take a picture; it tells what was done by whoever runs."""
        assert self._span is not None
        if self._running:
            self._span.timeline.append((self._running[-1], Picture()))
        elif not self._span.timeline[-1][1].seems_current():
            # A plugin that does something to the import state while it reports, and undoes it again.
            self._span.timeline.append((None, Picture()))

    def _look(self) -> None:
        """Note the attributes of packages that have changed, with whoever runs."""
        if self._span is not None and self._running and not process.spans:
            by = self._running[-1] if self._running[-1].fixture is not None else _By("test")
            self._span.attributes += ((by, change) for change in self._attributes.changes())

    def _compare(self, is_pytests_own: Callable[[Change], bool]) -> list[_Found]:
        """The leaks since the beginning that count now, those of fixtures that have ended included."""
        span = self._span
        assert span is not None
        if len(span.timeline) == 1:
            span.timeline.append((_By("collection"), Picture()))
        before, after = span.timeline[0][1], span.timeline[-1][1]
        is_undone = before.is_temporary or after.is_temporary
        imports = self._recorder.changes
        found: list[tuple[_By, Change]] = []
        changes = differences(before, after)
        for change in leaks(changes, imports, self._temporary.contain):
            by = author(change, span.timeline)
            if isinstance(by, _By) and not is_pytests_own(change):
                found.append((by, change))
        if not is_undone:
            span.attributes += (
                (_By("collection" if span.timeline[-1][0] == _By("collection") else "test"), change)
                for change in self._attributes.changes()
            )
        if span.attributes or imports:
            by_name = {change.name: by for by, change in span.attributes}
            found += (
                (by_name.get(change.name, _By("test")), change)
                for change in attribute_leaks(
                    [change for _, change in span.attributes], before, after, imports, self._is_runner
                )
                if not is_undone or change.name in by_name
            )
        found += (
            (by, change) for change, by in reload_leaks(self._recorder.reloads, before) if isinstance(by, _By)
        )
        if changes and not is_undone:
            self._attributes.look()
        self._last = after
        return [*self._settle(span.origin, found), *self._confirmed(after)]

    @staticmethod
    def _is_runner(package: str) -> bool:
        return package in process.store.plugin_packages

    def _settle(self, origin: str, found: Iterable[tuple[_By, Change]]) -> list[_Found]:
        """Tell leaks from what puts back an earlier one; return those that count at once."""
        new = []
        for by, change in found:
            there = self._there.setdefault((change.kind, change.key), [])
            healed = next((n for n, each in enumerate(there) if _is_same(each.change.was, change.now)), None)
            if healed is not None:
                for each in there[healed:]:
                    self._send(each, "healed", by=origin, tests=self._tests)
                del there[healed:]
                continue
            if there and there[-1].fixture is not None and _is_same(there[-1].change.now, change.now):
                # A plugin has suspended what a fixture does, between two tests.
                continue
            if there:
                self._send(there[-1], "changed", by=origin)
            one = self._found(origin, by, change)
            there.append(one)
            if one.fixture is None:
                self._tell(one)
                new.append(one)
        return [each for each in new if not each.is_allowed]

    def _found(self, origin: str, by: _By, change: Change) -> _Found:
        """A new leak."""
        fixture = by.fixture
        leak = described(
            origin,
            by.phase,
            change,
            None if fixture is None else _shown_name(fixture),
            None if fixture is None else fixture.scope,
        )
        leak.tests_before = self._tests
        allowing = next((each for each in self._allowed if each.allows(leak)), None)
        if allowing is not None:
            self._events.append({"event": "allowed", "pattern": allowing.line})
        self._numbers += 1
        one = _Found(self._numbers, leak, change.without_modules(), allowing is not None)
        if fixture is not None and by.phase == "setup" and _has_teardown(fixture):
            one.fixture = fixture
        return one

    def _forget_what_is_gone(self, now: Picture) -> None:
        """Forget leaks that neither a test nor a file has put back: a plugin has."""
        for there in self._there.values():
            for each in there[-1:]:
                if each.fixture is None and now.value(each.change) is not each.change.now:
                    self._send(each, "healed", by="a plugin, between two tests", tests=self._tests)
                    there.remove(each)

    def _confirmed(self, now: Picture) -> list[_Found]:
        """The leaks of fixtures that have ended without putting back what they had changed."""
        ended, self._ended = self._ended, []
        found = [
            each
            for each in self._all_there()
            if any(each.fixture is one for one in ended) and now.value(each.change) is each.change.now
        ]
        for each in found:
            each.fixture = None
            self._tell(each)
        return [each for each in found if not each.is_allowed]

    def _all_there(self) -> Iterator[_Found]:
        """The leaks that nobody has put back."""
        for there in self._there.values():
            yield from there

    def _tell(self, one: _Found) -> None:
        """Send a leak."""
        if not one.is_allowed:
            self._events.append({"event": "leak", "id": one.number, **asdict(one.leak)})

    def _send(self, one: _Found, event: str, **values: Any) -> None:
        """Send what has become of a leak that was sent."""
        if not one.is_allowed and one.fixture is None:
            self._events.append({"event": event, "id": one.number, **values})

    # Sending

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        is_failed = call.excinfo is not None and not isinstance(call.excinfo.value, LeakFound)
        if report.failed and is_failed and self._there:
            for each in self._looked_up(item, call):
                self._send(each, "looked up", by=item.nodeid)
        if self._events:
            setattr(report, _ATTRIBUTE, self._events)
            self._events = []
        return report

    def _looked_up(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[_Found]:
        """The leaks of others that a test has met, as far as its code tells."""
        asked = {name: sys.modules.get(name) for name in self._recorder.asked}
        codes = [*_executed(item, call), *code_of(asked.values())]
        for each in self._all_there():
            if each.leak.origin == item.nodeid:
                continue
            kind, name = each.change.kind, each.change.name
            if kind == "path":
                met = any(
                    _real(place).is_relative_to(_real(name))
                    for module in asked.values()
                    for place in locations(module)
                )
            elif kind in ("modules", "attribute", "reload"):
                module = sys.modules.get(name, MISSING)
                met = any(asks_for(code, variables, name, module) for code, variables in codes)
            else:
                met = bool(asked)
            if met:
                yield each

    # Within all others, but around the finalizers that an interrupted test has left.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        self._span = None
        self._pass_on()
        try:
            return (yield)
        finally:
            now = Picture()
            for each in self._all_there():
                if each.fixture is not None and now.value(each.change) is each.change.now:
                    self._tell(each)
            self._pass_on()

    def _pass_on(self) -> None:
        """Hand over what no report has taken along."""
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_ATTRIBUTE] = self._events  # type: ignore[attr-defined]
            return
        summary = self._config.pluginmanager.get_plugin(_SUMMARY)
        assert isinstance(summary, LeakSummary)
        summary.report.add("", self._events)
        self._events = []


class LeakSummary:
    """Gathers the leaks that all processes have found, and shows them at the end of the run."""

    def __init__(self, config: pytest.Config, allowed: list[Allowed]) -> None:
        self._config = config
        self._allowed = allowed
        self.report = LeakReport()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worker = getattr(report, "worker_id", "")
        self.report.count(worker, report.nodeid)
        self.report.add(worker, getattr(report, _ATTRIBUTE, ()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what a worker of pytest-xdist had not sent yet; one that crashed has no output."""
        output = getattr(node, "workeroutput", {})
        self.report.add(node.gateway.id, output.get(_ATTRIBUTE, ()))

    @pytest.hookimpl(tryfirst=True)  # Before the file is written.
    def pytest_sessionfinish(self) -> None:
        """Add to the report of JUnit what files have left; what tests have left is with the tests."""
        xml = self._config.stash.get(xml_key, None)
        if xml is not None:
            for leak in self.report.leaks():
                if leak.phase == "collection":
                    xml.add_global_property("import_leak", f"{leak.origin}: {leak.line}")

    def pytest_unconfigure(self) -> None:
        """Write the file for tools."""
        path = self._config.getoption("--import-leaks-json")
        if path is not None:
            self.report.write_json(self._config.invocation_params.dir / path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        leaks = self.report.leaks()
        unused = [each.line for each in self._allowed if each.line not in self.report.allowing]
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


def _texts(found: Iterable[_Found]) -> list[str]:
    """What is said of leaks at once, in a line or two for each."""
    return ["\n".join([f"import leak of {each.leak.origin}", *_indented(each.leak)]) for each in found]


def _indented(leak: Leak) -> list[str]:
    return [f"  {line}" for line in lines_of(leak)]


def _is_same(one: object, other: object) -> bool:
    """Whether a place holds again what it held; for the order of a list, the same entries in it."""
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
    return one is other


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


def _executed(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    """The code that a failing test has run, as far as its traceback tells, with the global variables."""
    function = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    if isinstance(function, FunctionType):
        yield function.__code__, function.__globals__
    assert call.excinfo is not None
    for entry in call.excinfo.traceback:
        yield entry.frame.code.raw, entry.frame.f_globals


def _is_pytests_own(config: pytest.Config, path: Path, change: Change) -> bool:
    """Whether pytest itself changes this when it imports a test file or a conftest file."""
    if change.kind == "path":
        return change.has_come and change.name in map(str, _roots_of(config, path))
    if change.kind != "modules":
        return False
    if isinstance(change.was, ModuleType) and config.pluginmanager.is_registered(change.was):
        # https://docs.pytest.org/en/stable/explanation/pythonpath.html: all conftest files share a name.
        return True
    doc = (namespace(change.now) or {}).get("__doc__")
    return type(doc) is str and doc.startswith("Empty module created by pytest")


def _is_pytests_own_for_test(item: pytest.Item, change: Change) -> bool:
    """Whether pytest itself changes this when it sets up the packages that a test lies in."""
    packages = (node for node in item.listchain() if isinstance(node, pytest.Package))
    return any(_is_pytests_own(item.config, package.path / "__init__.py", change) for package in packages)


def _roots_of(config: pytest.Config, path: Path) -> list[Path]:
    """The directories that pytest may put on `sys.path` to import a file."""
    directory = path.parent
    while (directory / "__init__.py").is_file():
        directory = directory.parent
    with suppress(ValueError):  # The setting is there from pytest 8.1 on.
        if config.getini("consider_namespace_packages"):
            return [directory, *directory.parents]
    return [directory]


def _names_of(config: pytest.Config, path: Path) -> Iterator[str]:
    """The names by which pytest may import a file."""
    for root in _roots_of(config, path):
        yield ".".join(path.relative_to(root).with_suffix("").parts)


class TemporaryDirectories:
    """Tells whether a file is in a temporary directory."""

    def __init__(self, config: pytest.Config) -> None:
        roots = [tempfile.gettempdir(), os.environ.get("PYTEST_DEBUG_TEMPROOT"), config.getoption("basetemp")]
        self._roots = [_real(root) for root in roots if root]
        project = [str(config.rootpath), str(config.invocation_params.dir)]
        self._kept = [_real(each) for each in (*project, sys.prefix, sys.base_prefix, *sys.path)]
        """Where files are that are there before the run, even if it is in a temporary directory."""

    def contain(self, file: str) -> bool:
        """Whether a file is in one of them and not with the project, the interpreter or what it had found."""
        path = _real(file)
        return any(
            path.is_relative_to(root)
            and not any(kept.is_relative_to(root) and path.is_relative_to(kept) for kept in self._kept)
            for root in self._roots
        )


def _real(path: str) -> Path:
    """A path without symbolic links: that of the temporary directories has one on macOS."""
    return Path(path).resolve()
