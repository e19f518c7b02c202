"""The pytest side: options, marker, fixtures, and when a sandbox opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_importsandbox._core.importlib_bootstrap import FreshImport
from pytest_importsandbox._core.names import as_names, top_level
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.sandbox import ImportSandbox, protect, suspended
from pytest_importsandbox._temp_package import TempPackageFactory

if TYPE_CHECKING:
    from pytest_importsandbox._effects.model import ImportEffects
    from pytest_importsandbox._failures import FailureReports

MARKER = "isolated_imports"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("importsandbox", "isolation of imports")
    group.addoption(
        "--isolated-imports",
        action="store_true",
        help="isolate the imports of every test, as if it bore the marker isolated_imports",
    )
    group.addoption(
        "--isolated-modules",
        action="store_true",
        help="isolate the imports of every test module, collection included, as if it were run alone",
    )
    group.addoption(
        "--block-imports",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="run as if these packages were not installed, conftest files included (may be repeated)",
    )
    parser.addini(
        "isolated_imports",
        "which imports are isolated: 'marked' (default) for those of tests with the marker or the "
        "fixtures, 'test' for those of every test, 'module' for those of every test module",
        default="marked",
    )
    parser.addini(
        "isolated_imports_preserve",
        "names of further modules and packages that must run only once in a process",
        type="linelist",
    )
    group.addoption(
        "--import-leaks",
        choices=("report", "error"),
        help="say which test or file left what behind in the import state: 'report' at the end of the run, "
        "'error' by failing it as well",
    )
    group.addoption(
        "--import-leaks-json",
        metavar="FILE",
        help="write the import leaks to a file as well, as JSON",
    )
    parser.addini(
        "import_leaks",
        "what to do about what tests leave behind in the import state: 'off' (default), 'report' or 'error'",
        default="off",
    )
    parser.addini(
        "import_leaks_allow",
        "import leaks that are known: 'kind:name' or 'test id :: kind:name', with wildcards",
        type="linelist",
    )


@pytest.hookimpl(tryfirst=True)  # Before the conftest files are loaded.
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    _block_for_run(early_config, early_config.known_args_namespace.block_imports)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "isolated_imports(enabled=True, /, *, preserve=(), blocked=()): put the import state back after "
        "the test; False opts out of --isolated-imports; 'preserve' names modules that must run "
        "only once in a process, 'blocked' modules that cannot be imported.",
    )
    _everything_is_isolated(config)
    _install(config)
    # A conftest file may have loaded the plugin.
    _block_for_run(config, config.getoption("--block-imports"))
    config.stash[_sandboxes_key] = _TestSandboxes(config)
    if _modules_are_isolated(config):
        _isolate_modules(config)
    _look_for_leaks(config)


def _install(config: pytest.Config) -> None:
    """Take part in imports until the run ends."""
    if process.install(config.pluginmanager.rewrite_hook):
        config.add_cleanup(process.uninstall)


def _block_for_run(config: pytest.Config, values: list[str]) -> None:
    """Block what the option names, if it does."""
    if values:
        # Most runs do without.
        from pytest_importsandbox import _whole_run

        _install(config)
        _whole_run.block(config, values)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is blocked for the whole run."""
    names = ",".join(config.getoption("--block-imports")).split(",")
    return f"blocked imports: {', '.join(dict.fromkeys(map(str.strip, names)))}" if any(names) else None


def _look_for_leaks(config: pytest.Config) -> None:
    """Look for import leaks, if that is wanted."""
    setting = config.getini("import_leaks")
    if setting not in ("off", "report", "error"):
        raise pytest.UsageError(f"import_leaks must be 'off', 'report' or 'error', not {setting!r}")
    mode = config.getoption("--import-leaks") or setting
    if mode == "off" and config.getoption("--import-leaks-json"):
        mode = "report"
    if mode != "off":
        # Most runs do without.
        from pytest_importsandbox import _leaks

        _leaks.turn_on(config, mode)


def _everything_is_isolated(config: pytest.Config) -> bool:
    """Whether tests are isolated without a marker."""
    value = config.getini("isolated_imports")
    if value not in ("marked", "test", "module"):
        raise pytest.UsageError(f"isolated_imports must be 'marked', 'test' or 'module', not {value!r}")
    return bool(value == "test" or config.getoption("--isolated-imports"))


def _modules_are_isolated(config: pytest.Config) -> bool:
    """Whether each test module has a sandbox of its own."""
    return bool(config.getini("isolated_imports") == "module" or config.getoption("--isolated-modules"))


def _isolate_modules(config: pytest.Config) -> None:
    """Give each test module a sandbox of its own."""
    # Most runs do without.
    from pytest_importsandbox._per_module import ModuleSandboxes

    sandboxes = ModuleSandboxes(_preserved_by_settings(config))
    config.pluginmanager.register(sandboxes)
    config.add_cleanup(sandboxes.close_all)


def _preserved_by_settings(config: pytest.Config) -> tuple[str, ...]:
    """The names in the setting."""
    lines = config.getini("isolated_imports_preserve")
    try:
        return as_names((name for line in lines for name in line.split()), "isolated_imports_preserve")
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None


def pytest_plugin_registered(plugin: object) -> None:
    """Learn which packages belong to plugins; conftest files are the tests' own."""
    if not _is_conftest(plugin):
        module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
        process.store.plugin_packages.add(top_level(module))


def _is_conftest(plugin: object) -> bool:
    return Path(getattr(plugin, "__file__", None) or "").name == "conftest.py"


# Around all others, which may add markers.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    result = yield
    everything = _everything_is_isolated(config)
    # Of pytest-run-parallel, which runs a test in many threads at once.
    knows_threads = any(line.startswith("thread_unsafe") for line in config.getini("markers"))
    for item in items:
        markers = list(item.iter_markers(MARKER))
        problem = next(filter(None, map(_problem_with, markers)), None)
        if problem is not None:
            item.setup = partial(_refuse_marker, problem)  # type: ignore[method-assign]
            # Some kinds of tests can't be torn down if they were not set up.
            item.teardown = lambda: None  # type: ignore[method-assign]
        elif _is_isolated(markers, everything) or _requests_sandbox(item):
            config.stash[_sandboxes_key].isolate(item)
            if knows_threads:
                item.add_marker(pytest.mark.thread_unsafe(reason="isolates imports, which threads share"))
    return result


def _is_isolated(markers: list[pytest.Mark], everything: bool) -> bool:
    """Whether a test is isolated: the closest of its markers, which is the first, has the say."""
    if not markers:
        return everything
    return bool(markers[0].args[0]) if markers[0].args else True


def _requests_sandbox(item: pytest.Item) -> bool:
    """Whether a test requests the fixture `import_sandbox`, and not just one of the user's of that name."""
    if "import_sandbox" not in getattr(item, "fixturenames", ()):
        return False
    closest = item._fixtureinfo.name2fixturedefs["import_sandbox"][-1]  # type: ignore[attr-defined]
    return closest.func.__module__ == __name__ or "import_sandbox" in closest.argnames


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


def _refuse_marker(problem: str) -> None:
    """Fail a test with a bad marker before its fixtures are set up."""
    raise pytest.fail.Exception(f"the marker {MARKER} {problem}", pytrace=False) from None


def _names_given_to(markers: list[pytest.Mark], argument: str) -> Iterator[str]:
    """What the markers of a test give for an argument, added up."""
    for marker in markers:
        yield from as_names(marker.kwargs.get(argument, ()), argument)


class _TestSandboxes:
    """The sandbox of the test that is running, which spans its function-scoped fixtures and no others.

    It is registered as a plugin when there is a test to isolate.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._preserve = _preserved_by_settings(config)
        self._waiting: pytest.Item | None = None
        """The test whose fixtures are being set up, until its sandbox opens."""
        self._failures: FailureReports | None = None
        self.open: ImportSandbox | None = None
        """The sandbox of the test that is running, unless a wider fixture is being set up."""

    def isolate(self, item: pytest.Item) -> None:
        """Let a test have a sandbox whenever it runs."""
        self.explain_failure(item)
        item.setup = partial(self._set_up, item, item.setup)  # type: ignore[method-assign]
        item.teardown = partial(self._tear_down, item.teardown)  # type: ignore[method-assign]

    def explain_failure(self, item: pytest.Item) -> None:
        """Let the report of a test that fails say whether a second copy of a module is behind it."""
        self._register().explain(item)

    def _register(self) -> FailureReports:
        """Be called from now on; most runs do without."""
        if self._failures is None:
            from pytest_importsandbox._costs import Costs
            from pytest_importsandbox._failures import FailureReports

            self._failures = FailureReports()
            self._config.pluginmanager.register(self._failures)
            self._config.pluginmanager.register(Costs(self._config))
            self._config.pluginmanager.register(self)
            # For a teardown that is interrupted when the session ends.
            self._config.add_cleanup(self.close)
        return self._failures

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
        self._register()
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
            sandbox, self.open = self.open, None
            sandbox.__exit__(None, None, None)

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


_sandboxes_key = pytest.StashKey[_TestSandboxes]()


def _modules_of_the_tests(item: pytest.Item) -> Iterator[ModuleType]:
    """The running test module and the conftest files."""
    plugins = item.config.pluginmanager.get_plugins()
    for module in (getattr(item, "module", None), *filter(_is_conftest, plugins)):
        if isinstance(module, ModuleType):
            yield module


@pytest.fixture
def import_sandbox(request: pytest.FixtureRequest) -> Iterator[ImportSandbox]:
    """Put the import state back after the test, and evict, block and import modules meanwhile."""
    sandboxes = request.config.stash[_sandboxes_key]
    if sandboxes.open is not None:
        yield sandboxes.open
        return
    # Requested while a test runs that is not isolated otherwise.
    sandboxes.explain_failure(request.node)
    yield sandboxes.open_for(request.node)
    sandboxes.close()


@pytest.fixture
def fresh_import(import_sandbox: ImportSandbox) -> FreshImport:
    """Import a module as if for the first time, and put everything back after the test."""
    return import_sandbox.fresh_import


@pytest.fixture
def temp_package(import_sandbox: ImportSandbox) -> TempPackageFactory:
    """Write packages that can be imported until the test ends."""
    return import_sandbox.temp_package


# Wide, so that what it loads is loaded outside of all sandboxes, where nothing is blocked.
@pytest.fixture(scope="session")
def import_effects() -> Callable[..., ImportEffects]:
    """Import a module in a new interpreter, and tell all that this does there."""
    from pytest_importsandbox._effects.effects import import_effects

    return import_effects
