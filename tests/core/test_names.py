"""Module names: resolving them, asking which tree they belong to, and which modules the run stands on."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest

from pytest_importsandbox._core.names import PROTECTED, as_names, in_tree, parents, resolve, top_level, tree


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("pkg", None),
        ("pkg.sub", None),
        ("pkg", "other"),
        ("pkg", ""),
        (".sub", "pkg"),
        (".sub.deep", "pkg"),
        ("..sub", "pkg.inner"),
        ("...sub", "pkg.inner.innermost"),
    ],
)
def test_name_resolves_as_importlib_resolves_it(name: str, package: str | None) -> None:
    assert resolve(name, package) == importlib.util.resolve_name(name, package)


@pytest.mark.parametrize(("name", "package"), [(".", "pkg"), ("..", "pkg.sub")])
def test_dots_alone_name_the_package(name: str, package: str) -> None:
    assert resolve(name, package) == "pkg"


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("", None),
        ("", "pkg"),
        (".sub", None),
        (".sub", ""),
        (".sub", ("pkg",)),
        ("..sub", "pkg"),
        ("...sub", "pkg.inner"),
        (".", None),
        ("..", "pkg"),
    ],
)
def test_name_that_cannot_be_resolved_raises_what_importlib_raises(name: str, package: object) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011
        importlib.import_module(name, package)  # type: ignore[arg-type]

    with pytest.raises(expected.type) as raised:
        resolve(name, package)  # type: ignore[arg-type]

    assert (raised.type, str(raised.value)) == (expected.type, str(expected.value))


@pytest.mark.parametrize(
    "name", [None, 5, b"pkg", ["pkg"], ModuleType("pkg")], ids=lambda name: type(name).__name__
)
def test_name_that_is_no_str_is_a_type_error(name: object) -> None:
    with pytest.raises(TypeError) as raised:
        resolve(name, None)

    assert str(raised.value) == f"the name of a module must be a str, not {type(name).__name__}: {name!r}"


def test_one_name_may_stand_alone() -> None:
    assert as_names("pkg.sub", "blocked") == ("pkg.sub",)


@pytest.mark.parametrize(
    "names",
    [["pkg", "other.sub"], ("pkg", "other.sub"), {"pkg": 1, "other.sub": 2}, iter(["pkg", "other.sub"])],
    ids=lambda names: type(names).__name__,
)
def test_any_iterable_of_names_is_taken(names: object) -> None:
    assert as_names(names, "blocked") == ("pkg", "other.sub")  # type: ignore[arg-type]


def test_names_outside_ascii_are_taken() -> None:
    assert as_names("módulo.sub", "blocked") == ("módulo.sub",)


def test_names_that_cannot_be_iterated_are_a_type_error() -> None:
    with pytest.raises(TypeError) as raised:
        as_names(5, "blocked")  # type: ignore[arg-type]

    assert str(raised.value) == "blocked must be the name of a module or an iterable of names, not 5"


@pytest.mark.parametrize("name", [None, 5, b"pkg"], ids=repr)
def test_name_in_a_list_that_is_no_str_is_a_type_error(name: object) -> None:
    with pytest.raises(TypeError) as raised:
        as_names(["pkg", name], "blocked")  # type: ignore[list-item]

    assert (
        str(raised.value) == f"blocked must hold names of modules as str, not {type(name).__name__}: {name!r}"
    )


@pytest.mark.parametrize(
    "name", ["", ".", ".sub", "pkg.", "pkg..sub", "pkg/sub", "pkg sub", "pkg-sub", "1pkg", "pkg.py:f"]
)
def test_name_that_is_not_absolute_and_dotted_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        as_names(["pkg", name], "fresh")

    assert str(raised.value) == (
        f"fresh: {name!r} is not the name of a module; give an absolute dotted name such as 'package.module'"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [("pkg", []), ("pkg.sub", ["pkg"]), ("pkg.sub.deep", ["pkg.sub", "pkg"])],
)
def test_parents_come_the_nearest_first(name: str, expected: list[str]) -> None:
    assert list(parents(name)) == expected


@pytest.mark.parametrize(("name", "expected"), [("pkg", "pkg"), ("pkg.sub", "pkg"), ("pkg.sub.deep", "pkg")])
def test_top_level_package_of(name: str, expected: str) -> None:
    assert top_level(name) == expected


@pytest.mark.parametrize(
    ("name", "roots", "expected"),
    [
        ("pkg", ["pkg"], True),
        ("pkg.sub", ["pkg"], True),
        ("pkg.sub.deep", ["other", "pkg.sub"], True),
        ("pkgs", ["pkg"], False),
        ("pkg", ["pkg.sub"], False),
        ("pkg.subs", ["pkg.sub"], False),
        ("pkg", [], False),
    ],
)
def test_in_tree(name: str, roots: list[str], expected: bool) -> None:
    assert in_tree(name, roots) is expected


def test_tree_is_the_root_and_what_lies_below_it_in_their_order() -> None:
    names = ["pkg.sub.deep", "pkgs", "pkg", "other.pkg", "pkg.sub"]

    assert tree(names, "pkg") == ["pkg.sub.deep", "pkg", "pkg.sub"]


def test_tree_passes_over_keys_that_are_no_names() -> None:
    names = [None, 5, ("pkg",), "pkg", b"pkg.sub"]

    assert tree(names, "pkg") == ["pkg"]


@pytest.mark.parametrize("part", ["_bootstrap", "_bootstrap_external"])
def test_everything_that_import_is_made_of_is_protected(part: str) -> None:
    machinery = importlib.import_module(f"importlib.{part}")

    made_of = [value for value in vars(machinery).values() if isinstance(value, ModuleType)]

    protected = [module for name, module in sys.modules.items() if top_level(name) in PROTECTED]
    assert sys in made_of
    assert [module for module in made_of if module not in protected] == []
