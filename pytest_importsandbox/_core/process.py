"""What one process keeps of its sandboxes: opening, closing, eviction, blocking.

Whatever looks at the import state and changes it accordingly does so under the import lock
(https://docs.python.org/3/library/imp.html described it; today `_imp` alone has it). The import system
holds that lock whenever it asks a finder, so nobody begins to load anything meanwhile. What other threads
are loading already goes on; `imports_in_progress` tells what that is.
"""

from __future__ import annotations

import _imp
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, final

from pytest_importsandbox._core import lazy
from pytest_importsandbox._core.modules import (
    is_extension,
    is_first,
    is_loading,
    put_first,
    put_modules,
    remove_finder,
    remove_modules,
    stays_in_place,
    unbind,
)
from pytest_importsandbox._core.names import in_tree, tree
from pytest_importsandbox._core.preserved import ExtensionPackages, Store
from pytest_importsandbox._core.state import ImportState, Index, NamespacePackages, ShadowingAttributes
from pytest_importsandbox._core.watcher import Span, Watcher, imports_in_progress, wait_for_import


@dataclass(slots=True, eq=False)
class Aside:
    """Spans that were put aside, the outermost first, and the import state on both sides of that."""

    spans: list[Span]
    inside: ImportState
    outside: ImportState


@final
class Process:
    """The sandboxes of one process, and all that is kept for them from one to the next."""

    def __init__(self) -> None:
        self.extension_packages: Final = ExtensionPackages()
        self.shadowing: Final = ShadowingAttributes()
        self.namespace_packages: Final = NamespacePackages()
        self.hooks: Final = lazy.hooks()
        self.indexes: Final[tuple[Index, ...]] = (
            self.extension_packages,
            self.shadowing,
            self.namespace_packages,
            *self.hooks.indexes,
        )
        """What is known of the loaded modules."""
        self.store: Final = Store(self.extension_packages)
        """The preserved modules."""
        self.watcher: Final = Watcher(self.store, self.hooks.handed_back)
        self.spans: Final = self.watcher.spans
        """The open sandboxes, the outermost first."""

    def install(self) -> bool:
        """Put the watcher on `sys.meta_path`; return whether it was not there."""
        if any(finder is self.watcher for finder in sys.meta_path):
            return False
        self._become_first()
        self.watcher.not_looked_at.update(sys.modules.copy())
        return True

    def uninstall(self) -> None:
        """Take the watcher away."""
        remove_finder(self.watcher)

    def open(self, preserve: tuple[str, ...] = ()) -> Span:
        """Take a snapshot, and let the watcher note what happens from now on."""
        self._look_at_new_modules()
        span = Span(preserve, self._snapshot())
        self.spans.append(span)
        return span

    def close(self, span: Span, temporary: Iterable[str] = ()) -> None:
        """Put back the snapshot of a span; spans that were opened later end with it.

        Nothing but compiled code is preserved of what is `temporary`.
        """
        # Spelled out, since the context manager takes most of a microsecond of every isolated test.
        _imp.acquire_lock()
        try:
            try:
                if span.imported or span.state.changed() or not is_first(self.watcher):
                    self._settle(span, temporary)
            finally:
                del self.spans[self.spans.index(span) :]
                span.state.restore()
        finally:
            _imp.release_lock()
        if span.imported:
            self._look_at([name for name in list(span.imported) if name not in self.store.modules])
        if not self.spans:
            self.store.forget_notes()

    def commit(self, trial: Span) -> None:
        """End a span, but let its effects stay until the one around it ends."""
        position = self.spans.index(trial)
        outer = self.spans[position - 1]
        outer.blocked |= trial.blocked
        outer.evicted |= trial.evicted
        outer.extensions.update(trial.extensions)
        del self.spans[position]
        self.hooks.committed(span.state for span in self.spans)

    def put_aside(self, span: Span) -> Aside:
        """Leave a span and those inside of it: the import state is what it was around them."""
        spans = self.spans[self.spans.index(span) :]
        outside = span.state
        with _import_lock():
            self._settle(span)
            self._look_at_new_modules()
            inside = self._snapshot()
            inside.note_again(outside)
            del self.spans[-len(spans) :]
            outside.restore()
        return Aside(spans, inside, outside)

    def take_up(self, aside: Aside) -> None:
        """Go on with what was put aside; what has changed meanwhile outlives it."""
        inside, before = aside.inside, aside.outside
        with _import_lock():
            self._look_at_new_modules()
            after = self._snapshot()
            after.note_again(before)
            for state in (inside, *(each.state for each in aside.spans[1:])):
                state.merge(before, after)
            aside.spans[0].state = after
            self.spans.extend(aside.spans)
            inside.restore()

    def evict(self, roots: tuple[str, ...], running: Iterable[ModuleType]) -> None:
        """Take modules with their submodules out of the import state, noting what they were."""
        span = self.spans[-1]
        # What they declared lazily has to be known before they are gone.
        self._look_at_new_modules()
        for name in imports_in_progress(lambda name: in_tree(name, roots)):
            wait_for_import(name)
        with _import_lock():
            span.evicted.update(roots)
            modules = {}
            staying = {id(module) for module in running}
            for root in roots:
                for name in tree(list(sys.modules), root):
                    module: Any = sys.modules[name]
                    blocked = module is None and self.watcher.is_blocked(name)
                    if blocked or id(module) in staying or stays_in_place(module):
                        continue
                    modules[name] = module
                    # The next import hands it back.
                    if is_extension(module) and name not in roots:
                        span.extensions[name] = module
            self._take_away(modules)
            self.hooks.evicted(modules)

    def block(self, roots: tuple[str, ...]) -> None:
        """Take modules away and let nothing import them."""
        with _import_lock():
            self.spans[-1].blocked.update(roots)
            modules: dict[str, Any] = {
                name: sys.modules[name] for root in roots for name in tree(list(sys.modules), root)
            }
            for root in roots:
                modules.setdefault(root, None)
            self._take_away(modules)
            # The one way to have both `import` raise and `importlib.util.find_spec` return None:
            # https://docs.python.org/3/reference/import.html#the-module-cache
            put_modules(dict.fromkeys(roots))

    def _snapshot(self) -> ImportState:
        return self.hooks.snapshot(self.store.modules, self.shadowing, self.namespace_packages)

    def _become_first(self) -> None:
        """Put the watcher before all other finders."""
        self.hooks.before_first()
        put_first(self.watcher)

    def _look_at_new_modules(self) -> None:
        """Let the indexes look once at each module that was imported since they did last."""
        if not is_first(self.watcher):
            self._note_unseen()
            self.watcher.not_looked_at.update(sys.modules.copy())
            if not self.spans:
                self._become_first()
        if self.watcher.not_looked_at:
            names, self.watcher.not_looked_at = self.watcher.not_looked_at, set()
            # A copy: another thread may be about to add a name.
            self._look_at([name for name in tuple(names) if type(name) is str])

    def _look_at(self, names: list[str]) -> None:
        """Let the indexes look at some modules, and forget those that are gone."""
        modules = sys.modules.copy()
        for index in self.indexes:
            index.look_at(names, modules)
        # What is still loading goes on to change.
        self.watcher.not_looked_at.update(name for name in names if is_loading(modules.get(name)))

    def _note_unseen(self) -> None:
        """Note in every open span what imports bound that the watcher was not asked for."""
        for span in self.spans:
            span.state.note_unseen()

    def _settle(self, span: Span, temporary: Iterable[str] = ()) -> None:
        """Take care of what outlives a span; whatever a hostile object does here, the restore goes on."""
        with suppress(Exception):
            self._keep_what_outlives(span, temporary)

    def _keep_what_outlives(self, span: Span, temporary: Iterable[str]) -> None:
        """Adopt what belongs to the outer state, and preserve what must run only once."""
        state = span.state
        state.adopt(imports_in_progress() | span.imported_by_earlier_threads)
        # Before the modules leave: whether an extension was loaded is known from these alone.
        added = state.modules.added(self.store.modules)
        if not is_first(self.watcher):
            state.note_unseen()
        if added:
            state.note_unseen(added)
            self.store.keep(
                added, state.modules.saved, span.preserve, {*temporary, *self._subjects_of_blocks()}
            )
            kept = [name for name, module in added.items() if self.store.modules.get(name) is module]
            # They will be back without being asked for one by one.
            self._look_at(kept)
            for name in kept:
                self.hooks.kept(name, added[name])

    def _subjects_of_blocks(self) -> set[str]:
        """What was evicted while something is blocked, so that it may have loaded without it."""
        if not any(span.blocked for span in self.spans):
            return set()
        return {name for span in self.spans for name in span.evicted}

    def _take_away(self, modules: dict[str, Any]) -> None:
        """Remove modules from `sys.modules`, and from the packages that stay."""
        if not is_first(self.watcher):
            self._note_unseen()
        for name in modules:
            self.watcher.note_import(name)
        remove_modules(modules)
        for name, module in modules.items():
            unbind(name, module)


@contextmanager
def _import_lock() -> Iterator[None]:
    """Let no other thread begin an import."""
    _imp.acquire_lock()
    try:
        yield
    finally:
        _imp.release_lock()


process: Final = Process()
"""The one that all sandboxes of this process share."""
