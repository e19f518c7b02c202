"""What is blocked for a whole run: `--block-imports`, and by whom a package is loaded already."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType

import pytest

from pytest_importsandbox._core.names import as_names, in_tree, is_protected, top_level
from pytest_importsandbox._core.preserved import held
from pytest_importsandbox._core.process import process
from pytest_importsandbox._plugin.imports import take_part

_blocked_key = pytest.StashKey[tuple[str, ...]]()


def block(config: pytest.Config, values: Iterable[str]) -> None:
    """Block what the option names until the run ends; the values are lists with commas."""
    if _blocked_key in config.stash:
        return
    take_part(config)
    names = _names_in(values)
    for name in names:
        _refuse_what_is_loaded(name, config.pluginmanager)
    process.block_for_run(names)
    config.stash[_blocked_key] = names
    config.add_cleanup(lambda: process.unblock_after_run(names))


def _names_in(values: Iterable[str]) -> tuple[str, ...]:
    try:
        names = as_names((name.strip() for value in values for name in value.split(",")), "--block-imports")
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None
    for name in names:
        if is_protected(name):
            raise pytest.UsageError(
                f"--block-imports: {name!r} cannot be blocked: the test run itself stands on it"
            )
    return tuple(dict.fromkeys(names))


def _refuse_what_is_loaded(name: str, plugins: pytest.PytestPluginManager) -> None:
    """End the run if a package that is to be blocked is loaded already, and say by whom."""
    modules = {each: module for each, module in sys.modules.copy().items() if type(each) is str}
    if all(module is None for each, module in modules.items() if in_tree(each, (name,))):
        return
    # None stands for a plugin that is switched off.
    titles = {
        _package_of(plugin): title for title, plugin in plugins.list_name_plugin() if plugin is not None
    }
    first, *others = _importers(name, modules, titles.keys())
    if first not in titles:
        raise pytest.UsageError(
            f"--block-imports: {name!r} cannot be blocked: it was loaded before pytest read its options"
        )
    whose = "pytest itself" if first == "_pytest" else f"the plugin {titles[first]!r}"
    if not others:
        raise pytest.UsageError(f"--block-imports: {name!r} cannot be blocked: it belongs to {whose}")
    steps = "".join(f" imports {each!r}, which" for each in others[:-1])
    raise pytest.UsageError(
        f"--block-imports: {name!r} cannot be blocked: it is loaded already, since {whose}{steps} imports it"
    )


def _package_of(plugin: object) -> str:
    """The top-level package that a plugin comes from."""
    return top_level(plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__)


def _importers(name: str, modules: Mapping[str, object], plugins: Iterable[str]) -> list[str]:
    """The shortest way to a package from one of some plugins, by what refers to what; packages by name."""
    by_identity = {id(module): each for each, module in modules.items()}
    importers: dict[str, set[str]] = {}
    for each, module in modules.items():
        for needed in held(each, module, by_identity):
            importers.setdefault(_node(needed, name), set()).add(_node(each, name))
    ways = [[_node(name, name)]]
    seen: set[str] = set()
    for way in ways:
        if way[0] in plugins or (way[0] == name and top_level(name) in plugins):
            return way
        for importer in sorted(importers.get(way[0], set()) - seen):
            seen.add(importer)
            ways.append([importer, *way])
    return ways[0]


def _node(module: str, name: str) -> str:
    """What a module counts as: the package in question, or its own top-level package."""
    return name if in_tree(module, (name,)) else top_level(module)
