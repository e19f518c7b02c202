"""Import effects as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from pytest_importsandbox import ImportEffects
from pytest_importsandbox._effects.flamegraph import flame_graph
from pytest_importsandbox._effects.model import LoadedModule

SVG = "{http://www.w3.org/2000/svg}"


def test_flame_graph_has_a_box_with_a_title_for_each_module(timed_effects: ImportEffects) -> None:
    picture = ElementTree.fromstring(flame_graph(timed_effects))

    titles = [title.text for title in picture.iterfind(f"{SVG}g/{SVG}title")]
    assert titles == [
        "inkhorn: 100.0 ms, 20.0 ms of it by itself",
        "json: 10.0 ms, 10.0 ms of it by itself\ninkhorn/__init__.py:1",
        "numpy: 70.0 ms, 20.0 ms of it by itself\ninkhorn/__init__.py:2",
        "numpy._core: 50.0 ms, 50.0 ms of it by itself\nnumpy/__init__.py:9",
    ]


def test_boxes_of_the_flame_graph_are_as_wide_as_the_time_and_lie_below_their_importer(
    timed_effects: ImportEffects,
) -> None:
    picture = ElementTree.fromstring(flame_graph(timed_effects))

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
