"""The kinds of leaks: what later code can trip over, one class for each.

A new kind is a class here and its entry in `KINDS`; pictures, comparisons and reports are loops over them.

A plain first import is no leak, nor is what it does while it runs: it may put a finder on `sys.meta_path` or
aliases into `sys.modules`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import compress, repeat
from operator import is_, is_not
from pathlib import Path
from typing import Any, Final

from pytest_importsandbox._core.modules import (
    MISSING,
    are_same,
    class_defines,
    defining_module,
    is_imported_as,
    is_module,
    is_standard,
    namespace,
    spec_of,
    type_name,
)
from pytest_importsandbox._core.names import in_tree, parents, top_level
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.state import FINDER_METHODS, ValuesRow
from pytest_importsandbox._leaks.changes import TEST, By, Change, Kind, Period, Picture, Run, worded
from pytest_importsandbox._leaks.lookups import Lookups, locations


class Modules(Kind):
    """An entry of `sys.modules`."""

    name = "modules"

    # Not by `ModulesRow`, which needs the name: a test may have deleted it, and is compared all the same.
    def current(self) -> dict[str, Any]:
        found: dict[str, Any] = getattr(sys, "modules", {})
        return found

    def seems_same(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        """Whether there are as many names; one that came in place of another is the last."""
        return len(one) == len(other) and next(reversed(one), None) is next(reversed(other), None)

    def changes(self, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
        # The cheapest first, and in C: mostly nothing has changed, among thousands of names.
        if self.seems_same(before, after) and all(map(is_, before.values(), after.values())):
            return
        old = map(before.get, after, repeat(MISSING))
        changed = [*compress(after, map(is_not, after.values(), old)), *(before.keys() - after.keys())]
        for name in changed:
            # A test may use what is no name.
            if type(name) is str:
                yield Change(self, name, name, before.get(name, MISSING), after.get(name, MISSING))

    def value(self, change: Change, picture: Picture) -> Any:
        return picture[self].get(change.name, MISSING)

    def is_by_import(self, change: Change, period: Period) -> bool:
        if is_module(change.now) and any(map(period.run.is_temporary, locations(change.now))):
            # Its file will be gone.
            return False
        if super().is_by_import(change, period):
            return True
        return change.was is MISSING and (
            any(each.now is change.now for each in period.imports_of(change))
            or is_imported_as(change.name, change.now)
        )

    def is_by_pytest(self, change: Change, file: Path, run: Run) -> bool:
        # https://docs.pytest.org/en/stable/explanation/pythonpath.html: all conftest files share a name.
        if run.is_plugin(change.was):
            return True
        doc = (namespace(change.now) or {}).get("__doc__")
        return type(doc) is str and doc.startswith("Empty module created by pytest")

    def joined(self, changes: list[Change]) -> list[Change]:
        """One change for a package and the submodules that changed along with it, in the same way."""
        packages = {change.name: change for change in changes}
        kept = []
        for change in changes:
            along = [
                packages[each]
                for each in parents(change.name)
                if each in packages and _way(packages[each]) == _way(change)
            ]
            if along:
                # The last one is the outermost.
                along[-1].submodules += 1
            else:
                kept.append(change)
        return kept

    def words(self, change: Change) -> str:
        text = worded(f"sys.modules[{change.name!r}]", change)
        if change.submodules:
            text += f", with {change.submodules} of its submodules"
        if change.was is MISSING and is_imported_as(change.name, change.now):
            text += f" from a temporary directory, {', '.join(locations(change.now))}"
        return text

    def remedy(self, change: Change) -> str:
        if not is_imported_as(change.name, change.now) and change.now is not MISSING:
            return f"monkeypatch.setitem(sys.modules, {change.name!r}, ...)"
        if change.was is MISSING:
            return "write it with temp_package, or mark the test with isolated_imports"
        return f"mark the test with isolated_imports, or use fresh_import({change.name!r})"


def _way(change: Change) -> tuple[bool, bool, bool]:
    """In which way a module has changed."""
    return change.was is MISSING, change.now is MISSING, is_imported_as(change.name, change.now)


_ORDER: Final = object()
"""Stands for the order of a list that has the same entries as before."""


class Entries(Kind):
    """An entry of a list of `sys`, or the order of its entries.

    Of an entry it is compared how many times the list has it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    # Not by `ListRow`, which needs the name and a list: a test may have left neither.
    def current(self) -> Collection[Any]:
        found: Collection[Any] = getattr(sys, self.name, ())
        return found

    def changes(self, before: list[Any], after: list[Any]) -> Iterator[Change]:
        if are_same(before, after):
            return
        old, new = _foreign(before), _foreign(after)
        were, are = _counted(old), _counted(new)
        entries = {_key_of(entry): entry for entry in (*old, *new)}
        changed = [key for key in entries if were[key] != are[key]]
        for key in changed:
            yield Change(self, type_name(entries[key]), key, were[key], are[key])
        if not changed and list(map(_key_of, old)) != list(map(_key_of, new)):
            yield Change(self, type_name(_moved(old, new)), _ORDER, old, new)

    def value(self, change: Change, picture: Picture) -> Any:
        entries = _foreign(picture[self])
        return entries if change.key is _ORDER else _counted(entries)[change.key]

    def is_same(self, one: Any, other: Any) -> bool:
        # Counts are values of ours: two equal ones above 256 are not one object.
        return are_same(one, other) if type(one) is list else one == other

    def is_by_import(self, change: Change, period: Period) -> bool:
        noted = period.imports_of(change)
        if change.key is _ORDER:
            return bool(noted)
        return any(_has_come(each) is _has_come(change) for each in noted)

    def words(self, change: Change) -> str:
        entry = self.shown(change)
        if change.key is _ORDER:
            return f"sys.{self.name} has another order: {entry} has moved"
        return f"sys.{self.name} has {'gained' if _has_come(change) else 'lost'} {entry}"

    def is_met(self, change: Change, lookups: Lookups) -> bool:
        return bool(lookups)

    def shown(self, change: Change) -> str:
        """How the entry is called in a sentence."""
        return change.name


class SearchPath(Entries):
    """The same of `sys.path`, whose entries are texts or, rarely, objects."""

    def is_by_pytest(self, change: Change, file: Path, run: Run) -> bool:
        return _has_come(change) and change.name in map(str, run.roots(file))

    def shown(self, change: Change) -> str:
        return change.name if type(change.key) is int else repr(change.name)

    def remedy(self, change: Change) -> str:
        if _has_come(change):
            return f"monkeypatch.syspath_prepend({change.name!r})"
        return super().remedy(change)

    def is_met(self, change: Change, lookups: Lookups) -> bool:
        return lookups.found_in(change.name)


def _has_come(change: Change) -> bool:
    """Whether a list has an entry more often than before."""
    return change.key is not _ORDER and bool(change.now > change.was)


def _foreign(entries: Iterable[Any]) -> list[Any]:
    """The entries of a list that are not finders of this package."""
    return [
        entry for entry in entries if not in_tree(defining_module(type(entry)), ("pytest_importsandbox",))
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


class FinderMethods(Kind):
    """A method of a standard finder."""

    name = "finder_methods"
    _NAMES: Final = list(FINDER_METHODS)

    def current(self) -> list[Any]:
        return ValuesRow(FINDER_METHODS.values()).saved

    def changes(self, before: list[Any], after: list[Any]) -> Iterator[Change]:
        for name, was, now in zip(self._NAMES, before, after, strict=True):
            if was is not now:
                yield Change(self, name, name, was, now)

    def value(self, change: Change, picture: Picture) -> Any:
        return picture[self][self._NAMES.index(change.name)]

    def is_met(self, change: Change, lookups: Lookups) -> bool:
        return bool(lookups)


class Reloaded(Kind):
    """A module that was there before and that `importlib.reload` ran again; no picture shows that."""

    name = "reload"

    def leaks(self, changes: Iterable[Change], period: Period) -> Iterator[tuple[By, Change]]:
        for by, name, module, attributes in period.reloads:
            count = _bound_anew(namespace(module) or {}, attributes)
            if by is not None and count and period.before[MODULES].get(name) is module:
                yield by, Change(self, name, name, 0, count)

    def is_same(self, one: int, other: int) -> bool:
        return one == other

    def words(self, change: Change) -> str:
        return f"{change.name} was reloaded: {change.now} of its names are bound to other objects"


def _bound_anew(now: Mapping[str, Any], before: Mapping[str, Any]) -> int:
    """How many names are bound to other objects now, those of the import system aside."""
    return sum(
        now.get(name, MISSING) is not value
        for name, value in before.items()
        if not (name.startswith("__") and name.endswith("__"))
    )


class Attribute(Kind):
    """An attribute of a package that is not what import had put under the name of a submodule.

    Pictures do not show it: that would be every attribute of every package, for every test.
    """

    name = "attribute"

    def value(self, change: Change, picture: Picture) -> Any:
        """What the package has now, if it is there in the picture."""
        return _bound(change.name, picture)

    def leaks(self, changes: Iterable[Change], period: Period) -> Iterator[tuple[By, Change]]:
        by_name = {name: by for by, name, _, _ in period.attributes}
        noted = (Change(self, name, name, was, now) for _, name, was, now in period.attributes)
        imported = [each for each in period.imports if each.kind is MODULES]
        loaded = {each.name for each in imported if each.was is MISSING}
        found = [change for change in noted if not self._is_import(change, loaded, period)]
        for change in (*found, *self._bound_to_new(imported, period)):
            if change.name in by_name or not period.is_undone:
                yield by_name.get(change.name, TEST), change

    def _is_import(self, change: Change, loaded: Collection[str], period: Period) -> bool:
        """Whether the module itself has changed likewise, or what it defines takes its place."""
        package, _, _ = change.name.rpartition(".")
        was, now = (each[MODULES].get(change.name, MISSING) for each in (period.before, period.after))
        return (
            (was is not now and now is change.now)
            # The class does, as that of `six.moves`.
            or class_defines(period.after[MODULES].get(package), change.name.rpartition(".")[2])
            or _origin(change.now) in loaded
        )

    def _bound_to_new(self, imported: Iterable[Change], period: Period) -> Iterator[Change]:
        """Where older packages have, under the name of a new submodule, what `sys.modules` does not have."""
        before, after = period.before[MODULES], period.after[MODULES]
        for each in imported:
            package, _, _ = each.name.rpartition(".")
            if each.name in before or package not in before:
                continue
            value, entry = _bound(each.name, period.after), after.get(each.name, MISSING)
            # A package may well put something of its own under the name.
            is_stale = entry is MISSING and value is each.now and is_module(value)
            is_other = entry is each.now is not value and value is not MISSING
            is_strange = not in_tree(_origin(value), (top_level(package), "builtins"))
            # They import parts of themselves while a test runs, and have what they want there.
            is_runner = top_level(each.name) in process.store.plugin_packages
            if (is_stale or (is_other and is_strange)) and not is_standard(value) and not is_runner:
                yield Change(self, each.name, each.name, MISSING, value)

    def words(self, change: Change) -> str:
        if change.was is MISSING and is_imported_as(change.name, change.now):
            return f"{change.name} is a module that sys.modules has no more"
        return super().words(change)

    def remedy(self, change: Change) -> str:
        if is_module(change.now):
            return super().remedy(change)
        return f"monkeypatch.setattr({change.name!r}, ...)"


def _bound(name: str, picture: Picture) -> Any:
    """What the package around a module has under its name."""
    package, _, child = name.rpartition(".")
    return (namespace(picture[MODULES].get(package)) or {}).get(child, MISSING)


def _origin(value: object) -> str:
    """The name of the module that an object is, or is defined in."""
    return str(spec_of(value).get("name")) if is_module(value) else defining_module(value)


MODULES: Final = Modules()

KINDS: Final[tuple[Kind, ...]] = (
    MODULES,
    SearchPath("path"),
    Entries("meta_path"),
    Entries("path_hooks"),
    FinderMethods(),
    Reloaded(),
    Attribute(),
)
