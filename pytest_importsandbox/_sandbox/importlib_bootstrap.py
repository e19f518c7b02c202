"""The fresh import: the one function of ours that waits while a module runs.

Its file has this name for the warnings that a module raises about its own import: with ``stacklevel=2``,
they are meant for the line that imports it. `warnings` gets there by passing over the frames of import,
which it knows by ``importlib`` and ``_bootstrap`` in the path of their file (CPython's Lib/warnings.py,
`_is_internal_frame`, and `is_internal_filename` in Python/_warnings.c). So it passes over this one, too.
"""

from __future__ import annotations

import sys
from builtins import __import__ as _import
from collections.abc import Callable, Iterable
from importlib import reload as _reload
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final, Protocol

from pytest_importsandbox._core import lazy as lazy_imports
from pytest_importsandbox._core.cpython import BOOTSTRAP_FILE, LOADERS_FILE
from pytest_importsandbox._core.lazy import LazyMode
from pytest_importsandbox._core.modules import is_extension
from pytest_importsandbox._core.names import as_names, in_tree, parents, resolve
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.watcher import NOTE, Span
from pytest_importsandbox._temporary.packages import TempPackageFactory

_FILES_OF_RELOAD: Final = (__file__, _reload.__code__.co_filename, BOOTSTRAP_FILE, LOADERS_FILE)


class _Sandbox(Protocol):
    """What a fresh import needs of its sandbox."""

    temp_package: TempPackageFactory
    _find_running: Callable[[], Iterable[ModuleType]]

    def _opened(self) -> Span:
        """Its span; raises if it is not open."""

    def _check(self, *names: str) -> None:
        """Raise if the run itself stands on one of the modules."""


class FreshImport(Protocol):
    """Imports a module as if for the first time; the type of the fixture ``fresh_import``."""

    def __call__(
        self,
        name: str,
        package: str | None = None,
        *,
        fresh: str | Iterable[str] = (),
        blocked: str | Iterable[str] = (),
        lazy: LazyMode | None = None,
    ) -> ModuleType:
        """See :meth:`ImportSandbox.fresh_import`."""


def fresh_import(
    self: _Sandbox,
    name: str,
    package: str | None = None,
    *,
    fresh: str | Iterable[str] = (),
    blocked: str | Iterable[str] = (),
    lazy: LazyMode | None = None,
) -> ModuleType:
    """Import a module as if for the first time, and return it.

    The module and its submodules are evicted and imported again; its parent packages are left
    alone. The new modules stay in `sys.modules` until the sandbox ends. Extension modules come
    back as the same objects, unless one is named itself. A package that the running test module
    lies in stays where it is, and runs again there as by `importlib.reload`.

    :param name: The name of the module, absolute or relative, as for `importlib.import_module`.
    :param package: The package that a relative name starts from.
    :param fresh: Further packages to evict along with it.
    :param blocked: Packages that cannot be imported until the sandbox ends.
    :param lazy:
        The mode of lazy imports to run the import in: ``"all"`` makes every import lazy that can be
        (https://docs.python.org/3.15/library/sys.html#sys.set_lazy_imports), ``"normal"`` only those
        that are declared so. None leaves the mode as it is. From Python 3.15 on.
    :returns: The module itself, also for a dotted name.
    :raises ImportError:
        And whatever else the module raises, as from `importlib.import_module`. The import
        state is then what it was before the call.
    :raises TypeError: If a name, or `package`, is not a `str`.
    :raises ValueError:
        If a module is named that the run itself stands on, if a package that contains the module is
        blocked in the same call, or if there is no such mode.
    :raises RuntimeError: If the sandbox is not open, or Python has no lazy imports.
    """
    __tracebackhide__ = True
    span = self._opened()
    lazy_imports.check_mode(lazy)
    absolute = resolve(name, package)
    evicted = (absolute, *as_names(fresh, "fresh"))
    unavailable = as_names(blocked, "blocked")
    self._check(*evicted, *unavailable)
    for parent in parents(absolute):
        if parent in unavailable:
            raise ValueError(
                f"{absolute!r} cannot be imported: {parent!r}, which contains it, is blocked in the same call"
            )

    trial = process.open(span.preserve)
    try:
        staying = process.evict(evicted, self._find_running())
        if unavailable:
            process.block(unavailable)
        stays = absolute in staying and not process.watcher.is_blocked(absolute)
        run = _reload_by_name if stays else _import_module
        if lazy is None:
            run(absolute)
        else:  # from 3.15
            with lazy_imports.in_mode(lazy):
                run(absolute)
        module: ModuleType = sys.modules[absolute]
    except BaseException as exc:
        had_extensions = trial.extensions or any(
            in_tree(each, evicted) and is_extension(module) for each, module in process.store.modules.items()
        )
        process.close(trial)
        if isinstance(exc, ModuleNotFoundError) and (hint := self.temp_package.hint_at_missing(absolute)):
            exc.add_note(f"{NOTE} {hint}")
        if had_extensions and not _names_one_of(exc, unavailable):
            exc.add_note(
                f"{NOTE} {absolute!r} has extension modules, which are not loaded twice "
                "in a process; its Python modules ran again and met the extensions as they were. "
                "If the package cannot take that, import it without evicting it, or test it in a "
                "process of its own. The package that was loaded before is back in place."
            )
        raise
    process.commit(trial)
    return module


def _import_module(name: str) -> None:
    """Import a module without looking up its top-level package once more at the end.

    For the rest it is `__import__`: unlike `importlib.import_module` it leaves no frames in tracebacks.
    """
    __tracebackhide__ = True
    package, _, child = name.rpartition(".")
    if package and child:
        # A relative import returns the module itself; where it starts from is what the spec says.
        _import(child, {"__spec__": ModuleSpec(name, None)}, None, (), 1)
    else:
        _import(name)


def _reload_by_name(name: str) -> None:
    """Run a module again where it is."""
    __tracebackhide__ = True
    try:
        _reload(sys.modules[name])
    except BaseException as exc:
        # The import system takes its own frames out of the traceback of an import, but not of a reload.
        place = exc.__traceback__
        while place is not None and place.tb_frame.f_code.co_filename in _FILES_OF_RELOAD:
            place = place.tb_next
        exc.__traceback__ = place
        raise


def _names_one_of(exc: BaseException, blocked: Iterable[str]) -> bool:
    """Whether an import failed because of a blocked module."""
    return isinstance(exc, ImportError) and type(exc.name) is str and in_tree(exc.name, blocked)
