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
