"""Distributions of which nothing can be imported: `importlib.metadata` does not find them, either.

It asks each finder on `sys.meta_path` for distributions and takes all that it gets, so a finder can add some
but hide none: https://docs.python.org/3/library/importlib.metadata.html#extending-the-search-algorithm.
Therefore the method of the standard finder is replaced for as long as something is blocked for a run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import PathFinder
from typing import Any

from pytest_importsandbox._core.modules import MISSING


class HiddenDistributions:
    """Hides the distributions whose modules are all blocked."""

    def __init__(self, is_blocked: Callable[[str], bool]) -> None:
        self.is_blocked = is_blocked
        self._replaced: Any = MISSING
        """What the standard finder had as its method."""

    def begin(self) -> None:
        """Hide distributions from now on; doing so twice does no harm."""
        if self._replaced is MISSING:
            self._replaced = vars(PathFinder).get("find_distributions", MISSING)
        if self._replaced is not MISSING:
            type.__setattr__(PathFinder, "find_distributions", staticmethod(self._find))

    def end(self) -> None:
        """Hide nothing any more."""
        if self._replaced is not MISSING:
            type.__setattr__(PathFinder, "find_distributions", self._replaced)
            self._replaced = MISSING

    def _find(self, *arguments: Any, **keywords: Any) -> Iterator[Any]:
        found = self._replaced.__get__(None, PathFinder)(*arguments, **keywords)
        return (each for each in found if not self._is_hidden(each))

    def _is_hidden(self, distribution: Any) -> bool:
        names = {name for name in _top_level_names(distribution) if not name.startswith("_")}
        return bool(names) and all(map(self.is_blocked, names))


def _top_level_names(distribution: Any) -> Iterable[str]:
    """The modules that a distribution installs, without the packages that contain them."""
    declared = distribution.read_text("top_level.txt")
    if declared:
        return declared.split()  # type: ignore[no-any-return]
    files = (line.partition(",")[0] for line in (distribution.read_text("RECORD") or "").splitlines())
    names = {_importable_name(file) for file in files}
    if names - {None}:
        return filter(None, names)
    # It is installed in place: its files are elsewhere.
    return [re.sub(r"[-_.]+", "_", distribution.metadata["Name"]).lower()]


def _importable_name(file: str) -> str | None:
    """The top-level module that an installed file belongs to, if it can be imported."""
    first, directory, _ = file.partition("/")
    name = first if directory else inspect.getmodulename(first)
    return name if name is not None and name.isidentifier() else None
