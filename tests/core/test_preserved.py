"""Preserved modules: which they are and why, and that they come back as they were."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import requires
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox._core.modules import is_extension, is_standard, spec_of, stays_in_place
from pytest_importsandbox._core.preserved import (
    ExtensionPackages,
    Footprint,
    Imports,
    Store,
    imports_in_code,
)

Run = Callable[..., str]

STANDARD = Path(os.__file__).parent
SUFFIX = EXTENSION_SUFFIXES[0]


def module(name: str, origin: str | None = None, **attributes: object) -> ModuleType:
    """A module that was found at some place."""
    made = ModuleType(name)
    made.__spec__ = ModuleSpec(name, None, origin=origin or str(Path("elsewhere", f"{name}.py").absolute()))
    vars(made).update(attributes)
    return made


def extension(name: str) -> ModuleType:
    return module(name, str(Path("elsewhere", f"{name}{SUFFIX}").absolute()))


def standard(name: str, **attributes: object) -> ModuleType:
    return module(name, str(STANDARD / f"{name}.py"), **attributes)


class Hostile:
    @property
    def __class__(self) -> Any:
        raise ZeroDivisionError

    def _raise(self, *args: object) -> Any:
        raise ZeroDivisionError

    __eq__ = __getattr__ = __getattribute__ = __bool__ = __len__ = _raise
    __hash__ = None  # type: ignore[assignment]


# What a module is


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("built-in", True),
        (f"/elsewhere/native{SUFFIX}", True),
        ("frozen", False),
        ("/elsewhere/native.py", False),
        ("namespace", False),
        (None, False),
        (5, False),
    ],
)
def test_extension_is_known_by_its_origin(origin: Any, expected: bool) -> None:
    made = ModuleType("native")
    made.__spec__ = ModuleSpec("native", None, origin=origin)

    assert is_extension(made) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("built-in", True),
        ("frozen", True),
        (str(STANDARD / "token.py"), True),
        (str(STANDARD / "json" / "__init__.py"), True),
        (str(STANDARD / "lib-dynload" / f"_queue{SUFFIX}"), True),
        (str(STANDARD / "site-packages" / "attr" / "__init__.py"), False),
        (str(STANDARD / "dist-packages" / "attr" / "__init__.py"), False),
        (f"{STANDARD}-of-mine{os.sep}token.py", False),
        (os.sep + str(Path("elsewhere", "token.py")), False),
        (None, False),
        (5, False),
    ],
)
def test_standard_library_is_known_by_its_place(origin: Any, expected: bool) -> None:
    made = ModuleType("token")
    made.__spec__ = ModuleSpec("token", None, origin=origin)

    assert is_standard(made) is expected


ODD = [lambda: None, lambda: 5, lambda: "text", lambda: ModuleType("without_spec"), Hostile]
ODD_IDS = ["None", "int", "str", "module", "hostile"]


@pytest.mark.parametrize("make", ODD, ids=ODD_IDS)
def test_what_no_import_made_is_neither_extension_nor_standard(make: Callable[[], object]) -> None:
    value = make()

    assert (is_extension(value), is_standard(value), stays_in_place(value)) == (False, False, False)


@pytest.mark.parametrize("make", ODD, ids=ODD_IDS)
def test_spec_of_another_kind_says_nothing(make: Callable[[], Any]) -> None:
    made = ModuleType("odd")
    made.__spec__ = make()

    assert (is_extension(made), is_standard(made)) == (False, False)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("built-in", True),
        ("frozen", True),
        (str(STANDARD / "lib-dynload" / f"_queue{SUFFIX}"), True),
        (str(STANDARD / "token.py"), False),
        (os.sep + str(Path("elsewhere", f"native{SUFFIX}")), False),
    ],
)
def test_compiled_and_frozen_parts_of_the_standard_library_stay_in_place(origin: str, expected: bool) -> None:
    assert stays_in_place(module("some", origin)) is expected


@pytest.mark.parametrize("name", ["sys", "math", "os", "json", "unittest.mock", "ctypes", "sqlite3"])
def test_standard_library_of_this_interpreter_is_known(name: str, run_script: Run) -> None:
    run_script(
        f"""
        import importlib

        from pytest_importsandbox._core.modules import is_standard

        assert is_standard(importlib.import_module({name!r}))
        """
    )


@pytest.mark.parametrize("name", ["pytest", "_pytest.fixtures", "pluggy", "pytest_importsandbox.plugin"])
def test_installed_package_is_not_the_standard_library(name: str) -> None:
    assert not is_standard(sys.modules[name])


# Why a module is preserved


def kept(
    added: dict[str, Any],
    *,
    originals: dict[str, Any] | None = None,
    named: tuple[str, ...] = (),
    hindered: tuple[str, ...] = (),
    store: Store | None = None,
) -> set[str]:
    """The names that a store keeps of what a sandbox added."""
    store = store or Store(ExtensionPackages())
    before = set(store.modules)
    names = keep(store, added, originals=originals, named=named, hindered=hindered)
    assert names == [name for name in added if name in store.modules.keys() - before]
    return set(names)


def keep(
    store: Store,
    added: dict[str, Any],
    *,
    originals: dict[str, Any] | None = None,
    named: tuple[str, ...] = (),
    hindered: tuple[str, ...] = (),
) -> list[str]:
    """Let a store keep what a sandbox added, all of which import was asked for."""
    return store.keep(added, originals or {}, Imports(named=named, asked=set(added), hindered=set(hindered)))


@pytest.mark.parametrize(
    "made",
    [
        standard("token"),
        extension("native"),
        module("pygments.token"),
        module("pytest_something.plugin"),
        module("named.sub"),
    ],
    ids=lambda made: made.__name__,
)
def test_module_must_run_once(made: ModuleType) -> None:
    store = Store(ExtensionPackages())
    store.plugin_packages.add("pytest_something")
    store.extension_packages.look_at([made.__name__], {made.__name__: made})

    assert store.must_run_once(made.__name__, spec_of(made), ["named"])


def test_what_pytest_requires_must_run_once() -> None:
    # Those with a condition are for some platforms and versions of Python only.
    required = [each for each in requires("pytest") or () if ";" not in each]
    packages = {re.match(r"\w+", each)[0].lower() for each in required}  # type: ignore[index]
    store = Store(ExtensionPackages())

    assert packages
    assert {each for each in packages if not store.must_run_once(each, {}, ())} == set()


@pytest.mark.parametrize("name", ["plain", "nameds", "pygment"])
def test_module_may_run_again(name: str) -> None:
    assert not Store(ExtensionPackages()).must_run_once(name, spec_of(module(name)), ["named"])


def test_plain_module_is_forgotten() -> None:
    assert kept({"plain": module("plain")}) == set()


def test_standard_library_is_kept() -> None:
    assert kept({"token": standard("token"), "plain": module("plain")}) == {"token"}


def test_module_of_a_test_with_a_name_of_the_standard_library_is_forgotten() -> None:
    assert kept({"token": module("token")}) == set()


def test_package_with_an_extension_is_kept_whole() -> None:
    added = {
        "pkg": module("pkg"),
        "pkg.sub": module("pkg.sub"),
        "pkg.sub.native": extension("pkg.sub.native"),
        "plain": module("plain"),
    }

    assert kept(added) == {"pkg", "pkg.sub", "pkg.sub.native"}


def test_part_of_a_package_whose_extension_was_loaded_before_is_kept() -> None:
    before = {"pkg": module("pkg"), "pkg.native": extension("pkg.native")}
    store = Store(ExtensionPackages())
    store.extension_packages.look_at(before, before)

    assert kept({"pkg.late": module("pkg.late")}, originals=before, store=store) == {"pkg.late"}


@pytest.mark.parametrize(
    ("native", "package"), [("pkg_core", "pkg"), ("_pkg_backend", "pkg"), ("_pkg", None), ("pkgs", None)]
)
def test_extension_package_goes_with_the_package_that_it_is_named_after(
    native: str, package: str | None
) -> None:
    added = {native: extension(native), "pkg": module("pkg"), "other": module("other")}

    assert kept(added) - {native} == ({package} if package else set())


def test_named_package_is_kept_with_its_submodules() -> None:
    added = {"named": module("named"), "named.sub": module("named.sub"), "nameds": module("nameds")}

    assert kept(added, named=("named",)) == {"named", "named.sub"}


def test_parents_of_a_named_module_are_kept() -> None:
    added = {"pkg": module("pkg"), "pkg.named": module("pkg.named"), "pkg.other": module("pkg.other")}

    assert kept(added, named=("pkg.named",)) == {"pkg", "pkg.named"}


def test_what_a_kept_module_brought_along_is_kept() -> None:
    store = Store(ExtensionPackages())
    store.note_asked("named", "along")
    store.note_asked("along", "further.sub")
    added = {
        name: module(name) for name in ("named", "along", "further", "further.sub", "further.other", "plain")
    }

    assert kept(added, named=("named",), store=store) == {"named", "along", "further", "further.sub"}


def test_what_a_forgotten_module_brought_along_is_forgotten() -> None:
    store = Store(ExtensionPackages())
    store.note_asked("plain", "along")

    assert kept({"plain": module("plain"), "along": module("along")}, store=store) == set()


def test_notes_of_what_was_brought_along_are_forgotten_in_the_end() -> None:
    store = Store(ExtensionPackages())
    store.note_asked("named", "along")
    store.forget_asked()

    assert kept({"named": module("named"), "along": module("along")}, named=("named",), store=store) == {
        "named"
    }


def held_module() -> object:
    return HELD


def held_class() -> object:
    return type("C", (), {"__module__": "held"})


def held_function() -> object:
    def function() -> None: ...

    function.__module__ = "held"
    return function


HELD = module("held")


@pytest.mark.parametrize(
    "make", [held_module, held_class, held_function], ids=["module", "class", "function"]
)
def test_what_a_kept_module_holds_on_to_is_kept(make: Callable[[], object]) -> None:
    added = {"named": module("named", attribute=make()), "held": HELD, "plain": module("plain")}

    assert kept(added, named=("named",)) == {"named", "held"}


def test_module_of_a_kept_builtin_function_is_kept() -> None:
    added = {"named": module("named", attribute=len, other=int), "builtins": standard("builtins")}

    assert kept(added, named=("named",)) == {"named", "builtins"}


def test_instances_hold_on_to_nothing() -> None:
    instance = type("C", (), {"__module__": "held"})()

    assert kept({"named": module("named", attribute=instance), "held": HELD}, named=("named",)) == {"named"}


def test_hostile_attributes_of_a_kept_module_are_never_asked_anything() -> None:
    class Meta(type):
        @property
        def __module__(cls) -> Any:  # type: ignore[override]
            raise ZeroDivisionError

        def __getattribute__(cls, name: str) -> Any:
            raise ZeroDivisionError

        def __eq__(cls, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = type.__hash__

    class Odd(metaclass=Meta):
        pass

    added = {"named": module("named", one=Hostile(), two=Odd, three=None), "held": HELD}

    assert kept(added, named=("named",)) == {"named"}


def test_class_that_says_nothing_of_its_module_holds_on_to_nothing() -> None:
    odd = type("Odd", (), {"__module__": 5})

    assert kept({"named": module("named", odd=odd)}, named=("named",)) == {"named"}


def test_fake_is_forgotten() -> None:
    added = {"named": ModuleType("named"), "named.sub": None, "other": object()}

    assert kept(added, named=("named", "other")) == set()


def test_key_that_is_no_name_is_forgotten() -> None:
    added: dict[Any, Any] = {5: standard("token"), None: standard("token")}

    assert kept(added) == set()


def test_fresh_copy_is_temporary() -> None:
    assert kept({"token": standard("token")}, originals={"token": standard("token")}) == set()


def test_fresh_copy_of_a_preserved_module_is_temporary() -> None:
    store = Store(ExtensionPackages())
    first = standard("token")
    keep(store, {"token": first})

    keep(store, {"token": standard("token")})

    assert store.modules == {"token": first}


def test_new_part_of_a_fresh_copy_is_temporary() -> None:
    added = {"pkg": module("pkg"), "pkg.new": module("pkg.new")}

    assert kept(added, originals={"pkg": module("pkg")}, named=("pkg",)) == set()


def test_new_extension_of_a_fresh_copy_is_kept_without_it() -> None:
    added = {"pkg": module("pkg"), "pkg.native": extension("pkg.native")}

    assert kept(added, originals={"pkg": module("pkg")}) == {"pkg.native"}


def test_of_what_was_hindered_only_compiled_code_is_kept() -> None:
    added = {"pkg": module("pkg"), "pkg.sub": module("pkg.sub"), "native": extension("native")}
    added["pkg.native"] = extension("pkg.native")

    assert kept(added, hindered=("pkg.sub", "native")) == {"pkg", "pkg.native", "native"}


def test_module_that_is_still_loading_is_forgotten() -> None:
    loading = standard("token")
    loading.__spec__._initializing = True  # type: ignore[union-attr]

    assert kept({"token": loading}) == set()


@pytest.mark.parametrize("named", [(), ("native",)])
def test_module_of_a_temporary_package_is_kept_only_if_it_is_named(named: tuple[str, ...]) -> None:
    store = Store(ExtensionPackages())
    added = {"native": extension("native")}
    store.temporary_directories.add(str(spec_of(added["native"])["origin"]))

    assert kept(added, named=named, store=store) == set(named)


# What comes back together


def test_parts_that_were_imported_on_their_own_do_not_come_back() -> None:
    store = Store(ExtensionPackages())
    keep(store, {name: module(name) for name in ("pkg", "pkg.sub", "pkg.sub.deep")}, named=("pkg",))

    assert set(store.footprint("pkg.sub").modules) == {"pkg", "pkg.sub"}


def test_what_came_along_comes_back() -> None:
    store = Store(ExtensionPackages())
    store.note_asked("pkg", "along.sub")
    names = ("pkg", "along", "along.sub", "other")
    with_modules = {name: module(name) for name in names}
    sys.modules.update(with_modules)
    keep(store, with_modules, named=("pkg", "other"))
    for name in names:
        del sys.modules[name]

    assert set(store.footprint("pkg").modules) == {"pkg", "along", "along.sub"}


def test_shared_module_that_a_kept_one_needs_is_shared_no_more() -> None:
    store = Store(ExtensionPackages())
    store.note_asked("library", "base")
    shared = {"base": module("base"), "library": module("library"), "other": module("other")}
    sys.modules.update(shared)
    store.keep(shared, {}, Imports(shares=True, asked=set(shared)))
    for name in shared:
        del sys.modules[name]
    before = [store[name].is_shared for name in shared]

    store.note_asked("named", "library")
    keep(store, {"named": module("named")}, named=("named",))

    assert before == [True, True, True]
    assert [store[name].is_shared for name in shared] == [False, False, True]


def test_part_that_no_finder_was_asked_for_comes_back_with_its_package() -> None:
    store = Store(ExtensionPackages())
    made = module("pkg.made")
    added = {"pkg": module("pkg", made=made), "pkg.made": made}
    store.keep(added, {}, Imports(named=("pkg",), asked={"pkg"}))

    assert set(store.footprint("pkg").modules) == {"pkg", "pkg.made"}


def test_footprint_without_some_packages() -> None:
    footprint = Footprint({"a": 1, "a.b": 2, "c": 3}, {"a.b": 4, "c": 5}, [])

    assert (footprint.without(["a"]).modules, footprint.without(["a"]).bound) == ({"c": 3}, {"c": 5})


def test_import_statements_of_a_module_and_of_its_functions_are_known() -> None:
    code = compile(
        "import one\nfrom . import two\nfrom .three import four\ndef f():\n    import five.six", "pkg", "exec"
    )

    class Loader:
        @staticmethod
        def get_code(name: str) -> Any:
            return code

        @staticmethod
        def is_package(name: str) -> bool:
            return True

    assert imports_in_code("pkg", Loader) == {
        "one",
        "pkg",
        "pkg.two",
        "pkg.three",
        "pkg.three.four",
        "five.six",
    }


@pytest.mark.parametrize("loader", [None, object()])
def test_nothing_is_known_of_a_module_without_code(loader: object) -> None:
    assert imports_in_code("pkg", loader) == set()


# From the first import to the next


def test_module_of_the_standard_library_is_the_same_in_every_sandbox(run_script: Run) -> None:
    output = run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        names = [
            "asyncio", "colorsys", "concurrent.futures", "ctypes", "decimal", "email.message",
            "logging.config", "multiprocessing.pool", "numbers", "sqlite3", "ssl", "unittest.mock",
            "xml.etree.ElementTree",
        ]
        before = list(sys.modules)
        for name in names:
            seen = []
            for _ in range(3):
                with ImportSandbox():
                    seen.append(importlib.import_module(name))
                if list(sys.modules) != before:
                    print("sys.modules is another after", name)
            seen.append(importlib.import_module(name))
            for added in sys.modules.keys() - set(before):
                del sys.modules[added]
            if not all(each is seen[0] for each in seen):
                print("another copy of", name)
        print(len(names))
        """
    )

    assert output.splitlines() == ["13"]


def test_classes_of_the_standard_library_stay_the_same(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            from decimal import Decimal
            from numbers import Number
            from fractions import Fraction
        with ImportSandbox():
            import decimal
            import fractions
            import numbers

            assert isinstance(decimal.Decimal(1), Decimal)
            assert isinstance(fractions.Fraction(1), Number)
            assert isinstance(Decimal(1), numbers.Number)
        """
    )


def test_handlers_are_not_doubled(run_script: Run) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        for _ in range(3):
            with ImportSandbox():
                import logging
                import logging.config

                logging.basicConfig()
        import logging

        print(len(logging.getLogger().handlers))
        """
    )

    assert output.split() == ["1"]


def test_user_named_package_runs_once(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        seen = []
        for _ in range(3):
            with ImportSandbox(preserve=["named.sub", "other"]):
                import named.sub
                import other
                import plain
                seen.append((named, named.sub, other))
            print([name for name in ("named", "named.sub", "other", "plain") if name in sys.modules])
        print(all(each is first for those in seen for each, first in zip(those, seen[0])))
        """,
        files={
            "named/__init__.py": "print('named runs')",
            "named/sub.py": "print('named.sub runs')",
            "other.py": "print('other runs')",
            "plain.py": "print('plain runs')",
        },
    )

    assert output.splitlines() == [
        "named runs",
        "named.sub runs",
        "other runs",
        "plain runs",
        "[]",
        "plain runs",
        "[]",
        "plain runs",
        "[]",
        "True",
    ]


def test_one_preserved_package_may_be_a_bare_name(run_script: Run) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        for _ in range(2):
            with ImportSandbox(preserve="named"):
                import named
        """,
        files={"named.py": "print('runs')"},
    )

    assert output.split() == ["runs"]


def test_preserved_module_comes_back_in_sandboxes_that_do_not_name_it_and_outside(run_script: Run) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
        with ImportSandbox():
            import named as second
        import named as third

        assert first is second is third
        """,
        files={"named.py": "print('runs')"},
    )

    assert output.split() == ["runs"]


def test_what_a_preserved_module_brought_along_comes_back_with_it(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named
            first = {name: sys.modules[name] for name in ("named", "along", "along.sub", "lazily")}
        with ImportSandbox():
            import named
            assert all(sys.modules[name] is first[name] for name in first)
        with ImportSandbox():
            import along.sub
            assert along.sub is first["along.sub"]
        """,
        files={
            "named.py": "import along.sub\nfrom lazily import f",
            "along/__init__.py": "print('along runs')",
            "along/sub.py": "",
            "lazily.py": "def f(): pass",
        },
    )

    assert output.split() == ["along", "runs"]


def test_what_a_preserved_module_holds_on_to_comes_back(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import dates
            import named
        with ImportSandbox():
            import dates as again
            assert again is dates
            assert isinstance(named.today, again.Date)
        """,
        files={"dates.py": "class Date: pass", "named.py": "from dates import Date\ntoday = Date()"},
    )


def test_plain_module_runs_again(run_script: Run) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        for _ in range(2):
            with ImportSandbox():
                import plain
        import plain
        """,
        files={"plain.py": "print('runs')"},
    )

    assert output.split() == ["runs"] * 3


def test_module_of_the_test_with_a_name_of_the_standard_library_runs_again(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import colorsys as real
        for _ in range(2):
            with ImportSandbox() as sandbox:
                sandbox.temp_package("colorsys", "print('mine runs')")
                sandbox.fresh_import("colorsys")
        import colorsys

        assert colorsys is real
        """
    )

    assert output.splitlines() == ["mine runs", "mine runs"]


def test_fake_of_the_test_does_not_come_back(run_script: Run) -> None:
    run_script(
        """
        import importlib.util
        import sys
        from types import ModuleType

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            sys.modules["named"] = ModuleType("named")
            sys.modules["colorsys"] = ModuleType("colorsys")
        import colorsys
        import named

        assert named.X == 1
        assert hasattr(colorsys, "rgb_to_hsv")
        """,
        files={"named.py": "X = 1"},
    )


def test_fresh_copy_of_a_preserved_module_gives_way_to_the_first(run_script: Run) -> None:
    run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            first = importlib.import_module("named")
            first_sub = importlib.import_module("named.sub")
        with ImportSandbox(preserve="named") as sandbox:
            again = sandbox.fresh_import("named")
            again_sub = importlib.import_module("named.sub")
            importlib.import_module("named.late")
            assert again is not first
            assert again_sub is not first_sub
        assert importlib.import_module("named") is first
        assert importlib.import_module("named.sub") is first_sub
        assert first.sub is first_sub
        assert "late" not in vars(first)
        assert "named.late" not in sys.modules
        """,
        files={"named/__init__.py": "", "named/sub.py": "", "named/late.py": ""},
    )


@pytest.mark.parametrize("position", ["last", "not last"])
def test_new_part_of_a_fresh_copy_does_not_come_back(position: str, run_script: Run) -> None:
    run_script(
        f"""
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        import named
        if {position!r} != "last":
            import other
        with ImportSandbox(preserve="named") as sandbox:
            sandbox.fresh_import("named")
            importlib.import_module("named.late")
        assert importlib.import_module("named.late").parent is named
        """,
        files={"named/__init__.py": "", "named/late.py": "import named as parent", "other.py": ""},
    )


def test_part_that_is_imported_later_is_preserved_with_its_package(run_script: Run) -> None:
    run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        def look():
            with ImportSandbox(preserve="named"):
                return importlib.import_module("named"), importlib.import_module("named.late")

        with ImportSandbox(preserve="named"):
            first = importlib.import_module("named")
        seen = [look(), look()]
        assert seen[0][0] is seen[1][0] is first
        assert seen[0][1] is seen[1][1]
        with ImportSandbox():
            named = importlib.import_module("named")
            assert named is first
            assert not hasattr(named, "late")
            assert "named.late" not in sys.modules
            late = importlib.import_module("named.late")
            assert named.late is late is seen[0][1]
        """,
        files={"named/__init__.py": "", "named/late.py": ""},
    )


# How they come back

DESCRIBED = {
    "named/__init__.py": """
        print("runs")

        def __getattr__(name):
            print("asked for", name)
            raise AttributeError(name)
        """,
    "named/sub.py": """
        import warnings

        warnings.warn("it runs", RuntimeWarning)

        class C:
            pass

        def function():
            return 1
        """,
    "named/text.txt": "a text",
}


def test_module_comes_back_with_all_its_own_attributes(run_script: Run) -> None:
    output = run_script(
        """
        import importlib
        import sys
        import warnings

        from pytest_importsandbox import ImportSandbox

        names = ["named", "named.sub", "spread", "spread.part"]
        with ImportSandbox(preserve=["named", "spread"]):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                before = {name: importlib.import_module(name) for name in names}
            attributes = {name: dict(vars(before[name])) for name in names}
        for _ in range(3):
            with ImportSandbox():
                for name in names:
                    importlib.import_module(name)
                for name in names:
                    module = sys.modules[name]
                    now = vars(module)
                    assert module is before[name], name
                    assert set(now) == set(attributes[name]), name
                    assert all(now[each] is attributes[name][each] for each in now), name
                    for own in ("__spec__", "__loader__", "__builtins__", "__name__", "__package__"):
                        assert own in now or name == "spread" and own == "__builtins__", own
                    assert now["__spec__"]._initializing is False
            assert not set(names) & sys.modules.keys()
        print("as before")
        """,
        files={**DESCRIBED, "spread/part.py": ""},
    )

    # `__path__` is what the import system asks a package for once, before it knows that there is a submodule.
    assert output.splitlines()[0] == "runs"
    assert output.splitlines()[-1] == "as before"
    assert output.count("runs") == 1
    assert "asked for" not in output.replace("asked for __path__", "")


def test_attribute_on_the_parent_comes_back(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        import pkg
        with ImportSandbox(preserve=["pkg.sub", "pkg.same", "pkg.gone"]):
            import pkg.gone
            import pkg.same
            import pkg.sub
            del pkg.gone
            pkg.same = first_same = sys.modules["pkg.same"].same
        print([name for name in ("sub", "same", "gone") if name in vars(pkg)])
        with ImportSandbox():
            import pkg.sub
            assert pkg.sub is sys.modules["pkg.sub"]
        print([name for name in ("sub", "same", "gone") if name in vars(pkg)])
        """,
        files={
            "pkg/__init__.py": "",
            "pkg/sub.py": "",
            "pkg/same.py": "def same(): pass",
            "pkg/gone.py": "",
        },
    )

    assert output.splitlines() == ["[]", "[]"]


def test_attribute_on_a_parent_that_stayed_is_there_for_those_that_came_along(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        import pkg
        with ImportSandbox(preserve="named"):
            import named
        assert "sub" not in vars(pkg)
        with ImportSandbox():
            import named
            assert pkg.sub is sys.modules["pkg.sub"]
        assert "sub" not in vars(pkg)
        """,
        files={"pkg/__init__.py": "", "pkg/sub.py": "", "named.py": "import pkg.sub"},
    )


def test_module_that_came_along_comes_back_without_the_parent_that_is_gone(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        import pkg
        with ImportSandbox(preserve="named"):
            import named
        with ImportSandbox():
            del sys.modules["pkg"]
            import named
            print("pkg.sub" in sys.modules, "pkg" in sys.modules)
        """,
        files={"pkg/__init__.py": "", "pkg/sub.py": "", "named.py": "import pkg.sub"},
    )

    assert output.splitlines() == ["True False"]


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("importlib.util.find_spec('named.sub').origin == first.__spec__.origin", "True"),
        ("importlib.util.find_spec('named.sub') is first.__spec__", "True"),
        ("[each.name for each in pkgutil.iter_modules(named.__path__)]", "['sub']"),
        ("[each.name for each in pkgutil.walk_packages(named.__path__, 'named.')]", "['named.sub']"),
        ("pkgutil.resolve_name('named.sub:C') is first.C", "True"),
        ("inspect.getsource(named.sub.function).split()[:2]", "['def', 'function():']"),
        ("inspect.getsource(named.sub).split()[:2]", "['import', 'warnings']"),
        ("inspect.getmodule(named.sub.C) is first", "True"),
        ("(importlib.resources.files('named') / 'text.txt').read_text('utf-8')", "a text"),
        ("pkgutil.get_data('named', 'text.txt').decode()", "a text"),
        ("type(pickle.loads(pickle.dumps(first.C()))) is first.C", "True"),
        ("pickle.loads(pickle.dumps(first.function)) is first.function", "True"),
        ("typing.get_type_hints(first.function)", "{}"),
    ],
)
@pytest.mark.parametrize("place", ["with ImportSandbox():", "if True:"], ids=["inside", "outside"])
def test_module_that_came_back_works_as_before(use: str, expected: str, place: str, run_script: Run) -> None:
    output = run_script(
        f"""
        import importlib.resources
        import importlib.util
        import inspect
        import pickle
        import pkgutil
        import typing
        import warnings

        from pytest_importsandbox import ImportSandbox

        with warnings.catch_warnings(), ImportSandbox(preserve="named"):
            warnings.simplefilter("ignore")
            import named.sub as first
        {place}
            import named.sub
            print({use})
        """,
        files={**DESCRIBED, "named/__init__.py": ""},
    )

    assert output.splitlines() == [expected]


def test_spec_is_found_before_the_module_is_back(run_script: Run) -> None:
    run_script(
        """
        import importlib.util
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named
        with ImportSandbox():
            spec = importlib.util.find_spec("named")
            assert spec.origin == named.__spec__.origin
            assert type(spec.loader) is type(named.__loader__)
            assert "named" not in sys.modules
        """,
        files={"named.py": ""},
    )


def test_module_that_came_back_can_be_reloaded(run_script: Run) -> None:
    output = run_script(
        """
        import importlib

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
        value = first.X
        with ImportSandbox():
            import named
            assert importlib.reload(named) is first
            assert named.X is not value
        with ImportSandbox():
            import named
            assert named is first
            assert named.X is value
        """,
        files={"named.py": "print('runs')\nX = []"},
    )

    assert output.splitlines() == ["runs", "runs"]


def test_name_of_the_parent_is_bound_by_an_import_of_a_submodule(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named.inner.deep
        with ImportSandbox():
            import named.inner.deep
            from named.inner import deep
            from named.inner.deep import X

            assert named.inner.deep is deep
            assert X == 1
        """,
        files={"named/__init__.py": "", "named/inner/__init__.py": "", "named/inner/deep.py": "X = 1"},
    )


# With fresh imports and blocks


def test_submodule_of_a_preserved_package_can_be_imported_afresh(run_script: Run) -> None:
    run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            first = importlib.import_module("named")
            first_sub = importlib.import_module("named.sub")
        with ImportSandbox() as sandbox:
            sub = sandbox.fresh_import("named.sub")
            assert sub is not first_sub
            assert importlib.import_module("named") is first
            assert first.sub is sub
        assert importlib.import_module("named.sub") is first_sub
        assert first.sub is first_sub
        """,
        files={"named/__init__.py": "", "named/sub.py": ""},
    )


def test_class_of_the_name_of_a_preserved_submodule_is_put_back(run_script: Run) -> None:
    run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named
        import named
        function = named.same
        with ImportSandbox():
            del sys.modules["named.same"]
            importlib.import_module("named.same")
        assert named.same is function
        """,
        files={"named/__init__.py": "from .same import same", "named/same.py": "def same(): pass"},
    )


def test_package_whose_group_holds_a_blocked_module_runs_without_it(run_script: Run) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
        for _ in range(2):
            with ImportSandbox(preserve="named") as sandbox:
                sandbox.block("optional")
                import named
                assert not named.has_optional
                assert named is not first
            with ImportSandbox():
                import named
                assert named.has_optional
                assert named is first
        """,
        files={
            "named.py": "try:\n    import optional\nexcept ImportError:\n    has_optional = False\n"
            "else:\n    has_optional = True",
            "optional.py": "",
        },
    )


def test_package_that_was_first_imported_afresh_without_another_is_temporary(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named") as sandbox:
            assert not sandbox.fresh_import("named", blocked="optional").has_optional
        with ImportSandbox(preserve="named"):
            import named
            assert named.has_optional
        """,
        files={
            "named.py": "try:\n    import optional\nexcept ImportError:\n    has_optional = False\n"
            "else:\n    has_optional = True",
            "optional.py": "",
        },
    )


def test_preserved_package_that_is_blocked_comes_back(run_script: Run) -> None:
    output = run_script(
        """
        import importlib
        import importlib.util

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
        with ImportSandbox() as sandbox:
            sandbox.block("named")
            assert importlib.util.find_spec("named") is None
            try:
                importlib.import_module("named")
            except ModuleNotFoundError as exc:
                print(exc.name)
        with ImportSandbox():
            import named
            assert named is first
        """,
        files={"named.py": ""},
    )

    assert output.split() == ["named"]


def test_first_copy_holds_on_to_what_there_was_before_an_eviction(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        import dates
        with ImportSandbox(preserve="named") as sandbox:
            sandbox.evict("dates")
            import named as first
        import named

        assert named is first
        assert named.dates is dates
        """,
        files={"named.py": "import dates", "dates.py": ""},
    )


def test_fake_in_place_of_a_preserved_module_is_forgotten(run_script: Run) -> None:
    run_script(
        """
        import gc
        import sys
        import weakref
        from types import ModuleType

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named
        with ImportSandbox():
            import named
            sys.modules["named"] = ModuleType("named")
            fake = weakref.ref(sys.modules["named"])
            with ImportSandbox():
                pass
        gc.collect()

        assert fake() is None
        """,
        files={"named.py": ""},
    )


def test_unrelated_block_does_not_keep_a_package_from_coming_back(run_script: Run) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
        with ImportSandbox() as sandbox:
            sandbox.block("other")
            sandbox.evict("another")
            import named
            assert named is first
        """,
        files={"named.py": ""},
    )


def test_evicted_module_does_not_come_back_with_its_group(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="named"):
            import named as first
            import along as first_along
        with ImportSandbox() as sandbox:
            sandbox.evict("along")
            import named
            print(named is first, "along" in sys.modules)
            import along
            print(along is first_along)
        """,
        files={"named.py": "import along", "along.py": ""},
    )

    assert output.splitlines() == ["True False", "False"]


def test_interpreter_ends_cleanly(run_script: Run) -> None:
    output = run_script(
        """
        import atexit

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import concurrent.futures
            import logging
            import multiprocessing.pool
            from multiprocessing import resource_tracker

            with concurrent.futures.ThreadPoolExecutor() as pool:
                print(list(pool.map(abs, [-1, 2])))
        atexit.register(print, "end")
        """
    )

    assert output.splitlines() == ["[1, 2]", "end"]
