"""Entering and leaving a sandbox, and what does something like it; as a script, outside of pytest.

Run with the number of entries that `sys.modules` is to have: the seconds that each way takes are printed
as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from timeit import timeit
from types import ModuleType

from _pytest.pytester import SysModulesSnapshot, SysPathsSnapshot

from pytest_importsandbox import ImportSandbox


def importsandbox() -> None:
    with ImportSandbox():
        pass


def pytester() -> None:
    """What `pytester` does before and after each of its tests."""
    paths = SysPathsSnapshot()
    modules = SysModulesSnapshot(preserve=lambda name: name.startswith(("zope", "readline")))
    modules.restore()
    paths.restore()


def floor() -> None:
    """What every snapshot of a dict and its restore seem to need."""
    modules = sys.modules.copy()
    sys.modules.update(modules)


WAYS: dict[str, Callable[[], None]] = {"importsandbox": importsandbox, "pytester": pytester, "floor": floor}


def iterations(size: int) -> int:
    """How often to do something in a row that takes longer the more modules there are."""
    return max(4, 40_000 // size)


@contextmanager
def modules_in_all(count: int) -> Iterator[None]:
    """Bring `sys.modules` to a given number of entries."""
    before = sys.modules.copy()
    for number in range(count - len(before)):
        name = f"package_{number // 20}.module_{number}"
        sys.modules[name] = ModuleType(name)
    for name in islice(reversed(before), max(0, len(before) - count)):
        del sys.modules[name]
    assert len(sys.modules) == count
    try:
        yield
    finally:
        sys.modules.clear()
        sys.modules.update(before)


def main() -> None:
    size = int(sys.argv[1])
    best = dict.fromkeys(WAYS, float("inf"))
    with modules_in_all(size):
        # They take turns, so that a busy moment of the machine hits all of them.
        for _ in range(20):
            for name, way in WAYS.items():
                seconds = timeit(way, number=iterations(size), timer=time.process_time) / iterations(size)
                best[name] = min(best[name], seconds)
    print(json.dumps(best))


if __name__ == "__main__":
    main()
