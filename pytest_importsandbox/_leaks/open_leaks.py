"""The leaks of one process, from the moment when they are found until somebody puts them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

from pytest_importsandbox._leaks.changes import By, Change, Fixture, Kind, Picture
from pytest_importsandbox._leaks.kinds import KINDS
from pytest_importsandbox._leaks.lookups import Lookups
from pytest_importsandbox._leaks.report import Leak, described


@dataclass(frozen=True)
class Allowed:
    """An entry of the setting `import_leaks_allow`."""

    line: str
    origin: str | None
    kind: str
    name: str

    @classmethod
    def read(cls, line: str) -> Allowed:
        """Read ``kind:name`` or ``test id :: kind:name``.

        :raises ValueError: If it is neither.
        """
        origin, _, pattern = line.rpartition(" :: ")
        kind, _, name = pattern.strip().partition(":")
        if not name or not any(fnmatchcase(each.name, kind) for each in KINDS):
            raise ValueError(
                f"import_leaks_allow: {line!r} is neither 'kind:name' nor 'test id :: kind:name'; "
                f"the kinds are {', '.join(each.name for each in KINDS)}"
            )
        return cls(line, origin.strip() or None, kind, name)

    def allows(self, leak: Leak) -> bool:
        """Whether a leak is a known one."""
        is_there = self.origin is None or leak.origin == self.origin or fnmatchcase(leak.origin, self.origin)
        return is_there and fnmatchcase(leak.kind, self.kind) and fnmatchcase(leak.name, self.name)


@dataclass(eq=False)
class OpenLeak:
    """A leak that nobody has put back, with the objects themselves."""

    number: int
    leak: Leak
    change: Change
    is_allowed: bool
    fixture: Fixture | None
    """The wider fixture that may still put back what it has changed; until it has ended, nothing is said."""


class OpenLeaks:
    """All that are open, and what is to be sent of them: `LeakReport` says what the events are."""

    def __init__(self, allowed: Iterable[Allowed]) -> None:
        self.tests = 0
        """How many tests have begun."""
        self._allowed = list(allowed)
        self._by_place: dict[tuple[Kind, object], list[OpenLeak]] = {}
        """Those of one place, the oldest first."""
        self._count = 0
        self._events: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[OpenLeak]:
        return chain.from_iterable(self._by_place.values())

    def add(self, origin: str, found: Iterable[tuple[By, Change]], now: Picture) -> list[OpenLeak]:
        """Tell leaks from what puts back an earlier one; return those that count from now on."""
        told = []
        for by, change in found:
            place = self._by_place.setdefault((change.kind, change.key), [])
            is_same = change.kind.is_same
            healed = next((n for n, each in enumerate(place) if is_same(each.change.was, change.now)), None)
            if healed is not None:
                # What came after it in the same place is gone with it.
                for each in place[healed:]:
                    self._send(each, "healed", by=origin, tests=self.tests)
                del place[healed:]
            # Else a plugin has suspended what a fixture does, between two tests.
            elif not place or place[-1].fixture is None or not is_same(place[-1].change.now, change.now):
                if place:
                    self._send(place[-1], "changed", by=origin)
                place.append(self._opened(origin, by, change))
                if place[-1].fixture is None:
                    # At once: what follows may say more of it.
                    self._send(place[-1], "leak", **asdict(place[-1].leak))
                    told.append(place[-1])
        # Only now: the fixture that has ended may have put back what it had changed.
        told += self.confirm(now, lambda fixture: fixture.has_ended)
        return [each for each in told if not each.is_allowed]

    def confirm(self, now: Picture, has_ended: Callable[[Fixture], bool]) -> list[OpenLeak]:
        """Send those of fixtures that have not put back by their end what they had changed."""
        ended = [each for each in self if each.fixture is not None and has_ended(each.fixture)]
        found = [each for each in ended if each.change.is_in(now)]
        for each in found:
            each.fixture = None
            self._send(each, "leak", **asdict(each.leak))
        return found

    def _opened(self, origin: str, by: By, change: Change) -> OpenLeak:
        """A new one."""
        leak = described(origin, by, change, self.tests)
        allowing = next((each for each in self._allowed if each.allows(leak)), None)
        if allowing is not None:
            self._events.append({"event": "allowed", "pattern": allowing.line})
        self._count += 1
        may_undo = by.fixture is not None and by.phase == "setup" and by.fixture.has_teardown
        # After it is described: what is said of a module that is gone would be another thing.
        loose = change.without_modules()
        return OpenLeak(self._count, leak, loose, allowing is not None, by.fixture if may_undo else None)

    def forget_gone(self, now: Picture) -> None:
        """Forget those that neither a test nor a file has put back: a plugin has."""
        for place in self._by_place.values():
            for each in place[-1:]:
                if each.fixture is None and not each.change.is_in(now):
                    self._send(each, "healed", by="a plugin, between two tests", tests=self.tests)
                    place.remove(each)

    def note_met(self, test: str, lookups: Lookups) -> None:
        """Note which ones of others a failing test has met."""
        for each in self:
            if each.leak.origin != test and each.change.kind.is_met(each.change, lookups):
                self._send(each, "looked up", by=test)

    def taken(self) -> list[dict[str, Any]]:
        """What is to be sent, once."""
        events, self._events = self._events, []
        return events

    def _send(self, one: OpenLeak, event: str, **values: Any) -> None:
        """Send a leak, or what has become of one that was sent."""
        if not one.is_allowed and one.fixture is None:
            self._events.append({"event": event, "id": one.number, **values})
