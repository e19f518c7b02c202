"""What import says of a blocked module: the same as of one that is not installed.

A blocked module stands as None in `sys.modules`, so that `importlib.util.find_spec` finds nothing, and no
finder is asked for it. Import has words of its own for that ("import of x halted"), and for a submodule it
complains that None is no package. A missing package is named by `import` in every form, and alone; code
that asks ``exc.name == "x"`` or looks for "No module named" relies on it, and Python's own traceback does
so from 3.15 on: it asks for the package of a module that was not found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_importsandbox._core.cpython import BOOTSTRAP_FILE, find_and_load, set_find_and_load
from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._core.names import parents


class Refusal:
    """Stands before the import system's own function for as long as something is blocked."""

    def __init__(self, is_blocked: Callable[[str], bool]) -> None:
        self._is_blocked = is_blocked
        self._replaced: Any = None
        """What carried out imports before; None while nothing is blocked."""

    def begin(self) -> None:
        """Refuse what is blocked from now on; doing so twice does no harm."""
        if self._replaced is None:
            self._replaced = find_and_load()
            self._function = _unless(self._refused, self._replaced)
            set_find_and_load(self._function)

    def end(self) -> None:
        """Let imports be carried out as before."""
        # Whoever has wrapped the function meanwhile calls it; it does no harm where nothing is blocked.
        if self._replaced is not None and find_and_load() is self._function:
            set_find_and_load(self._replaced)
        self._replaced = None

    def _refused(self, name: str) -> str | None:
        """The outermost package for which a module can't be imported."""
        refused = None
        for each in (name, *parents(name)):
            # A test may have put a stand-in there, which is imported like any other.
            if sys.modules.get(each, MISSING) is None and self._is_blocked(each):
                refused = each
        return refused


def _unless(
    refused: Callable[[str], str | None], carry_out: Callable[..., ModuleType | None]
) -> Callable[..., ModuleType | None]:
    """A function that imports a module, or raises what import raises for one that is not installed."""

    def find_and_load_allowed(  # pragma: no cover: its lines count as those of another file, see below
        name: str, import_: object, **options: bool
    ) -> ModuleType | None:
        package = refused(name)
        if package is None:
            return carry_out(name, import_, **options)
        if options.get("lazy_submodule"):  # from 3.15
            # Whoever asks for an attribute gets an AttributeError.
            return None
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    # Frames of this file are taken out of tracebacks, and passed over by warnings, as those of import are.
    code = find_and_load_allowed.__code__
    find_and_load_allowed.__code__ = code.replace(co_filename=BOOTSTRAP_FILE)
    return find_and_load_allowed
