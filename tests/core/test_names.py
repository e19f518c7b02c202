"""Module names: resolving them, asking which tree they belong to, and which modules the run stands on."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from pytest_importsandbox._core.names import (
    as_names,
    flat_names,
    in_tree,
    is_protected,
    parents,
    resolve,
    top_level,
    tree,
)


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


@pytest.mark.parametrize(
    "names",
    [("pkg", "other.sub"), (["pkg", "other.sub"],), ("pkg", iter(["other.sub"])), (["pkg"], {"other.sub"})],
)
def test_positional_names_may_come_in_iterables(names: tuple[object, ...]) -> None:
    assert flat_names(names, "names") == ("pkg", "other.sub")


@pytest.mark.parametrize("package", [["json"], 5, b"pkg"], ids=lambda package: type(package).__name__)
def test_package_that_is_no_str_is_a_type_error_even_where_it_is_not_needed(package: object) -> None:
    with pytest.raises(TypeError) as raised:
        resolve("pkg.sub", package)  # type: ignore[arg-type]

    assert str(raised.value) == (
        f"package must be the name of a package as str, not {type(package).__name__}: {package!r}; "
        "names to run afresh or to block go to fresh= or blocked="
    )


def test_bytes_are_refused_as_one_name() -> None:
    with pytest.raises(TypeError, match=r"^preserve must hold names of modules as str, not bytes: b'x'$"):
        as_names(b"x", "preserve")  # type: ignore[arg-type]


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


def test_tree_takes_no_line_of_a_name_for_a_name() -> None:
    names = ["other\npkg.sub", "pkg"]

    assert tree(names, "pkg") == ["pkg"]


# What the run stands on

# Imports of every kind, beside and after a sandbox in which one module is blocked or evicted.
TRIAL = """
import codecs
import importlib
import importlib.util
import os
import sys
import tempfile
import threading
import traceback
import zipfile
from pathlib import Path

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._sandbox import sandbox as sandbox_module

sandbox_module.is_protected = lambda name: False
act, *names = sys.argv[1:]
# Looking up a codec is no part of import.
for codec in ("latin-1", "iso-8859-1", "ascii", "cp437", "utf-8-sig"):
    codecs.lookup(codec)


def try_imports(directory):
    def write(file, source):
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="latin-1")

    write("plain.py", "X = 1")
    write("package/__init__.py", "from . import part")
    write("package/part.py", "X = 1")
    write("spread/part.py", "X = 1")
    write("encoded.py", "# coding: latin-1\\nX = '\\xe9'")
    write("late.py", "X = 1")
    write("raising.py", "1 / 0")
    write("bad.py", "x = = 1")
    with zipfile.ZipFile(directory / "archive.zip", "w") as archive:
        archive.writestr("zipped.py", "X = 1")
    sys.path[:0] = [str(directory), str(directory / "archive.zip")]
    found = ("plain", "package", "package.part", "spread.part", "encoded", "zipped", "_struct", "_random")
    for module in found:
        assert importlib.util.find_spec(module).name == module
        importlib.import_module(module)
        exec(f"import {module}")
    del sys.modules["plain"]  # The second time it comes from bytecode.
    importlib.reload(importlib.import_module("plain"))
    failing = {"raising": ZeroDivisionError, "bad": SyntaxError, "absent": ModuleNotFoundError}
    for module, error in failing.items():
        try:
            importlib.import_module(module)
        except error as exc:
            sys.__excepthook__(error, exc, exc.__traceback__)
        else:
            raise AssertionError(module)
    assert importlib.util.find_spec("absent") is None
    thread = threading.Thread(target=importlib.import_module, args=["late"])
    thread.start()
    thread.join()
    spec = importlib.util.spec_from_file_location("by_path", directory / "plain.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert sys.modules["late"].X == 1


for name in names:
    with tempfile.TemporaryDirectory() as directory:
        before = sys.modules.copy()
        with ImportSandbox() as sandbox:
            getattr(sandbox, act)(name)
            try_imports(Path(directory, "inside"))
        assert [each for each in before if sys.modules.get(each) is not before[each]] == []
        with ImportSandbox():
            try_imports(Path(directory, "afterwards"))
    print(name)
"""

# Refused for another reason: what they are to those who would look for what went wrong.
NEEDED_ALL_THE_SAME = {
    "builtins": "all names of all modules",
    "importlib": "the package of importlib.util",
    "importlib._bootstrap_external": "one half of importlib._bootstrap",
    "_frozen_importlib": "importlib._bootstrap itself",
    "_frozen_importlib_external": "importlib._bootstrap_external itself",
}


def machinery() -> set[str]:
    """What import is made of, and what is loaded before the first import statement of a program."""
    importlib_parts = {f"importlib.{each.name}" for each in pkgutil.iter_modules(importlib.__path__)}
    command = [sys.executable, "-I", "-S", "-c", "import sys; print(*sys.modules)"]
    at_start = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.split()
    return {"importlib", *importlib_parts, *at_start} - {"__main__"}


@pytest.fixture
def try_imports(tmp_path: Path) -> Callable[..., list[str]]:
    """Block or evict modules one after the other, in a process; return those with which imports work."""
    script = tmp_path / "trial.py"
    script.write_text(TRIAL, encoding="utf-8")

    def run(act: str, *names: str) -> list[str]:
        command = [sys.executable, str(script), act, *names]
        return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", timeout=60).stdout.split()

    return run


@pytest.mark.parametrize("act", ["block", "evict"])
def test_modules_that_are_not_refused_do_not_break_imports(
    act: str, try_imports: Callable[..., list[str]]
) -> None:
    free = sorted(name for name in machinery() if not is_protected(name))

    assert try_imports(act, *free) == free


@pytest.mark.slow
def test_modules_that_are_refused_break_imports_when_they_are_blocked(
    try_imports: Callable[..., list[str]],
) -> None:
    refused = {name for name in machinery() if is_protected(name)}

    harmless = {name for name in refused if try_imports("block", name)}

    assert harmless == NEEDED_ALL_THE_SAME.keys()


@pytest.mark.parametrize(
    "name",
    ["_warnings", "_thread", "_weakref", "zipimport", "marshal", "importlib.resources", "importlib.abc"],
)
def test_what_only_looks_like_machinery_is_not_protected(name: str) -> None:
    assert not is_protected(name)


@pytest.mark.parametrize(
    "name", ["importlib", "importlib.util", "importlib.util.part", "pytest", "pluggy._hooks"]
)
def test_packages_and_parts_of_what_is_protected_are_protected(name: str) -> None:
    assert is_protected(name)


@pytest.mark.parametrize("name", ["pytest_cov", "sysconfig", "_iota", "app.sys"])
def test_names_that_only_begin_or_end_like_a_protected_one_are_free(name: str) -> None:
    assert not is_protected(name)
