"""What a fresh import costs, against the same by hand."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from pytest_importsandbox import ImportSandbox


def pop_and_import(name: str) -> None:
    """What people write: take the package out, import it, put the old one back."""
    names = [each for each in sys.modules if each == name or each.startswith(f"{name}.")]
    old = {each: sys.modules.pop(each) for each in names}
    try:
        importlib.import_module(name)
    finally:
        sys.modules.update(old)


def fresh_import(name: str) -> None:
    with ImportSandbox() as sandbox:
        sandbox.fresh_import(name)


WAYS = {"fresh_import": fresh_import, "by hand": pop_and_import}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 10, 100])
def test_fresh_import(
    benchmark: Any, write_package: Callable[[str, int], str], way: str, count: int, repeat: int
) -> None:
    name = write_package("subject", count)

    # No sandbox, in which an import by hand would be noted as well.
    with mock.patch.dict(sys.modules):
        importlib.import_module(name)
        benchmark.pedantic(WAYS[way], (name,), rounds=10, iterations=max(1, 50 // count), warmup_rounds=2)
