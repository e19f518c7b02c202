"""What the sandboxes of test modules cost: switching, what is kept of each, whole runs."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from enter_and_leave import floor, modules_in_all

from pytest_importsandbox._core.process import Aside, process

FILES = 500


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    """Have the finders in place, as in a run with the plugin."""
    added = process.install()
    yield
    if added:
        process.uninstall()


def put_aside(number: int) -> Aside:
    """What is kept of a test file that extends the path and puts up a stub."""
    span = process.open(shares=True)
    sys.path.insert(0, f"/tests/{number}")
    sys.modules["stub"] = SimpleNamespace()
    return process.put_aside(span)


def measure_put_aside(benchmark: Any) -> None:
    aside = put_aside(0)
    span = aside.spans[0]

    def setup() -> tuple[tuple[()], dict[str, Any]]:
        nonlocal aside
        process.take_up(aside)
        return (), {}

    def act() -> None:
        nonlocal aside
        aside = process.put_aside(span)

    benchmark.pedantic(act, setup=setup, rounds=100)


def measure_take_up(benchmark: Any) -> None:
    aside = put_aside(0)
    span = aside.spans[0]
    process.take_up(aside)

    def setup() -> tuple[tuple[Aside], dict[str, Any]]:
        return (process.put_aside(span),), {}

    benchmark.pedantic(process.take_up, setup=setup, rounds=100)
    process.close(span)


def measure_floor(benchmark: Any) -> None:
    benchmark.pedantic(floor, rounds=100)


CHANGES: dict[str, Callable[[Any], None]] = {
    "put aside": measure_put_aside,
    "take up": measure_take_up,
    "floor": measure_floor,
}


@pytest.mark.parametrize("way", CHANGES)
@pytest.mark.parametrize("size", [1_000, 5_000])
def test_change_of_module(benchmark: Any, way: str, size: int, repeat: int) -> None:
    with modules_in_all(size):
        CHANGES[way](benchmark)


def test_memory_of_modules(benchmark: Any, repeat: int) -> None:
    with modules_in_all(5_000):
        asides = [put_aside(number) for number in range(10)]
        tracemalloc.start()
        try:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            benchmark.pedantic(lambda: asides.extend(map(put_aside, range(FILES))), rounds=1)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    benchmark.extra_info["kibibytes"] = (after - before) / FILES / 1024


PANDAS = """\
import pandas


def test_{number}():
    assert pandas.Series([{number}]).sum() == {number}
"""
LIBRARY = """\
from library import module_0


def test_{number}():
    assert module_0.NUMBER == 0
"""
MODULES = {f"library/module_{number}.py": f"NUMBER = {number}\n" for number in range(100)}
IMPORTS = "".join(f"from library import module_{number}\n" for number in range(100))
SUITES = {"pandas": (PANDAS, {}), "library": (LIBRARY, {"library/__init__.py": IMPORTS, **MODULES})}


@pytest.fixture(scope="module", params=SUITES)
def suite(request: pytest.FixtureRequest, write_suite: Callable[..., Any]) -> Any:
    source, files = SUITES[request.param]
    if request.param == "pandas":
        pytest.importorskip("pandas")
    tests = {f"test_{number}.py": source.format(number=number) for number in range(200)}
    suite = write_suite({"pytest.ini": "[pytest]\npythonpath = .\n", **tests, **files})
    # Compile everything.
    suite.run()
    return suite


RUNS = {"together": (), "isolated": ("--isolated-modules",), "one process": ("test_0.py",)}


@pytest.mark.parametrize("way", RUNS)
def test_files(benchmark: Any, suite: Any, way: str, repeat: int) -> None:
    benchmark.extra_info["processor"] = benchmark.pedantic(suite.run, RUNS[way])
