"""What the black-box tests share: suites that are run as a user runs them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

import pytest

OBSERVER = """
    import sys
    from pathlib import Path

    import pytest

    before = []
    # `sys.modules` may be the dict of a test at the time when this is needed.
    differences = Path(__file__).with_name("differences.txt")


    def registries():
        yield sys.modules, [each for item in sys.modules.items() for each in item]
        for name in ("path", "meta_path", "path_hooks"):
            yield getattr(sys, name), list(getattr(sys, name))
        yield sys.path_importer_cache, list(sys.path_importer_cache.values())


    def compare():
        found = []
        names = ("modules", "path", "meta_path", "path_hooks", "path_importer_cache")
        for name, (table, entries), (old_table, old_entries) in zip(names, registries(), before, strict=True):
            strays = [each for each in entries if not any(each is old for old in old_entries)]
            if table is not old_table:
                found.append(f"{name} is another object")
            if strays:
                shown = [each if type(each) is str else type(each) for each in strays]
                found.append(f"{name} has more: {shown}")
            # What Python caches about files may be dropped at any time.
            elif name != "path_importer_cache" and list(map(id, entries)) != list(map(id, old_entries)):
                found.append(f"{name} has less or another order")
        with differences.open("a", encoding="utf-8") as file:
            file.writelines(f"{each}\\n" for each in found or ["none"])


    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(item):
        if item.get_closest_marker("observed"):
            before[:] = registries()
        return (yield)


    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(item):
        try:
            return (yield)
        finally:
            if item.get_closest_marker("observed"):
                compare()
                before.clear()


    @pytest.hookimpl(wrapper=True, trylast=True)  # Before the summary, which imports for itself.
    def pytest_sessionfinish():
        try:
            return (yield)
        finally:
            if before:
                compare()


    def pytest_configure(config):
        config.addinivalue_line("markers", "observed: compare the import state before and after the test")
"""


@pytest.fixture(autouse=True)
def _this_plugin_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner runs load what they name and nothing else that happens to be installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p importsandbox -W error")


@pytest.fixture
def autoload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner runs load every plugin that is installed, as they do by default."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_ADDOPTS")


@pytest.fixture
def observe(pytester: pytest.Pytester) -> Callable[..., tuple[pytest.RunResult, str]]:
    """Run a suite in a process of its own; tell how the state differs after each test marked `observed`."""

    def run(source: str, *arguments: str) -> tuple[pytest.RunResult, str]:
        pytester.makeconftest(OBSERVER)
        pytester.makepyfile(source)
        result = pytester.runpytest_subprocess(*arguments)
        return result, pytester.path.joinpath("differences.txt").read_text(encoding="utf-8").strip()

    return run


@pytest.fixture
def write_files(pytester: pytest.Pytester) -> Callable[[Mapping[str, str]], None]:
    """Write files, by their paths, into the directory of the test."""

    def write(files: Mapping[str, str]) -> None:
        for file, source in files.items():
            path = pytester.path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")

    return write
