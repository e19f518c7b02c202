"""The pytest side: options, marker, fixtures.

Each hook hands over at once. What it hands over to is loaded when a run asks for it: a plugin that is
installed and not used costs nothing but this file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_importsandbox._effects.model import ImportEffects
    from pytest_importsandbox._plugin.per_test import TestSandboxes
    from pytest_importsandbox._sandbox.importlib_bootstrap import FreshImport
    from pytest_importsandbox._sandbox.sandbox import ImportSandbox
    from pytest_importsandbox._temporary.packages import TempPackageFactory

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
    # Bad configuration ends a run that has nothing to isolate as well.
    _everything_is_isolated(config)
    preserve = _preserved_by_settings(config)
    # A conftest file may have loaded the plugin.
    _block_for_run(config, config.getoption("--block-imports"))
    if _modules_are_isolated(config):
        from pytest_importsandbox._plugin import per_file

        per_file.isolate(config, preserve)
    _look_for_leaks(config)


def _block_for_run(config: pytest.Config, values: list[str]) -> None:
    """Block what the option names, if it does."""
    if values:
        from pytest_importsandbox._plugin import whole_run

        whole_run.block(config, values)


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
        from pytest_importsandbox._leaks import observer

        observer.turn_on(config, mode)


def _everything_is_isolated(config: pytest.Config) -> bool:
    """Whether tests are isolated without a marker."""
    value = config.getini("isolated_imports")
    if value not in ("marked", "test", "module"):
        raise pytest.UsageError(f"isolated_imports must be 'marked', 'test' or 'module', not {value!r}")
    return bool(value == "test" or config.getoption("--isolated-imports"))


def _modules_are_isolated(config: pytest.Config) -> bool:
    """Whether each test module has a sandbox of its own."""
    return bool(config.getini("isolated_imports") == "module" or config.getoption("--isolated-modules"))


def _preserved_by_settings(config: pytest.Config) -> tuple[str, ...]:
    """The names in the setting."""
    lines = config.getini("isolated_imports_preserve")
    if not lines:
        return ()
    from pytest_importsandbox._core.names import as_names

    try:
        return as_names((name for line in lines for name in line.split()), "isolated_imports_preserve")
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None


# Around all others, which may add markers.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    result = yield
    everything = _everything_is_isolated(config)
    for item in items:
        requested = _requests_sandbox(item)
        if everything or requested or item.get_closest_marker(MARKER) is not None:
            _sandboxes(config).prepare(item, isolated=everything, requested=requested)
    return result


def _requests_sandbox(item: pytest.Item) -> bool:
    """Whether a test requests the fixture `import_sandbox`, and not just one of the user's of that name."""
    if "import_sandbox" not in getattr(item, "fixturenames", ()):
        return False
    closest = item._fixtureinfo.name2fixturedefs["import_sandbox"][-1]  # type: ignore[attr-defined]
    return closest.func.__module__ == __name__ or "import_sandbox" in closest.argnames


_sandboxes_key = pytest.StashKey["TestSandboxes"]()


def _sandboxes(config: pytest.Config) -> TestSandboxes:
    """What opens and closes the sandboxes of tests."""
    if _sandboxes_key not in config.stash:
        from pytest_importsandbox._plugin.per_test import TestSandboxes

        config.stash[_sandboxes_key] = TestSandboxes(config, _preserved_by_settings(config))
    return config.stash[_sandboxes_key]


@pytest.fixture
def import_sandbox(request: pytest.FixtureRequest) -> Iterator[ImportSandbox]:
    """Put the import state back after the test, and evict, block and import modules meanwhile."""
    sandboxes = _sandboxes(request.config)
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
