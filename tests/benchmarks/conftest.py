"""What the benchmarks share: suites that run in a pytest of their own, and packages to import.

Nothing here fails because something is slow: `report.py` turns what was measured into ratios.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

if sys.platform != "win32":
    import resource

# What several benchmarks need lies in a module beside them, which is a script as well.
sys.path.insert(0, str(Path(__file__).parent))

# By the names of their entry points.
PLUGINS = ("benchmark", "importsandbox", "isolated", "pytest_forked")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--repeats", type=int, default=9, help="how often to run each benchmark (default: 9)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat each benchmark as a whole: its variants take turns, so that a busy moment hits all of them."""
    if "repeat" in metafunc.fixturenames:
        metafunc.parametrize("repeat", range(metafunc.config.getoption("--repeats")))


class Suite:
    """A test suite in a directory of its own."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = environment

    def run(
        self, *arguments: str, plugins: tuple[str, ...] = ("importsandbox",), bytecode: bool = True
    ) -> float:
        """Run the suite in a new process, with these plugins and none of the others; it has to pass.

        Without bytecode, as in most containers, pytest compiles all of a plugin that it loads in each run.

        Return the processor time that it took, which a busy machine disturbs less than the time on the clock.
        """
        left_out = [argument for name in PLUGINS if name not in plugins for argument in ("-p", f"no:{name}")]
        start = processor_time()
        result = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out, *arguments],
            cwd=self.directory,
            env=self.environment if bytecode else {**self.environment, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert result.returncode == 0, result.stdout
        return processor_time() - start


def processor_time() -> float:
    """The processor time of all processes that ended; on Windows, which has no such figure, the clock."""
    if sys.platform == "win32":
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="session")
def write_suite(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Suite]:
    """Write a suite; bytecode is cached as on a developer's machine, whatever the environment says."""
    cache = tmp_path_factory.mktemp("bytecode")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(cache), "PYTHONUTF8": "1"}

    def write(files: Mapping[str, str]) -> Suite:
        directory = tmp_path_factory.mktemp("suite")
        for name, source in {"pytest.ini": "[pytest]\n", **files}.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(source, encoding="utf-8")
        return Suite(directory, environment)

    return write


@pytest.fixture
def write_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], str]:
    """Write a package that imports all of its modules, and make it importable during the test."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, count: int) -> str:
        """Write a package with this number of modules, itself included, and return its name."""
        package = tmp_path / name
        package.mkdir()
        modules = [f"module_{number}" for number in range(count - 1)]
        for module in modules:
            (package / f"{module}.py").write_text("def function():\n    return 1\n", encoding="utf-8")
        imports = "".join(f"from {name} import {module}\n" for module in modules)
        (package / "__init__.py").write_text(imports, encoding="utf-8")
        return name

    return write
