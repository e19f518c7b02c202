"""The import sandbox: the one object that users see, made of the parts beside it."""

from __future__ import annotations

import _imp
import sys
from builtins import __import__ as _import
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType, TracebackType
from typing import Any, Protocol, final

from pytest_importsandbox import _lazy
from pytest_importsandbox._lazy import LazyMode
from pytest_importsandbox._names import PROTECTED, as_names, in_tree, resolve, top_level, tree
from pytest_importsandbox._preserved import Store, is_extension, stays_in_place
from pytest_importsandbox._state import (
    BindingsRow,
    ImportChanges,
    NamespacePathsRow,
    put_first,
    put_modules,
    remove_finder,
    remove_modules,
    spec_of,
    unbind,
)
from pytest_importsandbox._temp_package import TempPackageFactory
from pytest_importsandbox._watcher import Span, Watcher, imports_in_progress, wait_for_import

store = Store()
watcher = Watcher(store)


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


@final
class ImportSandbox:
    """A span after which the import state is what it was before.

    Use it as a context manager. Entering takes a snapshot, leaving puts it back: `sys.modules`,
    `sys.path`, `sys.meta_path`, `sys.path_hooks`, the attributes of submodules on their packages, the
    namespaces of reloaded modules and the search paths of namespace packages. Sandboxes nest; a
    sandbox may be entered again after it has ended.

    Not undone are other effects of running a module, such as environment variables, `atexit`
    callbacks or registered codecs.

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
        self.temp_package = TempPackageFactory(self._opened)
        """Writes packages that can be imported until the sandbox ends: :class:`TempPackageFactory`."""

    def __enter__(self) -> ImportSandbox:
        """Take the snapshot.

        :raises RuntimeError: If the sandbox is open already.
        """
        __tracebackhide__ = True
        if self._span in watcher.spans:
            raise RuntimeError("this sandbox is open already; make another one to nest")
        self._span = _open(self._preserve)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the import state back. Sandboxes that were opened inside this one end with it."""
        __tracebackhide__ = True
        span, self._span = self._span, None
        try:
            if span in watcher.spans:
                _close(span)
        finally:
            self.temp_package.remove_all()

    def fresh_import(
        self,
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
        back as the same objects, unless one is named itself.

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
        :raises TypeError: If a name is not a `str`.
        :raises ValueError: If a module is named that the run itself stands on, or there is no such mode.
        :raises RuntimeError: If the sandbox is not open, or Python has no lazy imports.
        """
        __tracebackhide__ = True
        span = self._opened()
        _lazy.check_mode(lazy)
        absolute = resolve(name, package)
        evicted = (absolute, *as_names(fresh, "fresh"))
        hidden = as_names(blocked, "blocked")
        self._check(*evicted, *hidden)

        trial = _open(span.preserve)
        try:
            _evict(evicted, self._find_running())
            _block(hidden)
            if lazy is None:
                _import(absolute)
            else:  # from 3.15
                with _lazy.in_mode(lazy):
                    _import(absolute)
            module: ModuleType = sys.modules[absolute]
        except BaseException as exc:
            had_extensions = trial.extensions or any(
                in_tree(each, evicted) and is_extension(store.modules[each]) for each in store.modules
            )
            _close(trial, temporary=evicted)
            if had_extensions and not _names_one_of(exc, hidden):
                exc.add_note(
                    f"pytest-importsandbox: {absolute!r} has extension modules, which are not loaded twice "
                    "in a process; its Python modules ran again and met the extensions as they were. "
                    "If the package cannot take that, import it without evicting it, or test it in a "
                    "process of its own. The package that was loaded before is back in place."
                )
            raise
        _commit(trial)
        return module

    def evict(self, *names: str) -> None:
        """Remove modules and all their submodules, so that the next import runs them again.

        Compiled and frozen modules of the standard library stay in place; extension modules of
        other packages come back as the same objects, unless they are named themselves.

        :param names: Absolute names of modules. Those that are not loaded are no error.
        :raises TypeError: If a name is not a `str`.
        :raises ValueError: If a name is not absolute, or the run itself stands on the module.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._opened()
        evicted = as_names(names, "names")
        self._check(*evicted)
        _evict(evicted, self._find_running())

    def block(self, *names: str) -> None:
        """Make modules look as if they were not installed, until the sandbox ends.

        `import` raises `ModuleNotFoundError` and `importlib.util.find_spec` returns None.

        :param names: Absolute names of modules, whether loaded or not, with all their submodules.
        :raises TypeError: If a name is not a `str`.
        :raises ValueError: If a name is not absolute, or the run itself stands on the module.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._opened()
        blocked = as_names(names, "names")
        self._check(*blocked)
        _block(blocked)

    def changes(self) -> ImportChanges:
        """What differs now from the import state that will be put back.

        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        return self._opened().state.changes(watcher.is_blocked, watcher)

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
        _lazy.check_available("pending()")
        return _lazy.pending()  # from 3.15

    def _opened(self) -> Span:
        """The span of this sandbox."""
        __tracebackhide__ = True
        if self._span not in watcher.spans:
            raise RuntimeError("this sandbox is not open; enter it first: with ImportSandbox() as ...")
        return self._span

    def _check(self, *names: str) -> None:
        """Refuse names of modules that the run itself stands on."""
        __tracebackhide__ = True
        running = {id(module) for module in self._find_running()}
        for name in names:
            if top_level(name) in PROTECTED or id(sys.modules.get(name)) in running:
                raise ValueError(
                    f"{name!r} can be neither evicted nor blocked: the test run itself stands on it. "
                    "To run its code again, use a new process."
                )


def _names_one_of(exc: BaseException, blocked: Iterable[str]) -> bool:
    """Whether an import failed because of a blocked module."""
    return isinstance(exc, ImportError) and type(exc.name) is str and in_tree(exc.name, blocked)


def install() -> bool:
    """Put the watcher on `sys.meta_path` for good; return whether it was not there."""
    installed = watcher.installed
    watcher.installed = True
    if not installed:
        _become_first()
        watcher.asked.update(sys.modules.copy())
    return not installed


def uninstall() -> None:
    """Take the watcher away."""
    watcher.installed = False
    remove_finder(watcher)


def protect(sandbox: ImportSandbox, find_running: Callable[[], Iterable[ModuleType]]) -> None:
    """Let a sandbox refuse to evict the modules that the run stands on."""
    sandbox._find_running = find_running


def _open(preserve: tuple[str, ...]) -> Span:
    """Take a snapshot and let the watcher note what happens from now on."""
    _look_at_new_modules()
    span = Span(preserve, _lazy.State(store.modules))
    watcher.spans.append(span)
    return span


def _look_at_new_modules() -> None:
    """Look once at each module that was imported since this was done last."""
    if not _is_first():
        _note_what_went_past()
        watcher.asked.update(sys.modules.copy())
        if not watcher.spans:
            _become_first()
    if watcher.asked:
        names, watcher.asked = watcher.asked, set()
        modules = sys.modules.copy()
        # A copy: another thread may be about to add a name.
        known = [name for name in tuple(names) if type(name) is str]
        store.look_at(known, modules)
        BindingsRow.look_at(known, modules)
        NamespacePathsRow.look_at(known, modules)
        if _lazy.AVAILABLE:  # from 3.15
            _lazy.placeholders.look_at(map(modules.get, known))
            # They may declare more.
            watcher.asked.update(name for name in known if spec_of(modules.get(name)).get("_initializing"))


def _note_what_went_past() -> None:
    """Note in every open sandbox what imports bound that the watcher was not asked for."""
    for span in watcher.spans:
        span.state.bindings.note_everywhere()


def _become_first() -> None:
    """Put the watcher before all other finders."""
    if _lazy.AVAILABLE:  # from 3.15
        _lazy.resolve_own_imports()
    put_first(watcher)


@contextmanager
def _import_lock() -> Iterator[None]:
    """Let no other thread begin an import."""
    _imp.acquire_lock()
    try:
        yield
    finally:
        _imp.release_lock()


def _close(span: Span, temporary: Iterable[str] = ()) -> None:
    """Put back the snapshot of a span; spans that were opened later end with it."""
    _imp.acquire_lock()
    try:
        changed = span.state.modules.changed()
        try:
            if changed or span.imported or not _is_first():
                _settle(span, temporary)
        finally:
            del watcher.spans[watcher.spans.index(span) :]
            span.state.restore(modules_changed=changed)
    finally:
        _imp.release_lock()
        span.state.free()
    if not watcher.spans:
        store.forget_notes()
        if not watcher.installed and not store.modules:
            remove_finder(watcher)


def _is_first() -> bool:
    """Whether the watcher is asked before any other finder."""
    finders: list[Any] = getattr(sys, "meta_path", [])
    return bool(finders) and finders[0] is watcher


def _settle(span: Span, temporary: Iterable[str]) -> None:
    """Take care of what outlives a span; whatever a hostile object does here, the restore goes on."""
    with suppress(Exception):
        _keep_what_lasts(span, temporary)


def _keep_what_lasts(span: Span, temporary: Iterable[str]) -> None:
    """Adopt what belongs to the outer state, and preserve what must run only once."""
    state = span.state
    state.adopt(imports_in_progress() | span.imported_by_earlier_threads)
    added = state.modules.added(store.modules)
    if not _is_first():
        state.bindings.note_everywhere()
    if added:
        state.bindings.note_unseen(added)
        store.keep(added, state.modules.saved, span.preserve, {*temporary, *_subjects_of_blocks()})
        if _lazy.AVAILABLE:  # from 3.15
            for name, module in added.items():
                if store.modules.get(name) is module:
                    _lazy.declarations.remember(name, module)


def _subjects_of_blocks() -> set[str]:
    """What was evicted while something is blocked, so that it may have loaded without it."""
    if not any(span.blocked for span in watcher.spans):
        return set()
    return {name for span in watcher.spans for name in span.evicted}


def _commit(trial: Span) -> None:
    """End a span, but let its effects stay until the one around it ends."""
    position = watcher.spans.index(trial)
    outer = watcher.spans[position - 1]
    outer.blocked |= trial.blocked
    outer.evicted |= trial.evicted
    outer.extensions.update(trial.extensions)
    del watcher.spans[position]
    if _lazy.AVAILABLE:  # from 3.15
        _lazy.note_pending(span.state for span in watcher.spans)


@contextmanager
def suspended(sandbox: ImportSandbox) -> Iterator[None]:
    """Leave a sandbox for a while: what happens to the import state then outlives it."""
    span = sandbox._opened()
    spans = watcher.spans[watcher.spans.index(span) :]
    before = span.state
    with _import_lock():
        _settle(span, ())
        _look_at_new_modules()
        inside = _lazy.State(store.modules)
        inside.note_again(before)
        del watcher.spans[-len(spans) :]
        before.restore()
    before.free()
    try:
        yield
    finally:
        with _import_lock():
            _look_at_new_modules()
            after = _lazy.State(store.modules)
            after.note_again(before)
            for state in (inside, *(each.state for each in spans[1:])):
                state.take_over(before, after)
            span.state = after
            watcher.spans.extend(spans)
            inside.restore()
        inside.free()


def _evict(roots: tuple[str, ...], running: Iterable[ModuleType]) -> None:
    """Take modules with their submodules out of the import state, noting what they were."""
    span = watcher.spans[-1]
    if _lazy.AVAILABLE:  # from 3.15
        _look_at_new_modules()
    for name in imports_in_progress(lambda name: in_tree(name, roots)):
        wait_for_import(name)
    with _import_lock():
        span.evicted.update(roots)
        modules = {}
        staying = {id(module) for module in running}
        for root in roots:
            for name in tree(list(sys.modules), root):
                module: Any = sys.modules[name]
                if (
                    stays_in_place(module)
                    or id(module) in staying
                    or (module is None and watcher.is_blocked(name))
                ):
                    continue
                modules[name] = module
                if is_extension(module) and name not in roots:
                    span.extensions[name] = module
        _take_away(modules)
        if _lazy.AVAILABLE:  # from 3.15
            _lazy.forget_declarations(modules)
    # Freed when the lock is released: a finalizer can run any code.
    del modules


def _block(roots: tuple[str, ...]) -> None:
    """Take modules away and let nothing import them."""
    with _import_lock():
        watcher.spans[-1].blocked.update(roots)
        modules: dict[str, Any] = {
            name: sys.modules[name] for root in roots for name in tree(list(sys.modules), root)
        }
        for root in roots:
            modules.setdefault(root, None)
        _take_away(modules)
        # The one way to have both `import` raise and `importlib.util.find_spec` return None:
        # https://docs.python.org/3/reference/import.html#the-module-cache
        put_modules(dict.fromkeys(roots))
    del modules


def _take_away(modules: dict[str, Any]) -> None:
    """Remove modules from `sys.modules`, and from the packages that stay."""
    if not _is_first():
        _note_what_went_past()
    for name in modules:
        watcher.note_binding(name)
    remove_modules(modules)
    for name, module in modules.items():
        unbind(name, module)
