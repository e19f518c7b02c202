"""What is said of leaks: the words, and who could see each of them, from all processes of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_importsandbox._core.modules import MISSING, is_imported_as, is_module
from pytest_importsandbox._leaks.kinds import Change, locations, type_name


@dataclass
class Leak:
    """One leak, in plain values that can be sent from process to process."""

    origin: str
    """The id of the test, or the path of the file, that left it behind."""
    phase: str
    """`collection`, `setup`, `call` or `teardown`; `test` where none of these is known."""
    kind: str
    name: str
    change: str
    """What was there before and what is there now."""
    remedy: str
    fixture: str | None = None
    """The wider fixture that did it."""
    scope: str | None = None
    tests_before: int = 0
    """How many tests the process had begun when it came to be."""
    seen_by: int = 0
    """How many later tests could see it."""
    healed_by: list[str] = field(default_factory=list)
    """The tests or files that put back what was there."""
    changed_by: list[str] = field(default_factory=list)
    """The tests or files that put something else in the same place."""
    looked_up_by: list[str] = field(default_factory=list)
    """Later tests that failed and whose code asks for the name."""

    @property
    def who(self) -> str:
        """The phase, or the fixture with its scope."""
        if self.fixture is None:
            return self.phase
        return f"{self.phase} of the {self.scope}-scoped fixture {self.fixture!r}"

    @property
    def line(self) -> str:
        """The leak in one line, without its origin."""
        return f"{self.who}: {self.change}; remedy: {self.remedy}"


def described(origin: str, phase: str, change: Change, fixture: str | None, scope: str | None) -> Leak:
    """A change in words."""
    return Leak(
        origin=origin,
        phase=phase,
        kind=change.kind,
        name=change.name,
        change=_CHANGES[change.kind](change),
        remedy=_remedy(change, phase, fixture),
        fixture=fixture,
        scope=scope,
    )


def _object(change: Change, value: object) -> str:
    """What an object is, by its type."""
    if value is MISSING:
        return "nothing"
    if value is None:
        return "None"
    if change.kind == "finder" or not is_module(value):
        return _with_article(type_name(type(value)))
    if not is_imported_as(change.name, value):
        return "a module that was not imported under this name"
    return "another copy of the module" if value is change.now and change.was is not MISSING else "the module"


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"


def _changed_object(place: str, change: Change) -> str:
    was, now = _object(change, change.was), _object(change, change.now)
    return f"{place} was {was} and is {now}"


def _changed_module(change: Change) -> str:
    text = _changed_object(f"sys.modules[{change.name!r}]", change)
    if change.submodules:
        text += f", with {change.submodules} of its submodules"
    if change.was is MISSING and is_imported_as(change.name, change.now):
        text += f" from a temporary directory, {', '.join(locations(change.now))}"
    return text


def _changed_list(change: Change) -> str:
    is_text = change.kind == "path" and (change.is_order or type(change.key) is str)
    entry = repr(change.name) if is_text else change.name
    if change.is_order:
        return f"sys.{change.kind} has another order: {entry} has moved"
    return f"sys.{change.kind} has {'gained' if change.has_come else 'lost'} {entry}"


def _changed_names(change: Change) -> str:
    return f"{change.name} was reloaded: {change.now} of its names are bound to other objects"


def _changed_attribute(change: Change) -> str:
    if change.was is MISSING and is_imported_as(change.name, change.now):
        return f"{change.name} is a module that sys.modules has no more"
    return _changed_object(change.name, change)


def _changed_method(change: Change) -> str:
    return _changed_object(change.name, change)


_CHANGES: Final[Mapping[str, Callable[[Change], str]]] = {
    "modules": _changed_module,
    "path": _changed_list,
    "meta_path": _changed_list,
    "path_hooks": _changed_list,
    "finder": _changed_method,
    "reload": _changed_names,
    "attribute": _changed_attribute,
}


def _remedy(change: Change, phase: str, fixture: str | None) -> str:
    """What to do about it, in one line."""
    if phase == "collection":
        return "run with --isolated-modules, or do it in a fixture that undoes it"
    if fixture is not None:
        return "undo it in the fixture after its yield, for example with pytest.MonkeyPatch.context()"
    if change.kind == "modules" and not is_imported_as(change.name, change.now) and change.now is not MISSING:
        return f"monkeypatch.setitem(sys.modules, {change.name!r}, ...)"
    if change.kind == "modules" and change.was is MISSING:
        return "write it with temp_package, or mark the test with isolated_imports"
    if change.kind == "modules":
        return f"mark the test with isolated_imports, or use fresh_import({change.name!r})"
    if change.kind == "path" and change.has_come:
        return f"monkeypatch.syspath_prepend({change.name!r})"
    if change.kind == "attribute" and not is_module(change.now):
        return f"monkeypatch.setattr({change.name!r}, ...)"
    return "mark the test with isolated_imports"


class LeakReport:
    """The leaks of a run, gathered from the events that its processes send.

    An event is a dict of plain values: ``{"event": "leak", "id": 1, **asdict(leak)}``, or ``"healed"``,
    ``"changed"`` or ``"looked up"`` with the ``id`` of the leak, by whom it was, and how many tests the
    process had begun; ``"allowed"`` has the pattern that allows a leak.
    """

    def __init__(self) -> None:
        self._leaks: dict[tuple[str, int], Leak] = {}
        self._seen_until: dict[tuple[str, int], int] = {}
        self._tests: dict[str, set[str]] = {}
        self.allowing: set[str] = set()
        """The patterns that allowed something."""

    def count(self, process: str, test: str) -> None:
        """Be told that a test has run in a process."""
        self._tests.setdefault(process, set()).add(test)

    def add(self, process: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Take in what a process has found."""
        for each in events:
            event = dict(each)
            what = event.pop("event")
            if what == "allowed":
                self.allowing.add(event["pattern"])
                continue
            key = (process, event.pop("id"))
            if what == "leak":
                self._leaks[key] = Leak(**event)
            elif what == "healed":
                self._leaks[key].healed_by.append(event["by"])
                self._seen_until[key] = event["tests"]
            elif what == "changed":
                self._leaks[key].changed_by.append(event["by"])
            elif event["by"] not in self._leaks[key].looked_up_by:
                self._leaks[key].looked_up_by.append(event["by"])

    def leaks(self) -> list[Leak]:
        """Each leak once, those first that most tests could see."""
        found: dict[tuple[str, ...], Leak] = {}
        for key, leak in self._leaks.items():
            ran = len(self._tests.get(key[0], ()))
            seen_by = max(0, self._seen_until.get(key, ran) - leak.tests_before)
            place = (leak.fixture or leak.origin, leak.phase, leak.kind, leak.change)
            first = found.setdefault(place, Leak(**{**asdict(leak), "seen_by": 0}))
            first.seen_by += seen_by
            for name in ("healed_by", "changed_by", "looked_up_by"):
                known = getattr(first, name)
                known += [each for each in getattr(leak, name) if each not in known]
        return sorted(found.values(), key=lambda leak: -leak.seen_by)

    def write_json(self, path: Path) -> None:
        """Write all leaks to a file."""
        leaks = [{**asdict(leak), "tests_before": None} for leak in self.leaks()]
        for leak in leaks:
            del leak["tests_before"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"leaks": leaks}, indent=2) + "\n", encoding="utf-8")


def as_text(leaks: Iterable[Leak]) -> list[str]:
    """The lines of a report: an entry for each test or file."""
    entries: dict[str, list[Leak]] = {}
    for leak in leaks:
        entries.setdefault(leak.origin, []).append(leak)
    lines: list[str] = []
    for origin, group in entries.items():
        seen_by = max(leak.seen_by for leak in group)
        lines.append(f"{origin}: {_tests(seen_by)} could see what it left")
        for leak in group:
            lines += [f"  {line}" for line in lines_of(leak)]
    return lines


def _tests(count: int) -> str:
    return f"{count or 'no'} later {'test' if count == 1 else 'tests'}"


def lines_of(leak: Leak) -> list[str]:
    """All that is known of one leak."""
    lines = [f"{leak.who}: {leak.change}", f"  remedy: {leak.remedy}"]
    if leak.looked_up_by:
        lines.append(f"  failed, and looks it up: {', '.join(leak.looked_up_by)}")
    if leak.changed_by:
        lines.append(f"  changed again by {', '.join(leak.changed_by)}")
    if leak.healed_by:
        lines.append(f"  put back by {', '.join(leak.healed_by)}")
    return lines
