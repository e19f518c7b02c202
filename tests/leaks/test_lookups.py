"""Which modules a piece of code asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from pytest_importsandbox._core.modules import MISSING
from pytest_importsandbox._leaks.lookups import asks_for, code_of, locations

Write = Callable[[Mapping[str, str]], Path]


@pytest.mark.parametrize(
    "source",
    [
        "import shop",
        "import shop.basket",
        "from shop import basket",
        "from shop.basket import price",
        "def function():\n    import shop",
        "load('shop')",
        "load('shop.basket')",
        "json.dumps",
    ],
)
def test_code_asks_for_a_module(source: str) -> None:
    code = compile(source, "<test>", "exec")

    assert asks_for(code, {"json": json}, "shop", json)


@pytest.mark.parametrize(
    "source",
    ["import shopping", "from trolley import shop", "load('shopping')", "pickle.dumps", "from . import shop"],
)
def test_code_has_nothing_to_do_with_a_module(source: str) -> None:
    code = compile(source, "<test>", "exec")

    assert not asks_for(code, {"pickle": None}, "shop", json)


def test_module_that_is_gone_is_referred_to_by_nobody() -> None:
    assert not asks_for(compile("absent", "<test>", "exec"), {}, "shop", MISSING)


@pytest.mark.parametrize(
    "source",
    ["from . import basket", "from .basket import price", "from .. import shop\nfrom ..shop import basket"],
)
def test_relative_names_count_from_the_package_of_the_code(source: str) -> None:
    code = compile(source, "<test>", "exec")
    package = "root" if ".." not in source else "root.inner"

    assert asks_for(
        code, {"__package__": package}, "root.basket" if package == "root" else "root.shop", MISSING
    )


def test_code_of_modules_with_a_source_file(write_modules: Write) -> None:
    write_modules({"written.py": "import json"})
    import written  # type: ignore[import-not-found]

    assert [variables["__name__"] for _, variables in code_of([written, sys, None, ModuleType("made")])] == [
        "written"
    ]


def test_module_whose_file_is_gone_has_no_code(tmp_path: Path) -> None:
    module = ModuleType("gone")
    loader = SourceFileLoader("gone", str(tmp_path / "gone.py"))
    module.__spec__ = ModuleSpec("gone", loader)

    assert list(code_of([module])) == []


def test_locations_of_a_namespace_package() -> None:
    package = ModuleType("package")
    package.__spec__ = ModuleSpec("package", None, is_package=True)
    package.__spec__.submodule_search_locations = ["one", "two"]

    assert locations(package) == ["one", "two"]
    assert locations(sys) == []
