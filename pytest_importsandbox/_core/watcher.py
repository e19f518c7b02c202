"""The watcher and the finder of preserved modules: how the plugin takes part in imports.

`find_spec` is called for exactly those imports that `sys.modules` does not answer, with the old module
as `target` for a reload. The watcher stands before all other finders: what it learns is noted in the
snapshot of every open sandbox, and what is blocked ends there. The finder of preserved modules stands before
the standard ones, so that whatever a test or a tool puts on `sys.meta_path` is asked before it, as for
a first import.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from pytest_importsandbox._core.cpython import LazyModule, ModuleLockManager, load_unlocked
from pytest_importsandbox._core.modules import (
    bind,
    finders,
    is_extension,
    is_extension_spec,
    is_passive,
    namespace,
    put_entry,
    put_modules,
    spec_of,
    stays_in_place,
)
from pytest_importsandbox._core.names import in_tree, top_level
from pytest_importsandbox._core.preserved import Environment, Footprint, Preserved, Store, is_genuine
from pytest_importsandbox._core.state import Difference, ImportState, ModulesDifference
from pytest_importsandbox._core.threads import is_being_imported

NOTE: Final = "pytest-importsandbox:"
"""How the notes begin that this package adds to exceptions."""


@dataclass(slots=True, eq=False)
class Aside:
    """What a span that was put aside leaves, to be taken up again: a suite has thousands of test modules."""

    spans: list[Span]
    """The span itself and those inside of it, the outermost first."""
    difference: Difference
    """How the import state differed from what it is outside, row by row, in small."""
    outside: ImportState | None
    """The import state outside, which the snapshots of inner spans are compared with."""
    late_finders: int
    """How many finders preserved modules had put into place."""
    threads: list[threading.Thread] = field(default_factory=threading.enumerate)
    """All threads that ran then."""

    @property
    def modules(self) -> ModulesDifference:
        """How `sys.modules` differed."""
        return next(each for each in self.difference if isinstance(each, ModulesDifference))


@dataclass(slots=True, eq=False)
class Span:
    """What belongs to one open sandbox: its snapshot, and what the watcher must know of it."""

    preserve: tuple[str, ...]
    state: ImportState
    """The snapshot; a span that was put aside has none."""
    aside: Aside | None = None
    """What it was put aside as, unless it is in place or has ended."""
    shares: bool = False
    """Whether it is the sandbox of a test module, which shares what it imports with others."""
    blocked: set[str] = field(default_factory=set)
    evicted: set[str] = field(default_factory=set)
    never_imported: set[str] = field(default_factory=set)
    """Those evicted packages of which there was nothing to evict: an import is the first."""
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Extension modules of evicted packages, with the submodules that they made: they are handed back."""
    thread: threading.Thread = field(default_factory=threading.current_thread)
    """The thread that opened the sandbox."""
    threads: list[threading.Thread] = field(default_factory=threading.enumerate)
    """All threads that ran when it opened."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What to do when the sandbox has ended, by itself or with one around it."""
    imported: set[str] = field(default_factory=set)
    """Names that were asked for since the sandbox opened."""
    hindered: set[str] = field(default_factory=set)
    """Those that were asked for while something was evicted or blocked."""
    again: set[str] = field(default_factory=set)
    """Those that had been loaded before, so that somebody took them away."""
    fakes: dict[str, frozenset[str]] = field(default_factory=dict)
    """The fakes that were in place when a name was asked for, in the sandbox of a test module."""
    imported_by_earlier_threads: set[str] = field(default_factory=set)
    """What threads import that ran before the sandbox opened: it belongs to the outer state."""

    def is_outside(self, thread: threading.Thread) -> bool:
        """Whether a thread ran before the sandbox opened, beside the one that opened it."""
        return thread is not self.thread and any(each is thread for each in self.threads)


class _Loading(threading.local):
    """What is loading in a thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        """The modules, the outermost first."""
        self.fakes: frozenset[str] = frozenset()
        """The fakes that were in place when the outermost was asked for."""


class Watcher:
    """The finder at index 0 of `sys.meta_path`."""

    def __init__(self, store: Store) -> None:
        self.store: Final = store
        self.spans: Final[list[Span]] = []
        """The open sandboxes, the outermost first."""
        self.blocked_for_run: Final[list[str]] = []
        """What whole runs do without; a name is there as often as runs want that."""
        self.not_looked_at: set[str] = set()
        """Names that were asked for since the indexes looked at modules; other threads add to it."""
        self.handed_back: set[str] = set()
        """Names of preserved modules that came back without being asked for, since the outermost opened."""
        self.observers: Final[list[Callable[[str, ModuleType | None], object]]] = []
        """Told of each import, and of each reload with its module, before it begins."""
        self._loading = _Loading()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Note what the import is about to change; raise for a blocked module."""
        __tracebackhide__ = True
        self.not_looked_at.add(fullname)
        for observe in self.observers:
            observe(fullname, target)
        if self.spans:
            self._note(fullname, target)
        if self.is_blocked(fullname):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None

    def is_blocked(self, name: str) -> bool:
        """Whether a module can't be imported for now."""
        return in_tree(name, self.blocked_for_run) or any(in_tree(name, span.blocked) for span in self.spans)

    def is_evicted(self, name: str) -> bool:
        """Whether a module lies in a package that was evicted, so that its Python code runs again."""
        return any(in_tree(name, span.evicted) for span in self.spans)

    def is_hindered(self) -> bool:
        """Whether what is imported now may turn out differently than in a new process."""
        return any(span.blocked or not span.evicted <= span.never_imported for span in self.spans)

    def note_import(self, name: str, target: ModuleType | None = None) -> None:
        """Note in every open sandbox what the import of a module is about to change."""
        for span in self.spans:
            span.state.note_import(name, target)

    def unavailable(self) -> set[str]:
        """What can't be imported as usual in this thread: it is blocked, or a fake stands for it."""
        if not self.spans:
            # What was loading in a sandbox that has been put aside says nothing of the outer state.
            return set()
        return {each for span in self.spans for each in span.blocked} | self._loading.fakes

    def _note(self, name: str, target: ModuleType | None) -> None:
        self._note_importer(name)
        thread = threading.current_thread()
        innermost = self.spans[-1]
        if target is None and (name in innermost.imported or name in innermost.state.modules.saved):
            innermost.again.add(name)
        if self._loading.fakes:
            innermost.fakes[name] = self._loading.fakes
        if self.is_hindered():
            innermost.hindered.add(name)
        self.note_import(name, target)
        for span in self.spans:
            span.imported.add(name)
            if span.is_outside(thread):
                span.imported_by_earlier_threads.add(name)

    def _note_importer(self, name: str) -> None:
        """Tell the store on behalf of which module, loading in this thread, another one is loaded."""
        loading = self._loading
        # Not whether it is initializing: that a compiled module's creation is under way, only its lock tells.
        while loading.names and not is_being_imported(loading.names[-1]):
            loading.names.pop()
        if len(loading.names) < 2:
            # It is the code of a test module that puts fakes in place, also while it is loading itself.
            loading.fakes = frozenset(self._fakes())
        if loading.names and loading.names[-1] != name:
            self.store.note_asked(loading.names[-1], name)
        loading.names.append(name)

    def _fakes(self) -> Iterator[str]:
        """The names that stand, in the sandbox of a test module, for what import would not find there."""
        if self.spans[-1].shares:
            for name, module in self.spans[-1].state.modules.added().items():
                if type(name) is str and not is_genuine(name, module) and not is_being_imported(name):
                    yield name

    @contextmanager
    def on_behalf_of_nobody(self) -> Iterator[None]:
        """Import in this thread without crediting that to the modules that are loading."""
        names, fakes = self._loading.names, self._loading.fakes
        self._loading.names, self._loading.fakes = [], frozenset()
        try:
            yield
        finally:
            self._loading.names, self._loading.fakes = names, fakes


class PreservedFinder:
    """The finder, before the standard ones, that hands back preserved modules instead of running them."""

    def __init__(
        self,
        watcher: Watcher,
        import_first: Callable[[str], None],
        on_hand_back: Callable[[Iterable[str]], None],
    ) -> None:
        self.watcher: Final = watcher
        self.store: Final = watcher.store
        self.import_first: Final = import_first
        """Imports a module unhindered and keeps it."""
        self.on_hand_back: Final = on_hand_back

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find what can be handed back, and what has to be imported unhindered first."""
        # Whoever only asks where a module can be found gets to know just that.
        if target is not None or not is_being_imported(fullname):
            return None
        footprint = self.footprint(fullname)
        if footprint is not None:
            return self._spec_like(fullname, footprint)
        if (self.watcher.is_hindered() or self.watcher.unavailable()) and self._is_inside():
            return self._find_where_hindered(fullname, path)
        return None

    def footprint(self, name: str) -> Footprint | None:
        """What the import of a module hands back now; None where it has to run."""
        watcher, store = self.watcher, self.store
        stays = name in store and stays_in_place(store.modules[name])
        if not stays and any(name in span.evicted for span in watcher.spans):
            return None
        for span in reversed(watcher.spans):
            if name in span.extensions:
                return Footprint(span.extensions[name], {}, [])
        if name not in store:
            return None
        footprint = store.footprint(name)
        alone = footprint.within(name) if stays or is_extension(store.modules[name]) else None
        if watcher.is_evicted(name):
            return alone
        unavailable = watcher.unavailable()
        if unavailable and store.asks_for_any(footprint, frozenset(unavailable)):
            # As if the blocked module were not installed: the package has to do without it.
            return alone
        if store[name].is_shared and not self._may_share(name):
            return None
        unavailable.update(watcher.blocked_for_run, *(span.evicted for span in watcher.spans))
        return footprint.without(unavailable) if unavailable else footprint

    def _may_share(self, name: str) -> bool:
        """Whether a module of other test modules can serve here as well."""
        spans = self.watcher.spans
        if spans and (not spans[-1].shares or name in spans[-1].again):
            return False
        return self.store.turns_out_the_same(name, Environment(self._find_behind))

    def _spec_like(self, name: str, footprint: Footprint) -> ModuleSpec:
        """A spec that tells hooks where a module comes from, with the loader that hands it back."""
        own = spec_of(footprint.modules[name])
        loader = PreservedLoader(self, name, own.get("loader"), footprint)
        spec = ModuleSpec(name, loader, origin=own.get("origin"))
        spec.submodule_search_locations = own.get("submodule_search_locations")
        return spec

    def _is_inside(self) -> bool:
        """Whether this thread is the one whose sandbox can be put aside."""
        return self.watcher.spans[-1].thread is threading.current_thread()

    def _find_where_hindered(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Ask the finders behind this one; what must run only once is to run unhindered first."""
        found = self._find_behind(name, path)
        named = [each for span in self.watcher.spans for each in span.preserve]
        attributes = namespace(found) or {}
        if (
            found is not None
            and found.loader is not None
            # The Python part of an evicted package runs afresh anyway; but is there a first copy of it?
            and (
                is_extension_spec(attributes)
                or not self.watcher.is_evicted(name)
                or any(in_tree(name, span.never_imported) for span in self.watcher.spans)
            )
            # Last, since it may look through the whole directory of a package.
            and (name in self.store or self.store.will_run_once(name, attributes, named))
        ):
            found.loader = PreservedLoader(self, name, found.loader)
        return found

    def _find_behind(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Ask the finders behind this one."""
        return _first_spec(finders()[self._position() + 1 :], name, path)

    def explain(self, name: str, exc: Exception) -> None:
        """Tell why the Python part of a package with extensions has run a second time and failed."""
        package = top_level(name)
        missing = exc.name if isinstance(exc, ImportError) and type(exc.name) is str else ""
        if package not in self.store.extension_packages or self.watcher.is_blocked(missing):
            return
        if not any(each.startswith(NOTE) for each in getattr(exc, "__notes__", ())):
            exc.add_note(
                f"{NOTE} {package!r} asks for what is blocked, so that its Python modules ran again; they "
                "met its extensions as they were. If the package cannot take that, block what it asks for "
                "from the beginning of a process."
            )

    def hand_back(self, name: str, footprint: Footprint) -> None:
        """Put a module and what comes with it into the import state, but for what is there already."""
        absent = {
            each: module
            for each, module in footprint.modules.items()
            if each == name or each not in sys.modules
        }
        others = self._other_finders()
        for each in [each for each in absent if others and each != name]:
            spec = self._asked_for(each, others)
            if spec is not None:
                del absent[each]
        self._put(absent, footprint)

    def _put(self, modules: Mapping[str, Any], footprint: Footprint) -> None:
        watcher = self.watcher
        put_modules(modules)
        watcher.handed_back.update(modules)
        for span in watcher.spans:
            span.imported.update(modules)
        for name in footprint.bound.keys() & modules.keys():
            watcher.note_import(name)
            bind(name, footprint.bound[name])
        for attribute, entry, front in footprint.finders:
            put_entry(attribute, entry, front=front)
        for span in watcher.spans:
            if span.is_outside(threading.current_thread()):
                span.imported_by_earlier_threads.update(modules)
        self.on_hand_back(modules)

    def _other_finders(self) -> list[Any]:
        """The finders of tests and tools that are asked before this one."""
        return [each for each in finders()[: self._position()] if each is not self.watcher]

    def _position(self) -> int:
        """Where this finder stands; none of the others is asked for more than its identity."""
        return next((number for number, each in enumerate(finders()) if each is self), 0)

    def _asked_for(self, name: str, others: list[Any]) -> ModuleSpec | None:
        """Ask other finders for a module that comes back; load it if one of them finds it."""
        package = name.rpartition(".")[0]
        path = (namespace(self.store.modules.get(package)) or {}).get("__path__") if package else None
        with ModuleLockManager(name):
            spec = _first_spec(others, name, path)
            if spec is not None:
                self.watcher.note_import(name)
                bind(name, load_unlocked(spec))
        return spec


class PreservedLoader(Loader):
    """The loader that puts preserved modules back instead of running anything."""

    def __init__(
        self, finder: PreservedFinder, name: str, loader: Any, footprint: Footprint | None = None
    ) -> None:
        self.finder = finder
        self.name = name
        self.loader = loader
        """Runs the module where it has to run."""
        self.footprint = footprint
        """What is handed back; None where the module runs, or is to be imported unhindered first."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the preserved module itself, or a new one where the package has to run again."""
        name = self.name
        if self.footprint is None and name not in self.finder.store:
            self.finder.import_first(name)
            self.footprint = self.finder.footprint(name)
        if self.footprint is not None:
            return _presented(self.footprint.modules[name], self.finder.store, name)
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put the preserved module back with its footprint, or run the new one."""
        __tracebackhide__ = True
        if self.footprint is None:
            self._run(module)
            return
        if self.name in self.finder.store:
            _give_its_own(self.finder.store[self.name])
        self.finder.hand_back(self.name, self.footprint)

    def _run(self, module: ModuleType) -> None:
        """Run a module as if its own loader had been found."""
        __tracebackhide__ = True
        attributes = namespace(module) or {}
        for holder, name in ((attributes, "__loader__"), (spec_of(module), "loader")):
            if holder.get(name) is self:
                holder[name] = self.loader
        try:
            self.loader.exec_module(module)
        except Exception as exc:
            self.finder.explain(self.name, exc)
            raise

    def __getattr__(self, name: str) -> Any:
        # For hooks that ask a loader for more: its source, its resources.
        return getattr(self.__dict__["loader"], name)


class _StandIn(ModuleType):
    """Stands for a module whose class answers for its attributes: import reads and writes some."""

    def __getattr__(self, name: str) -> Any:
        # Another thread may get hold of it meanwhile.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.__dict__["__importsandbox_module__"], name)


def _presented(module: Any, store: Store, name: str) -> ModuleType:
    """What import may write on: the module itself, where that runs no foreign code."""
    if name in store:
        _take_off_lazy_class(store[name])
    if is_passive(module):
        presented: ModuleType = module
        return presented
    stand_in = _StandIn(name)
    stand_in.__dict__["__importsandbox_module__"] = module
    return stand_in


def _take_off_lazy_class(preserved: Preserved) -> None:
    """Undo what `importlib.util.LazyLoader` did to a module that nobody used."""
    if type(preserved.module) is LazyModule and preserved.kind is not LazyModule:
        object.__setattr__(preserved.module, "__class__", preserved.kind)


def _give_its_own(preserved: Preserved) -> None:
    """Give a module its own spec and loader again, which import and hooks have replaced."""
    attributes = namespace(preserved.module)
    if attributes is not None:
        attributes.update({"__spec__": preserved.spec, "__loader__": preserved.loader})


def _first_spec(among: Iterable[Any], name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The spec of the first finder that finds a module, as import asks them."""
    for finder in among:
        find_spec = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find_spec(name, path, None) if find_spec is not None else None
        if spec is not None:
            return spec
    return None
