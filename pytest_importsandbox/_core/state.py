"""The import state: what the interpreter keeps about imports, its snapshot and its restore.

One row for each registry. A row takes its snapshot when it is made and puts it back, in place, with
`restore()`. This module, `modules` and `lazy`, which adds rows from Python 3.15 on, are the only ones
that write to `sys`.

What an import changes outside of the registries is noted while a sandbox is open, before it happens:
attributes of packages, and the namespaces of modules that are reloaded.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib.machinery import BuiltinImporter, FileFinder, FrozenImporter, PathFinder
from itertools import chain, compress, filterfalse, repeat, takewhile
from operator import call, is_, is_not, itemgetter
from types import ModuleType
from typing import Any, Final, Protocol, Self

from pytest_importsandbox._core.attributes import BindingsRow, SubmoduleAttributes
from pytest_importsandbox._core.cpython import NamespacePath, directories, is_gil_enabled
from pytest_importsandbox._core.modules import MISSING, are_same, changed_names, namespace, type_name
from pytest_importsandbox._core.names import parents, top_level
from pytest_importsandbox._core.threads import run_each


@dataclass(frozen=True)
class ImportChanges:
    """What differs between the import state and the snapshot of a sandbox.

    The values are strings, so that a report keeps no module alive. ``str()`` gives one line for
    each kind of change, and ``bool()`` tells whether there is any.
    """

    added: tuple[str, ...] = ()
    """Names that `sys.modules` did not have."""
    removed: tuple[str, ...] = ()
    """Names that `sys.modules` had and that are gone; blocked modules are among them."""
    replaced: tuple[str, ...] = ()
    """Names of `sys.modules` that stand for another object now."""
    reloaded: tuple[str, ...] = ()
    """Names of the modules that `importlib.reload` ran again."""
    path: tuple[str, ...] = ()
    """Entries that `sys.path` gained (``+``) and lost (``-``), or ``reordered``."""
    meta_path: tuple[str, ...] = ()
    """The same for the finders of `sys.meta_path`."""
    path_hooks: tuple[str, ...] = ()
    """The same for the hooks of `sys.path_hooks`."""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        lines = [
            f"{each.name}: {', '.join(getattr(self, each.name))}"
            for each in fields(self)
            if getattr(self, each.name)
        ]
        return "\n".join(lines) or "no changes"


class Index(Protocol):
    """What is known of loaded modules, so that opening a sandbox need not look at all of them."""

    def look_at(self, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Learn about some modules; names that are not among the loaded modules are forgotten."""


class Row(Protocol):
    """One registry of the import state, as it was when the row was made."""

    def restore(self) -> None:
        """Put it back; doing so twice does no harm."""

    def note_again(self, other: Self) -> None:
        """Note the places that another row noted, with the values of now."""

    def merge(self, before: Self, after: Self) -> None:
        """Make what changed elsewhere, from one row to another, part of this one."""

    def adopt(self, names: Iterable[str]) -> None:
        """Make modules that were imported in the meantime part of this row."""

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        """How this row differs from the one of the outer state, in small; None where it does not.

        The result is to be called with the outer row of a later time: it brings the difference about on
        top of that, and notes there what it changes.
        """


class PlainRow(Row):
    """A row to which most of what happens to a snapshot means nothing."""

    def note_again(self, other: Self) -> None:
        pass

    def merge(self, before: Self, after: Self) -> None:
        pass

    def adopt(self, names: Iterable[str]) -> None:
        pass

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        return partial(self._restore_on_top, outside)

    def _restore_on_top(self, before: Self, after: Self) -> None:
        """Put this row back, with what has changed outside in the meantime."""
        self.merge(before, after)
        self.restore()


def put_back(table: dict[str, Any], saved: dict[str, Any], spared: frozenset[str] = frozenset()) -> None:
    """Give a dict the contents and the order of the saved one; `spared` names stay if they are there.

    The order is left alone where Python runs without the GIL.
    A name that belongs is never absent, not even for a moment: other threads look it up meanwhile.
    So it is `update()` and then the deletion of what is new, never `clear()`.
    """
    try:
        table.update(saved)
    except Exception:
        # A key that is no str stands in the way of a name, and raises when it is compared.
        for key in [key for key in table if type(key) is not str]:
            table.pop(key)
        table.update(saved)
    order, wanted = list(table), list(saved)
    first = _first_difference(order, wanted)
    belonging = {*saved, *spared} if spared else saved
    deque(map(table.pop, filterfalse(belonging.__contains__, order[first:]), repeat(None)), maxlen=0)
    moved = wanted[first:]
    if moved and is_gil_enabled():
        _move_to_end(table, moved)


def _move_to_end(table: dict[str, Any], names: Sequence[str]) -> None:
    """Make some names the last ones; one call into C, during which no other thread runs."""
    deque(map(table.__setitem__, names, map(table.pop, names)), maxlen=0)


def _first_difference(one: Iterable[Any], other: Iterable[Any]) -> int:
    """Where two collections begin to hold different objects."""
    agree = list(map(is_, one, other))
    return agree.index(False) if False in agree else len(agree)


class ModulesRow(PlainRow):
    """`sys.modules`; `preserved` are modules that outlive a sandbox without being in its snapshot."""

    def __init__(self, preserved: Mapping[str, Any]) -> None:
        self.preserved = preserved
        self.table = sys.modules
        self.saved = sys.modules.copy()
        self.is_intact = False
        """Whether the restore finds what the snapshot has."""
        self.keeps_its_own = False
        """Whether what the sandbox imported stays in place of what the outer state has imported since."""
        self.spared: frozenset[str] = frozenset()
        """What other threads are loading, so that it may appear at any moment."""
        self.spared_packages: Collection[str] = ()
        """Top-level packages that other threads go on loading, so that nothing of them may go."""
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: the finalizer of a module can run any code."""

    def current(self) -> dict[str, Any]:
        """All modules that can be found now, those of a dict that the test bound included."""
        bound = getattr(sys, "modules", self.table)
        return self.table if bound is self.table else {**self.table, **bound}

    def changed(self) -> bool:
        """Whether anything differs from the snapshot, the order included."""
        table, saved = self.table, self.saved
        try:
            self.is_intact = (
                getattr(sys, "modules", None) is table
                # The cheapest first: after an import it is the names that differ.
                and list(table) == list(saved)
                and all(map(is_, table.values(), saved.values()))
            )
        except Exception:
            # A key that is no str can raise, and without the GIL another thread may import meanwhile.
            self.is_intact = False
        return not self.is_intact

    def added(self, *, with_preserved: bool = False) -> dict[str, Any]:
        """What was imported since: names that are new, or that stand for other objects now.

        Preserved modules are left out otherwise: after `import pandas` there are hundreds of them.
        """
        current = self.current().copy()
        # In C, and by name: one fresh import moves all that was imported after the package to another place.
        before = map(self.saved.get, current, repeat(MISSING))
        names = compress(current, map(is_not, before, current.values()))
        return {
            name: current[name]
            for name in names
            if with_preserved or self.preserved.get(name) is not current[name]
        }

    def is_rearranged(self) -> bool:
        """Whether names of the snapshot have left their places: some were taken out, and perhaps put back."""
        # By value and in C: names that are compared by identity take twice as long.
        return list(self.table)[: len(self.saved)] != list(self.saved)

    def merge(self, before: Self, after: Self) -> None:
        for name in changed_names(before.saved, after.saved):
            if not self._stays(name, before.saved.get(name, MISSING)):
                self.former.append(self.saved.get(name))
                self.saved[name] = after.saved[name]

    def _stays(self, name: str, before: object) -> bool:
        """Whether a name keeps what it stands for, although it stands for something new outside."""
        module = self.saved.get(name, MISSING)
        # A blocked module stays blocked.
        return module is None or (self.keeps_its_own and module is not MISSING and module is not before)

    def difference(self, outside: Self) -> ModulesDifference:
        inner = self.saved
        try:
            return ModulesDifference.between(outside, inner, self.keeps_its_own)
        except Exception:
            # A key that is no str can raise when it is looked up.
            inner = {name: module for name, module in inner.items() if type(name) is str}
            return ModulesDifference.between(outside, inner, self.keeps_its_own)

    def undo(self, difference: ModulesDifference) -> None:
        """Take a difference from this row out of `sys.modules`; where more differs, the restore has to do."""
        self.table.update(difference.replaced)
        self.table.update(difference.gone)
        deque(map(self.table.pop, difference.own.keys() - difference.replaced.keys()), maxlen=0)
        self.is_intact = getattr(sys, "modules", None) is self.table and list(self.table) == list(self.saved)

    def adopt(self, names: Iterable[str]) -> None:
        self.spared = self.spared.union(names)
        current = self.current()
        for name in names:
            if name in current:
                self.saved[name] = current[name]
                self.table.setdefault(name, current[name])

    def restore(self) -> None:
        if self.is_intact:
            return
        self.former += [self.table.copy(), self.current(), getattr(sys, "modules", None)]
        try:
            put_back(self.table, self.saved, self.spared)
        finally:
            if getattr(sys, "modules", None) is not self.table:
                sys.modules = self.table


@dataclass(slots=True)
class ModulesDifference:
    """What is in `sys.modules` in place of what the outer state has, and what was taken away."""

    own: dict[str, Any]
    replaced: dict[str, Any]
    """What the outer state had under names that are in `own`."""
    gone: dict[str, Any]
    """What the outer state had under names that are absent."""
    last: tuple[str, ...]
    """Names that are the last ones, and have another place in the outer state."""
    mark: str | None
    """The last name that the outer state had: what is imported there later comes after it."""
    keeps_its_own: bool
    preserved: Mapping[str, Any]
    usual: frozenset[str] = frozenset()
    """Preserved modules that many test modules import; the set is the same for all of them."""
    more: frozenset[str] = frozenset()
    """Further preserved modules."""
    fewer: frozenset[str] = frozenset()
    """Those of the usual ones that are absent."""

    @classmethod
    def between(cls, outside: ModulesRow, inner: dict[str, Any], keeps_its_own: bool) -> Self:
        """Compare two tables; most of their names and objects are the same."""
        outer = outside.saved
        before, now = list(outer), list(inner)
        gone = {}
        if now[: len(before)] == before:
            # Names that are new come last: then it is enough to look at pairs.
            names = [*compress(now, map(is_not, outer.values(), inner.values())), *now[len(before) :]]
        else:
            names = list(compress(now, map(is_not, map(outer.get, now, repeat(MISSING)), inner.values())))
            gone = {name: outer[name] for name in outer if name not in inner and name not in outside.spared}
        # What another thread is loading is no difference: taking it out now, its import would fail.
        own = {name: inner[name] for name in names if name not in outside.spared}
        replaced = {name: outer[name] for name in own if name in outer}
        last = tuple(takewhile(own.__contains__, reversed(inner))) if replaced else ()
        mark = before[-1] if before else None
        return cls(own, replaced, gone, last[::-1], mark, keeps_its_own, outside.preserved)

    def compact(self, usual: frozenset[str]) -> frozenset[str]:
        """Keep of preserved modules what differs from a set, no more; return the set for the next time."""
        names = frozenset(
            name
            for name, module in self.own.items()
            if self.preserved.get(name, MISSING) is module and name not in self.replaced
        )
        if len(names ^ usual) > len(names) / 2:
            usual = names
        self.usual, self.more, self.fewer = usual, names - usual, usual - names
        self.own = {name: module for name, module in self.own.items() if name not in names}
        self.last = tuple(name for name in self.last if name in self.own)
        return usual

    def names(self) -> set[str]:
        """The names that stand for something else than outside, or for nothing there."""
        own = (name for name in self.own if type(name) is str)
        return {*own, *(self.usual - self.fewer), *self.more}

    def pin(self, name: str, modules: Mapping[str, Any]) -> None:
        """Let a name stand for what it stands for in the sandbox, whatever becomes of it outside."""
        if name in modules:
            self.own.setdefault(name, modules[name])

    def packages(self) -> set[str]:
        """The top-level packages of all that another module stands for outside, or none."""
        return {top_level(name) for name in (*self.own, *self.gone) if type(name) is str}

    def __call__(self, outside: ModulesRow) -> None:
        """Bring it about in `sys.modules`, of which a row is the snapshot."""
        table, outer, preserved = outside.table, outside.saved, self.preserved

        def is_spared(name: object) -> bool:
            return type(name) is str and top_level(name) in outside.spared_packages

        for name in (*(self.usual - self.fewer), *self.more):
            table[name] = preserved[name]
        for name, module in self.own.items():
            same = outer.get(name, MISSING) is self.replaced.get(name, MISSING)
            if same or self.keeps_its_own or module is None:
                table[name] = module
        for name, module in self.gone.items():
            # What has been imported outside since is there for all.
            if outer.get(name, MISSING) is module and not is_spared(name):
                table.pop(name, None)
        for name in takewhile(partial(is_not, self.mark), reversed(outer)):
            if not is_spared(name):
                self._let_in(name, outer[name], table)
        if self.last and is_gil_enabled():
            _move_to_end(table, self.last)

    def _let_in(self, name: str, module: Any, table: dict[str, Any]) -> None:
        """Bring what has been imported outside together with a package that is another one here."""
        package, _, child = name.rpartition(".") if type(name) is str else ("", "", "")
        if name in self.own or not any(each in self.own for each in parents(name)):
            return
        if self.keeps_its_own:
            table.pop(name, None)
        elif (attributes := namespace(self.own.get(package))) is not None:
            # Not what `table` has: a thread that has just loaded it takes it out and puts it back.
            attributes[child] = module


class ListRow(PlainRow):
    """One of the lists `sys.path`, `sys.meta_path` and `sys.path_hooks`."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        self.table: list[Any] = getattr(sys, attribute)
        self.saved = self.table.copy()
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""

    def changes(self, ours: Iterable[object] = ()) -> tuple[str, ...]:
        """The entries that came and went; objects are named by their type, never printed."""
        current = [entry for entry in getattr(sys, self.attribute, ()) if not _contains(ours, entry)]
        saved = [entry for entry in self.saved if not _contains(ours, entry)]
        came = [entry for entry in current if not _contains(saved, entry)]
        went = [entry for entry in saved if not _contains(current, entry)]
        if not came and not went and not are_same(current, saved):
            return ("reordered",)
        return (*(f"+{type_name(each)}" for each in came), *(f"-{type_name(each)}" for each in went))

    def added(self, *ours: object) -> list[tuple[Any, bool]]:
        """The entries that came, but for ours, and whether they stand before the last of these."""
        current = list(getattr(sys, self.attribute, ()))
        last = max((number for number, each in enumerate(current) if _contains(ours, each)), default=0)
        return [
            (each, number < last)
            for number, each in enumerate(current)
            if not _contains(self.saved, each) and not _contains(ours, each)
        ]

    def adopt_entry(self, entry: object, *, front: bool) -> None:
        """Make an entry part of the saved list, behind the first one or at the end."""
        self.saved.insert(1 if front else len(self.saved), entry)

    def merge(self, before: Self, after: Self) -> None:
        self.former.append(self.saved)
        self.saved = _merged(self.saved, before.saved, after.saved)

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        return ListDifference(self.attribute, self.saved, outside.saved)

    def restore(self) -> None:
        self.former.append(self.table.copy())
        self.table[:] = self.saved
        if getattr(sys, self.attribute, None) is not self.table:
            self.former.append(getattr(sys, self.attribute, None))
            setattr(sys, self.attribute, self.table)


@dataclass(slots=True)
class ListDifference:
    """What one of the lists was in a sandbox, and what it was outside."""

    attribute: str
    inside: list[Any]
    before: list[Any]

    def __call__(self, outside: ListRow) -> None:
        """Fill the list, with what has come and gone outside in the meantime."""
        outside.table[:] = _merged(self.inside, self.before, outside.saved)

    def overlook(self) -> None:
        """Let what has come and gone outside until now be no concern of the sandbox."""
        self.before = getattr(sys, self.attribute).copy()


def _merged(mine: list[Any], old: list[Any], now: list[Any]) -> list[Any]:
    """A list with what has changed in another one from old to now."""
    if are_same(old, now):
        return mine.copy()
    kept = [each for each in mine if _contains(now, each) or not _contains(old, each)]
    new = [each for each in now if not _contains(old, each) and not _contains(kept, each)]
    stayed = [position for position, each in enumerate(now) if _contains(old, each)]
    front = [each for each in new if stayed and _position(now, each) < stayed[0]]
    back = [each for each in new if not _contains(front, each)]
    return front + kept + back


def _contains(entries: Iterable[Any], entry: object) -> bool:
    """Whether the object itself is among the entries."""
    return any(each is entry for each in entries)


def _position(entries: list[Any], entry: object) -> int:
    """Where the object itself stands among the entries."""
    return next(index for index, each in enumerate(entries) if each is entry)


class ImporterCacheRow(PlainRow):
    """`sys.path_importer_cache`: the entries that appear or change go; import makes them anew.

    A finder of the standard kind tells of its directory what the directory has, so the outer state
    may have it too; with its own list of files for each sandbox, a large directory would be costly.
    """

    def __init__(self) -> None:
        self.table = sys.path_importer_cache
        self.saved = self.table.copy()
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        own = {
            entry: finder
            for entry, finder in self.saved.items()
            if outside.saved.get(entry, MISSING) is not finder
        }
        standard = [entry for entry, finder in own.items() if finder is None or type(finder) is FileFinder]
        for entry in standard:
            outside.saved.setdefault(entry, own.pop(entry))
        return partial(self._put, own) if own else None

    @staticmethod
    def _put(own: Mapping[str, Any], outside: ImporterCacheRow) -> None:
        outside.table.update(own)

    def restore(self) -> None:
        table, saved = self.table, self.saved
        if not (are_same(table, saved) and are_same(table.values(), saved.values())):
            self.former.append(table.copy())
            for entry, finder in table.copy().items():
                if saved.get(entry, MISSING) is not finder:
                    table.pop(entry, None)
        if getattr(sys, "path_importer_cache", None) is not self.table:
            self.former.append(getattr(sys, "path_importer_cache", None))
            sys.path_importer_cache = self.table


class ReloadsRow(PlainRow):
    """The namespaces of modules that were reloaded, as noted before they ran again."""

    def __init__(self, modules: Mapping[str, Any], preserved: Mapping[str, Any]) -> None:
        self.modules = modules
        """The modules of the snapshot."""
        self.preserved = preserved
        """Modules that outlive the sandbox without being in its snapshot."""
        self.noted: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        """By the name of the module: its namespace, and a copy of that."""
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""

    def has(self, attributes: dict[str, Any]) -> bool:
        """Whether a namespace has been noted."""
        return any(noted is attributes for noted, _ in self.noted.values())

    def note(self, name: str, module: object) -> None:
        """Note the namespace of a module that outlives the sandbox; the first note counts."""
        attributes = namespace(module)
        outliving = chain(self.modules.values(), self.preserved.values())
        if attributes is not None and name not in self.noted and any(map(is_, outliving, repeat(module))):
            self.noted[name] = (attributes, attributes.copy())

    def note_again(self, other: Self) -> None:
        for name, (attributes, _) in other.noted.items():
            self.noted.setdefault(name, (attributes, attributes.copy()))

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        return partial(self._put_back, self.noted) if self.noted else None

    @staticmethod
    def _put_back(found: Mapping[str, tuple[dict[str, Any], dict[str, Any]]], outside: ReloadsRow) -> None:
        """Give namespaces the contents that they had."""
        for name, (attributes, saved) in found.items():
            outside.noted.setdefault(name, (attributes, attributes.copy()))
            put_back(attributes, saved)

    def restore(self) -> None:
        if self.noted:
            self.former += [attributes.copy() for attributes, _ in self.noted.values()]
            run_each([partial(put_back, *noted) for noted in self.noted.values()])


class NamespacePackages:
    """The namespace packages that are loaded."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, Any]] = {}

    def look_at(self, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember which of some modules are namespace packages."""
        for name in names:
            attributes = namespace(modules.get(name)) or {}
            if type(attributes.get("__path__")) is NamespacePath:
                self._namespaces[name] = attributes
            else:
                self._namespaces.pop(name, None)

    def items(self) -> list[tuple[str, dict[str, Any]]]:
        """The name and the attributes of each of them."""
        return list(self._namespaces.items())


_SavedPath = tuple[dict[str, Any], Any, dict[str, Any], list[str]]


class NamespacePathsRow(PlainRow):
    """The search paths of namespace packages, which import extends and recomputes."""

    def __init__(self, packages: NamespacePackages) -> None:
        self.saved: list[_SavedPath] = []
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""
        for name, attributes in packages.items():
            path: Any = attributes.get("__path__")
            if name in sys.modules and type(path) is NamespacePath:
                self.saved.append((attributes, path, path.__dict__.copy(), directories(path).copy()))

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        before = {id(attributes): (path, locations) for attributes, path, _, locations in outside.saved}
        # What else there is of a path follows from the directories that it was made of.
        found = [
            each
            for each in self.saved
            if (other := before.get(id(each[0]))) is not None
            and not (other[0] is each[1] and _same_directories(other[1], each[3]))
        ]
        return partial(self._put, found) if found else None

    @staticmethod
    def _put(found: Iterable[_SavedPath], outside: NamespacePathsRow) -> None:
        """Give search paths the contents that they had."""
        for attributes, path, saved, locations in found:
            outside.former += [attributes.get("__path__"), path.__dict__.copy()]
            attributes["__path__"] = path
            path.__dict__.update(saved)
            directories(path)[:] = locations

    def restore(self) -> None:
        self._put(self.saved, self)


def _same_directories(one: list[Any], other: list[Any]) -> bool:
    """Whether two search paths have the same entries; foreign objects are not compared."""
    return len(one) == len(other) and all(
        left is right or (type(left) is type(right) is str and left == right)
        for left, right in zip(one, other, strict=True)
    )


Value = tuple[Callable[[], Any], Callable[[Any], object]]
"""What tells a value of the interpreter, and what sets it."""


def attribute_of(holder: Any, name: str) -> Value:
    """An attribute that the interpreter's own classes and modules have, or lack."""
    return partial(vars(holder).get, name, MISSING), partial(_set_attribute, holder, name)


def _set_attribute(holder: Any, name: str, value: Any) -> None:
    if value is MISSING:
        delattr(holder, name)
    else:
        setattr(holder, name, value)


# What importlib asks finders for, https://docs.python.org/3/library/importlib.html#module-importlib.abc,
# and importlib.metadata, https://docs.python.org/3/library/importlib.metadata.html#extending-the-search-algorithm.
# importlib_metadata deletes one of them when it is imported.
FINDER_METHODS: Final = {
    f"{finder.__name__}.{name}": attribute_of(finder, name)
    for finder in (BuiltinImporter, FrozenImporter, PathFinder, FileFinder)
    for name in ("find_spec", "invalidate_caches", "find_distributions")
}


class ValuesRow(PlainRow):
    """Values that are replaced as a whole: settings, and attributes of the interpreter's own objects."""

    def __init__(self, values: Collection[Value]) -> None:
        self.values = values
        self.saved = self.current()
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""

    def current(self) -> list[Any]:
        """The values of now."""
        # In C: it is done twice for each sandbox.
        return list(map(call, map(itemgetter(0), self.values)))

    def merge(self, before: Self, after: Self) -> None:
        self.former.append(self.saved)
        self.saved = [
            mine if new is old else new
            for mine, old, new in zip(self.saved, before.saved, after.saved, strict=True)
        ]

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        return None if are_same(self.saved, outside.saved) else super().difference(outside)

    def restore(self) -> None:
        current = self.current()
        if are_same(current, self.saved):
            return
        self.former.append(current)
        for (_, put), now, value in zip(self.values, current, self.saved, strict=True):
            if now is not value:
                put(value)


Difference = tuple[Callable[[Any], None] | None, ...]
"""How one import state differs from another one, row by row."""


class ImportState:
    """A snapshot of the import state, row by row, and its restore.

    `preserved` are modules that outlive a sandbox without being in its snapshot.
    """

    def __init__(
        self,
        preserved: Mapping[str, Any],
        attributes: SubmoduleAttributes,
        namespace_packages: NamespacePackages,
    ) -> None:
        self.attributes = attributes
        self.modules = ModulesRow(preserved)
        self.path = ListRow("path")
        self.meta_path = ListRow("meta_path")
        self.path_hooks = ListRow("path_hooks")
        self.importer_cache = ImporterCacheRow()
        self.namespace_paths = NamespacePathsRow(namespace_packages)
        self.finder_methods = ValuesRow(FINDER_METHODS.values())
        self.reloads = ReloadsRow(self.modules.saved, preserved)
        self.bindings = BindingsRow(self.modules.saved, preserved, attributes, self.reloads.has)
        # Their order is the one of the restore.
        self.rows: tuple[Row, ...] = (
            self.modules,
            # The reverse of how they were noted: what a reload set may have been bound before.
            self.reloads,
            self.bindings,
            self.path,
            self.meta_path,
            self.path_hooks,
            self.importer_cache,
            self.finder_methods,
            self.namespace_paths,
        )

    def note_import(self, name: str, target: ModuleType | None = None) -> None:
        """Note what the import of a module is about to change; `target` is the module to reload."""
        self.bindings.note(name)
        if target is not None:
            self.reloads.note(name, target)

    def note_unseen(self, names: Iterable[str]) -> None:
        """Note what imports bound that went past the watcher, of some modules."""
        self.bindings.note_unseen(names)

    def note_all_unseen(self) -> None:
        """The same wherever it was; what was put back in `sys.modules` shows in the packages alone."""
        # The index looks at nothing of a span that is not noted there: it knows what was before. What was
        # imported outside while a span was aside it has looked at, so that this stays, blocked inside or not.
        changed = (name for name, _, _ in self.attributes.changes())
        names = (*self.modules.added(with_preserved=True), *changed)
        # A package of the span itself, which may have been preserved since, is to stay whole.
        self.bindings.note_unseen(
            name for name in names if type(name) is str and name.rpartition(".")[0] in self.modules.saved
        )

    def is_rearranged(self) -> bool:
        """Whether modules of the snapshot were taken out of `sys.modules`, and perhaps put back."""
        return self.modules.is_rearranged() or self._is_last_rebound()

    def _is_last_rebound(self) -> bool:
        """Whether the last module was taken out and put back: its place tells nothing, its package does."""
        last: Any = next(reversed(self.modules.saved), None)
        return type(last) is str and self.attributes.has_changed(last)

    def note_again(self, other: ImportState) -> None:
        """Note all places that another snapshot noted, with the values of now."""
        for row, others in zip(self.rows, other.rows, strict=True):
            row.note_again(others)

    def difference(self, outside: ImportState) -> Difference:
        """How this snapshot differs from the one of the outer state, row by row, in small."""
        return tuple(row.difference(other) for row, other in zip(self.rows, outside.rows, strict=True))

    def apply(self, difference: Difference) -> None:
        """Bring a difference about on top of this snapshot, which is of the outer state of now."""
        pairs = zip(self.rows, difference, strict=True)
        run_each([partial(differ, row) for row, differ in pairs if differ is not None])

    def merge(self, before: ImportState, after: ImportState) -> None:
        """Make what changed from one snapshot to another part of this one."""
        for row, old, new in zip(self.rows, before.rows, after.rows, strict=True):
            row.merge(old, new)

    def adopt(self, names: Iterable[str]) -> None:
        """Make modules that were imported in the meantime part of the snapshot, parents included."""
        found = {each for name in names for each in (name, *parents(name))}
        new = [name for name in found if name not in self.modules.saved]
        for row in self.rows:
            row.adopt(new)

    def changed(self) -> bool:
        """Whether modules came, went, moved or were replaced."""
        return self.modules.changed() or self._is_last_rebound()

    def changes(self, blocked: Callable[[str], bool], finders: Iterable[object]) -> ImportChanges:
        """How the import state of now differs from the snapshot, but for some finders."""
        saved, current = self.modules.saved, self.modules.current().copy()

        def gone(name: str) -> bool:
            return name not in current or (current[name] is None and blocked(name))

        names = [name for name in current if type(name) is str and not gone(name)]
        return ImportChanges(
            added=tuple(name for name in names if name not in saved),
            removed=tuple(name for name in saved if type(name) is str and gone(name)),
            replaced=tuple(name for name in names if name in saved and saved[name] is not current[name]),
            reloaded=tuple(self.reloads.noted),
            path=self.path.changes(),
            meta_path=self.meta_path.changes(finders),
            path_hooks=self.path_hooks.changes(),
        )

    def restore(self) -> None:
        """Put everything back, whatever part of it fails; an interrupt is raised when all is in place."""
        run_each([row.restore for row in self.rows])
