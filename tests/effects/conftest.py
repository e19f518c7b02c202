"""What the tests of import effects share: packages that do something when they are imported."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects, import_effects


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write modules that can be imported, each given by the path of its file and its text."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.syspath_prepend(home)

    def write(**sources: str) -> Path:
        for name, source in sources.items():
            path = home.joinpath(*name.split("__"))
            path = path / "__init__.py" if f"{name}__" in " ".join(sources) else path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        return home

    return write


@pytest.fixture
def effects_of(write: Callable[..., Path]) -> Callable[..., ImportEffects]:
    """Write the package `inkhorn` with this code and import it; `sub` is the code of `inkhorn.sub`."""

    def effects_of(source: str, *, sub: str = "", **options: object) -> ImportEffects:
        write(inkhorn=source, inkhorn__sub=sub)
        return import_effects("inkhorn", **options)  # type: ignore[arg-type]

    return effects_of
