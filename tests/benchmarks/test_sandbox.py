"""What entering and leaving a sandbox costs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import Any

import pytest
from _pytest.pytester import SysModulesSnapshot, SysPathsSnapshot

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.leaks import Attributes, Picture, differences


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


attributes = Attributes()


def leaks() -> None:
    """What is done for a test to tell whether it leaves something behind."""
    before = Picture()
    for _phase in ("setup", "call", "teardown"):
        before.seems_current()
        after = Picture()
    assert not differences(before, after)
    assert not attributes.changes()


ENTER_AND_LEAVE = {"importsandbox": importsandbox, "pytester": pytester, "floor": floor, "leaks": leaks}


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


@pytest.mark.parametrize("way", ENTER_AND_LEAVE)
@pytest.mark.parametrize("size", [400, 1_000, 2_500, 5_000, 10_000, 20_000])
def test_enter_and_leave(benchmark: Any, way: str, size: int, repeat: int) -> None:
    with modules_in_all(size):
        attributes.look()
        benchmark.pedantic(
            ENTER_AND_LEAVE[way], rounds=10, iterations=max(4, 40_000 // size), warmup_rounds=1
        )


def imported_by_hand(name: str) -> None:
    importlib.import_module(name)
    for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[each]


def isolated(name: str) -> None:
    with ImportSandbox():
        importlib.import_module(name)


def preserved(name: str) -> None:
    with ImportSandbox(preserve=name):
        importlib.import_module(name)


IMPORT = {"by hand": imported_by_hand, "in a sandbox": isolated, "preserved": preserved}


@pytest.mark.parametrize("way", IMPORT)
@pytest.mark.parametrize("count", [1, 25, 50, 100, 200, 400])
def test_import_in_sandbox(
    benchmark: Any, write_package: Callable[[str, int], str], way: str, count: int, repeat: int
) -> None:
    # What is preserved stays so: each repeat has a package of its own.
    name = write_package(f"{way.replace(' ', '_')}_{count}_{repeat}", count)

    with modules_in_all(1_000):
        benchmark.pedantic(IMPORT[way], (name,), rounds=5, iterations=max(1, 50 // count), warmup_rounds=2)
