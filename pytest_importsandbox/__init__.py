"""Isolate imports between tests: snapshot and restore the import state, import modules afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_importsandbox._core.state import ImportChanges
    from pytest_importsandbox._effects.effects import import_effects
    from pytest_importsandbox._effects.model import ImportEffects
    from pytest_importsandbox._sandbox.importlib_bootstrap import FreshImport
    from pytest_importsandbox._sandbox.sandbox import ImportSandbox
    from pytest_importsandbox._temporary.packages import TempModule, TempPackage, TempPackageFactory

    __version__: str

__all__ = [
    "FreshImport",
    "ImportChanges",
    "ImportEffects",
    "ImportSandbox",
    "TempModule",
    "TempPackage",
    "TempPackageFactory",
    "import_effects",
]


# Loaded when somebody asks for them: pytest loads this package in every run.
_MODULES = {
    "FreshImport": "_sandbox.importlib_bootstrap",
    "ImportChanges": "_core.state",
    "ImportEffects": "_effects.model",
    "ImportSandbox": "_sandbox.sandbox",
    "TempModule": "_temporary.packages",
    "TempPackage": "_temporary.packages",
    "TempPackageFactory": "_temporary.packages",
    "import_effects": "_effects.effects",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        # Reading the metadata takes milliseconds.
        from importlib.metadata import version

        return version("pytest-importsandbox")
    if name in _MODULES:
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"pytest_importsandbox.{_MODULES[name]}"), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
