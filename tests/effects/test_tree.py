"""Who imported whom: the tree, and its text."""

from __future__ import annotations

import pytest

from pytest_importsandbox import ImportEffects
from pytest_importsandbox._effects.model import LoadedModule
from pytest_importsandbox._effects.tree import tree, tree_report


def test_tree_tells_who_imported_whom_in_the_order_of_loads(timed_effects: ImportEffects) -> None:
    assert tree_report(timed_effects).splitlines() == [
        "   100.0 ms 100%  ####################  inkhorn",
        "    10.0 ms  10%  ##                      json  (inkhorn/__init__.py:1)",
        "    70.0 ms  70%  ##############          numpy  (inkhorn/__init__.py:2)",
        "    50.0 ms  50%  ##########                numpy._core  (numpy/__init__.py:9)",
    ]


def test_tree_can_begin_with_the_slowest(timed_effects: ImportEffects) -> None:
    names = [
        line.split("  ")[-2].strip() for line in tree_report(timed_effects, by_time=True).splitlines()[1:]
    ]

    assert names == ["numpy", "numpy._core", "json"]


def test_roots_of_the_tree_are_sorted_too() -> None:
    modules = (LoadedModule("a", 0.1, 0.1, "", ""), LoadedModule("b", 0.2, 0.2, "", ""))

    roots = tree(ImportEffects(names=("a", "b"), modules=modules), by_time=True)

    assert [root.module.name for root in roots] == ["b", "a"]


def test_tree_of_modules_that_asked_for_each_other_has_all_of_them() -> None:
    modules = (LoadedModule("b", 0.1, 0.1, "a", "a.py:1"), LoadedModule("a", 0.2, 0.1, "b", "b.py:1"))

    effects = ImportEffects(names=("a",), modules=modules)

    assert [node.module.name for root in tree(effects) for _, node in root.walk()] == ["a", "b"]


def test_time_of_a_package_that_its_submodule_asked_for_counts_once() -> None:
    modules = (LoadedModule("a", 0.1, 0.1, "", ""), LoadedModule("a.b", 0.3, 0.2, "", ""))

    roots = tree(ImportEffects(names=("a.b",), modules=modules))

    assert sum(root.seconds for root in roots) == pytest.approx(0.3)
