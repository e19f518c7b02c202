"""Leaks: what differs between two import states that later code can trip over.

A plain first import is none, nor is what it does while it runs: it may put a finder on `sys.meta_path` or
aliases into `sys.modules`. So a recorder notes what imports do themselves. The watcher tells it when one
begins; it has ended when the import system drops the lock that it holds for the module.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, pairwise, repeat
from operator import call, is_, is_not, itemgetter
from types import FunctionType, ModuleType
from typing import Any, Final

from pytest_importsandbox._core.cpython import directories
from pytest_importsandbox._core.modules import (
    MISSING,
    is_imported_as,
    is_module,
    is_standard,
    namespace,
    spec_of,
)
from pytest_importsandbox._core.names import in_tree, parents, top_level
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.state import FINDER_METHODS, ValuesRow
from pytest_importsandbox._core.threads import OutermostImports

KINDS: Final = ("modules", "path", "meta_path", "path_hooks", "finder", "reload", "attribute")
_LISTS: Final = ("path", "meta_path", "path_hooks")
_METHOD_NAMES: Final = list(FINDER_METHODS)
_ORDER: Final = object()
"""Stands for the order of a list that has the same entries as before."""


class Change:
    """One place of the import state and the objects that it held before and holds now.

    :param kind: One of `KINDS`.
    :param name: What the place is called: of a module, of an entry, of a method, of an attribute.
    :param key: What tells it from the other places of its kind.
    :param submodules: How many submodules changed along with a module.
    """

    def __init__(
        self, kind: str, name: str, key: object, was: object, now: object, submodules: int = 0
    ) -> None:
        self.kind = kind
        self.name = name
        self.key = key
        self.submodules = submodules
        self._was: Callable[[], Any] = partial(_identity, was)
        self._now: Callable[[], Any] = partial(_identity, now)

    @property
    def is_order(self) -> bool:
        """Whether the entries of a list are the same as before, in another order."""
        return self.key is _ORDER

    @property
    def has_come(self) -> bool:
        """Whether a list has an entry more often than before."""
        return not self.is_order and bool(self.now > self.was)

    @property
    def was(self) -> Any:
        """What was there before; for the entries of a list, how many times it was."""
        return self._was()

    @property
    def now(self) -> Any:
        """What is there now."""
        return self._now()

    def without_modules(self) -> Change:
        """The same change, which keeps no module alive: tests look whether theirs are collected."""
        if is_module(self.was):
            self._was = partial(_living, weakref.ref(self.was))
        if is_module(self.now):
            self._now = partial(_living, weakref.ref(self.now))
        return self


def _identity(value: object) -> object:
    return value


def _living(reference: weakref.ref[Any]) -> object:
    """A module, or what is identical with nothing if it is gone."""
    module = reference()
    return object() if module is None else module


class Picture:
    """The import state at one moment."""

    __slots__ = ("is_temporary", "lists", "methods", "modules")

    def __init__(self) -> None:
        modules: dict[str, Any] = getattr(sys, "modules", {})
        self.modules = modules.copy()
        self.lists: dict[str, list[Any]] = {name: list(getattr(sys, name, ())) for name in _LISTS}
        self.methods = ValuesRow(FINDER_METHODS.values()).saved
        self.is_temporary = bool(process.spans)
        """Whether a sandbox is open that will undo what is done now."""

    def value(self, change: Change) -> Any:
        """What the place of a change holds in this picture; those of an attribute are looked up now."""
        if change.kind == "attribute":
            package, _, child = change.name.rpartition(".")
            return (namespace(self.modules.get(package)) or {}).get(child, MISSING)
        if change.kind == "reload":
            return change.now
        if change.kind == "modules":
            return self.modules.get(change.name, MISSING)
        if change.kind == "finder":
            return self.methods[_METHOD_NAMES.index(change.name)]
        entries = _foreign(self.lists[change.kind])
        if not change.is_order:
            return _counted(entries)[change.key]
        return change.now if _are_same(entries, change.now) else MISSING

    def seems_current(self) -> bool:
        """Whether nothing has changed since, as far as a glance tells."""
        modules: dict[str, Any] = getattr(sys, "modules", {})
        lists = (getattr(sys, name, ()) for name in _LISTS)
        return _seem_same(modules, self.modules) and all(map(_are_same, lists, self.lists.values()))

    def seems_same(self, other: Picture) -> bool:
        """The same of two pictures."""
        same = _seem_same(self.modules, other.modules)
        return same and all(map(_are_same, self.lists.values(), other.lists.values()))

    def is_same(self, other: Picture) -> bool:
        """Whether nothing has changed from one picture to the other."""
        return (
            self.seems_same(other)
            and all(map(is_, self.modules.values(), other.modules.values()))
            and _are_same(self.methods, other.methods)
        )


def _seem_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two dicts have as many names; one that came in place of another is the last."""
    return len(one) == len(other) and _last(one) == _last(other)


def _last(modules: dict[str, Any]) -> str | None:
    """The name that came last; a test may have emptied `sys.modules`, or have used what is no name."""
    name = next(reversed(modules), None)
    return name if type(name) is str else None


def _are_same(one: Collection[Any], other: Collection[Any]) -> bool:
    """Whether two collections hold the same objects in the same order."""
    return len(one) == len(other) and all(map(is_, one, other))


def differences(before: Picture, after: Picture) -> list[Change]:
    """Every place of the registries that has changed."""
    if before.is_same(after):
        return []
    return [
        *_changed_modules(before.modules, after.modules),
        *chain.from_iterable(_changed_entries(name, before, after) for name in _LISTS),
        *_changed_finders(before, after),
    ]


def _changed_modules(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    old = map(before.get, after, repeat(MISSING))
    changed = compress(after.items(), map(is_not, after.values(), old))
    for name, module in changed:
        if type(name) is str:
            yield Change("modules", name, name, before.get(name, MISSING), module)
    for name in before.keys() - after.keys():
        if type(name) is str:
            yield Change("modules", name, name, before[name], MISSING)


def _changed_entries(kind: str, before: Picture, after: Picture) -> Iterator[Change]:
    """The entries of one list that came and went, or its new order."""
    if _are_same(before.lists[kind], after.lists[kind]):
        return
    old, new = _foreign(before.lists[kind]), _foreign(after.lists[kind])
    were, are = _counted(old), _counted(new)
    entries = {_key_of(entry): entry for entry in (*old, *new)}
    changed = [key for key in entries if were[key] != are[key]]
    for key in changed:
        yield Change(kind, type_name(entries[key]), key, were[key], are[key])
    if not changed and list(map(_key_of, old)) != list(map(_key_of, new)):
        yield Change(kind, type_name(_moved(old, new)), _ORDER, old, new)


def _foreign(entries: Iterable[Any]) -> list[Any]:
    """The entries of a list that are not finders of this package."""
    return [
        entry for entry in entries if not in_tree(str(_defined_in(type(entry))), ("pytest_importsandbox",))
    ]


def _key_of(entry: object) -> object:
    """What tells an entry from others: a path itself, any other object by its identity."""
    return entry if type(entry) is str else id(entry)


def _counted(entries: Iterable[object]) -> Counter[object]:
    return Counter(map(_key_of, entries))


def _moved(old: list[Any], new: list[Any]) -> object:
    """An entry that stands elsewhere now: the one whose place has changed most."""
    places = {_key_of(entry): place for place, entry in enumerate(old)}
    distances = [abs(place - places[_key_of(entry)]) for place, entry in enumerate(new)]
    return new[distances.index(max(distances))]


def _changed_finders(before: Picture, after: Picture) -> Iterator[Change]:
    """The methods of the standard finders that have changed."""
    for name, was, now in zip(_METHOD_NAMES, before.methods, after.methods, strict=True):
        if was is not now:
            yield Change("finder", name, name, was, now)


def type_name(entry: object) -> str:
    """A name for a foreign object that calls none of its code; a text is its own name."""
    if type(entry) is str:
        return entry
    if issubclass(type(entry), FunctionType):
        return str(object.__getattribute__(entry, "__qualname__"))
    shown = entry if issubclass(type(entry), type) else type(entry)
    return str(type.__getattribute__(shown, "__qualname__"))


def _defined_in(kind: type) -> object:
    """The module that a class says it is from."""
    with suppress(Exception):
        return type.__getattribute__(kind, "__module__")
    return None


class Attributes:
    """What packages have under the names of their loaded submodules, as it was when looked at last."""

    def __init__(self) -> None:
        self._children: dict[str, list[str]] = {}
        self._namespaces: list[dict[str, Any]] = []
        self._getters: list[Callable[[dict[str, Any]], tuple[Any, ...]]] = []
        self._values: list[Any] = []

    def look(self) -> None:
        """Remember what there is now."""
        modules: dict[str, Any] = sys.modules.copy()
        found: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for name in modules:
            package, _, child = name.rpartition(".") if type(name) is str else ("", "", "")
            attributes = namespace(modules.get(package)) if package else None
            if attributes is not None and child in attributes:
                found.setdefault(package, (attributes, []))[1].append(child)
        self._children = {package: children for package, (_, children) in found.items()}
        self._namespaces = [attributes for attributes, _ in found.values()]
        # With a single name it would be no tuple.
        self._getters = [itemgetter(children[0], *children) for _, children in found.values()]
        self._values = list(chain.from_iterable(map(call, self._getters, self._namespaces)))

    def changes(self) -> list[Change]:
        """What has changed since the last look; the next comparison starts from here."""
        with suppress(KeyError):
            now = chain.from_iterable(map(call, self._getters, self._namespaces))
            if all(map(is_, now, self._values)):
                return []
        return list(self._compare())

    def _compare(self) -> Iterator[Change]:
        values: list[Any] = []
        old = iter(self._values)
        for (package, children), attributes in zip(self._children.items(), self._namespaces, strict=True):
            for child, number in zip((children[0], *children), range(len(children) + 1), strict=True):
                was, now = next(old), attributes.get(child, MISSING)
                values.append(now)
                if was is not now and number:
                    yield Change("attribute", f"{package}.{child}", f"{package}.{child}", was, now)
        self._values = values


@dataclass(slots=True, eq=False)
class Reload:
    """A module that `importlib.reload` ran again, and what its names were bound to before."""

    name: str
    module: ModuleType
    attributes: dict[str, Any]
    by: object
    """Who did it."""

    def changed(self) -> int:
        """How many names are bound to other objects now, those of the import system aside."""
        now = namespace(self.module) or {}
        return sum(
            now.get(name, MISSING) is not value
            for name, value in self.attributes.items()
            if not (name.startswith("__") and name.endswith("__"))
        )


class ImportRecorder:
    """Notes what imports do themselves, and which modules are reloaded.

    `is_suspect` tells of a name whether its module is judged like any other code and not taken for a
    library: a test file.
    """

    def __init__(self, is_suspect: Callable[[str], bool]) -> None:
        self._is_suspect = is_suspect
        self._running = OutermostImports()
        self.by: object = None
        """Who is running at present."""
        self.changes: list[Change] = []
        """What imports changed, in order."""
        self.reloads: list[Reload] = []
        self.asked: list[str] = []
        """The names that finders were asked for."""

    def begin(self) -> None:
        """Forget what was noted, and note from now on."""
        self._running.forget()
        self.changes, self.reloads, self.asked = [], [], []

    def __call__(self, name: str, target: ModuleType | None) -> None:
        """Be told by the watcher that the import or reload of a module begins."""
        self.asked.append(name)
        if self._running.is_one_going_on():
            return
        if target is not None:
            self._note_reload(name, target)
        elif not self._is_suspect(name):
            self._running.follow(name, self._begin)

    def _note_reload(self, name: str, module: ModuleType) -> None:
        attributes = namespace(module)
        is_noted = any(each.module is module for each in self.reloads)
        if attributes is not None and not is_noted and not process.spans:
            self.reloads.append(Reload(name, module, attributes.copy(), self.by))

    def _begin(self) -> Callable[[], None]:
        return partial(self._end, Picture())

    def _end(self, before: Picture) -> None:
        """Note what an import has changed, now that it is over."""
        self.changes += (change.without_modules() for change in differences(before, Picture()))


def leaks(
    changes: Iterable[Change],
    imports: Sequence[Change],
    is_temporary: Callable[[str], bool],
) -> list[Change]:
    """Those changes of the registries that imports did not make themselves.

    :param imports: What imports changed in the meantime.
    :param is_temporary: Whether a path is in a temporary directory.
    """
    found = [
        change
        for change in changes
        if (not _is_by_import(change, imports) or _is_from(change.now, is_temporary))
        # It leaves by itself, together with what it stands for.
        and weakref.ProxyType not in (type(change.was), type(change.now))
    ]
    return _with_submodules_counted(found)


def _is_by_import(change: Change, imports: Sequence[Change]) -> bool:
    """Whether imports made a change themselves."""
    noted = [each for each in imports if each.kind == change.kind and each.key == change.key]
    if change.kind not in ("modules", "finder"):
        if change.is_order:
            return bool(noted)
        return any(each.has_come is change.has_come for each in noted)
    value = change.was
    for each in noted:
        if each.was is value:
            value = each.now
    if value is change.now:
        return True
    if change.was is not MISSING or change.kind != "modules":
        return False
    return any(each.now is change.now for each in noted) or is_imported_as(change.name, change.now)


def _is_from(module: object, is_temporary: Callable[[str], bool]) -> bool:
    """Whether a module comes from a temporary directory."""
    return is_module(module) and any(map(is_temporary, locations(module)))


def locations(module: object) -> list[str]:
    """Where a module comes from: its file, or the directories of a namespace package."""
    origin = spec_of(module).get("origin")
    if type(origin) is str:
        return [origin] if os.sep in origin else []
    paths = spec_of(module).get("submodule_search_locations")
    entries = paths if type(paths) is list else directories(paths)
    return [entry for entry in entries if type(entry) is str]


def _with_submodules_counted(found: list[Change]) -> list[Change]:
    """One change for a package and the submodules that changed along with it, in the same way."""
    packages = {change.name: _way(change) for change in found if change.kind == "modules"}
    kept: list[Change] = []
    along: Counter[str] = Counter()
    for change in found:
        package = _outermost(change, packages) if change.kind == "modules" else change.name
        if package == change.name:
            kept.append(change)
        else:
            along[package] += 1
    return [
        Change(each.kind, each.name, each.key, each.was, each.now, along[each.name])
        if each.kind == "modules" and along[each.name]
        else each
        for each in kept
    ]


def _way(change: Change) -> tuple[bool, bool, bool]:
    """In which way a module has changed."""
    return (
        change.was is MISSING,
        change.now is MISSING,
        is_imported_as(change.name, change.now),
    )


def _outermost(change: Change, packages: Mapping[str, tuple[bool, bool, bool]]) -> str:
    """The outermost package that has changed in the same way."""
    found = change.name
    for package in parents(change.name):
        if packages.get(package) == _way(change):
            found = package
    return found


def attribute_leaks(
    changes: Iterable[Change],
    before: Picture,
    after: Picture,
    imports: Sequence[Change],
    is_runner: Callable[[str], bool],
) -> list[Change]:
    """The changes of attributes of packages that leave what import had not put there.

    :param is_runner: Whether a top-level package belongs to those that run the tests.
    """
    loaded = {each.name for each in imports if each.kind == "modules" and each.was is MISSING}
    found = [
        change
        for change in changes
        if not _goes_with_module(change, before, after)
        and not _is_defined_by_class(change.name, after)
        and not _comes_from(change.now, loaded)
    ]
    found += (
        change
        for change in _bound_to_new(imports, before, after)
        if not is_standard(change.now) and not is_runner(top_level(change.name))
    )
    return found


def _goes_with_module(change: Change, before: Picture, after: Picture) -> bool:
    """Whether the module itself has changed likewise."""
    was, now = (each.modules.get(change.name, MISSING) for each in (before, after))
    return was is not now and now is change.now


def _is_defined_by_class(name: str, after: Picture) -> bool:
    """Whether the class of the package defines the attribute, as that of `six.moves` does."""
    package, _, child = name.rpartition(".")
    kind = type(after.modules.get(package))
    return kind is not ModuleType and any(child in vars(each) for each in kind.__mro__)


def _comes_from(value: object, names: set[str]) -> bool:
    """Whether an object is, or is defined in, one of some modules."""
    module = spec_of(value).get("name") if is_module(value) else _module_of(value)
    return type(module) is str and module in names


def _module_of(value: object) -> object:
    """The module that a class, a function or the class of an object is from."""
    if type(value) is FunctionType:
        return object.__getattribute__(value, "__module__")
    return _defined_in(value if issubclass(type(value), type) else type(value))  # type: ignore[arg-type]


def _bound_to_new(imports: Sequence[Change], before: Picture, after: Picture) -> Iterator[Change]:
    """Where older packages have, under the name of a new submodule, what `sys.modules` does not have."""
    for each in imports:
        package, _, child = each.name.rpartition(".")
        if each.kind != "modules" or each.name in before.modules or package not in before.modules:
            continue
        value = (namespace(after.modules.get(package)) or {}).get(child, MISSING)
        entry = after.modules.get(each.name, MISSING)
        # A package may well put something of its own under the name.
        is_stale = entry is MISSING and value is each.now and is_module(value)
        is_other = entry is each.now is not value and value is not MISSING
        if is_stale or (is_other and _is_strange(value, top_level(package))):
            yield Change("attribute", each.name, each.name, MISSING, value)


def _is_strange(value: object, package: str) -> bool:
    """Whether an object is neither built in nor of a package."""
    module = spec_of(value).get("name") if is_module(value) else _module_of(value)
    return not in_tree(str(module), (package, "builtins"))


def reload_leaks(reloads: Iterable[Reload], before: Picture) -> list[tuple[Change, object]]:
    """The reloads of modules that were there before, each with who did it."""
    return [
        (Change("reload", each.name, each.name, 0, count), each.by)
        for each in reloads
        if before.modules.get(each.name) is each.module and (count := each.changed())
    ]


def author(change: Change, timeline: Sequence[tuple[object, Picture]]) -> object:
    """Who gave a place the object that it holds now; None if a sandbox is to undo it, or has undone it.

    :param timeline: Pictures in the order of time, each with who ran until it was taken.
    """
    # Where a sandbox is in place at one end, what was done while it was put aside outlives it.
    is_undone = timeline[0][1].is_temporary or timeline[-1][1].is_temporary
    for (_, start), (by, end) in reversed(list(pairwise(timeline))):
        if end.value(change) is change.now and start.value(change) is not change.now:
            return None if is_undone and (start.is_temporary or end.is_temporary) else by
    return None
