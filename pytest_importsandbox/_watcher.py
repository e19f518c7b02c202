"""The watcher: the one finder through which the plugin takes part in imports.

`find_spec` is called for exactly those imports that `sys.modules` does not answer, with the old
module as `target` for a reload. What it learns there is noted in the snapshot of every open sandbox.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib._bootstrap import (  # type: ignore[attr-defined]
    _lock_unlock_module,
    _module_locks,
)
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pytest_importsandbox import _lazy
from pytest_importsandbox._names import in_tree
from pytest_importsandbox._preserved import Store, is_extension, stays_in_place
from pytest_importsandbox._state import ImportState, put_modules, spec_of


@dataclass(slots=True, eq=False)
class Span:
    """What belongs to one open sandbox: its snapshot, and what the watcher must know of it."""

    preserve: tuple[str, ...]
    state: ImportState
    blocked: set[str] = field(default_factory=set)
    evicted: set[str] = field(default_factory=set)
    extensions: dict[str, Any] = field(default_factory=dict)
    """Extension modules of evicted packages: the next import hands them back."""
    thread: threading.Thread = field(default_factory=threading.current_thread)
    """The thread that opened the sandbox."""
    threads: list[threading.Thread] = field(default_factory=threading.enumerate)
    """All threads that ran when it opened."""
    imported: bool = False
    """Whether anything was imported since the sandbox opened."""
    imported_by_earlier_threads: set[str] = field(default_factory=set)
    """What threads import that ran before the sandbox opened: it belongs to the outer state."""

    def is_outside(self, thread: threading.Thread) -> bool:
        """Whether a thread ran before the sandbox opened, beside the one that opened it."""
        return thread is not self.thread and thread in self.threads


class Watcher:
    """The finder at index 0 of `sys.meta_path`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.installed = False
        """Whether it stays on `sys.meta_path` when no sandbox is open."""
        self.spans: list[Span] = []
        self.asked: set[str] = set()
        """Names that were asked for since somebody last looked."""
        self._loading = threading.local()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Note what the import is about to change; find blocked and preserved modules."""
        __tracebackhide__ = True
        self.asked.add(fullname)
        if self.spans:
            self._note(fullname, target)
            if self.is_blocked(fullname):
                raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if target is not None or not self._has(fullname) or not _is_being_imported(fullname):
            return None
        modules = self._to_hand_back(fullname)
        return ModuleSpec(fullname, _HandingBack(self, modules)) if modules else None

    def is_blocked(self, name: str) -> bool:
        """Whether a module can't be imported for now."""
        return any(in_tree(name, span.blocked) for span in self.spans)

    def note_binding(self, name: str) -> None:
        """Note the attribute on the parent package in every open sandbox."""
        for span in self.spans:
            span.state.bindings.note(name)

    def _note(self, name: str, target: ModuleType | None) -> None:
        thread = threading.current_thread()
        for span in self.spans:
            span.state.bindings.note(name)
            if target is not None:
                span.state.reloads.note(name, target)
            span.imported = True
            if span.is_outside(thread):
                span.imported_by_earlier_threads.add(name)
        self._note_importer(name)

    def _note_importer(self, name: str) -> None:
        """Tell the store on behalf of which module, loading in this thread, another one is loaded."""
        loading: list[str] = self._loading.__dict__.setdefault("names", [])
        while loading and not spec_of(sys.modules.get(loading[-1])).get("_initializing"):
            loading.pop()
        if loading:
            self.store.note_brought_along(loading[-1], name)
        loading.append(name)

    def _has(self, name: str) -> bool:
        return name in self.store.modules or any(name in span.extensions for span in self.spans)

    def _to_hand_back(self, name: str) -> dict[str, Any]:
        """The modules that the import of one of them hands back; none where it must run."""
        stays = stays_in_place(self.store.modules.get(name))
        if self._is_named(name) and not stays:
            return {}
        for span in reversed(self.spans):
            if name in span.extensions:
                return {name: span.extensions[name]}
        module = self.store.modules[name]
        alone = {name: module} if stays or is_extension(module) else {}
        if any(in_tree(name, span.evicted) for span in self.spans):
            return alone
        group = self.store.group(name)
        hidden = [each for span in self.spans for each in (*span.blocked, *span.evicted)]
        if not hidden:
            return group
        if any(self.is_blocked(each) for each in group):
            # As if the blocked module were not installed: the package has to do without it.
            return alone
        return {each: module for each, module in group.items() if not in_tree(each, hidden)}

    def _is_named(self, name: str) -> bool:
        return any(name in span.evicted for span in self.spans)


class _Stand(ModuleType):
    """Stands for a preserved module until it is back: import writes attributes on what it loads."""

    def __getattr__(self, name: str) -> Any:
        # Another thread may get hold of it meanwhile.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["__importsandbox_module__"], name)


class _HandingBack(Loader):
    """The loader that puts preserved modules back instead of running anything."""

    def __init__(self, watcher: Watcher, modules: dict[str, Any]) -> None:
        self.watcher = watcher
        self.modules = modules

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        stand = _Stand(spec.name)
        stand.__dict__["__importsandbox_module__"] = self.modules[spec.name]
        return stand

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        absent = self.modules.copy()
        for present in self.modules.keys() & sys.modules.keys() - {name}:
            del absent[present]
        put_modules(absent)
        for span in self.watcher.spans:
            if span.is_outside(threading.current_thread()):
                span.imported_by_earlier_threads.update(absent)
        self.watcher.store.bind(absent.keys(), self.watcher.note_binding)
        if _lazy.AVAILABLE:  # from 3.15
            _lazy.declarations.declare_again(absent)


def _is_being_imported(name: str) -> bool:
    """Whether this thread imports a module; if not, somebody asks where it can be found."""
    lock = _owned_lock(name)
    return lock is not None and lock.owner == threading.get_ident()


def _owned_lock(name: str) -> Any:
    reference = _module_locks.get(name)
    return reference() if reference is not None else None


def imports_in_progress(names: Callable[[str], bool] = lambda name: True) -> set[str]:
    """Names that other threads are importing at this moment."""
    me = threading.get_ident()
    return {
        name
        for name in list(_module_locks)
        if names(name) and (lock := _owned_lock(name)) is not None and lock.owner not in (None, me)
    }


def wait_for_import(name: str) -> None:
    """Wait until another thread has imported a module."""
    _lock_unlock_module(name)
