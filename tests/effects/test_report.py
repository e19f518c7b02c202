"""Import effects as text and as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from pytest_importsandbox import ImportEffects
from pytest_importsandbox._effects.flamegraph import flame_graph
from pytest_importsandbox._effects.model import Effect, LoadedModule
from pytest_importsandbox._effects.report import report, tree_report
from pytest_importsandbox._effects.tree import tree

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def effects() -> ImportEffects:
    return ImportEffects(
        names=("inkhorn",),
        modules=(
            LoadedModule("json", 0.01, 0.01, "inkhorn", "inkhorn/__init__.py:1"),
            LoadedModule("numpy._core", 0.05, 0.05, "numpy", "numpy/__init__.py:9"),
            LoadedModule("numpy", 0.07, 0.02, "inkhorn", "inkhorn/__init__.py:2"),
            LoadedModule("inkhorn", 0.1, 0.02, "", ""),
        ),
        seconds=0.1,
        threads=(Effect("poller", "started", None, "alive", "", ""),),
    )


def test_report_of_nothing_is_a_line() -> None:
    assert report(ImportEffects(names=("os", "sys"))) == "import os, sys: 0 modules in 0.0 ms"


def test_report_has_colours_if_it_is_for_a_terminal(effects: ImportEffects) -> None:
    coloured = report(effects, colour=True)

    assert "\x1b[33mthreads\x1b[0m" in coloured
    assert "\x1b" not in report(effects)
    assert len(coloured.splitlines()) == len(report(effects).splitlines())


@pytest.mark.parametrize(
    ("count", "line"), [(13, "      30.0 ms  23%  3 others"), (11, "      10.0 ms   9%  1 other")]
)
def test_report_sums_up_the_packages_that_took_little_time(count: int, line: str) -> None:
    modules = tuple(LoadedModule(f"module{number}", 0.01, 0.01, "", "") for number in range(count))

    lines = report(ImportEffects(names=("module0",), modules=modules)).splitlines()

    assert len(lines) == 3 + 10 + 1
    assert lines[-1] == line


def test_tree_tells_who_imported_whom_in_the_order_of_loads(effects: ImportEffects) -> None:
    assert tree_report(effects).splitlines() == [
        "   100.0 ms 100%  ####################  inkhorn",
        "    10.0 ms  10%  ##                      json  (inkhorn/__init__.py:1)",
        "    70.0 ms  70%  ##############          numpy  (inkhorn/__init__.py:2)",
        "    50.0 ms  50%  ##########                numpy._core  (numpy/__init__.py:9)",
    ]


def test_tree_can_begin_with_the_slowest(effects: ImportEffects) -> None:
    names = [line.split("  ")[-2].strip() for line in tree_report(effects, by_time=True).splitlines()[1:]]

    assert names == ["numpy", "numpy._core", "json"]


def test_roots_of_the_tree_are_sorted_too(effects: ImportEffects) -> None:
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


def test_flame_graph_has_a_box_with_a_title_for_each_module(effects: ImportEffects) -> None:
    picture = ElementTree.fromstring(flame_graph(effects))

    titles = [title.text for title in picture.iterfind(f"{SVG}g/{SVG}title")]
    assert titles == [
        "inkhorn: 100.0 ms, 20.0 ms of it by itself",
        "json: 10.0 ms, 10.0 ms of it by itself\ninkhorn/__init__.py:1",
        "numpy: 70.0 ms, 20.0 ms of it by itself\ninkhorn/__init__.py:2",
        "numpy._core: 50.0 ms, 50.0 ms of it by itself\nnumpy/__init__.py:9",
    ]


def test_boxes_of_the_flame_graph_are_as_wide_as_the_time_and_lie_below_their_importer(
    effects: ImportEffects,
) -> None:
    picture = ElementTree.fromstring(flame_graph(effects))

    boxes = [box.attrib for box in picture.iterfind(f"{SVG}g/{SVG}rect")]
    assert [(float(box["x"]), int(box["y"]), float(box["width"])) for box in boxes] == [
        (0, 18, 1200),
        (0, 36, 120),
        (120, 36, 840),
        (120, 54, 600),
    ]
    assert boxes[2]["fill"] == boxes[3]["fill"] != boxes[0]["fill"]


def test_name_that_is_too_long_for_its_box_is_cut() -> None:
    modules = (
        LoadedModule("wide", 0.9, 0.9, "", ""),
        LoadedModule("a_name_that_is_long", 0.08, 0.08, "", ""),
        LoadedModule("thin", 0.02, 0.02, "", ""),
    )

    picture = ElementTree.fromstring(flame_graph(ImportEffects(names=("wide",), modules=modules)))

    assert [text.text for text in picture.iterfind(f"{SVG}g/{SVG}text")] == ["wide", "a_name_that_.."]


def test_flame_graph_of_nothing_is_a_picture() -> None:
    picture = ElementTree.fromstring(flame_graph(ImportEffects(names=("sys",))))

    assert [title.text for title in picture.iterfind(f"{SVG}title")] == ["import sys: 0 modules in 0.0 ms"]
