"""`ImportEffects` as values: chains, texts, files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects
from pytest_importsandbox._effects.model import KINDS, Effect, LoadedModule, report

THREAD = Effect("poller", "started", None, "alive", "inkhorn.watch", "inkhorn/watch.py:12")
VARIABLE = Effect("TZ", "changed", "UTC", "CET", "inkhorn", "inkhorn/__init__.py:3")


def loaded(name: str, importer: str = "", place: str = "", seconds: float = 0.01) -> LoadedModule:
    return LoadedModule(name, seconds, seconds, importer, place)


@pytest.fixture
def effects() -> ImportEffects:
    return ImportEffects(
        names=("inkhorn",),
        modules=(
            loaded("numpy._core", "numpy", "numpy/__init__.py:9"),
            loaded("numpy", "inkhorn.formats", "formats/__init__.py:3", 0.08),
            loaded("inkhorn.formats", "inkhorn", "inkhorn/__init__.py:1"),
            loaded("inkhorn"),
        ),
        preloaded=("os", "sys"),
        seconds=0.11,
        threads=(THREAD,),
        environ=(VARIABLE,),
    )


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("numpy", "inkhorn -> inkhorn.formats (formats/__init__.py:3) -> numpy"),
        ("numpy._core", "inkhorn -> inkhorn.formats -> numpy (numpy/__init__.py:9) -> numpy._core"),
        ("inkhorn.formats", "inkhorn (inkhorn/__init__.py:1) -> inkhorn.formats"),
        ("inkhorn", "inkhorn"),
        ("os", ""),
        ("num", ""),
    ],
)
def test_chain_is_the_way_to_a_module(effects: ImportEffects, name: str, chain: str) -> None:
    assert effects.chain(name) == chain


def test_chain_to_a_package_that_was_not_loaded_leads_to_its_first_submodule() -> None:
    effects = ImportEffects(
        names=("a",), modules=(loaded("b.one", "a", "a.py:1"), loaded("b.two"), loaded("a"))
    )

    assert effects.chain("b") == "a (a.py:1) -> b.one"


def test_chain_ends_where_a_module_was_loaded_before() -> None:
    effects = ImportEffects(names=("a",), modules=(loaded("b", "old", "old.py:1"),), preloaded=("old",))

    assert effects.chain("b") == "old (old.py:1) -> b"


def test_chain_of_modules_that_asked_for_each_other_has_an_end() -> None:
    effects = ImportEffects(names=("a",), modules=(loaded("b", "a", "a.py:1"), loaded("a", "b", "b.py:1")))

    assert effects.chain("b") == "a (a.py:1) -> b"


@pytest.mark.parametrize("kind", KINDS)
def test_effects_are_true_if_there_are_any(kind: str) -> None:
    effects = ImportEffects(names=("inkhorn",), **{kind: (THREAD,)})

    assert bool(effects) is (kind != "shared_libraries")


def test_effects_are_false_if_there_are_modules_alone() -> None:
    assert not ImportEffects(names=("inkhorn",), modules=(loaded("inkhorn"),))


def test_effects_are_true_if_the_import_failed() -> None:
    assert ImportEffects(names=("inkhorn",), error="ZeroDivisionError")


def test_effects_cannot_be_changed(effects: ImportEffects) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        effects.error = "none"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (THREAD, "<poller started: alive (inkhorn/watch.py:12)>"),
        (VARIABLE, "<TZ changed: UTC -> CET (inkhorn/__init__.py:3)>"),
        (Effect("/ink", "read", None, None, "inkhorn", ""), "</ink read (inkhorn)>"),
        (Effect("x" * 99, "written", None, None, "", ""), f"<{'x' * 20}...{'x' * 37} written>"),
        (Effect("a\nb\x1b", "written", None, None, "", ""), r"<a\nb\x1b written>"),
        (loaded("inkhorn"), "<inkhorn 10.0 ms>"),
        (loaded("numpy", "inkhorn", "inkhorn/__init__.py:1"), "<numpy 10.0 ms (inkhorn/__init__.py:1)>"),
    ],
)
def test_repr_is_short(value: object, text: str) -> None:
    assert repr(value) == text


def test_repr_of_the_whole_counts(effects: ImportEffects) -> None:
    assert repr(effects) == "<ImportEffects of inkhorn: 4 modules, 1 threads, 1 environ>"
    failed = dataclasses.replace(effects, error="ZeroDivisionError", threads=(), environ=())
    assert repr(failed) == "<ImportEffects of inkhorn: 4 modules, failed>"


def test_what_is_dumped_can_be_loaded(effects: ImportEffects, tmp_path: Path) -> None:
    effects.dump(tmp_path / "effects.json")

    assert ImportEffects.load(tmp_path / "effects.json") == effects
    assert ImportEffects.load(str(tmp_path / "effects.json")) == effects


def test_dump_is_json_with_a_key_for_each_attribute(effects: ImportEffects, tmp_path: Path) -> None:
    effects.dump(tmp_path / "effects.json")

    content = json.loads((tmp_path / "effects.json").read_text(encoding="utf-8"))
    assert content["format"] == 1
    assert content["threads"] == [dataclasses.asdict(THREAD)]
    assert content.keys() - {"format"} == {field.name for field in dataclasses.fields(effects)}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "names": [], "ink": 1}'],
)
def test_file_that_holds_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "effects.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"effects\.json' does not hold import effects"):
        ImportEffects.load(path)


def test_missing_file_is_the_usual_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ImportEffects.load(tmp_path / "effects.json")


def test_report_tells_everything_and_who_took_the_time(effects: ImportEffects) -> None:
    failed = dataclasses.replace(effects, error="Traceback:\nZeroDivisionError")

    assert str(failed).splitlines() == [
        "import inkhorn: 4 modules in 110.0 ms",
        "",
        "error",
        "  Traceback:",
        "  ZeroDivisionError",
        "",
        "threads",
        "  poller started: alive  (inkhorn/watch.py:12)",
        "",
        "environ",
        "  TZ changed: UTC -> CET  (inkhorn/__init__.py:3)",
        "",
        "packages",
        "      90.0 ms  82%  numpy  2 modules  inkhorn -> inkhorn.formats (formats/__init__.py:3) -> numpy",
        "      20.0 ms  18%  inkhorn  2 modules",
    ]


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
