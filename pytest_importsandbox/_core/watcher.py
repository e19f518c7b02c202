"""The watcher: the one finder through which the plugin takes part in imports.

`find_spec` is called for exactly those imports that `sys.modules` does not answer, with the old
module as `target` for a reload. What it learns there is noted in the snapshot of every open sandbox.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib._bootstrap import (  # type: ignore[attr-defined]
    _lock_unlock_module,
    _module_locks,
)
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from pytest_importsandbox._core.modules import is_extension, is_loading, put_modules, stays_in_place
from pytest_importsandbox._core.names import in_tree
from pytest_importsandbox._core.preserved import Store
from pytest_importsandbox._core.state import ImportState


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
    imported: set[str] = field(default_factory=set)
    """Names that were asked for since the sandbox opened."""
    imported_by_earlier_threads: set[str] = field(default_factory=set)
    """What threads import that ran before the sandbox opened: it belongs to the outer state."""

    def is_outside(self, thread: threading.Thread) -> bool:
        """Whether a thread ran before the sandbox opened, beside the one that opened it."""
        return thread is not self.thread and thread in self.threads


class Watcher:
    """The finder at index 0 of `sys.meta_path`."""

    def __init__(self, store: Store, on_hand_back: Callable[[Iterable[str]], None]) -> None:
        self.store = store
        self.on_hand_back = on_hand_back
        self.spans: Final[list[Span]] = []
        """The open sandboxes, the outermost first."""
        self.not_looked_at: set[str] = set()
        """Names that were asked for since the indexes looked at modules; other threads add to it."""
        self._loading = threading.local()
        """By thread: the modules that are loading there, the outermost first."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Note what the import is about to change; find blocked and preserved modules."""
        __tracebackhide__ = True
        self.not_looked_at.add(fullname)
        if self.spans:
            self._note(fullname, target)
            if self.is_blocked(fullname):
                raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if target is not None or not self._can_hand_back(fullname) or not _is_being_imported(fullname):
            return None
        modules = self._to_hand_back(fullname)
        return ModuleSpec(fullname, _HandingBack(self, modules)) if modules else None

    def is_blocked(self, name: str) -> bool:
        """Whether a module can't be imported for now."""
        return any(in_tree(name, span.blocked) for span in self.spans)

    def note_import(self, name: str, target: ModuleType | None = None) -> None:
        """Note in every open sandbox what the import of a module is about to change."""
        for span in self.spans:
            span.state.note_import(name, target)

    def _note(self, name: str, target: ModuleType | None) -> None:
        self.note_import(name, target)
        thread = threading.current_thread()
        for span in self.spans:
            span.imported.add(name)
            if span.is_outside(thread):
                span.imported_by_earlier_threads.add(name)
        self._note_importer(name)

    def _note_importer(self, name: str) -> None:
        """Tell the store on behalf of which module, loading in this thread, another one is loaded."""
        loading: list[str] = self._loading.__dict__.setdefault("names", [])
        while loading and not is_loading(sys.modules.get(loading[-1])):
            loading.pop()
        if loading:
            self.store.note_brought_along(loading[-1], name)
        loading.append(name)

    def _can_hand_back(self, name: str) -> bool:
        return name in self.store.modules or any(name in span.extensions for span in self.spans)

    def _to_hand_back(self, name: str) -> dict[str, Any]:
        """The modules that the import of one of them hands back; none where it must run."""
        stays = stays_in_place(self.store.modules.get(name))
        if self._is_evicted_itself(name) and not stays:
            return {}
        for span in reversed(self.spans):
            if name in span.extensions:
                return {name: span.extensions[name]}
        module = self.store.modules[name]
        alone = {name: module} if stays or is_extension(module) else {}
        if any(in_tree(name, span.evicted) for span in self.spans):
            return alone
        group = self.store.group(name)
        unavailable = [each for span in self.spans for each in (*span.blocked, *span.evicted)]
        if not unavailable:
            return group
        if any(self.is_blocked(each) for each in group):
            # As if the blocked module were not installed: the package has to do without it.
            return alone
        return {each: module for each, module in group.items() if not in_tree(each, unavailable)}

    def _is_evicted_itself(self, name: str) -> bool:
        return any(name in span.evicted for span in self.spans)


class _StandIn(ModuleType):
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
        stand_in = _StandIn(spec.name)
        stand_in.__dict__["__importsandbox_module__"] = self.modules[spec.name]
        return stand_in

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        absent = self.modules.copy()
        for present in self.modules.keys() & sys.modules.keys() - {name}:
            del absent[present]
        put_modules(absent)
        for span in self.watcher.spans:
            if span.is_outside(threading.current_thread()):
                span.imported_by_earlier_threads.update(absent)
        self.watcher.store.bind(absent.keys(), self.watcher.note_import)
        self.watcher.on_hand_back(absent)


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
