"""What packages have under the names of their submodules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._leaks.attributes import Attributes


@pytest.fixture(autouse=True)
def _sandbox() -> Iterator[None]:
    """Undo what the tests do."""
    with ImportSandbox():
        yield


class Hostile:
    """Raises when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


def test_attributes_are_compared_by_identity() -> None:
    package, part, fake = ModuleType("package"), ModuleType("package.part"), Hostile()
    package.part = part  # type: ignore[attr-defined]
    sys.modules.update({"package": package, "package.part": part, "package.fake": Hostile()})  # type: ignore[dict-item]
    attributes = Attributes()
    attributes.look()

    assert attributes.changes() == []
    package.part = fake  # type: ignore[attr-defined]
    assert attributes.changes()[0][1:] == (part, fake)
    assert attributes.changes() == []
    del package.part  # type: ignore[attr-defined]
    assert [(name, now) for name, _, now in attributes.changes()] == [("package.part", MISSING)]
