"""Changes of the import state: what it holds at one moment, what differs at another, and who did it.

This is what holds for every kind of leak; `kinds` has what is particular to each.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from pytest_importsandbox._core.modules import MISSING, are_same, is_imported_as, is_module, type_name
from pytest_importsandbox._core.process import process
from pytest_importsandbox._leaks.lookups import Lookups


class Run(Protocol):
    """What is asked of the run of pytest."""

    def is_temporary(self, file: str) -> bool:
        """Whether a file is in a temporary directory, and not with the project or the interpreter."""

    def is_plugin(self, module: object) -> bool:
        """Whether a module is a plugin of pytest: a conftest file is."""

    def is_test_file(self, name: str) -> bool:
        """Whether a module is judged like any other code of tests, and not taken for a library."""

    def roots(self, file: Path) -> list[Path]:
        """The directories that pytest may put on `sys.path` to import a file."""


@dataclass(eq=False)
class Fixture:
    """A wider fixture, from its setup to its teardown."""

    name: str
    scope: str
    has_teardown: bool
    """Whether it may put back what it has changed."""
    has_ended: bool = False


@dataclass(frozen=True)
class By:
    """Who runs: a phase of a test, and a wider fixture in it."""

    phase: str
    fixture: Fixture | None = None


COLLECTION: Final = By("collection")
TEST: Final = By("test")
"""Some phase of a test."""


class Change:
    """One place of the import state and what it held before and holds now.

    :param name: What the place is called: of a module, of an entry, of a method, of an attribute.
    :param key: What tells it from the other places of its kind.
    """

    def __init__(self, kind: Kind, name: str, key: object, was: object, now: object) -> None:
        self.kind = kind
        self.name = name
        self.key = key
        self.submodules = 0
        """How many submodules changed along with a module."""
        self._was: Callable[[], Any] = lambda: was
        self._now: Callable[[], Any] = lambda: now

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
        self._was, self._now = _loosely(self.was), _loosely(self.now)
        return self

    def is_in(self, picture: Picture) -> bool:
        """Whether the place holds in a picture what it holds now."""
        return self.kind.is_same(self.kind.value(self, picture), self.now)


def _loosely(value: Any) -> Callable[[], Any]:
    """How to get at a value, of which a module may go; then it is identical with nothing."""
    if not is_module(value):
        return lambda: value
    reference = weakref.ref(value)
    return lambda: object() if (module := reference()) is None else module


class Kind:
    """A kind of leak. What a class of its own does not say is what holds for most places."""

    name: str
    """What it is called in `import_leaks_allow`, and for tools."""

    # What pictures show of it; of most kinds everything, of others nothing.

    def current(self) -> Any:
        """The registry itself."""
        return ()

    def copy(self) -> Any:
        """What a picture holds of it."""
        found = self.current()
        return found.copy() if isinstance(found, dict) else list(found)

    def seems_same(self, one: Any, other: Any) -> bool:
        """Whether nothing differs between two registries or copies, as far as a glance tells."""
        return are_same(one, other)

    def changes(self, before: Any, after: Any) -> Iterable[Change]:
        """Every place that differs between two copies."""
        return ()

    def value(self, change: Change, picture: Picture) -> Any:
        """What the place of a change holds in a picture; what none shows is taken to stay."""
        return change.now

    def is_same(self, one: Any, other: Any) -> bool:
        """Whether two values of a place are the same; foreign objects are compared by identity."""
        return one is other

    # Which changes are leaks.

    def leaks(self, changes: Iterable[Change], period: Period) -> Iterable[tuple[By, Change]]:
        """What later code can trip over, each with who made it, out of what pictures show."""
        found = [
            change
            for change in changes
            if not self.is_by_import(change, period)
            # It leaves by itself, together with what it stands for.
            and weakref.ProxyType not in (type(change.was), type(change.now))
        ]
        # Only now: what pytest does to a package, it does to the submodules that go with it.
        for change in self.joined(found):
            by, files = period.author(change), period.files
            if by is not None and not any(self.is_by_pytest(change, each, period.run) for each in files):
                yield by, change

    def is_by_import(self, change: Change, period: Period) -> bool:
        """Whether imports made a change themselves, one after another."""
        value = change.was
        for each in period.imports_of(change):
            if each.was is value:
                value = each.now
        return value is change.now

    def is_by_pytest(self, change: Change, file: Path, run: Run) -> bool:
        """Whether pytest itself makes a change when it imports a file."""
        return False

    def joined(self, changes: list[Change]) -> list[Change]:
        """One change for all that belong together."""
        return changes

    # What is said of it.

    def words(self, change: Change) -> str:
        """What was there before and what is there now."""
        return worded(change.name, change)

    def remedy(self, change: Change) -> str:
        """What to write in its place, in one line."""
        return "mark the test with isolated_imports"

    def is_met(self, change: Change, lookups: Lookups) -> bool:
        """Whether later code, which looks something up, has met it."""
        return lookups.has(change.name)


def worded(place: str, change: Change) -> str:
    """The objects of a change, each by its type."""
    return f"{place} was {_object(change, change.was)} and is {_object(change, change.now)}"


def _object(change: Change, value: object) -> str:
    if value is MISSING:
        return "nothing"
    if value is None:
        return "None"
    if not is_module(value):
        noun = type_name(type(value))
        return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"
    if not is_imported_as(change.name, value):
        return "a module that was not imported under this name"
    return "another copy of the module" if value is change.now and change.was is not MISSING else "the module"


class Picture:
    """The import state at one moment, as some kinds see it."""

    __slots__ = ("_copies", "is_undone")

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._copies = {kind: kind.copy() for kind in kinds}
        self.is_undone = bool(process.spans)
        """Whether a sandbox is open that will undo what is done now."""

    def __getitem__(self, kind: Kind) -> Any:
        return self._copies[kind]

    def seems_current(self) -> bool:
        """Whether nothing has changed since, as far as a glance tells."""
        return all(kind.seems_same(kind.current(), copy) for kind, copy in self._copies.items())

    def changes(self, after: Picture) -> dict[Kind, list[Change]]:
        """Every place that differs in a later picture."""
        return {kind: list(kind.changes(copy, after[kind])) for kind, copy in self._copies.items()}


class Period:
    """The time between two moments that are compared, and what was noted in it.

    :param by: Who runs all the time; in the period of a test, phases and fixtures do, one after another.
    :param files: What pytest itself imports in it.
    """

    def __init__(self, origin: str, before: Picture, run: Run, files: Iterable[Path], by: By | None) -> None:
        self.origin = origin
        """The id of the test, or the path of the file."""
        self.run = run
        self.files = list(files)
        self.running = [] if by is None else [by]
        """Who runs, the innermost last."""
        self.timeline: list[tuple[By | None, Picture]] = [(None, before)]
        """Pictures in the order of time, each with who ran until it was taken."""
        self.imports: list[Change] = []
        """What imports changed themselves, in order."""
        self.reloads: list[tuple[By | None, str, ModuleType, dict[str, Any]]] = []
        """Who reloaded a module of which name, the module, and what its names were bound to before."""
        self.asked: list[str] = []
        """The names that finders were asked for."""
        self.attributes: list[tuple[By, str, Any, Any]] = []
        """Who has bound the name of a submodule in its package, what it stood for and what it stands for."""

    @property
    def before(self) -> Picture:
        """The first picture."""
        return self.timeline[0][1]

    @property
    def after(self) -> Picture:
        """The last picture."""
        return self.timeline[-1][1]

    @property
    def by(self) -> By | None:
        """Who runs now."""
        return self.running[-1] if self.running else None

    @property
    def is_undone(self) -> bool:
        """Whether a sandbox is in place at one end: what is done while it is put aside outlives it."""
        return self.before.is_undone or self.after.is_undone

    def imports_of(self, change: Change) -> list[Change]:
        """What imports changed in the same place."""
        return [each for each in self.imports if each.kind is change.kind and each.key == change.key]

    def author(self, change: Change) -> By | None:
        """Who gave a place what it holds now; None if a sandbox is to undo it, or has undone it."""
        for (_, start), (by, end) in reversed(list(pairwise(self.timeline))):
            if change.is_in(end) and not change.is_in(start):
                return None if self.is_undone and (start.is_undone or end.is_undone) else by
        return None
