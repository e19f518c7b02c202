"""What one process keeps of its sandboxes: opening, closing, putting aside, eviction, blocking.

Whatever looks at the import state and changes it accordingly does so under the import lock.
"""

from __future__ import annotations

import gc
import sys
import threading
from builtins import __import__ as _import
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial, wraps
from operator import call
from types import ModuleType
from typing import Any, Final, ParamSpec, TypeVar, final

from pytest_importsandbox._core import lazy
from pytest_importsandbox._core.attributes import SubmoduleAttributes
from pytest_importsandbox._core.cpython import acquire_import_lock, release_import_lock
from pytest_importsandbox._core.distributions import HiddenDistributions
from pytest_importsandbox._core.modules import (
    MISSING,
    defining_module,
    is_extension,
    is_first,
    is_imported_as,
    is_installed,
    is_loading,
    put_before_standard,
    put_entry,
    put_first,
    put_modules,
    remove_finder,
    remove_modules,
    stays_in_place,
    unbind,
)
from pytest_importsandbox._core.names import in_tree, parents, top_level, tree
from pytest_importsandbox._core.preserved import ExtensionPackages, Imports, Store
from pytest_importsandbox._core.refusal import Refusal
from pytest_importsandbox._core.state import (
    ImportState,
    Index,
    ListDifference,
    NamespacePackages,
)
from pytest_importsandbox._core.threads import imports_in_progress, run_each, wait_for_imports
from pytest_importsandbox._core.watcher import Aside, PreservedFinder, Span, Watcher

STUCK_AFTER = 30.0
"""Seconds that eviction waits for an import in another thread."""

PATIENCE = 1.0
"""The same for what is taken up: the import may wait for the test that goes on."""

_TAKE: Final[tuple[Callable[[], None], ...]] = (acquire_import_lock, gc.disable)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _hold_import_lock(
    step: Callable[_Arguments, _Result], *args: _Arguments.args, **keywords: _Arguments.kwargs
) -> _Result:
    """Do something while no other thread begins an import, and no garbage is collected.

    The finalizers of garbage are foreign code, which could wait for a thread that imports.
    """
    __tracebackhide__ = True
    collects = gc.isenabled()
    taken: list[None] = []
    try:
        # Taken and noted as such in a single call into C: Python looks for signals behind it, and a handler
        # that raises (Ctrl-C, a time limit) between the two would leave the lock held for good.
        taken.extend(map(call, _TAKE))
        result = step(*args, **keywords)
    finally:
        # For the same reason there is no other call before each of these; a context manager would be one.
        if taken:  # pragma: no branch: not if an interrupt has struck before
            try:
                release_import_lock()
            finally:
                if collects:
                    gc.enable()
    return result


def _under_import_lock(method: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a method do all that it does while no other thread begins an import."""

    @wraps(method)
    def locked(*args: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
        __tracebackhide__ = True
        return _hold_import_lock(method, *args, **keywords)

    return locked


@final
class Process:
    """The sandboxes of one process, and all that is kept for them from one to the next."""

    def __init__(self) -> None:
        self.extension_packages: Final = ExtensionPackages()
        self.attributes: Final = SubmoduleAttributes()
        self.namespace_packages: Final = NamespacePackages()
        self.hooks: Final = lazy.hooks()
        self.indexes: Final[tuple[Index, ...]] = (
            self.extension_packages,
            self.attributes,
            self.namespace_packages,
            *self.hooks.indexes,
        )
        """What is known of the loaded modules."""
        self.store: Final = Store(self.extension_packages)
        """The preserved modules."""
        self.watcher: Final = Watcher(self.store)
        self.spans: Final = self.watcher.spans
        """The open sandboxes, the outermost first."""
        self.finder: Final = PreservedFinder(self.watcher, self.import_first, self.hooks.handed_back)
        """The finder that hands back preserved modules."""
        self.refusal: Final = Refusal(self.watcher.is_blocked)
        self.distributions: Final = HiddenDistributions(
            lambda name: in_tree(name, self.watcher.blocked_for_run)
        )
        self._looked_at: Final[dict[str, Any]] = {}
        """The preserved modules that the indexes know, by name."""
        self._usual: frozenset[str] = frozenset()
        """Preserved modules that the last test module had loaded."""
        self._file_finders: list[object] = []
        """Finders that find what the standard ones find: they are asked after ours, too."""
        self._outer_modules: Mapping[str, Any] = {}
        """What the last sandbox left, where a finder stands before the watcher outside of sandboxes."""

    def install(self, *file_finders: object) -> bool:
        """Put the finders on `sys.meta_path`; return whether they were not there.

        Some `file_finders` load in a way of their own what the standard finders find as well, like the one
        of pytest that rewrites assertions. They are asked after ours.
        """
        if is_installed(self.watcher):
            return False
        self._file_finders[:] = file_finders
        self._become_first()
        self.watcher.not_looked_at.update(sys.modules.copy())
        return True

    def uninstall(self) -> None:
        """Take the finders away."""
        remove_finder(self.watcher)
        remove_finder(self.finder)

    def open(self, preserve: tuple[str, ...] = (), *, shares: bool = False) -> Span:
        """Take a snapshot, and let the watcher note what happens from now on."""
        self._look_at_new_modules()
        if not self.spans and not is_first(self.watcher):
            self.hooks.before_first()
        before = len(self.spans)
        try:
            span = _hold_import_lock(self._open, preserve, shares)
        except BaseException:
            # An interrupt must not leave a span that nobody knows of, and so nobody can close.
            del self.spans[before:]
            raise
        return span

    def _open(self, preserve: tuple[str, ...], shares: bool) -> Span:
        # Their modules may appear after the snapshot, and nobody asks the watcher for them again.
        in_progress = imports_in_progress()
        span = Span(preserve, self._snapshot(), shares=shares, imported_by_earlier_threads=in_progress)
        self.spans.append(span)
        if len(self.spans) == 1 and not is_first(self.watcher):
            # After the snapshot, which has it where it was: whoever put a finder first may take the first
            # one away again.
            put_first(self.watcher)
        return span

    def close(self, span: Span) -> None:
        """Put back the snapshot of a span; spans that were opened later end with it."""
        try:
            self._close(span)
        except BaseException:
            # An interrupt: each step is done again, and does no harm where it was done.
            self._close(span)
            raise

    def _close(self, span: Span) -> None:
        _hold_import_lock(self._end, span)
        run_each(span.at_end)
        self._after_leaving(span)

    def put_aside(self, span: Span, pinned: Iterable[str] = ()) -> Span:
        """Leave a span and those inside of it, to be taken up again.

        What is `pinned` is the same module again then, even if it is another one outside by then.
        It is done altogether or, where something is raised before `span.aside` is set, not at all.
        """
        _hold_import_lock(self._put_aside, span, pinned)
        self._after_leaving(span)
        # A copy of `sys.modules` for each test module would cost gigabytes, and so would all the names in it.
        assert span.aside is not None
        span.imported -= span.aside.modules.names()
        if span.shares:
            self._usual = span.aside.modules.compact(self._usual)
        del span.state
        return span

    def commit(self, trial: Span) -> None:
        """End a span, but let its effects stay until the one around it ends."""
        position = self.spans.index(trial)
        outer = self.spans[position - 1]
        outer.blocked |= trial.blocked
        outer.evicted |= trial.evicted
        outer.never_imported |= trial.never_imported
        outer.hindered |= trial.hindered
        outer.imported |= trial.imported
        outer.again |= trial.again
        outer.extensions.update(trial.extensions)
        del self.spans[position]
        self.hooks.committed(span.state for span in self.spans)

    def take_up(self, span: Span) -> None:
        """Go on with a span that was put aside; what has changed meanwhile outlives it.

        It is done altogether or not at all, as putting it aside was; one that is in place is left alone.
        """
        if span.aside is not None:
            _hold_import_lock(self._enter, span, span.aside)
            self.watcher.not_looked_at.update(span.imported)

    def _leave(self, span: Span, aside: Aside | None = None) -> None:
        """Have the import state outside of a span in place, the one way to end it or to put it aside.

        Doing so twice does no harm: an interrupt may have left it half done.
        """
        if span in self.spans:
            ended = self.spans[self.spans.index(span) :]
            if aside is None:
                span.at_end = [act for each in reversed(ended) for act in each.at_end]
            else:
                span.state.modules.undo(aside.modules)
            span.aside = aside
            del self.spans[-len(ended) :]
        span.state.restore()

    def _end(self, span: Span) -> None:
        """End a span, having taken care of what outlives it."""
        if span in self.spans and (span.imported or span.state.changed() or not is_first(self.watcher)):
            self._adopt(span)
            self._settle(span)
        self._leave(span)

    def _put_aside(self, span: Span, pinned: Iterable[str]) -> None:
        outside = span.state
        self._adopt(span)
        self._look_at_new_modules()
        inside = self._snapshot()
        inside.modules.keeps_its_own = span.shares
        # Before the differences: what is noted here is among them.
        self._settle(span)
        inside.note_again(outside)
        spans = self.spans[self.spans.index(span) :]
        aside = Aside(
            spans,
            inside.difference(outside),
            outside if len(spans) > 1 else None,
            len(self.store.late_finders),
        )
        for name in pinned:
            aside.modules.pin(name, inside.modules.saved)
        run_each([partial(self._leave, span, aside)])

    def _enter(self, span: Span, aside: Aside) -> None:
        """Have the import state inside of a span in place, on top of what it is outside now."""
        going_on = wait_for_imports(aside.modules.packages(), PATIENCE) if imports_in_progress() else ()
        self._look_at_new_modules()
        # First: what ends in the meantime is in the snapshot.
        in_progress = imports_in_progress()
        after = self._snapshot()
        after.modules.spared_packages = set(map(top_level, going_on))
        run_each([partial(self._enter_on_top, span, aside, after, in_progress)])

    def _enter_on_top(self, span: Span, aside: Aside, after: ImportState, in_progress: set[str]) -> None:
        """Carry out what `_enter` has found out; doing so twice does no harm."""
        if aside.outside is not None:
            for each in aside.spans[1:]:
                each.state.modules.keeps_its_own = span.shares
                each.state.merge(aside.outside, after)
        for each in aside.spans:
            each.imported_by_earlier_threads |= in_progress
            each.threads += [new for new in threading.enumerate() if not _is_among(new, aside.threads)]
        span.state = after
        span.aside = None
        self.spans[:] = [*(each for each in self.spans if each not in aside.spans), *aside.spans]
        span.imported |= aside.modules.names()
        after.apply(aside.difference)
        # A module puts its finder into place once, wherever that was.
        for name, attribute, entry, front in self.store.late_finders[aside.late_finders :]:
            if sys.modules.get(name, MISSING) is self.store.modules[name]:
                put_entry(attribute, entry, front=front)

    def _after_leaving(self, span: Span) -> None:
        """Learn what is loaded around a span that has been left, and forget what only it needed."""
        if span.imported:
            self._look_at(list(span.imported))
        if not self.spans:
            self._remember_modules(span.state)
            if span.aside is None:
                self._end_refusal()
                self.store.forget_asked()
                self.watcher.handed_back.clear()
                self.hooks.ended()

    def overlook(self, span: Span) -> None:
        """Let what has been put into the lists of `sys` until now be no concern of what was put aside."""
        for difference in () if span.aside is None else span.aside.difference:
            if isinstance(difference, ListDifference):
                difference.overlook()

    @_under_import_lock
    def evict(self, roots: tuple[str, ...], running: Iterable[ModuleType]) -> set[str]:
        """Take modules with their submodules out of the import state, noting what they were.

        Return the names of those that stay for the sake of the running test module.
        """
        __tracebackhide__ = True
        span = self.spans[-1]
        # What they declared lazily has to be known before they are gone.
        self._look_at_new_modules()
        if stuck := wait_for_imports(roots, STUCK_AFTER):
            raise RuntimeError(
                f"{min(stuck)!r} cannot be evicted: another thread has been importing it for "
                f"{STUCK_AFTER:g} seconds. Let that import end before, or find out what it waits for."
            )
        for each in self.spans:
            # What earlier threads have imported belongs to the outer state, which keeps it.
            self._adopt(each)
            # The first copies are the ones that last; a sandbox without an import has none.
            if each.imported or not is_first(self.watcher):
                self._keep(each)
        loaded = sys.modules.copy()
        trees = {root: tree(loaded, root) for root in roots}
        known = {root for root in roots if trees[root] or self._is_known(root)}
        for each in self.spans:
            each.never_imported -= known
        again = known.union(*(each.evicted - each.never_imported for each in self.spans))
        span.never_imported.update(root for root in roots if not in_tree(root, again))
        span.evicted.update(roots)
        modules = {}
        staying: set[str] = set()
        running_ids = {id(module) for module in running}
        for root in roots:
            names = trees[root]
            home = _home_of(running_ids, names, root)
            staying |= home
            for name in names:
                module: Any = sys.modules[name]
                blocked = module is None and self.watcher.is_blocked(name)
                if blocked or name in home or stays_in_place(module):
                    continue
                modules[name] = module
        for name, module in modules.items():
            if is_extension(module) and name not in roots:
                span.extensions[name] = {
                    each: modules[each]
                    for each in tree(modules, name)
                    if each == name or not is_imported_as(each, modules[each])
                }
        self._take_away(modules)
        self.hooks.evicted(modules)
        return staying - modules.keys()

    @_under_import_lock
    def block(self, roots: tuple[str, ...]) -> None:
        """Take modules away and let nothing import them."""
        self.spans[-1].blocked.update(roots)
        modules: dict[str, Any] = {
            name: sys.modules[name] for root in roots for name in tree(sys.modules.copy(), root)
        }
        for root in roots:
            modules.setdefault(root, None)
        self._take_away(modules)
        self.refusal.begin()
        # The one way to have both `import` raise and `importlib.util.find_spec` return None:
        # https://docs.python.org/3/reference/import.html#the-module-cache
        put_modules(dict.fromkeys(roots))

    @_under_import_lock
    def block_for_run(self, names: tuple[str, ...]) -> None:
        """Let nothing import some modules, none of which is loaded, until that is over."""
        self.watcher.blocked_for_run.extend(names)
        self.refusal.begin()
        put_modules(dict.fromkeys(names))
        self.distributions.begin()

    @_under_import_lock
    def unblock_after_run(self, names: tuple[str, ...]) -> None:
        """Let modules be imported again, unless another run does without them."""
        for name in names:
            self.watcher.blocked_for_run.remove(name)
        remove_modules(
            name
            for name in names
            if not self.watcher.is_blocked(name) and sys.modules.get(name, MISSING) is None
        )
        self._end_refusal()
        if not self.watcher.blocked_for_run:
            self.distributions.end()

    def _end_refusal(self) -> None:
        """Leave it to import itself what it says, if nothing is blocked any more."""
        if not self.watcher.blocked_for_run and not any(span.blocked for span in self.spans):
            self.refusal.end()

    def import_first(self, name: str) -> None:
        """Import a module as if no sandbox were open, and keep it; whether that works is not known."""
        preserve = tuple(each for span in self.spans for each in span.preserve)
        with self.suspended(self.spans[0]):
            span = self.open(preserve)
            try:
                with self.watcher.on_behalf_of_nobody(), suppress(Exception, SystemExit):
                    _import(name)
            finally:
                self.close(span)

    @contextmanager
    def suspended(self, span: Span) -> Iterator[None]:
        """Leave a span for a while: what happens to the import state then outlives it."""
        try:
            self.put_aside(span)
            yield
        finally:
            self.take_up(span)

    def _is_known(self, root: str) -> bool:
        """Whether any of a package is preserved or in a snapshot: an import is not the first."""
        known = (self.store.modules, *(span.state.modules.saved for span in self.spans))
        return any(tree(names, root) for names in known)

    def _snapshot(self) -> ImportState:
        return self.hooks.snapshot(self.store.modules, self.attributes, self.namespace_packages)

    def _become_first(self) -> None:
        """Put the watcher before all other finders, and the other finder before the standard ones."""
        self.hooks.before_first()
        put_first(self.watcher)
        if not is_installed(self.finder):
            put_before_standard(self.finder, self._file_finders)

    def _remember_modules(self, state: ImportState) -> None:
        """Keep what is loaded outside of all sandboxes, if other finders may answer for the watcher there."""
        self._outer_modules = {} if is_first(self.watcher) else state.modules.saved

    def _look_at_new_modules(self) -> None:
        """Let the indexes look once at each module that was imported since they did last."""
        if not is_first(self.watcher):
            self._look_past_watcher()
        if self.spans:
            # Only for a sandbox inside: when the outermost has ended they are gone.
            self.watcher.not_looked_at |= self.watcher.handed_back
            self.watcher.handed_back = set()
        if self.watcher.not_looked_at:
            names, self.watcher.not_looked_at = self.watcher.not_looked_at, set()
            # A copy: another thread may be about to add a name.
            self._look_at([name for name in tuple(names) if type(name) is str])

    def _look_past_watcher(self) -> None:
        """Find out which modules were imported that the watcher was not asked for."""
        if not self.spans and not is_installed(self.watcher):
            self._become_first()
            known: Mapping[str, Any] = {}
        else:
            self._note_unseen()
            known = {} if self.spans else self._outer_modules
        self.watcher.not_looked_at.update(_differences(known, sys.modules.copy()))

    def _look_at(self, names: list[str]) -> None:
        """Let the indexes look at some modules, and forget those that are gone."""
        modules, preserved, known = sys.modules.copy(), self.store.modules, self._looked_at
        # A preserved module comes back as it was, and what is known of it while it is absent stays true.
        names = [
            name
            for name in names
            if name not in preserved or (name in modules and modules[name] is not known.get(name, MISSING))
        ]
        for index in self.indexes:
            index.look_at(names, modules)
        for name in names:
            if name in preserved and modules[name] is preserved[name]:
                known[name] = modules[name]
            else:
                known.pop(name, None)
        # What is still loading goes on to change.
        self.watcher.not_looked_at.update(name for name in names if is_loading(modules.get(name)))

    def _note_unseen(self) -> None:
        """Note in every open span what imports bound that the watcher was not asked for."""
        for span in self.spans:
            span.state.note_all_unseen()

    def _adopt(self, span: Span) -> None:
        """Leave to the outer state what belongs to it."""
        run_each([lambda: span.state.adopt(imports_in_progress() | span.imported_by_earlier_threads)])

    def _settle(self, span: Span) -> None:
        """Take care of what outlives a span; whatever a hostile object does here, the restore goes on."""
        # First: once a package of the span is preserved, it counts as one that was there before.
        run_each([partial(step, span) for step in (self._note_rearranged, self._keep, self._keep_finders)])

    def _note_rearranged(self, span: Span) -> None:
        """Note what imports bound that the watcher was not asked for, or that others were put back for."""
        if not is_first(self.watcher) or span.state.is_rearranged():
            span.state.note_all_unseen()

    def _keep(self, span: Span) -> None:
        """Preserve what must run only once of all that a span added."""
        state = span.state
        # Before the modules leave: whether an extension was loaded is known from these alone.
        added = state.modules.added()
        if not added:
            return
        state.note_unseen(added)
        names = self.store.keep(added, state.modules.saved, self._known_imports(shares=span.shares))
        for name in names:
            self.hooks.kept(name, added[name])
            if self.store.is_separate(name):
                # Not before: its package is preserved by now, which has to be without it the next time.
                for each in self.spans:
                    each.state.note_unseen([name])

    def _known_imports(self, *, shares: bool) -> Imports:
        """What is known of the imports in all open spans."""
        known = Imports(shares=shares)
        for span in self.spans:
            known.named += span.preserve
            # Copies: another thread may be about to add a name.
            known.asked.update(list(span.imported))
            known.again.update(list(span.again))
            known.hindered.update(list(span.hindered))
            known.fakes.update(span.fakes.copy())
        return known

    def _keep_finders(self, span: Span) -> None:
        """Let finders and hooks go where the package goes that remembers to have put them there."""
        for row in (span.state.meta_path, span.state.path_hooks):
            for entry, front in row.added(self.watcher, self.finder):
                name = defining_module(entry)
                module = sys.modules.get(name)
                if name in self.store and self.store.modules[name] is module:
                    self.store.keep_finder(name, row.attribute, entry, front=front)
                elif span.state.modules.saved.get(name, MISSING) is module and self.store.puts_finders_once(
                    name, span.preserve
                ):
                    row.adopt_entry(entry, front=front)

    def _take_away(self, modules: dict[str, Any]) -> None:
        """Remove modules from `sys.modules`, and from the packages that stay."""
        if not is_first(self.watcher):
            self._note_unseen()
        for name in modules:
            self.watcher.note_import(name)
        remove_modules(modules)
        for name, module in modules.items():
            unbind(name, module)


def _home_of(running: set[int], names: list[str], root: str) -> set[str]:
    """What stays of a package: the running modules in it, their own packages whole, and those around them."""
    home: set[str] = set()
    for name in names:
        if id(sys.modules[name]) in running:
            home.update((name, *parents(name)))
            package = name.rpartition(".")[0]
            # The modules beside a test are its helpers, unless the package is evicted by its own name.
            if package != root:
                home.update(tree(names, package))
    return home


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """The names that stand for other objects now, and those that are gone."""
    if list(map(id, before.values())) == list(map(id, now.values())) and len(before) == len(now):
        return set()
    changed = {name for name, module in now.items() if before.get(name, MISSING) is not module}
    return changed | (before.keys() - now.keys())


def _is_among(thread: threading.Thread, threads: list[threading.Thread]) -> bool:
    return any(each is thread for each in threads)


process: Final = Process()
"""The one that all sandboxes of this process share."""
