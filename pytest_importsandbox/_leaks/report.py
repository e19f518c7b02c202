"""What is said of leaks: the words, and who could see each of them, from all processes of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pytest_importsandbox._leaks.changes import COLLECTION, By, Change


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


def described(origin: str, by: By, change: Change, tests_before: int) -> Leak:
    """A change in words."""
    fixture = by.fixture
    return Leak(
        origin=origin,
        phase=by.phase,
        kind=change.kind.name,
        name=change.name,
        change=change.kind.words(change),
        remedy=_remedy(by, change),
        fixture=None if fixture is None else fixture.name,
        scope=None if fixture is None else fixture.scope,
        tests_before=tests_before,
    )


def _remedy(by: By, change: Change) -> str:
    """What to do about it, in one line."""
    if by == COLLECTION:
        return "run with --isolated-modules, or do it in a fixture that undoes it"
    if by.fixture is not None:
        return "undo it in the fixture after its yield, for example with pytest.MonkeyPatch.context()"
    return change.kind.remedy(change)


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
        leaks = [asdict(leak) for leak in self.leaks()]
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
