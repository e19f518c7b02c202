"""What the plugin costs in whole test suites."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

EMPTY_TEST = "def test_{number}():\n    pass\n"

IMPORTING_TEST = """\
def test_{number}():
    import shop.basket

    assert shop.basket.ITEMS == []
"""
SHOP = {
    "shop/__init__.py": "from shop import basket, payment\n",
    "shop/basket.py": "from shop import prices\n\nITEMS = []\n",
    "shop/payment.py": "from shop import prices\n",
    "shop/prices.py": "PRICES = {}\n",
}
WITH_PATCH_DICT = """\
import sys
from unittest import mock

import pytest


@pytest.fixture(autouse=True)
def isolated():
    with mock.patch.dict(sys.modules):
        yield
"""
WITH_PYTESTER = """\
import pytest
from _pytest.pytester import SysModulesSnapshot, SysPathsSnapshot


@pytest.fixture(autouse=True)
def isolated():
    paths = SysPathsSnapshot()
    modules = SysModulesSnapshot(preserve=lambda name: name.startswith(("zope", "readline")))
    yield
    modules.restore()
    paths.restore()
"""
WITH_FORKED = """\
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport():
    report = yield
    # pytest-forked 1.7 sends reports with marshal, which refuses the object that pytest 9.2 keeps here.
    if "_id" in report.__dict__:
        report.__dict__["nodeid"] = str(report.__dict__.pop("_id"))
    return report
"""
PANDAS_TEST = """\
def test_{number}():
    import pandas

    assert pandas.Series([{number}]).sum() == {number}
"""


def file_of(source: str, count: int) -> str:
    """The text of a test file."""
    return "\n\n".join(source.format(number=number) for number in range(count))


@pytest.fixture(scope="module")
def empty(write_suite: Callable[..., Any]) -> Any:
    suite = write_suite({f"test_{letter}.py": file_of(EMPTY_TEST, 1_000) for letter in "abcde"})
    # Compile everything.
    suite.run()
    return suite


@pytest.mark.parametrize("way", ["without", "installed", "isolated", "leaks"])
def test_empty_tests(benchmark: Any, empty: Any, way: str, repeat: int) -> None:
    arguments = {"isolated": ("--isolated-imports",), "leaks": ("--import-leaks=report",)}.get(way, ())
    plugins = () if way == "without" else ("importsandbox",)

    benchmark.extra_info["processor"] = benchmark.pedantic(empty.run, arguments, {"plugins": plugins})


# Of processes, a part is enough: they take so long that nothing else matters.
WAYS = {
    "not isolated": (1_000, "", (), ()),
    "importsandbox": (1_000, "", ("--isolated-imports",), ("importsandbox",)),
    "mock.patch.dict": (1_000, WITH_PATCH_DICT, (), ()),
    "pytester": (1_000, WITH_PYTESTER, (), ()),
    "pytest-forked": (200, WITH_FORKED, ("--forked",), ("pytest_forked",)),
    "pytest-isolated": (20, "", ("--isolated",), ("isolated",)),
}


@pytest.mark.parametrize("way", WAYS)
def test_isolated_tests(benchmark: Any, write_suite: Callable[..., Any], way: str, repeat: int) -> None:
    if way == "pytest-forked" and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    count, conftest, arguments, plugins = WAYS[way]
    suite = write_suite({"conftest.py": conftest, "test_shop.py": file_of(IMPORTING_TEST, count), **SHOP})
    suite.run("test_shop.py::test_0", *arguments, plugins=plugins)

    benchmark.extra_info["tests"] = count
    benchmark.extra_info["processor"] = benchmark.pedantic(suite.run, arguments, {"plugins": plugins})


@pytest.fixture(scope="module")
def with_pandas(write_suite: Callable[..., Any]) -> Any:
    pytest.importorskip("pandas")
    suite = write_suite({"test_pandas.py": file_of(PANDAS_TEST, 200)})
    # Compile everything.
    suite.run()
    return suite


@pytest.mark.parametrize("way", ["not isolated", "isolated", "one process"])
def test_pandas_tests(benchmark: Any, with_pandas: Any, way: str, repeat: int) -> None:
    arguments = {
        "not isolated": (),
        "isolated": ("--isolated-imports",),
        "one process": ("test_pandas.py::test_0",),
    }

    benchmark.extra_info["processor"] = benchmark.pedantic(with_pandas.run, arguments[way])
