"""What the tests of import effects share: packages that do something when they are imported."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects, import_effects
from pytest_importsandbox._effects.model import Effect, LoadedModule


@pytest.fixture(autouse=True)
def usual_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observe imports without what this run makes of warnings."""
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    # What the development mode and the option -b have added is expected to be there.
    monkeypatch.setattr(sys, "warnoptions", [each for each in sys.warnoptions if each != "error"])


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


@pytest.fixture
def wait_for_end() -> Callable[[int], None]:
    """Wait for a process that was killed, which takes the system a moment."""

    def wait_for_end(pid: int) -> None:
        for _ in range(3000):
            try:
                status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
            except OSError:
                return
            # It has ended, and whoever took it over has not asked for its exit status yet.
            if status.rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.01)
        pytest.fail(f"process {pid} is still running")

    return wait_for_end


@pytest.fixture
def timed_effects() -> ImportEffects:
    """A tree of four modules, and a thread."""
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
