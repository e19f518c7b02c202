"""The arguments of a sandbox: what is taken, what is refused and in which words; and what a sandbox shows."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_importsandbox import ImportSandbox

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]


@pytest.fixture
def sandbox() -> Iterator[ImportSandbox]:
    with ImportSandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("package", [["json"], 5, b"pkg"], ids=lambda package: type(package).__name__)
def test_package_of_an_absolute_name_that_is_no_str_is_a_type_error(
    package: Any, sandbox: ImportSandbox, picture: Any
) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        sandbox.fresh_import("json.decoder", package)

    assert str(raised.value) == (
        f"package must be the name of a package as str, not {type(package).__name__}: {package!r}; "
        "names to run afresh or to block go to fresh= or blocked="
    )
    assert before.differences() == []


def test_fresh_import_of_a_part_of_what_it_blocks_is_a_value_error(
    write_modules: Write, sandbox: ImportSandbox, picture: Any
) -> None:
    write_modules({"lib/__init__.py": "", "lib/inner/__init__.py": "", "lib/inner/core.py": ""})
    importlib.import_module("lib.inner.core")
    before = picture("lib")

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.fresh_import("lib.inner.core", blocked=["lib"])

    assert str(raised.value) == (
        "'lib.inner.core' cannot be imported: 'lib', which contains it, is blocked in the same call"
    )
    assert before.differences() == []


@pytest.mark.parametrize(
    "names",
    [("one", "other"), (["one", "other"],), ("one", {"other"}), (iter(["one"]), "other")],
    ids=["names", "list", "name and set", "iterator and name"],
)
def test_names_to_evict_may_come_in_iterables(
    names: tuple[Any, ...], write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"one.py": "", "other.py": ""})
    importlib.import_module("one")
    importlib.import_module("other")

    sandbox.evict(*names)

    assert {"one", "other"} & sys.modules.keys() == set()


def test_names_to_block_may_come_in_an_iterable(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"one.py": "", "other.py": ""})

    sandbox.block(["one", "other"])

    for name in ("one", "other"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)


ARGUMENTS: dict[str, Callable[[ImportSandbox, Any], object]] = {
    "names": lambda sandbox, names: sandbox.evict(names),
    "fresh": lambda sandbox, names: sandbox.fresh_import("textwrap", fresh=names),
    "blocked": lambda sandbox, names: sandbox.fresh_import("textwrap", blocked=names),
    "preserve": lambda sandbox, names: ImportSandbox(preserve=names),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_bytes_are_refused_as_one_name(argument: str, sandbox: ImportSandbox) -> None:
    with pytest.raises(TypeError) as raised:
        ARGUMENTS[argument](sandbox, b"x")

    assert str(raised.value) == f"{argument} must hold names of modules as str, not bytes: b'x'"


# What only looks like a part of the import system


def test_accelerator_of_warnings_can_be_blocked(run_script: Run) -> None:
    """Python's own test_warnings tests both halves in this way."""
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox
        import warnings

        with ImportSandbox() as sandbox:
            fresh = sandbox.fresh_import("warnings", blocked="_warnings")
            print(fresh is not warnings, type(fresh.warn).__name__)
        with ImportSandbox() as sandbox:
            fresh = sandbox.fresh_import("warnings", fresh=["_warnings"])
            print(fresh is not warnings, type(fresh.warn).__name__)
        print(type(warnings.warn).__name__)
        """
    )

    assert output.splitlines() == [
        "True function",
        "True builtin_function_or_method",
        "builtin_function_or_method",
    ]


@pytest.mark.parametrize(
    "name", ["_thread", "_weakref", "zipimport", "importlib.resources", "importlib.metadata"]
)
def test_modules_that_import_can_do_without_can_be_blocked(name: str, run_script: Run) -> None:
    output = run_script(
        f"""
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            sandbox.block({name!r})
            try:
                import {name}
            except ModuleNotFoundError as exc:
                print(exc.name)
            sandbox.temp_package("pkg", {{"mod.py": "X = 1"}})
            import pkg.mod
            print(pkg.mod.X)
        import {name}
        """
    )

    assert output.splitlines() == [name, "1"]


# What a sandbox shows of itself


def test_sandbox_that_is_not_open_says_so() -> None:
    sandbox = ImportSandbox(preserve="numpy")
    shown = [repr(sandbox)]
    with sandbox:
        pass
    shown.append(repr(sandbox))

    assert shown == ["<ImportSandbox, not open>", "<ImportSandbox, not open>"]


def test_open_sandbox_says_what_it_holds() -> None:
    with ImportSandbox(preserve=["numpy", "scipy.signal"]) as sandbox:
        sandbox.block("textwrap")
        sandbox.fresh_import("colorsys", blocked=["calendar"])
        sandbox.temp_package("pkg")
        sandbox.temp_package.module("mod", "")

        assert repr(sandbox) == (
            "<ImportSandbox, open; preserve: numpy, scipy.signal; blocked: calendar, textwrap; "
            "evicted: colorsys, mod, pkg; temporary: pkg, mod>"
        )


def test_open_sandbox_that_holds_nothing_says_no_more_than_that(sandbox: ImportSandbox) -> None:
    assert repr(sandbox) == "<ImportSandbox, open>"
