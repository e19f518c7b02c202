"""Taking part in imports: it begins with the first thing in a run that needs it, and ends with the run."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from pytest_importsandbox._core.names import top_level
from pytest_importsandbox._core.process import process

_PACKAGES: Final = "importsandbox-plugin-packages"


def take_part(config: pytest.Config) -> None:
    """Take part in imports until the run ends; doing so twice does no harm."""
    if process.install(config.pluginmanager.rewrite_hook):
        config.add_cleanup(process.uninstall)
    if not config.pluginmanager.has_plugin(_PACKAGES):
        config.pluginmanager.register(_PluginPackages(), _PACKAGES)


class _PluginPackages:
    """Learns which packages belong to plugins, which are preserved."""

    # pytest calls it for the plugins that are there already as well.
    def pytest_plugin_registered(self, plugin: object) -> None:
        if not is_conftest(plugin):
            module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
            process.store.plugin_packages.add(top_level(module))


def is_conftest(plugin: object) -> bool:
    """Whether a plugin is a conftest file, which is the tests' own."""
    return Path(getattr(plugin, "__file__", None) or "").name == "conftest.py"
