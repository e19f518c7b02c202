"""Import effects of real packages, checked against what Python itself says of their imports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects, import_effects

PACKAGES = [
    "gevent.monkey",
    "matplotlib.pyplot",
    "numpy",
    "pandas",
    "requests",
    "rich.console",
    "sqlalchemy",
]
# SQLAlchemy imports the members of a set.
SAME_ORDER = {"PYTHONHASHSEED": "0"}
LINE = re.compile(r"import time: +(\d+) \| +(\d+) \| +(\S+)")


@pytest.fixture(scope="module", params=PACKAGES)
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param.partition(".")[0])
    return str(request.param)


@pytest.fixture(scope="module")
def effects(name: str) -> ImportEffects:
    return import_effects(name, timeout=120, env=SAME_ORDER)


@pytest.fixture(scope="module")
def loaded(name: str) -> list[str]:
    """What a plain interpreter has in `sys.modules` after the import, in that order."""
    return run(f"import {name}, sys; print(*sys.modules, sep='\\n')").stdout.split()


@pytest.fixture(scope="module")
def times(name: str) -> dict[str, int]:
    """The modules of which `-X importtime` tells, in that order, with their own time in microseconds."""
    found: dict[str, int] = {}
    for line in run(f"import {name}", "-X", "importtime").stderr.splitlines():
        if match := LINE.fullmatch(line):
            # A package can be asked for twice, when it is asked for by a module that it imports.
            found.setdefault(match[3], int(match[1]))
    return found


def run(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        env={**os.environ, **SAME_ORDER},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )


def test_modules_are_those_that_a_plain_interpreter_has_loaded(
    effects: ImportEffects, loaded: list[str]
) -> None:
    names = {module.name for module in effects.modules}

    assert {*loaded} <= names | {*effects.preloaded}
    assert names <= {*loaded}


def test_modules_are_loaded_in_the_order_of_importtime(effects: ImportEffects, times: dict[str, int]) -> None:
    names = [module.name for module in effects.modules]
    both = {*names} & {*times}

    assert len(both) > 5
    assert [each for each in names if each in both] == [each for each in times if each in both]


def test_all_that_importtime_tells_of_and_that_was_loaded_is_there(
    effects: ImportEffects, loaded: list[str], times: dict[str, int]
) -> None:
    names = {module.name for module in effects.modules} | {*effects.preloaded}

    # What the interpreter loads at its end, it loads after the import.
    assert {*times} & {*loaded} <= names


def test_import_of_the_package_has_the_effects_that_it_is_known_for() -> None:
    pytest.importorskip("numpy")

    handlers = {(effect.what, effect.after) for effect in import_effects("numpy").handlers}

    assert ("copyreg numpy.ufunc", "numpy._core._ufunc_reduce") in handlers


def test_patches_of_gevent_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gevent")
    (tmp_path / "inkhorn.py").write_text("import gevent.monkey; gevent.monkey.patch_all()", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    effects = import_effects("inkhorn")

    patched = {effect.what: (effect.after, effect.place) for effect in effects.patched}
    assert patched["socket.socket"] == ("gevent._socket3.socket", "inkhorn.py")
    assert not import_effects("gevent.monkey").patched
