"""The import sandbox: the object that users see, its arguments and its errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
)
from types import ModuleType, TracebackType
from typing import Any, final

from pytest_importsandbox._core import lazy as lazy_imports
from pytest_importsandbox._core.names import (
    as_names,
    flat_names,
    is_protected,
    tree,
)
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.state import ImportChanges
from pytest_importsandbox._core.watcher import Span
from pytest_importsandbox._sandbox import importlib_bootstrap
from pytest_importsandbox._temporary.packages import TempPackageFactory


@final
class ImportSandbox:
    """A span after which the import state is what it was before.

    Use it as a context manager. Entering takes a snapshot of the import state, leaving puts it back;
    :doc:`/explanation/sandbox` tells what belongs to it and what does not, such as environment variables.
    Sandboxes nest; a sandbox may be entered again after it has ended.

    :param preserve:
        Names of further modules and packages that must run only once in a process.
        See :doc:`/explanation/preserved`.
    :raises TypeError: If `preserve` is not a name or an iterable of names.
    :raises ValueError: If one of the names is not an absolute module name.
    """

    def __init__(self, preserve: str | Iterable[str] = ()) -> None:
        __tracebackhide__ = True
        self._preserve = as_names(preserve, "preserve")
        self._find_running: Callable[[], Iterable[ModuleType]] = tuple
        self._span: Span | None = None
        self.temp_package = TempPackageFactory(
            self._check_replaceable, self.evict, process.store.temporary_directories
        )
        """Writes packages that can be imported until the sandbox ends: :class:`TempPackageFactory`."""

    def __repr__(self) -> str:
        if self._span not in process.spans:
            return "<ImportSandbox, not open>"
        holds = {
            "preserve": self._preserve,
            "blocked": sorted(self._span.blocked),
            "evicted": sorted(self._span.evicted),
            "temporary": self.temp_package.names,
        }
        return f"<ImportSandbox, {'; '.join(['open', *_shown(holds)])}>"

    def __enter__(self) -> ImportSandbox:
        """Take the snapshot.

        :raises RuntimeError: If the sandbox is open already.
        """
        __tracebackhide__ = True
        if self._span in process.spans:
            raise RuntimeError("this sandbox is open already; make another one to nest")
        try:
            self._span = process.open(self._preserve)
            self._span.at_end.append(self.temp_package.remove_all)
            return self
        except BaseException:
            # An interrupt: without a sandbox in hand, nobody could end it.
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the import state back. Sandboxes that were opened inside this one end with it."""
        __tracebackhide__ = True
        if self._span in process.spans:
            process.close(self._span)
        self._span = None

    fresh_import = importlib_bootstrap.fresh_import

    def evict(self, *names: str | Iterable[str]) -> None:
        """Remove modules and all their submodules, so that the next import runs them again.

        Compiled and frozen modules of the standard library stay in place; extension modules of
        other packages come back as the same objects, unless they are named themselves. The running test
        module stays in place too, and so do the packages that it lies in.

        :param names:
            Absolute names of modules, or iterables of them. Those that are not loaded are no error.
        :raises TypeError: If a name is not a `str`.
        :raises ValueError: If a name is not absolute, or the run itself stands on the module.
        :raises RuntimeError:
            If the sandbox is not open, or another thread has been importing one of the modules for half
            a minute.
        """
        __tracebackhide__ = True
        self._opened()
        evicted = flat_names(names, "names")
        self._check(*evicted)
        process.evict(evicted, self._find_running())

    def block(self, *names: str | Iterable[str]) -> None:
        """Make modules look as if they were not installed, until the sandbox ends.

        `import` raises `ModuleNotFoundError` and `importlib.util.find_spec` returns None.

        :param names:
            Absolute names of modules, or iterables of them, whether loaded or not; all their submodules
            go too.
        :raises TypeError: If a name is not a `str`.
        :raises ValueError: If a name is not absolute, or the run itself stands on the module.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._opened()
        blocked = flat_names(names, "names")
        self._check(*blocked)
        process.block(blocked)

    def changes(self) -> ImportChanges:
        """What differs now from the import state that will be put back.

        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        return self._opened().state.changes(process.watcher.is_blocked, (process.watcher, process.finder))

    def pending(self) -> tuple[str, ...]:
        """Names that are declared lazily (`lazy import`, PEP 810) and not loaded yet, sorted.

        They are full names, as declared: ``lazy import a.b`` gives ``"a.b"``, and
        ``lazy from a import b`` gives ``"a"`` and ``"a.b"``, since nobody knows yet whether `b` is a
        submodule. A module that was loaded by other means in the meantime is not pending. It makes no
        difference which module declared a name, and whether that was inside the sandbox.

        :raises RuntimeError: If the sandbox is not open, or Python has no lazy imports (before 3.15).
        """
        __tracebackhide__ = True
        self._opened()
        lazy_imports.check_available("pending()")
        return lazy_imports.pending()  # from 3.15

    def _opened(self) -> Span:
        """The span of this sandbox."""
        __tracebackhide__ = True
        if self._span not in process.spans:
            raise RuntimeError("this sandbox is not open; enter it first: with ImportSandbox() as ...")
        return self._span

    def _check(self, *names: str) -> None:
        """Refuse names of modules that the run itself stands on."""
        __tracebackhide__ = True
        for name in names:
            if self._is_needed(name):
                raise ValueError(
                    f"{name!r} can be neither evicted nor blocked: the test run itself stands on it. "
                    "To run its code again, use a new process."
                )

    def _check_replaceable(self, *names: str) -> None:
        """Refuse names of modules whose place no file can take while the sandbox is open."""
        __tracebackhide__ = True
        self._opened()
        for name in names:
            if needed := next(filter(self._is_needed, [name, *tree(sys.modules.copy(), name)]), None):
                raise ValueError(
                    f"no temporary module can be named {name!r}: the test run itself stands on {needed!r}"
                )
            if _is_compiled_standard(name):
                raise ValueError(
                    f"no temporary module can be named {name!r}: that is a compiled or frozen module of the "
                    "standard library, which stays in place; block it, or put a stand-in into sys.modules"
                )

    def _is_needed(self, name: str) -> bool:
        """Whether the run itself stands on a module."""
        return is_protected(name) or any(sys.modules.get(name) is module for module in self._find_running())


def _is_compiled_standard(name: str) -> bool:
    """Whether the standard library has a built-in, frozen or extension module of this name."""
    if name not in sys.stdlib_module_names:
        return False
    extensions = (ExtensionFileLoader, EXTENSION_SUFFIXES)
    # Without `PathFinder`, which would remember where it looked.
    in_files = [FileFinder(entry, extensions) for entry in sys.path if type(entry) is str]
    finders: list[Any] = [BuiltinImporter, FrozenImporter, *in_files]
    return any(finder.find_spec(name) for finder in finders)


def _shown(names: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Names in groups, without the groups that are empty."""
    for group, members in names.items():
        if members:
            yield f"{group}: {', '.join(members)}"


def protect(sandbox: ImportSandbox, find_running: Callable[[], Iterable[ModuleType]]) -> None:
    """Let a sandbox refuse to evict the modules that the run stands on."""
    sandbox._find_running = find_running


def suspended(sandbox: ImportSandbox) -> AbstractContextManager[None]:
    """Leave a sandbox for a while: what happens to the import state then outlives it."""
    return process.suspended(sandbox._opened())
