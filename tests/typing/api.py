"""The types that users see. Never run, only checked: each function uses public names as a test suite does."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import assert_type

import pytest

import pytest_importsandbox
from pytest_importsandbox import (
    FreshImport,
    ImportChanges,
    ImportEffects,
    ImportSandbox,
    TempModule,
    TempPackage,
    TempPackageFactory,
    import_effects,
)

# Fixtures


def test_fixtures(
    fresh_import: FreshImport, temp_package: TempPackageFactory, import_sandbox: ImportSandbox
) -> None:
    assert_type(fresh_import("pkg.sub"), ModuleType)
    assert_type(temp_package("pkg"), TempPackage)
    assert_type(import_sandbox.changes(), ImportChanges)


def test_fresh_import(fresh_import: FreshImport) -> None:
    assert_type(fresh_import("pkg"), ModuleType)
    assert_type(fresh_import(".sub", "pkg"), ModuleType)
    assert_type(fresh_import(".sub", package="pkg"), ModuleType)
    assert_type(fresh_import(name="pkg"), ModuleType)
    fresh_import("pkg", None, fresh="other", blocked="numpy")
    fresh_import("pkg", fresh=["one", "two"], blocked=("numpy",))
    fresh_import("pkg", fresh={"one"}, blocked=(name for name in ["numpy"]))
    fresh_import("pkg", lazy="all")
    fresh_import("pkg", lazy="normal")
    fresh_import("pkg", lazy=None)


def test_fresh_import_refuses(fresh_import: FreshImport) -> None:
    fresh_import()  # type: ignore[call-arg]
    fresh_import(5)  # type: ignore[arg-type]
    fresh_import(b"pkg")  # type: ignore[arg-type]
    fresh_import("pkg", 5)  # type: ignore[arg-type]
    fresh_import("pkg", None, "other")  # type: ignore[call-arg]
    fresh_import("pkg", fresh=5)  # type: ignore[arg-type]
    fresh_import("pkg", blocked=[5])  # type: ignore[list-item]
    fresh_import("pkg", lazy="sometimes")  # type: ignore[arg-type]
    fresh_import("pkg", stale=True)  # type: ignore[call-arg]


def test_temp_package(temp_package: TempPackageFactory) -> None:
    assert_type(temp_package("pkg", "X = 1"), TempPackage)
    assert_type(temp_package("pkg", {"mod.py": "X = 1", "raw.bin": b"\x00"}), TempPackage)
    assert_type(temp_package("pkg", files={"mod.py": "X = 1"}, namespace=True), TempPackage)
    texts: dict[str, str] = {"mod.py": ""}
    temp_package("pkg", texts)
    contents: Mapping[str, bytes] = {"raw.bin": b""}
    temp_package("pkg", contents)


def test_temp_package_refuses(temp_package: TempPackageFactory) -> None:
    temp_package()  # type: ignore[call-arg]
    temp_package(5)  # type: ignore[arg-type]
    temp_package("pkg", b"X = 1")  # type: ignore[arg-type]
    temp_package("pkg", {"mod.py": 5})  # type: ignore[dict-item]
    temp_package("pkg", {Path("mod.py"): ""})  # type: ignore[dict-item]
    temp_package("pkg", None, True)  # type: ignore[call-arg]


def test_package(temp_package: TempPackageFactory) -> None:
    package = temp_package("pkg")
    assert_type(package.name, str)
    assert_type(package.path, Path)
    package.write("mod.py", "X = 1")
    package.write("raw.bin", b"\x00")
    package.write(file="mod.py", content="X = 2")
    package.remove("mod.py")
    package.write(Path("mod.py"), "")  # type: ignore[arg-type]
    package.write("mod.py", 5)  # type: ignore[arg-type]
    package.remove(5)  # type: ignore[arg-type]


def test_distribution(temp_package: TempPackageFactory) -> None:
    package = temp_package("pkg")
    assert_type(package.add_distribution(), None)
    package.add_distribution("2.0", name="other")
    package.add_distribution(version="2.0", entry_points={"group": {"name": "pkg:attribute"}})
    fields: dict[str, str] = {"Summary": "for a test"}
    package.add_distribution(metadata=fields)
    package.add_distribution(metadata={"Summary": "for a test", "Requires-Dist": ["one", "two"]})
    package.add_distribution(5)  # type: ignore[arg-type]
    package.add_distribution("2.0", "other")  # type: ignore[call-arg]
    package.add_distribution(entry_points={"group": ["pkg:attribute"]})  # type: ignore[dict-item]
    package.add_distribution(metadata={"Summary": 5})  # type: ignore[dict-item]


def test_module(temp_package: TempPackageFactory) -> None:
    module = temp_package.module("mod", "X = 1")
    assert_type(module, TempModule)
    assert_type(module.name, str)
    assert_type(module.path, Path)
    module.write("X = 2")
    module.write(source=b"X = 3")
    temp_package.module("mod")  # type: ignore[call-arg]
    temp_package.module("mod", 5)  # type: ignore[arg-type]
    module.write(5)  # type: ignore[arg-type]


def test_import_sandbox(import_sandbox: ImportSandbox) -> None:
    assert_type(import_sandbox.fresh_import("pkg"), ModuleType)
    assert_type(import_sandbox.fresh_import(".sub", "pkg", fresh="a", blocked=["b"], lazy="all"), ModuleType)
    import_sandbox.evict()
    import_sandbox.evict("pkg", "other.sub")
    import_sandbox.evict(["pkg", "other.sub"])
    import_sandbox.block("numpy", "scipy")
    import_sandbox.block("numpy", {"scipy"})
    assert_type(import_sandbox.pending(), tuple[str, ...])
    assert_type(import_sandbox.temp_package("pkg", "X = 1"), TempPackage)
    import_sandbox.evict(5)  # type: ignore[arg-type]
    import_sandbox.block([5])  # type: ignore[list-item]


def test_parts_of_a_sandbox_are_what_the_fixtures_give(import_sandbox: ImportSandbox) -> None:
    fresh_import: FreshImport = import_sandbox.fresh_import
    temp_package: TempPackageFactory = import_sandbox.temp_package
    fresh_import("pkg")
    temp_package("pkg")


def test_changes(import_sandbox: ImportSandbox) -> None:
    changes = import_sandbox.changes()
    assert_type(changes.added, tuple[str, ...])
    assert_type(changes.removed, tuple[str, ...])
    assert_type(changes.replaced, tuple[str, ...])
    assert_type(changes.reloaded, tuple[str, ...])
    assert_type(changes.path, tuple[str, ...])
    assert_type(changes.meta_path, tuple[str, ...])
    assert_type(changes.path_hooks, tuple[str, ...])
    assert_type(str(changes), str)
    assert_type(bool(changes), bool)
    changes.added = ()  # type: ignore[misc]
    assert changes == ImportChanges(added=("pkg",), path=("+/entry",))


# Import effects


def test_import_effects() -> None:
    effects = import_effects("pkg")
    assert_type(effects, ImportEffects)
    assert_type(import_effects(["pkg", "other"], check=False), ImportEffects)
    import_effects(name="pkg", blocked="numpy", args=["-O"], env={"A": "1"}, timeout=5)
    import_effects("pkg", blocked={"numpy"}, args=("-X", "dev"), timeout=0.5)
    assert_type(effects.chain("numpy"), str)
    assert_type(effects.error, str)
    assert_type(effects.seconds, float)
    assert_type(effects.names, tuple[str, ...])
    assert_type(effects.preloaded, tuple[str, ...])
    assert_type(bool(effects), bool)
    for module in effects.modules:
        assert_type(module.name, str)
        assert_type(module.seconds, float)
        assert_type(module.self_seconds, float)
        assert_type(module.importer, str)
        assert_type(module.place, str)
    for effect in (*effects.threads, *effects.environ, *effects.patched, *effects.cwd, *effects.stdout):
        assert_type(effect.what, str)
        assert_type(effect.how, str)
        assert_type(effect.before, str | None)
        assert_type(effect.after, str | None)
        assert_type(effect.module, str)
        assert_type(effect.place, str)
    effects.dump(Path("effects.json"))
    assert_type(ImportEffects.load("effects.json"), ImportEffects)


def test_import_effects_refuses() -> None:
    import_effects()  # type: ignore[call-arg]
    import_effects(5)  # type: ignore[arg-type]
    import_effects("pkg", "numpy")  # type: ignore[call-arg]
    import_effects("pkg", args=[5])  # type: ignore[list-item]
    import_effects("pkg", env={"A": 5})  # type: ignore[dict-item]
    import_effects("pkg", timeout=None)  # type: ignore[arg-type]
    import_effects("pkg").error = "none"  # type: ignore[misc]


def test_import_effects_by_fixture(import_effects: Callable[..., ImportEffects]) -> None:
    assert_type(import_effects("pkg"), ImportEffects)


# The marker


@pytest.mark.isolated_imports
def test_marker() -> None: ...


@pytest.mark.isolated_imports(False)
def test_marker_off() -> None: ...


@pytest.mark.isolated_imports(preserve="numpy", blocked=["pandas"])
def test_marker_with_names() -> None: ...


# Without fixtures


def use_as_a_context_manager() -> ModuleType:
    with ImportSandbox() as sandbox:
        assert_type(sandbox, ImportSandbox)
        return sandbox.fresh_import("pkg")


def return_from_inside_only() -> int:
    # Would be a missing return if leaving the sandbox could swallow an exception.
    with ImportSandbox():
        return 1


def preserve_some_packages() -> None:
    ImportSandbox("numpy")
    ImportSandbox(preserve="numpy")
    ImportSandbox(preserve=["numpy", "scipy.signal"])
    ImportSandbox(preserve=5)  # type: ignore[arg-type]
    ImportSandbox(preserve=[5])  # type: ignore[list-item]


def enter_it_again() -> None:
    sandbox = ImportSandbox()
    with sandbox:
        pass
    with sandbox as entered:
        entered.evict("pkg")


class TestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.sandbox = self.enterContext(ImportSandbox())
        assert_type(self.sandbox, ImportSandbox)

    def test(self) -> None:
        assert_type(self.sandbox.fresh_import("pkg"), ModuleType)


@pytest.fixture
def settings(fresh_import: FreshImport) -> ModuleType:
    """A fixture of the user's own, on top of ours."""
    return fresh_import("settings")


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[ImportSandbox]:
    """A sandbox for all tests of a module."""
    with ImportSandbox() as sandbox:
        yield sandbox


def make_package(temp_package: TempPackageFactory, name: str) -> TempPackage:
    """A helper of the user's own."""
    return temp_package(name, {"__init__.py": "X = 1"})


def import_it(fresh_import: FreshImport, *names: str) -> list[ModuleType]:
    """A helper that takes the fixture."""
    return [fresh_import(name) for name in names]


def stand_in(
    name: str,
    package: str | None = None,
    *,
    fresh: object = (),
    blocked: object = (),
    lazy: object = None,
) -> ModuleType:
    """A stand-in for the fixture, as the user's own tests may need."""
    return ModuleType(name)


import_it(stand_in, "pkg")

assert_type(pytest_importsandbox.__version__, str)


# Users hold these classes, they do not extend them.


class MySandbox(ImportSandbox):  # type: ignore[misc]
    pass


class MyModule(TempModule):  # type: ignore[misc]
    pass


class MyPackage(TempPackage):  # type: ignore[misc]
    pass


class MyFactory(TempPackageFactory):  # type: ignore[misc]
    pass
