"""What an import does that it did not do before, on this machine or another one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from pytest_importsandbox._effects.model import Effect, ImportEffects

_TEMPORARY: Final = re.compile(r"[/\\](tmp|temp|T)[/\\][^/\\]*$", re.IGNORECASE)
_DIRECTORIES: Final = re.compile(r"\S*[/\\](?=[^\s/\\])")
# Their value is part of what they are; that of an environment variable may well be another one elsewhere.
_WITH_VALUE: Final = ("handlers", "patched")
_TEXTS: Final = ("stderr", "stdout")


@dataclass(frozen=True)
class Growth:
    """A package that takes a larger share of the time than before."""

    package: str
    before: float
    """The share, from 0 to 1."""
    after: float

    @property
    def points(self) -> float:
        """By how many percentage points it has grown."""
        return 100 * (self.after - self.before)

    def __str__(self) -> str:
        return f"{self.package}: {self.before:.0%} -> {self.after:.0%} of the time"


def new_since(effects: ImportEffects, before: ImportEffects) -> ImportEffects:
    """The modules and effects that were not there before.

    Lines of code move, times vary, and files lie elsewhere on another machine: none of that makes an effect a
    new one.
    """
    loaded = {module.name for module in before.modules} | {*before.preloaded}
    known = dict(before.by_kind())
    new: dict[str, Any] = {kind: _new(kind, found, known[kind]) for kind, found in effects.by_kind()}
    return replace(
        effects,
        modules=tuple(module for module in effects.modules if module.name not in loaded),
        error="" if before.error else effects.error,
        **new,
    )


def growth_since(effects: ImportEffects, before: ImportEffects) -> list[Growth]:
    """The packages whose share of the time is larger than before, those that grew most first."""
    shares, earlier = _shares(effects), _shares(before)
    grown = [
        Growth(package, earlier.get(package, 0.0), share)
        for package, share in shares.items()
        if share > earlier.get(package, 0.0)
    ]
    return sorted(grown, key=lambda growth: -growth.points)


def _new(kind: str, effects: Iterable[Effect], before: Iterable[Effect]) -> tuple[Effect, ...]:
    known = {_identity(kind, each) for each in before}
    return tuple(each for each in effects if _identity(kind, each) not in known)


def _identity(kind: str, effect: Effect) -> tuple[str | None, ...]:
    """What makes an effect the same one at another time and on another machine."""
    if kind in _TEXTS:
        return (effect.module,)
    # Temporary files have random names.
    what = _DIRECTORIES.sub("", _TEMPORARY.sub("/a temporary file", effect.what))
    value = (effect.before, effect.after) if kind in _WITH_VALUE else ()
    return (what, effect.how, effect.module, *value)


def _shares(effects: ImportEffects) -> dict[str, float]:
    """The share of each package in the time of all."""
    times: defaultdict[str, float] = defaultdict(float)
    for module in effects.modules:
        times[module.name.partition(".")[0]] += module.self_seconds
    total = sum(times.values()) or 1.0
    return {package: time / total for package, time in times.items()}
