"""Isolate imports between tests: snapshot and restore the import state, import modules afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_importsandbox._core.importlib_bootstrap import FreshImport
from pytest_importsandbox._core.sandbox import ImportSandbox
from pytest_importsandbox._core.state import ImportChanges
from pytest_importsandbox._temp_package import TempModule, TempPackage, TempPackageFactory

if TYPE_CHECKING:
    from pytest_importsandbox._effects.effects import import_effects
    from pytest_importsandbox._effects.model import ImportEffects

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


def __getattr__(name: str) -> object:
    if name == "__version__":
        # Reading the metadata takes milliseconds, which a test run need not spend.
        from importlib.metadata import version

        return version("pytest-importsandbox")
    if name == "ImportEffects":
        from pytest_importsandbox._effects.model import ImportEffects

        return ImportEffects
    # It starts processes: a test run that does not need it need not load what that takes.
    if name == "import_effects":
        from pytest_importsandbox._effects.effects import import_effects

        return import_effects
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
