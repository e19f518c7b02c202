"""Isolate imports between tests: snapshot and restore the import state, import modules afresh."""

from pytest_importsandbox._core.importlib_bootstrap import FreshImport
from pytest_importsandbox._core.sandbox import ImportSandbox
from pytest_importsandbox._core.state import ImportChanges
from pytest_importsandbox._temp_package import TempModule, TempPackage, TempPackageFactory

__all__ = [
    "FreshImport",
    "ImportChanges",
    "ImportSandbox",
    "TempModule",
    "TempPackage",
    "TempPackageFactory",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        # Reading the metadata takes milliseconds, which a test run need not spend.
        from importlib.metadata import version

        return version("pytest-importsandbox")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
