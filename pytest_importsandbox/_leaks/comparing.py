"""What was there before and after each test, fixture and file, and who has changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType

from pytest_importsandbox._core.modules import namespace
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.threads import OutermostImports
from pytest_importsandbox._leaks.attributes import Attributes
from pytest_importsandbox._leaks.changes import COLLECTION, TEST, By, Period, Picture, Run
from pytest_importsandbox._leaks.kinds import KINDS
from pytest_importsandbox._leaks.open_leaks import OpenLeak, OpenLeaks


class Comparison:
    """Compares pictures of the import state from the beginning of a period to its end."""

    def __init__(self, run: Run, leaks: OpenLeaks) -> None:
        self.leaks = leaks
        self.period: Period | None = None
        """None between two of them, whatever is done there."""
        self.recorder = ImportRecorder(Period("", Picture(KINDS), run, [], None))
        self._run = run
        self.attributes = Attributes()

    def begin(self, origin: str, files: Iterable[Path] = (), by: By | None = None) -> None:
        """Compare from now on."""
        self.period = Period(origin, Picture(KINDS), self._run, files, by)
        self.recorder.begin(self.period)
        if not self.period.is_undone:
            self.leaks.forget_gone(self.period.before)

    def drop(self) -> None:
        """Compare no more, whatever has changed."""
        self.period = None
        # What finders were asked for may still be looked up. No module is to live on in a picture.
        del self.recorder.period.timeline[:], self.recorder.period.attributes[:]

    def enter(self, by: By) -> None:
        """Somebody begins to run."""
        if self.period is not None:
            self._mark(self.period, by)
            self.period.running.append(by)

    def leave(self) -> None:
        """Whoever runs has ended."""
        if self.period is not None:
            self._mark(self.period, self.period.running[-1])
            self.period.running.pop()

    def _mark(self, period: Period, by: By) -> None:
        """Take a picture where somebody begins or ends; it tells what was done by whoever runs."""
        # Of phases it is not looked at what packages have: it takes longer than all the rest.
        if by.fixture is not None:
            self._note_attributes(period)
        # Without one that runs, only if need be: a plugin that does something to the import state while it
        # reports, and undoes it again.
        if period.by is not None or not period.after.seems_current():
            period.timeline.append((period.by, Picture(KINDS)))

    def _note_attributes(self, period: Period) -> None:
        """Note what packages have bound anew, by whoever runs."""
        if not process.spans:
            by = period.by
            if by is None or (by.fixture is None and by != COLLECTION):
                by = TEST
            period.attributes += ((by, *change) for change in self.attributes.changes())

    def end(self) -> list[OpenLeak]:
        """The leaks since the beginning that count now, those of fixtures that have ended included."""
        period = self.period
        assert period is not None
        if period.by is not None:
            # A file, which nobody has left.
            period.timeline.append((period.by, Picture(KINDS)))
        if not period.is_undone:
            self._note_attributes(period)
        changes = period.before.changes(period.after)
        found = [each for kind in KINDS for each in kind.leaks(changes[kind], period)]
        if any(changes.values()) and not period.is_undone:
            # Modules have come and gone, and with them what packages have.
            self.attributes.look()
        after = period.after
        self.drop()
        return self.leaks.add(period.origin, found, after)


class ImportRecorder:
    """Notes what imports do themselves, and which modules are reloaded.

    The watcher tells it when an import begins; it has ended when the import system drops the lock that it
    holds for the module.
    """

    def __init__(self, period: Period) -> None:
        self.period = period
        """Where it is noted."""
        self._running = OutermostImports()

    def begin(self, period: Period) -> None:
        """Note in another period from now on."""
        self._running.forget()
        self.period = period

    def __call__(self, name: str, target: ModuleType | None) -> None:
        """Be told by the watcher that the import or reload of a module begins."""
        self.period.asked.append(name)
        if self._running.is_one_going_on():
            return
        if target is not None:
            self._note_reload(name, target)
        elif not self.period.run.is_test_file(name):
            self._running.follow(name, self._begin)

    def _note_reload(self, name: str, module: ModuleType) -> None:
        attributes = namespace(module)
        reloads = self.period.reloads
        # The first one has seen what was there before.
        is_noted = any(each is module for _, _, each, _ in reloads)
        if attributes is not None and not is_noted and not process.spans:
            reloads.append((self.period.by, name, module, attributes.copy()))

    def _begin(self) -> Callable[[], None]:
        return partial(self._end, Picture(KINDS))

    def _end(self, before: Picture) -> None:
        """Note what an import has changed, now that it is over."""
        for changes in before.changes(Picture(KINDS)).values():
            self.period.imports += (change.without_modules() for change in changes)
