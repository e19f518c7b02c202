"""The pytest side: options, marker, fixtures, and when a sandbox opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_importsandbox import _sandbox
from pytest_importsandbox._names import as_names, top_level
from pytest_importsandbox._sandbox import FreshImport, ImportSandbox
from pytest_importsandbox._temp_package import TempPackageFactory

if TYPE_CHECKING:
    from pytest_importsandbox._effects.model import ImportEffects

MARKER = "isolated_imports"
_sandbox_key = pytest.StashKey[ImportSandbox]()
_problem_key = pytest.StashKey[str]()
_preserve_key = pytest.StashKey[tuple[str, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("importsandbox", "isolation of imports")
    group.addoption(
        "--isolated-imports",
        action="store_true",
        help="isolate the imports of every test, as if it bore the marker isolated_imports",
    )
    parser.addini(
        "isolated_imports",
        "which tests have their imports isolated: 'marked' (default) for those with the marker or the "
        "fixtures, 'test' for every test",
        default="marked",
    )
    parser.addini(
        "isolated_imports_preserve",
        "names of further modules and packages that must run only once in a process",
        type="linelist",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "isolated_imports(enabled=True, /, *, preserve=(), blocked=()): put the import state back after "
        "the test; False opts out of --isolated-imports; 'preserve' names modules that must run "
        "only once in a process, 'blocked' modules that cannot be imported.",
    )
    _everything_is_isolated(config)
    config.stash[_preserve_key] = _preserved_by_settings(config)
    if _sandbox.install():
        config.add_cleanup(_sandbox.uninstall)
    config.add_cleanup(lambda: _close_what_was_left_open(config))


def _close_what_was_left_open(config: pytest.Config) -> None:
    """Close the sandbox of a test whose teardown was interrupted."""
    if _sandbox_key in config.stash:
        config.stash[_sandbox_key].__exit__(None, None, None)


def _everything_is_isolated(config: pytest.Config) -> bool:
    """Whether tests are isolated without a marker."""
    value = config.getini("isolated_imports")
    if value not in ("marked", "test"):
        raise pytest.UsageError(f"isolated_imports must be 'marked' or 'test', not {value!r}")
    return bool(value == "test" or config.getoption("--isolated-imports"))


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
        _sandbox.store.plugin_packages.add(top_level(module))


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
        names: list[str] | None = getattr(item, "fixturenames", None)
        markers = list(item.iter_markers(MARKER))
        if markers:
            _refuse_bad_markers(item, markers)
        if not _is_isolated(markers, everything) and "import_sandbox" not in (names or ()):
            continue
        if names is None:
            _isolate_custom_item(item)
        else:
            item.fixturenames = _with_sandbox(item, names)  # type: ignore[attr-defined]
        if knows_threads:
            item.add_marker(pytest.mark.thread_unsafe(reason="isolates imports, which threads share"))
    return result


def _refuse_bad_markers(item: pytest.Item, markers: list[pytest.Mark]) -> None:
    """End the run if a marker has arguments that it does not take."""
    for marker in markers:
        problem = _problem_with(marker)
        if problem is not None:
            message = f"{item.nodeid}: the marker isolated_imports {problem}"
            if not hasattr(item.config, "workerinput"):
                raise pytest.UsageError(message)
            item.stash[_problem_key] = message
            _register_once(item.config, _RefusedItems())


def _register_once(config: pytest.Config, plugin: object) -> None:
    """Register hooks that most runs do without."""
    name = type(plugin).__name__
    if not config.pluginmanager.has_plugin(name):
        config.pluginmanager.register(plugin, name)


class _RefusedItems:
    """Fails tests with a bad marker: a worker of pytest-xdist can't end the run in order."""

    @pytest.hookimpl(tryfirst=True)  # Before any fixture is set up.
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if _problem_key in item.stash:
            pytest.fail(item.stash[_problem_key], pytrace=False)


def _is_isolated(markers: list[pytest.Mark], everything: bool) -> bool:
    """Whether a test is isolated: the closest of its markers, which is the first, has the say."""
    if not markers:
        return everything
    return bool(markers[0].args[0]) if markers[0].args else True


def _problem_with(marker: pytest.Mark) -> str | None:
    """What is wrong with the arguments of a marker."""
    if len(marker.args) > 1:
        return f"takes one positional argument, enabled, not {marker.args!r}"
    if marker.args and not isinstance(marker.args[0], bool):
        return f"takes True or False, not {marker.args[0]!r}; names go to preserve= or blocked="
    if unknown := sorted(marker.kwargs.keys() - {"preserve", "blocked"}):
        return f"takes preserve= and blocked=, not {unknown[0]}={marker.kwargs[unknown[0]]!r}"
    try:
        for argument in marker.kwargs:
            as_names(marker.kwargs[argument], argument)
    except (TypeError, ValueError) as exc:
        return f"has a bad argument: {exc}"
    return None


def _with_sandbox(item: pytest.Item, names: list[str]) -> list[str]:
    """The fixtures of a test with the sandbox before the first function-scoped one."""
    definitions = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    others = [name for name in names if name != "import_sandbox"]
    wider = [name in definitions and definitions[name][-1].scope != "function" for name in others]
    position = [*wider, False].index(False)
    return [*others[:position], "import_sandbox", *others[position:]]


@contextmanager
def _opened_for(item: pytest.Item) -> Iterator[ImportSandbox]:
    """The sandbox of a test, as its markers and the settings want it."""
    arguments = [marker.kwargs for marker in item.iter_markers(MARKER)]
    preserve = [name for each in arguments for name in as_names(each.get("preserve", ()), "preserve")]
    blocked = [name for each in arguments for name in as_names(each.get("blocked", ()), "blocked")]
    config = item.config
    _register_once(config, _WiderFixtures())
    sandbox = ImportSandbox(preserve=(*config.stash[_preserve_key], *preserve))
    _sandbox.protect(sandbox, lambda: _modules_of_the_tests(item))
    with sandbox:
        if blocked:
            sandbox.block(*blocked)
        config.stash[_sandbox_key] = sandbox
        try:
            yield sandbox
        finally:
            del config.stash[_sandbox_key]


def _isolate_custom_item(item: pytest.Item) -> None:
    """Open a sandbox round the setup and teardown of an item that has no fixtures."""
    setup, teardown, sandbox = item.setup, item.teardown, ExitStack()

    def isolated_setup() -> None:
        sandbox.enter_context(_opened_for(item))
        setup()

    def isolated_teardown() -> None:
        with sandbox:
            teardown()

    item.setup = isolated_setup  # type: ignore[method-assign]
    item.teardown = isolated_teardown  # type: ignore[method-assign]


def _modules_of_the_tests(item: pytest.Item) -> Iterator[ModuleType]:
    """The running test module and the conftest files."""
    plugins = item.config.pluginmanager.get_plugins()
    for module in (getattr(item, "module", None), *filter(_is_conftest, plugins)):
        if isinstance(module, ModuleType):
            yield module


class _WiderFixtures:
    """Sets up fixtures that outlive the test outside its sandbox."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # Around the plugins that run async fixtures.
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        stash = request.config.stash
        if fixturedef.scope == "function" or _sandbox_key not in stash:
            return (yield)
        sandbox = stash[_sandbox_key]
        # What it requests in turn is outside already.
        del stash[_sandbox_key]
        try:
            with _sandbox.suspended(sandbox):
                return (yield)
        finally:
            stash[_sandbox_key] = sandbox


@pytest.fixture
def import_sandbox(request: pytest.FixtureRequest) -> Iterator[ImportSandbox]:
    """Put the import state back after the test, and evict, block and import modules meanwhile."""
    with _opened_for(request.node) as sandbox:
        yield sandbox


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
