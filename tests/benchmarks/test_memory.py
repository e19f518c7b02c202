"""How a process grows in which very many tests are isolated."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

COUNTING = """\
import gc
import json
import sys

import psutil

numbers = []
memory = {}


def pytest_runtest_logfinish():
    numbers.append(None)
    if len(numbers) % 100 == 0:
        gc.collect()
        memory[len(numbers)] = psutil.Process().memory_info().rss


def pytest_sessionfinish():
    with open("figures.json", "w", encoding="utf-8") as file:
        json.dump({"memory": memory, "modules": len(sys.modules)}, file)
"""
SUITES = {
    "empty": """\
import pytest


@pytest.mark.parametrize("number", range(2_000))
def test_nothing(number):
    pass
""",
    "by hand": """\
import importlib
import pathlib
import shutil
import sys
import tempfile

import pytest


@pytest.mark.parametrize("number", range(2_000))
def test_temporary_package(number):
    directory = tempfile.mkdtemp()
    package = pathlib.Path(directory, f"package_{number}")
    package.mkdir()
    package.joinpath("__init__.py").write_text("", encoding="utf-8")
    package.joinpath("module.py").write_text("VALUES = list(range(1_000))", encoding="utf-8")
    sys.path.insert(0, directory)
    try:
        assert len(importlib.import_module(f"package_{number}.module").VALUES) == 1_000
    finally:
        sys.path.remove(directory)
        for name in (f"package_{number}.module", f"package_{number}"):
            del sys.modules[name]
        for entry in (str(package), directory):
            sys.path_importer_cache.pop(entry, None)
        shutil.rmtree(directory)
""",
    "isolated": """\
import importlib

import pytest


@pytest.mark.parametrize("number", range(2_000))
def test_temporary_package(temp_package, number):
    temp_package(f"package_{number}", {"module.py": "VALUES = list(range(1_000))"})
    assert len(importlib.import_module(f"package_{number}.module").VALUES) == 1_000
""",
}


@pytest.mark.parametrize("way", SUITES)
def test_memory(benchmark: Any, write_suite: Callable[..., Any], way: str, repeat: int) -> None:
    suite = write_suite({"conftest.py": COUNTING, "test_memory.py": SUITES[way]})

    benchmark.pedantic(suite.run)

    figures = json.loads((suite.directory / "figures.json").read_text(encoding="utf-8"))
    benchmark.extra_info.update(figures)
