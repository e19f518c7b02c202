"""What entering and leaving a sandbox costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import enter_and_leave
import pytest
from enter_and_leave import WAYS, iterations, modules_in_all

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._leaks.attributes import Attributes
from pytest_importsandbox._leaks.changes import Picture
from pytest_importsandbox._leaks.kinds import KINDS

attributes = Attributes()


def leaks() -> None:
    """What is done for a test to tell whether it leaves something behind."""
    before = Picture(KINDS)
    for _phase in ("setup", "call", "teardown"):
        before.seems_current()
        after = Picture(KINDS)
    assert not any(before.changes(after).values())
    assert not attributes.changes()


ENTER_AND_LEAVE = {**WAYS, "leaks": leaks}


@pytest.mark.parametrize("way", ENTER_AND_LEAVE)
@pytest.mark.parametrize("size", [400, 1_000, 2_500, 5_000, 10_000, 20_000])
def test_enter_and_leave(benchmark: Any, way: str, size: int, repeat: int) -> None:
    with modules_in_all(size):
        attributes.look()
        benchmark.pedantic(ENTER_AND_LEAVE[way], rounds=10, iterations=iterations(size), warmup_rounds=1)


@pytest.mark.parametrize("size", [400, 1_000, 5_000, 20_000])
def test_enter_and_leave_in_script(benchmark: Any, size: int, repeat: int) -> None:
    command = [sys.executable, "-P", enter_and_leave.__file__, str(size)]

    benchmark.extra_info.update(json.loads(benchmark.pedantic(subprocess.check_output, (command,))))


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
