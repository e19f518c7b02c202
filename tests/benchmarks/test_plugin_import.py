"""What the plugin costs when pytest starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

SUITE = """\
import json
import sys
import time


def test_import():
    before = set(sys.modules)

    start = time.process_time()
    import pytest_importsandbox.plugin
    seconds = time.process_time() - start

    others = [
        name for name in sys.modules.keys() - before if name.partition(".")[0] != "pytest_importsandbox"
    ]
    with open("figures.json", "w", encoding="utf-8") as file:
        json.dump({"seconds": seconds, "others": sorted(others)}, file)
"""


@pytest.fixture(scope="module")
def suite(write_suite: Callable[..., Any]) -> Any:
    suite = write_suite({"test_import.py": SUITE})
    # Compile everything.
    suite.run(plugins=())
    return suite


def test_import_of_plugin(benchmark: Any, suite: Any, repeat: int) -> None:
    benchmark.extra_info["processor"] = benchmark.pedantic(suite.run, kwargs={"plugins": ()})

    figures = json.loads((suite.directory / "figures.json").read_text(encoding="utf-8"))
    benchmark.extra_info.update(figures)


@pytest.fixture(scope="module")
def empty_suite(write_suite: Callable[..., Any]) -> Any:
    # A directory that nothing has been compiled for stays like that where no bytecode is written.
    return write_suite({"test_empty.py": "def test_empty():\n    pass\n"})


@pytest.mark.parametrize("way", ["installed", "without"])
@pytest.mark.parametrize("bytecode", [True, False])
def test_run_that_does_not_use_it(
    benchmark: Any, empty_suite: Any, bytecode: bool, way: str, repeat: int
) -> None:
    if not bytecode:
        # What other runs have written would be read.
        empty_suite.environment = {
            **empty_suite.environment,
            "PYTHONPYCACHEPREFIX": str(empty_suite.directory),
        }
    plugins = ("importsandbox",) if way == "installed" else ()
    benchmark.pedantic(empty_suite.run, kwargs={"plugins": plugins, "bytecode": bytecode}, rounds=5)
