"""Which copy is preserved, and what its import does when it is handed back."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.modules import is_standard_spec

Run = Callable[..., str]

SUFFIX = EXTENSION_SUFFIXES[0]

# Lets import find modules that look compiled, and are initialized while they are created.
COMPILED = f"""
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType

CODE = {{}}

class Loader(ExtensionFileLoader):
    def create_module(self, spec):
        module = ModuleType(spec.name)
        exec(CODE[spec.name], vars(module))
        return module

    def exec_module(self, module):
        pass

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in CODE:
            file = name.replace(".", "/") + {SUFFIX!r}
            return ModuleSpec(name, Loader(name, file), origin=file)

sys.meta_path.append(Finder)
"""


@pytest.fixture(scope="session")
def native() -> bytes:
    """The contents of an extension module named `_bisect`."""
    spec = importlib.util.find_spec("_bisect")
    if spec is None or not str(spec.origin).endswith(SUFFIX):
        pytest.skip("the standard library has no shared libraries here")
    return Path(str(spec.origin)).read_bytes()


@pytest.fixture
def run(run_script: Run, native: bytes) -> Run:
    """Run a script that can import `compiled`, and `_bisect` in the packages that are named."""

    def run_with(source: str, *packages: str, files: dict[str, str | bytes]) -> list[str]:
        extensions = {f"{package}/_bisect{SUFFIX}": native for package in packages}
        return run_script(source, files={"compiled.py": COMPILED, **extensions, **files}).splitlines()

    return run_with


# Which copy


def test_first_copy_is_preserved_though_a_second_took_its_place_in_the_same_sandbox(run: Run) -> None:
    run(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            import shop as first_shop, wave as first_wave
            assert sandbox.fresh_import("shop") is not first_shop
            sandbox.evict("wave")
            import wave
            assert wave is not first_wave
        import shop, wave
        assert shop is first_shop
        assert wave is first_wave
        """,
        "shop",
        files={"shop/__init__.py": "from shop import _bisect"},
    )


def test_package_that_exits_if_it_is_imported_without_a_block_is_imported_under_it(run: Run) -> None:
    output = run(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="exits") as sandbox:
            sandbox.block("helper")
            import exits
            print(exits.X)
        """,
        files={
            "exits.py": """
try:
    import helper
except ImportError:
    X = 1
else:
    raise SystemExit
""",
            "helper.py": "",
        },
    )

    assert output == ["1"]


def test_package_that_is_first_imported_under_a_block_is_preserved_as_it_is_without(run: Run) -> None:
    output = run(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            print(sandbox.fresh_import("shop", blocked="optional").optional)
        with ImportSandbox() as sandbox:
            sandbox.block("optional")
            import shop
            print(shop.optional)
        import shop
        print(shop.optional.X)
        """,
        "shop",
        files={
            "shop/__init__.py": """
                from shop import _bisect
                try:
                    import optional
                except ImportError:
                    optional = None
                """,
            "optional.py": "X = 1",
        },
    )

    assert output == ["None", "None", "1"]


@pytest.mark.parametrize("earlier", ["", "import shop"])
def test_fresh_import_under_a_block_runs_the_python_part_though_nobody_noticed_what_it_asks_for(
    earlier: str, run: Run
) -> None:
    run(
        f"""
        import optional
        {earlier}
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            assert not sandbox.fresh_import("shop", blocked="optional").available
        import shop
        assert shop.available
        """,
        "shop",
        files={
            "shop/__init__.py": """
                import importlib.util
                from shop import _bisect
                available = importlib.util.find_spec("optional") is not None
                """,
            "optional.py": "",
        },
    )


@pytest.mark.parametrize("earlier", ["", "imported()"])
def test_import_under_a_block_ends_alike_whether_the_package_was_imported_before(
    earlier: str, run: Run
) -> None:
    output = run(
        f"""
        from pytest_importsandbox import ImportSandbox

        def imported(*blocked):
            with ImportSandbox() as sandbox:
                sandbox.block(*blocked)
                import grid
                return grid.optional

        {earlier}
        try:
            imported("optional")
        except ImportError as exc:
            print(exc)
            print(exc.__notes__[0].partition(";")[0])
        """,
        "grid",
        files={
            "grid/__init__.py": """
                from grid import _bisect
                if hasattr(_bisect, "loaded"):
                    raise ImportError("cannot load module more than once per process")
                _bisect.loaded = True
                try:
                    import optional
                except ImportError:
                    optional = None
                """,
            "optional.py": "",
        },
    )

    assert output == [
        "cannot load module more than once per process",
        "pytest-importsandbox: 'grid' asks for what is blocked, so that its Python modules ran again",
    ]


def test_note_on_the_second_run_is_there_once_and_not_where_the_block_itself_is_the_error(run: Run) -> None:
    output = run(
        """
        from pytest_importsandbox import ImportSandbox

        for name in ("grid", "net"):
            with ImportSandbox() as sandbox:
                sandbox.block("optional")
                try:
                    __import__(name)
                except ImportError as exc:
                    print(exc.name, len(getattr(exc, "__notes__", ())))
        """,
        "grid",
        "net",
        files={
            "grid/__init__.py": "from grid import sub",
            "grid/sub.py": """
                from grid import _bisect
                try:
                    import optional
                except ImportError:
                    pass
                if hasattr(_bisect, "loaded"):
                    raise ImportError("cannot load module more than once per process")
                _bisect.loaded = True
                """,
            "net/__init__.py": "from net import _bisect\nimport optional",
            "optional.py": "",
        },
    )

    assert output == ["None 1", "optional 0"]


def test_package_that_did_not_ask_for_what_is_blocked_is_handed_back(run: Run) -> None:
    run(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            sandbox.block("optional")
            import shop as first
        import shop
        assert shop is first
        """,
        "shop",
        files={"shop/__init__.py": "from shop import _bisect", "optional.py": ""},
    )


def test_fresh_import_that_is_the_first_import_makes_the_copy_that_lasts(run: Run) -> None:
    run(
        """
        import compiled

        from pytest_importsandbox import ImportSandbox

        compiled.CODE["lib._native"] = '''
        from functools import cache

        @cache
        def error():
            from lib import Error
            return Error
        '''.replace("        ", "")
        with ImportSandbox() as sandbox:
            first = sandbox.fresh_import("lib")
            first._native.error()
        import lib
        with ImportSandbox() as sandbox:
            assert sandbox.fresh_import("lib") is not lib
        assert lib is first
        assert lib._native.error() is lib.Error
        """,
        files={"lib/__init__.py": "from lib import _native\nclass Error(Exception): pass"},
    )


def test_extension_that_a_fresh_copy_loads_first_is_the_one_of_the_lasting_package(run: Run) -> None:
    run(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        import mart
        with ImportSandbox() as sandbox:
            sandbox.fresh_import("mart")
            import mart.core
            first = sys.modules["mart._bisect"]
        import mart.core
        assert sys.modules["mart._bisect"] is first is mart._bisect
        """,
        "mart",
        files={"mart/__init__.py": "", "mart/core.py": "from mart import _bisect"},
    )


def test_what_an_extension_put_into_sys_modules_comes_back_with_it(run: Run) -> None:
    output = run(
        """
        import compiled

        from pytest_importsandbox import ImportSandbox

        compiled.CODE["bind._native"] = '''
        import sys, types
        defs = sys.modules["bind._native.defs"] = types.ModuleType("bind._native.defs")
        defs.ANSWER = 42
        '''.replace("        ", "")
        import bind
        with ImportSandbox() as sandbox:
            fresh = sandbox.fresh_import("bind")
            print(fresh.ANSWER, fresh is bind, fresh._native is bind._native)
        """,
        files={"bind/__init__.py": "from bind._native.defs import ANSWER"},
    )

    assert output == ["42 False True"]


@pytest.mark.parametrize("module", ["plistlib", "store"])
def test_what_is_first_loaded_beside_a_fresh_copy_belongs_to_the_lasting_one(module: str, run: Run) -> None:
    run(
        f"""
        import sys

        import colours
        import enum

        from pytest_importsandbox import ImportSandbox

        assert {module!r} not in sys.modules
        with ImportSandbox() as sandbox:
            sandbox.fresh_import("enum")
            sandbox.fresh_import("colours")
            import {module}
        import {module}
        if {module!r} == "store":
            assert store.Colour is colours.Colour
        else:
            assert isinstance(plistlib.FMT_XML, enum.Enum)
        """,
        "store",
        files={
            "colours.py": "class Colour: pass",
            "store/__init__.py": "from store import _bisect\nfrom colours import Colour",
        },
    )


def test_what_an_extension_imports_while_it_is_created_is_preserved_with_it(run: Run) -> None:
    run(
        """
        import compiled

        from pytest_importsandbox import ImportSandbox

        compiled.CODE["native"] = "Error = __import__('helper').Error"
        for _ in range(2):
            with ImportSandbox():
                import native
                import helper
                assert native.Error is helper.Error
        """,
        files={"helper.py": "class Error(Exception): pass"},
    )


def test_temporary_package_is_not_preserved_though_its_namespace_has_extensions(run: Run) -> None:
    output = run(
        """
        import acme._bisect

        from pytest_importsandbox import ImportSandbox

        for value in (1, 2):
            with ImportSandbox() as sandbox:
                sandbox.temp_package("acme.plugin", {"module.py": f"VALUE = {value}"}, namespace=True)
                import acme.plugin.module
                print(acme.plugin.module.VALUE)
        """,
        "acme",
        files={},
    )

    assert output == ["1", "2"]


@pytest.mark.parametrize("statement", ["import shop", "sandbox.fresh_import('shop')"])
def test_parts_of_a_package_that_failed_run_again_with_it(statement: str, run: Run) -> None:
    output = run(
        f"""
        import os

        from pytest_importsandbox import ImportSandbox

        os.environ["SHOP_FAILS"] = "yes"
        with ImportSandbox() as sandbox:
            try:
                {statement}
            except RuntimeError as exc:
                print(exc)
        del os.environ["SHOP_FAILS"]
        import shop
        assert shop.part.whole is shop
        """,
        "shop",
        files={
            "shop/__init__.py": """
                import os
                from shop import _bisect, part
                if "SHOP_FAILS" in os.environ:
                    raise RuntimeError("no shop today")
                """,
            "shop/part.py": "import shop as whole",
        },
    )

    assert output == ["no shop today"]


# The footprint


def test_submodule_that_was_imported_on_its_own_does_not_come_back_with_its_package(run: Run) -> None:
    output = run(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import tool
            import tool.other
        with ImportSandbox():
            import tool.extra
            extra = tool.extra
        with ImportSandbox():
            import tool
            print(sorted(name for name in sys.modules if name.startswith("tool")), hasattr(tool, "extra"))
            assert not hasattr(tool, "other")
            import tool.extra
            assert tool.extra is extra
        """,
        "tool",
        files={"tool/__init__.py": "from tool import _bisect", "tool/extra.py": "", "tool/other.py": ""},
    )

    assert output == ["['tool', 'tool._bisect'] False"]


FINDER = """
import sys
from importlib.machinery import ModuleSpec

installed = False

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith("virtual"):
            return ModuleSpec(name, Finder)

    create_module = exec_module = staticmethod(lambda argument: None)

def install():
    global installed
    if not installed:
        installed = True
        sys.meta_path.{where}
"""


@pytest.mark.parametrize("where", ["append(Finder)", "insert(0, Finder)"])
@pytest.mark.parametrize("outer", ["", "import hooks"])
def test_finder_that_a_compiled_package_installs_once_is_there_whenever_the_package_is(
    where: str, outer: str, run: Run
) -> None:
    output = run(
        f"""
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        {outer}
        def works(name):
            import hooks
            hooks.install()
            print(importlib.import_module(name).__name__, sys.meta_path.count(hooks.Finder))

        for number in (1, 2):
            with ImportSandbox():
                works(f"virtual{{number}}")
        works("virtual3")
        """,
        "hooks",
        files={"hooks/__init__.py": FINDER.replace("{where}", where) + "from hooks import _bisect"},
    )

    assert output == ["virtual1 1", "virtual2 1", "virtual3 1"]


def test_finder_that_a_test_makes_of_a_preserved_class_goes_with_the_test(run: Run) -> None:
    output = run(
        """
        import sys
        from importlib.machinery import FileFinder
        from types import SimpleNamespace

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            sys.meta_path.append(SimpleNamespace(find_spec=lambda *args: None))
            sys.path_hooks.append(FileFinder.path_hook())
            before = len(sys.meta_path), len(sys.path_hooks)
        print(before[0] - len(sys.meta_path), before[1] - len(sys.path_hooks))
        """,
        files={},
    )

    assert output == ["1 1"]


def test_finder_of_a_class_that_the_standard_library_preserves_goes_with_the_test(run: Run) -> None:
    output = run(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import cmd
            finder = cmd.Cmd()
            finder.find_spec = lambda *args: None
            sys.meta_path.append(finder)
        print("cmd" in sys.modules, finder in sys.meta_path)
        with ImportSandbox():
            import cmd as again
            print(again is cmd, finder in sys.meta_path)
        """,
        files={},
    )

    assert output == ["False False", "True False"]


def test_finder_is_there_once_when_its_package_comes_back_twice(run: Run) -> None:
    output = run(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import hooks
            hooks.install()
        with ImportSandbox():
            import hooks
            del sys.modules["hooks"]
            import hooks
            print(sys.meta_path.count(hooks.Finder))
        """,
        "hooks",
        files={
            "hooks/__init__.py": FINDER.replace("{where}", "append(Finder)") + "from hooks import _bisect"
        },
    )

    assert output == ["1"]


def test_submodule_that_is_put_back_before_it_is_preserved_stays_bound(run: Run) -> None:
    run(
        """
        import sys

        import pkg.sub
        from pytest_importsandbox import ImportSandbox

        sub = pkg.sub
        with ImportSandbox():
            del sys.modules["pkg.sub"]
            with ImportSandbox(preserve="pkg"):
                sys.modules["pkg.sub"] = sub
        assert pkg.sub is sys.modules["pkg.sub"] is sub
        """,
        files={"pkg/__init__.py": "", "pkg/sub.py": ""},
    )


# Hooks

HOOK = """
import importlib.util
from importlib.abc import Loader

class Wrapped(Loader):
    def __init__(self, loader, seen):
        self.create_module, self.run, self.seen = loader.create_module, loader.exec_module, seen

    def exec_module(self, module):
        self.run(module)
        self.seen.append((module.__name__, type(module).__name__, hasattr(module, "__file__")))
        module.patched = True

class Hook:
    def __init__(self, name, wrap):
        self.name, self.wrap, self.busy = name, wrap, False

    def find_spec(self, name, path=None, target=None):
        if name != self.name or self.busy:
            return None
        self.busy = True
        spec = importlib.util.find_spec(name)
        self.busy = False
        spec.loader = self.wrap(spec.loader)
        return spec
"""


@pytest.mark.parametrize(("name", "imported"), [("wave", "wave"), ("gear.teeth", "gear")])
def test_hook_that_wraps_the_loader_gets_each_module_that_comes_back(
    name: str, imported: str, run: Run
) -> None:
    output = run(
        f"""
        import importlib
        import sys

        from hook import Hook, Wrapped
        from pytest_importsandbox import ImportSandbox

        for _ in range(2):
            with ImportSandbox():
                seen = []
                sys.meta_path.insert(0, Hook({name!r}, lambda loader: Wrapped(loader, seen)))
                importlib.import_module({imported!r})
                print(seen, vars(sys.modules[{name!r}]).pop("patched"))
        """,
        "gear",
        files={
            "hook.py": HOOK,
            "gear/__init__.py": "from gear import _bisect, teeth",
            "gear/teeth.py": "",
        },
    )

    assert output == [f"[('{name}', 'module', True)] True"] * 2


def test_hook_that_was_there_before_the_sandbox_gets_each_module_that_comes_back(run: Run) -> None:
    output = run(
        """
        import sys

        from hook import Hook, Wrapped
        from pytest_importsandbox import ImportSandbox

        seen = []
        sys.meta_path.insert(0, Hook("wave", lambda loader: Wrapped(loader, seen)))
        for _ in range(2):
            with ImportSandbox():
                import wave
        print(len(seen))
        """,
        files={"hook.py": HOOK},
    )

    assert output == ["2"]


def test_hook_may_ask_the_loader_of_a_module_that_comes_back_for_its_source(run: Run) -> None:
    output = run(
        """
        import sys

        from hook import Hook
        from pytest_importsandbox import ImportSandbox

        def show(loader):
            print(loader.get_source("plain"))
            return loader

        with ImportSandbox(preserve="plain"):
            import plain
        with ImportSandbox():
            sys.meta_path.insert(0, Hook("plain", show))
            import plain
        """,
        files={"hook.py": HOOK, "plain.py": "X = 1"},
    )

    assert output == ["X = 1"]


def test_hook_that_replaces_the_loader_stays_it_where_the_package_runs_again(run: Run) -> None:
    output = run(
        """
        import sys

        from hook import Hook, Wrapped
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import shop
        with ImportSandbox() as sandbox:
            sandbox.block("optional")
            sys.meta_path.insert(0, Hook("shop", lambda loader: Wrapped(loader, [])))
            import shop
            print(shop.optional, type(shop.__loader__).__name__, type(shop.__spec__.loader).__name__)
        """,
        "shop",
        files={
            "hook.py": HOOK,
            "shop/__init__.py": """
                from shop import _bisect
                try:
                    import optional
                except ImportError:
                    optional = None
                """,
            "optional.py": "",
        },
    )

    assert output == ["None Wrapped Wrapped"]


def test_hook_sees_the_attributes_of_a_module_whose_class_answers_for_them(run: Run) -> None:
    output = run(
        """
        import sys
        from importlib.abc import Loader
        from types import ModuleType

        from hook import Hook
        from pytest_importsandbox import ImportSandbox

        class Odd(ModuleType):
            def __setattr__(self, name, value):
                print("set", name)

        class Reading(Loader):
            def __init__(self, loader):
                self.create_module, self.run = loader.create_module, loader.exec_module

            def exec_module(self, module):
                self.run(module)
                print(module.X)

        with ImportSandbox(preserve="odd"):
            import odd
            object.__setattr__(odd, "__class__", Odd)
        with ImportSandbox():
            sys.meta_path.insert(0, Hook("odd", Reading))
            import odd as again
            assert again is odd
        """,
        files={"hook.py": HOOK, "odd.py": "X = 1"},
    )

    assert output == ["1"]


def test_module_that_is_an_object_without_a_namespace_comes_back(run: Run) -> None:
    output = run(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox(preserve="pkg"):
            from pkg import sub
        with ImportSandbox():
            import pkg.sub
            print(pkg.sub is sub, type(sub).__name__)
        """,
        files={
            "pkg/__init__.py": "",
            "pkg/sub.py": """
                import sys

                class Bare:
                    __slots__ = ()

                sys.modules[__name__] = Bare()
                """,
        },
    )

    assert output == ["True Bare"]


@pytest.mark.parametrize("use", [True, False])
def test_lazy_loader_can_be_put_round_a_preserved_module(use: bool, run: Run) -> None:
    run(
        f"""
        import importlib.util
        import sys

        from hook import Hook
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            import wave as first
            spec, loader = first.__spec__, first.__loader__
        for _ in range(2):
            with ImportSandbox():
                sys.meta_path.insert(0, Hook("wave", importlib.util.LazyLoader))
                import wave
                if {use}:
                    wave.open
        with ImportSandbox():
            import wave
            assert wave is first
            assert type(wave).__name__ == "module"
            assert wave.__spec__ is spec
            assert wave.__loader__ is loader
            wave.open
        """,
        files={"hook.py": HOOK},
    )


def test_finder_of_the_standard_library_is_asked_for_a_query_alone() -> None:
    with ImportSandbox():
        importlib.import_module("wave")
    with ImportSandbox():
        spec = importlib.util.find_spec("wave")

    of_standard_library = importlib.machinery.PathFinder.find_spec("wave")
    assert spec is not None
    assert of_standard_library is not None
    assert type(spec.loader) is type(of_standard_library.loader)


# Where the standard library is


@pytest.mark.parametrize(
    ("origin", "standard"),
    [
        ("built-in", True),
        ("frozen", True),
        (str(Path(importlib.__file__).parents[1] / "wave.py"), True),
        (str(Path(importlib.__file__).parents[1] / "site-packages" / "six.py"), False),
        (None, False),
        (Path("wave.py"), False),
    ],
)
def test_standard_library_is_known_by_where_a_module_comes_from(origin: object, standard: bool) -> None:
    assert is_standard_spec({"origin": origin}) is standard


def test_origin_that_only_derives_from_str_is_not_touched() -> None:
    class Hostile(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = str.__hash__

    assert not is_standard_spec({"origin": Hostile("built-in")})
