"""What it costs to observe an import, against an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_importsandbox import import_effects


def plain(name: str) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


WAYS = {"import_effects": import_effects, "plain": plain}


@pytest.mark.parametrize("way", WAYS)
def test_empty_import(
    benchmark: Any, write_package: Callable[[str, int], str], way: str, repeat: int
) -> None:
    name = write_package("subject", 1)

    benchmark.pedantic(WAYS[way], (name,), rounds=20, warmup_rounds=2)
