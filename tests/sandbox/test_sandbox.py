"""The sandbox: entering and leaving it, fresh imports, eviction and blocking."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportChanges, ImportSandbox
from pytest_importsandbox._sandbox.sandbox import protect

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]

PATIENCE = 60
NO_NAME = "preserve: {!r} is not the name of a module; give an absolute dotted name such as 'package.module'"
NOT_OPEN = "this sandbox is not open; enter it first: with ImportSandbox() as ..."


@pytest.fixture
def sandbox() -> Iterator[ImportSandbox]:
    with ImportSandbox() as sandbox:
        yield sandbox


# Entering and leaving


def test_sandbox_may_be_entered_again_after_it_has_ended(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    sandbox = ImportSandbox()
    before = picture()

    for _ in range(3):
        with sandbox:
            importlib.import_module("plain")

    assert before.differences() == []


def test_open_sandbox_cannot_be_entered(sandbox: ImportSandbox) -> None:
    with pytest.raises(RuntimeError, match=r"^this sandbox is open already; make another one to nest$"):
        sandbox.__enter__()

    assert sandbox.changes() == ImportChanges()


def test_entering_gives_the_sandbox() -> None:
    sandbox = ImportSandbox()

    with sandbox as entered:
        assert entered is sandbox


def test_exception_leaves_the_sandbox_unchanged(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    before = picture()
    error = ValueError("from inside")

    def fail() -> None:
        with ImportSandbox():
            importlib.import_module("plain")
            raise error

    with pytest.raises(ValueError, match="from inside") as raised:
        fail()

    assert raised.value is error
    assert before.differences() == []


def test_leaving_twice_does_no_harm(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    sandbox = ImportSandbox()
    sandbox.__enter__()
    sandbox.__exit__(None, None, None)
    with ImportSandbox():
        importlib.import_module("plain")
        between = picture()

        sandbox.__exit__(None, None, None)

        assert between.differences() == []


def test_leaving_without_entering_does_no_harm(picture: Any) -> None:
    before = picture()

    ImportSandbox().__exit__(None, None, None)

    assert before.differences() == []


@pytest.mark.parametrize(
    "act",
    [
        lambda sandbox: sandbox.fresh_import("textwrap"),
        lambda sandbox: sandbox.evict("textwrap"),
        lambda sandbox: sandbox.block("textwrap"),
        lambda sandbox: sandbox.changes(),
        lambda sandbox: sandbox.temp_package("pkg"),
    ],
    ids=["fresh_import", "evict", "block", "changes", "temp_package"],
)
@pytest.mark.parametrize("state", ["new", "ended", "ended with the one around it"])
def test_method_of_a_sandbox_that_is_not_open_is_a_runtime_error(
    act: Callable[[ImportSandbox], object], state: str, picture: Any
) -> None:
    closed = ImportSandbox()
    if state == "ended":
        with closed:
            pass
    elif state == "ended with the one around it":
        with ImportSandbox():
            closed.__enter__()
    before = picture()

    with pytest.raises(RuntimeError) as raised:
        act(closed)

    assert str(raised.value) == NOT_OPEN
    assert before.differences() == []


@pytest.mark.parametrize(
    ("preserve", "error", "message"),
    [
        (5, TypeError, "preserve must be the name of a module or an iterable of names, not 5"),
        ([5], TypeError, "preserve must hold names of modules as str, not int: 5"),
        (
            "not a name",
            ValueError,
            NO_NAME.format("not a name"),
        ),
        (
            [".sub"],
            ValueError,
            NO_NAME.format(".sub"),
        ),
    ],
)
def test_bad_preserve_is_an_error(preserve: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        ImportSandbox(preserve=preserve)

    assert str(raised.value) == message


# Nesting


def test_inner_sandbox_puts_back_what_the_outer_one_did(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "plain.py": ""})
    before = picture()

    with ImportSandbox() as outer:
        pkg = outer.fresh_import("pkg")
        outer.block("textwrap")
        between = picture("pkg")
        with ImportSandbox() as inner:
            inner.fresh_import("pkg.sub")
            inner.evict("pkg")
            inner.fresh_import("plain")
            inner.block("pkg")

        assert between.differences() == []
        assert importlib.import_module("pkg") is pkg
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("textwrap")

    assert before.differences() == []


def test_inner_sandbox_ends_with_the_outer_one(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")
    outer, inner = ImportSandbox(), ImportSandbox()
    outer.__enter__()
    inner.__enter__()
    inner.fresh_import("pkg.sub")
    inner.block("textwrap")

    outer.__exit__(None, None, None)
    differences = before.differences()
    inner.__exit__(None, None, None)

    assert (differences, before.differences()) == ([], [])


def test_sandbox_that_ended_with_the_outer_one_can_be_entered_again(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"plain.py": ""})
    inner = ImportSandbox()
    with ImportSandbox():
        inner.__enter__()
    before = picture()

    with inner:
        importlib.import_module("plain")

    assert before.differences() == []


def test_fresh_import_through_the_outer_sandbox_ends_with_the_inner_one(write_modules: Write) -> None:
    write_modules({"plain.py": ""})

    with ImportSandbox() as outer:
        plain = importlib.import_module("plain")
        with ImportSandbox():
            again = outer.fresh_import("plain")

        assert again is not plain
        assert sys.modules["plain"] is plain


def test_block_of_the_outer_sandbox_holds_in_the_inner_one(sandbox: ImportSandbox) -> None:
    sandbox.block("textwrap")

    with ImportSandbox() as inner:
        with pytest.raises(ModuleNotFoundError):
            inner.fresh_import("textwrap")

        assert importlib.util.find_spec("textwrap") is None


def test_own_tests_of_the_warnings_module_pass_with_fresh_copies_from_a_sandbox(run_script: Run) -> None:
    pytest.importorskip("test", reason="needs CPython's own tests")
    # Not imported here: it would load the modules of warnings afresh. Debian packages these tests alone.
    if importlib.util.find_spec("test.test_warnings") is None:
        pytest.skip("needs CPython's own tests")
    output = run_script(
        """
        import sys
        import unittest
        import warnings
        from test.support import import_helper

        from pytest_importsandbox import ImportSandbox

        asked = []

        def import_fresh_module(name, fresh=(), blocked=(), *, deprecated=False):
            asked.append((name, blocked))
            with ImportSandbox() as sandbox:
                return sandbox.fresh_import(name, fresh=fresh, blocked=blocked)

        import_helper.import_fresh_module = import_fresh_module
        # The tests are not made for `-W error`.
        sys.warnoptions.clear()
        warnings.simplefilter("default")
        from test import test_warnings

        # What is written in Python is a module of its own from 3.14 on.
        in_python = ("_py_warnings", ()) if sys.version_info >= (3, 14) else ("warnings", ["_warnings"])
        assert asked[0] == in_python
        assert test_warnings.py_warnings is not test_warnings.c_warnings
        suite = unittest.defaultTestLoader.loadTestsFromModule(test_warnings)
        result = unittest.TestResult()
        suite.run(result)
        print(result.testsRun > 50, [str(test) for test, _ in result.failures + result.errors])
        """
    )

    assert output == "True []\n"


def test_fresh_import_does_not_look_up_the_top_level_package_again(picture: Any) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.temp_package(
            "app",
            """
            import sys
            import types

            sys.modules["app.plugin"] = types.ModuleType("app.plugin")
            sys.modules["app"] = None
            """,
        )
        assert sandbox.fresh_import("app.plugin") is sys.modules["app.plugin"]

    assert before.differences() == []


def test_fresh_import_inside_the_import_of_a_module(write_modules: Write, picture: Any) -> None:
    write_modules(
        {
            "outer.py": """
                from pytest_importsandbox import ImportSandbox

                with ImportSandbox() as sandbox:
                    X = sandbox.fresh_import("plain").X
                """,
            "plain.py": "X = 1",
        }
    )
    before = picture()

    with ImportSandbox() as sandbox:
        assert sandbox.fresh_import("outer").X == 1
        assert "plain" not in sys.modules

    assert before.differences() == []


# fresh_import against importlib.import_module

PACKAGES = {
    "pkg/__init__.py": "import sys\nX = 1",
    "pkg/sub.py": "X = 2",
    "pkg/inner/__init__.py": "from .. import sub\nX = 3",
    "pkg/inner/deep.py": "from ..sub import X",
    "pkg/raises.py": "raise ValueError('in pkg')",
    "pkg/half.py": "from . import sub\nfrom .inner import missing",
    "pkg/same.py": "def same(): pass",
    "plain.py": "X = 4",
    "spread/part.py": "X = 5",
    "módulo.py": "X = 6",
    "replacing.py": "import sys\nimport plain\nsys.modules[__name__] = plain",
    "replacing_by_value.py": "import sys\nsys.modules[__name__] = 'a text'",
    "raising.py": "raise ValueError('at the top')",
    "custom.py": "class Error(Exception):\n    def __str__(self): return 'mine'\nraise Error(1, 2)",
    "syntax.py": "X = (",
    "tabs.py": "if True:\n\tX = 1\n        Y = 2",
    "null.py": "X = '\0'",
    "exiting.py": "raise SystemExit(7)",
    "interrupting.py": "raise KeyboardInterrupt",
    "generating.py": "raise GeneratorExit",
    "missing_dependency.py": "import there_is_no_such_module",
    "missing_name.py": "from plain import no_such_name",
    "missing_submodule.py": "import pkg.no_such_submodule",
    "circle_one.py": "from circle_two import X",
    "circle_two.py": "from circle_one import X",
    "vanishing.py": "import sys\ndel sys.modules[__name__]",
    "beyond.py": "from .. import plain",
    "named.py": "raise ImportError('of mine', name='its name', path='its path')",
}
GOOD = [
    ("pkg", None),
    ("pkg.sub", None),
    ("pkg.inner", None),
    ("pkg.inner.deep", None),
    ("pkg.same", None),
    ("plain", None),
    ("plain", "pkg"),
    ("plain", ""),
    ("spread", None),
    ("spread.part", None),
    ("módulo", None),
    ("replacing", None),
    ("replacing_by_value", None),
    (".sub", "pkg"),
    (".inner.deep", "pkg"),
    ("..sub", "pkg.inner"),
    (".", "pkg"),
    ("..", "pkg.inner"),
    (".part", "spread"),
    ("colorsys", None),
    ("xml.dom.minidom", None),
    ("errno", None),
    ("os.path", None),
]
BAD = [
    ("", None),
    (".", None),
    (".sub", None),
    (".sub", ""),
    (".sub", 5),
    ("..sub", "pkg"),
    ("...", "pkg.inner"),
    (".sub", "there_is_no_such_module"),
    ("there_is_no_such_module", None),
    ("there_is_no_such_module.sub", None),
    ("pkg.no_such_submodule", None),
    ("pkg.X", None),
    ("plain.sub", None),
    ("spread.no_such_part", None),
    (".no_such_submodule", "pkg"),
    ("pkg.", None),
    ("pkg..sub", None),
    ("pkg/sub", None),
    ("pkg sub", None),
    ("a\0b", None),
    ("\ud800", None),
    ("pkg.raises", None),
    ("pkg.half", None),
    ("raising", None),
    ("custom", None),
    ("syntax", None),
    ("tabs", None),
    ("null", None),
    ("exiting", None),
    ("interrupting", None),
    ("generating", None),
    ("missing_dependency", None),
    ("missing_name", None),
    ("missing_submodule", None),
    ("circle_one", None),
    ("vanishing", None),
    ("beyond", None),
    ("named", None),
]


@pytest.fixture(params=[False, True], ids=["first", "again"])
def loaded_before(request: pytest.FixtureRequest, write_modules: Write) -> bool:
    """Whether the packages have been imported before."""
    write_modules(PACKAGES)
    if request.param:
        for name in ("pkg.inner.deep", "plain", "spread.part", "módulo", "colorsys", "xml.dom.minidom"):
            importlib.import_module(name)
    loaded: bool = request.param
    return loaded


def described(module: ModuleType) -> tuple[object, ...]:
    spec = module.__spec__
    assert spec is not None
    return (
        module.__name__,
        module.__package__,
        spec.name,
        spec.origin,
        list(spec.submodule_search_locations or ()),
    )


@pytest.mark.parametrize(("name", "package"), GOOD, ids=ascii)
def test_fresh_import_gives_what_importlib_gives(name: str, package: str | None, loaded_before: bool) -> None:
    with ImportSandbox():
        expected = importlib.import_module(name, package)
        expected_names = set(sys.modules)

    with ImportSandbox() as sandbox:
        module = sandbox.fresh_import(name, package)
        names = set(sys.modules)
        absolute = importlib.util.resolve_name(name, package).removesuffix(".") if package else name

        assert sys.modules[absolute] is module

    if isinstance(expected, ModuleType):
        assert described(module) == described(expected)
        assert vars(module).keys() <= vars(expected).keys()
    else:
        assert module == expected
    if not loaded_before:
        assert names == expected_names


@pytest.mark.parametrize(("name", "package"), BAD, ids=ascii)
def test_fresh_import_raises_what_importlib_raises(name: str, package: Any, loaded_before: bool) -> None:
    with ImportSandbox(), pytest.raises(BaseException) as expected:  # noqa: PT011
        importlib.import_module(name, package)

    with ImportSandbox() as sandbox, pytest.raises(BaseException) as raised:  # noqa: PT011
        sandbox.fresh_import(name, package)

    assert raised.type.__qualname__ == expected.type.__qualname__
    assert str(raised.value) == str(expected.value)
    for attribute in ("name", "path", "code", "lineno", "filename"):
        assert getattr(raised.value, attribute, None) == getattr(expected.value, attribute, None)
    assert getattr(raised.value, "__notes__", []) == []


@pytest.mark.parametrize(("name", "package"), BAD, ids=ascii)
def test_failed_fresh_import_leaves_the_import_state_untouched(
    name: str, package: Any, loaded_before: bool, picture: Any
) -> None:
    roots = ("pkg", "spread", "plain")
    with ImportSandbox() as sandbox:
        importlib.import_module("pkg")
        before = picture(*roots)

        with pytest.raises(BaseException):  # noqa: PT011, B017
            sandbox.fresh_import(name, package, fresh=("plain", "spread"))

        assert before.differences() == []
        assert sandbox.changes() == ImportChanges(added=() if loaded_before else ("pkg",))


def test_failed_fresh_import_undoes_what_the_module_did_to_the_import_state(
    write_modules: Write, sandbox: ImportSandbox, picture: Any
) -> None:
    write_modules(
        {
            "plain.py": "X = []",
            "failing.py": """
                import importlib
                import sys

                import plain

                importlib.reload(plain)
                sys.path.append("/failing")
                sys.meta_path = [*sys.meta_path]
                sys.modules["fake"] = plain
                raise ValueError
                """,
        }
    )
    importlib.import_module("plain")
    before = picture("plain")

    with pytest.raises(ValueError, match=r"^$"):
        sandbox.fresh_import("failing", fresh="plain")

    assert before.differences() == []


def test_failed_fresh_import_leaves_nothing_blocked(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"failing.py": "raise ValueError", "plain.py": ""})
    plain = importlib.import_module("plain")

    with pytest.raises(ValueError, match=r"^$"):
        sandbox.fresh_import("failing", blocked=["plain", "colorsys"])

    assert importlib.import_module("plain") is plain
    assert importlib.util.find_spec("colorsys") is not None


def test_failed_fresh_import_leaves_nothing_evicted(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules(
        {"pkg/__init__.py": "from . import sub", "pkg/sub.py": "", "pkg/failing.py": "raise ValueError"}
    )
    pkg = importlib.import_module("pkg")

    with pytest.raises(ValueError, match=r"^$"):
        sandbox.fresh_import("pkg.failing", fresh="pkg")

    assert importlib.import_module("pkg") is pkg
    assert importlib.import_module("pkg.sub") is pkg.sub


def test_traceback_of_a_failed_import_shows_no_frame_of_the_machinery(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"failing.py": "raise ValueError"})

    with pytest.raises(ValueError, match=r"^$") as raised:
        sandbox.fresh_import("failing")

    shown = [entry for entry in raised.traceback if not entry.ishidden(raised)]
    assert [Path(str(entry.path)).name for entry in shown] == [Path(__file__).name, "failing.py"]


# fresh_import


def test_module_runs_again(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"plain.py": "class C: pass"})
    plain = importlib.import_module("plain")

    again = sandbox.fresh_import("plain")

    assert again is not plain
    assert again.C is not plain.C


def test_submodules_run_again(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    sub = importlib.import_module("pkg.sub")

    sandbox.fresh_import("pkg")

    assert "pkg.sub" not in sys.modules
    assert importlib.import_module("pkg.sub") is not sub


def test_parents_and_neighbours_are_left_alone(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules(
        {"pkg/__init__.py": "", "pkg/sub.py": "", "pkg/other.py": "", "pkgs.py": "", "pkg/subs.py": ""}
    )
    names = ["pkg", "pkg.other", "pkg.subs", "pkgs"]
    before = {name: importlib.import_module(name) for name in [*names, "pkg.sub"]}

    sub = sandbox.fresh_import("pkg.sub")

    assert {name: sys.modules[name] for name in names} == {name: before[name] for name in names}
    assert sub is not before["pkg.sub"]
    assert before["pkg"].sub is sub


def test_new_modules_stay_until_the_sandbox_ends(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules(
        {
            "pkg/__init__.py": "def late():\n    from . import sub\n    return sub",
            "pkg/sub.py": "",
        }
    )
    importlib.import_module("pkg.sub")

    pkg = sandbox.fresh_import("pkg")
    import pkg as imported  # type: ignore[import-not-found]

    assert imported is pkg
    assert pkg.late() is sys.modules["pkg.sub"]
    assert pkg.late() is pkg.sub


def test_function_of_the_name_of_the_module_is_not_returned(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "from .sub import sub", "pkg/sub.py": "def sub(): pass"})
    importlib.import_module("pkg")

    module = sandbox.fresh_import("pkg.sub")

    assert module is sys.modules["pkg.sub"]


def test_none_in_place_of_the_module_is_evicted(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"plain.py": "X = 1"})
    sys.modules["plain"] = None  # type: ignore[assignment]

    assert sandbox.fresh_import("plain").X == 1


def test_fresh_import_of_a_module_in_a_zip_file(tmp_path: Path, sandbox: ImportSandbox) -> None:
    with zipfile.ZipFile(tmp_path / "modules.zip", "w") as archive:
        archive.writestr("zipped.py", "X = []")
    sys.path.insert(0, str(tmp_path / "modules.zip"))
    zipped = importlib.import_module("zipped")

    again = sandbox.fresh_import("zipped")

    assert again.X is not zipped.X


def test_fresh_import_with_a_bound_dict_of_modules(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    plain = importlib.import_module("plain")
    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules = sys.modules.copy()
        again = sandbox.fresh_import("plain")
        import plain as imported  # type: ignore[import-not-found]

        assert imported is again
        assert again is not plain

    assert before.differences() == []


def test_further_packages_are_evicted(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules(
        {"plain.py": "import other.sub", "other/__init__.py": "", "other/sub.py": "", "third.py": ""}
    )
    before = {name: importlib.import_module(name) for name in ("plain", "other", "other.sub", "third")}

    sandbox.fresh_import("plain", fresh=["other", "third"])

    assert [name for name in before if sys.modules.get(name) is before[name]] == []
    assert "third" not in sys.modules


def test_packages_that_are_not_named_are_not_evicted(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"plain.py": "import other", "other.py": ""})
    importlib.import_module("plain")
    other = sys.modules["other"]

    sandbox.fresh_import("plain")

    assert sys.modules["other"] is other


def test_one_further_package_may_be_a_bare_name(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"plain.py": "import other", "other.py": ""})
    importlib.import_module("plain")
    other = sys.modules["other"]

    sandbox.fresh_import("plain", fresh="other")

    assert sys.modules["other"] is not other


def test_blocked_package_is_not_found_by_the_module(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules(
        {
            "plain.py": "try:\n    import other\nexcept ModuleNotFoundError as exc:\n    missing = exc.name",
            "other.py": "",
        }
    )
    importlib.import_module("plain")

    module = sandbox.fresh_import("plain", blocked="other")

    assert module.missing == "other"
    assert importlib.util.find_spec("other") is None


def test_blocked_package_is_found_after_the_sandbox(write_modules: Write) -> None:
    write_modules({"plain.py": "", "other.py": ""})
    other = importlib.import_module("other")

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("plain", blocked=["other"])

    assert importlib.import_module("other") is other


def test_error_because_of_a_blocked_package_is_the_module_s_own(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"plain.py": "import other", "other.py": ""})

    with pytest.raises(ModuleNotFoundError) as raised:
        sandbox.fresh_import("plain", blocked="other")

    assert (raised.value.name, getattr(raised.value, "__notes__", [])) == ("other", [])


def test_blocked_module_cannot_be_imported_afresh(
    write_modules: Write, sandbox: ImportSandbox, picture: Any
) -> None:
    write_modules({"plain.py": ""})
    importlib.import_module("plain")
    before = picture()

    with pytest.raises(ModuleNotFoundError) as raised:
        sandbox.fresh_import("plain", blocked="plain")

    assert raised.value.name == "plain"
    assert before.differences() == []


# Bad input


@pytest.mark.parametrize("name", [None, 5, b"pkg", ModuleType("pkg")], ids=lambda name: type(name).__name__)
def test_name_that_is_no_str_is_a_type_error(name: Any, sandbox: ImportSandbox, picture: Any) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        sandbox.fresh_import(name)

    assert str(raised.value) == f"the name of a module must be a str, not {type(name).__name__}: {name!r}"
    assert before.differences() == []


def call_evict(sandbox: ImportSandbox, names: Any) -> None:
    sandbox.evict(*names)


def call_block(sandbox: ImportSandbox, names: Any) -> None:
    sandbox.block(*names)


def call_fresh(sandbox: ImportSandbox, names: Any) -> None:
    sandbox.fresh_import("textwrap", fresh=names)


def call_blocked(sandbox: ImportSandbox, names: Any) -> None:
    sandbox.fresh_import("textwrap", blocked=names)


def call_fresh_import(sandbox: ImportSandbox, names: Any) -> None:
    for name in names:
        sandbox.fresh_import(name)


ARGUMENTS = {call_evict: "names", call_block: "names", call_fresh: "fresh", call_blocked: "blocked"}


@pytest.mark.parametrize(("call", "argument"), ARGUMENTS.items(), ids=["evict", "block", "fresh", "blocked"])
@pytest.mark.parametrize("name", [None, 5, b"pkg"], ids=lambda name: type(name).__name__)
def test_name_in_a_list_that_is_no_str_is_a_type_error(
    call: Callable[[ImportSandbox, Any], None], argument: str, name: Any, sandbox: ImportSandbox, picture: Any
) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        call(sandbox, ["colorsys", name])

    assert str(raised.value) == (
        f"{argument} must hold names of modules as str, not {type(name).__name__}: {name!r}"
    )
    assert before.differences() == []


@pytest.mark.parametrize(("call", "argument"), ARGUMENTS.items(), ids=["evict", "block", "fresh", "blocked"])
@pytest.mark.parametrize("name", ["", ".sub", "pkg.", "pkg..sub", "not a name"])
def test_name_in_a_list_that_is_not_absolute_is_a_value_error(
    call: Callable[[ImportSandbox, Any], None], argument: str, name: str, sandbox: ImportSandbox, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        call(sandbox, ["colorsys", name])

    assert str(raised.value) == (
        f"{argument}: {name!r} is not the name of a module; "
        "give an absolute dotted name such as 'package.module'"
    )
    assert before.differences() == []


@pytest.mark.parametrize(
    ("call", "argument"), [(call_fresh, "fresh"), (call_blocked, "blocked")], ids=["fresh", "blocked"]
)
def test_names_that_cannot_be_iterated_are_a_type_error(
    call: Callable[[ImportSandbox, Any], None], argument: str, sandbox: ImportSandbox, picture: Any
) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        call(sandbox, 5)

    assert str(raised.value) == f"{argument} must be the name of a module or an iterable of names, not 5"
    assert before.differences() == []


@pytest.mark.parametrize(
    "call",
    [*ARGUMENTS, call_fresh_import],
    ids=["evict", "block", "fresh", "blocked", "fresh_import"],
)
@pytest.mark.parametrize(
    "name",
    [
        "sys",
        "builtins",
        "__main__",
        "importlib",
        "importlib.util",
        "importlib._bootstrap",
        "_frozen_importlib",
        "_io",
        "pytest",
        "_pytest",
        "_pytest.fixtures",
        "pluggy",
        "pluggy._hooks",
        "pytest_importsandbox",
        "pytest_importsandbox.plugin",
    ],
)
def test_module_that_the_run_stands_on_is_a_value_error(
    name: str, call: Callable[[ImportSandbox, Any], None], sandbox: ImportSandbox, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        call(sandbox, [name])

    assert str(raised.value) == (
        f"{name!r} can be neither evicted nor blocked: the test run itself stands on it. "
        "To run its code again, use a new process."
    )
    assert before.differences() == []


@pytest.mark.parametrize(
    "call",
    [*ARGUMENTS, call_fresh_import],
    ids=["evict", "block", "fresh", "blocked", "fresh_import"],
)
def test_running_module_is_a_value_error(
    call: Callable[[ImportSandbox, Any], None], write_modules: Write, sandbox: ImportSandbox, picture: Any
) -> None:
    write_modules({"running.py": ""})
    running = importlib.import_module("running")
    protect(sandbox, lambda: [running])
    before = picture()

    with pytest.raises(ValueError, match=r"^'running' can be neither evicted nor blocked: "):
        call(sandbox, ["running"])

    assert before.differences() == []


def test_running_module_inside_an_evicted_package_stays(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"suite/__init__.py": "", "suite/running.py": "", "suite/other.py": ""})
    running, other = importlib.import_module("suite.running"), importlib.import_module("suite.other")
    protect(sandbox, lambda: [running])

    sandbox.evict("suite")

    assert sys.modules["suite.running"] is running
    assert importlib.import_module("suite.other") is not other


# Eviction


def test_evicted_tree_is_gone(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "pkgs.py": ""})
    for name in ("pkg.sub", "pkgs"):
        importlib.import_module(name)

    sandbox.evict("pkg")

    assert [name for name in ("pkg", "pkg.sub", "pkgs") if name in sys.modules] == ["pkgs"]


def test_several_packages_are_evicted_at_once(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"one.py": "", "two.py": ""})
    for name in ("one", "two"):
        importlib.import_module(name)

    sandbox.evict("one", "two")

    assert {"one", "two"} & sys.modules.keys() == set()


def test_attribute_on_the_parent_goes_with_the_module(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")

    sandbox.evict("pkg.sub")

    assert not hasattr(sys.modules["pkg"], "sub")


def test_function_of_the_name_of_an_evicted_module_stays(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "from .sub import sub", "pkg/sub.py": "def sub(): pass"})
    pkg = importlib.import_module("pkg")
    function = pkg.sub

    sandbox.evict("pkg.sub")

    assert pkg.sub is function
    assert "pkg.sub" not in sys.modules


def test_module_that_is_not_loaded_may_be_evicted(sandbox: ImportSandbox, picture: Any) -> None:
    before = picture()

    sandbox.evict("there_is_no_such_module", "textwrap.sub")

    assert before.differences() == []


def test_nothing_may_be_evicted(sandbox: ImportSandbox, picture: Any) -> None:
    before = picture()

    sandbox.evict()

    assert before.differences() == []


def test_module_is_evicted_from_both_dicts_of_modules(write_modules: Write) -> None:
    write_modules({"plain.py": ""})
    plain = importlib.import_module("plain")
    original = sys.modules

    with ImportSandbox() as sandbox:
        sys.modules = sys.modules.copy()
        sandbox.evict("plain")

        assert ("plain" in sys.modules, "plain" in original) == (False, False)

    assert sys.modules["plain"] is plain


@pytest.mark.parametrize("name", ["errno", "math", "unicodedata", "os", "os.path", "abc", "codecs"])
def test_builtin_frozen_and_extension_modules_of_the_standard_library_stay(
    name: str, run_script: Run
) -> None:
    run_script(
        f"""
        import importlib

        from pytest_importsandbox import ImportSandbox

        module = importlib.import_module({name!r})
        with ImportSandbox() as sandbox:
            sandbox.evict({name!r})
            assert importlib.import_module({name!r}) is module
            assert sandbox.fresh_import({name!r}) is module
        """
    )


def test_python_module_of_the_standard_library_runs_again(sandbox: ImportSandbox) -> None:
    import textwrap

    again = sandbox.fresh_import("textwrap")

    assert again is not textwrap
    assert again.TextWrapper is not textwrap.TextWrapper


# Extension modules


@pytest.fixture(scope="module")
def extension() -> Path:
    """A shared library that holds one extension module, named after its file."""
    names = ["_queue", "_uuid", "_bisect", "_heapq", "_zoneinfo"]
    if importlib.util.find_spec("coverage") is not None:
        names.append("coverage.tracer")
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and isinstance(spec.loader, ExtensionFileLoader):
            return Path(spec.origin)
    if sys.platform == "emscripten":
        pytest.skip("needs shared libraries, which this platform does not have")
    pytest.fail("none of the extension modules that this test knows is a file of its own here")


@pytest.fixture
def extension_package(extension: Path) -> dict[str, str | bytes]:
    """The files of the package `compiled`: `compiled.native` is Python, what it imports is not."""
    suffix = next(suffix for suffix in EXTENSION_SUFFIXES if extension.name.endswith(suffix))
    name = extension.name.removesuffix(suffix)
    return {
        "compiled/__init__.py": "from .native import native",
        "compiled/native.py": f"from . import {name} as native\nname = 'compiled.{name}'",
        "compiled/failing.py": "import compiled\nraise ValueError('as it is')",
        f"compiled/{extension.name}": extension.read_bytes(),
        "plain.py": "",
    }


def test_extension_of_an_evicted_package_is_handed_back(
    run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        import compiled

        with ImportSandbox() as sandbox:
            again = sandbox.fresh_import("compiled")
            assert again is not compiled
            assert again.native is compiled.native
            assert sys.modules[sys.modules["compiled.native"].name] is compiled.native
        assert sys.modules["compiled"] is compiled
        """,
        files=extension_package,
    )


def test_extension_that_is_named_itself_is_loaded_anew(
    run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    run_script(
        """
        import importlib.util
        import sys

        from pytest_importsandbox import ImportSandbox
        from pytest_importsandbox._core.process import process

        import compiled

        name = sys.modules["compiled.native"].name
        with ImportSandbox() as sandbox:
            sandbox.evict(name)
            assert name not in sys.modules
            assert process.watcher.find_spec(name) is None
            sandbox.fresh_import(name)
            assert name in sys.modules
        assert sys.modules[name] is compiled.native
        """,
        files=extension_package,
    )


def test_evicted_package_keeps_its_extension_across_evictions(
    run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        import compiled

        with ImportSandbox() as outer:
            outer.evict("compiled")
            outer.evict("compiled")
            with ImportSandbox() as inner:
                assert inner.fresh_import("compiled").native is compiled.native
                assert inner.fresh_import("compiled").native is compiled.native
            assert outer.fresh_import("compiled").native is compiled.native
        """,
        files=extension_package,
    )


@pytest.mark.parametrize(
    "loaded", ["import compiled", "with ImportSandbox():\n    import compiled"], ids=["before", "preserved"]
)
def test_failure_of_a_package_with_extensions_has_a_note(
    loaded: str, run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    output = run_script(
        f"""
import sys

from pytest_importsandbox import ImportSandbox

{loaded}
import compiled

with ImportSandbox() as sandbox:
    try:
        sandbox.fresh_import("compiled.failing", fresh="compiled")
    except ValueError as exc:
        print(exc)
        print(*exc.__notes__)
    assert sys.modules["compiled"] is compiled
""",
        files=extension_package,
    )

    note = (
        "pytest-importsandbox: 'compiled.failing' has extension modules, which are not loaded twice in a "
        "process; its Python modules ran again and met the extensions as they were. "
        "If the package cannot take that, import it without evicting it, or test it in a process of its own. "
        "The package that was loaded before is back in place."
    )
    assert output.splitlines() == ["as it is", note]


def test_failure_because_of_a_blocked_package_has_no_note(
    run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        import compiled

        with ImportSandbox() as sandbox:
            try:
                sandbox.fresh_import("compiled.needing", fresh="compiled", blocked="plain")
            except ModuleNotFoundError as exc:
                print(exc.name, getattr(exc, "__notes__", []))
        """,
        files={**extension_package, "compiled/needing.py": "import plain"},
    )

    assert output.split() == ["plain", "[]"]


def test_import_error_with_an_odd_name_reaches_the_user(
    run_script: Run, extension_package: dict[str, str | bytes]
) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        import compiled

        with ImportSandbox() as sandbox:
            try:
                sandbox.fresh_import("compiled.odd", fresh="compiled", blocked="plain")
            except ImportError as exc:
                print(exc, exc.name)
        """,
        files={**extension_package, "compiled/odd.py": "raise ImportError('odd', name=5)"},
    )

    assert output.split() == ["odd", "5"]


# Blocking

FORMS = {
    "import": "import {0}",
    "import-as": "import {0} as alias",
    "from-import": "from {0} import anything",
    "from-import-all": "from {0} import *",
    "builtin": "__import__({0!r})",
    "importlib": "import importlib; importlib.import_module({0!r})",
    "submodule": "import {0}.sub",
    "from-submodule": "from {0}.sub import anything",
    "importlib-submodule": "import importlib; importlib.import_module({0!r} + '.sub')",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("loaded", [False, True], ids=["new", "loaded"])
def test_blocked_module_cannot_be_imported_in_any_form(
    form: str, loaded: bool, write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "anything = 1", "pkg/sub.py": "anything = 2"})
    if loaded:
        importlib.import_module("pkg.sub")
    sandbox.block("pkg")

    with pytest.raises(ModuleNotFoundError) as raised:
        exec(form.format("pkg"), {})

    assert (str(raised.value), raised.value.name) == ("No module named 'pkg'", "pkg")


def test_import_says_the_same_of_a_blocked_package_in_another_thread(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    sandbox.block("pkg")
    raised: list[ModuleNotFoundError] = []

    def run() -> None:
        with pytest.raises(ModuleNotFoundError) as info:
            importlib.import_module("pkg.sub")
        raised.append(info.value)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert [(str(exc), exc.name) for exc in raised] == [("No module named 'pkg'", "pkg")]


def test_traceback_of_a_blocked_import_shows_what_that_of_a_missing_one_shows(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules(
        {"there/__init__.py": "", "asks.py": "import there.sub", "asks_more.py": "import absent.sub"}
    )
    sandbox.block("there")
    shown = []

    for name in ("asks", "asks_more"):
        with pytest.raises(ModuleNotFoundError) as raised:
            exec(f"import {name}", {})
        shown.append([(each.name, each.lineno) for each in traceback.extract_tb(raised.value.__traceback__)])

    assert shown[0] == shown[1]


def test_what_the_test_itself_makes_none_is_refused_in_pythons_words(sandbox: ImportSandbox) -> None:
    sandbox.block("wave")
    sys.modules["textwrap"] = None  # type: ignore[assignment]

    with pytest.raises(ModuleNotFoundError, match="import of textwrap halted"):
        importlib.import_module("textwrap")


def test_import_is_carried_out_by_its_own_function_when_the_sandbox_has_ended(write_modules: Write) -> None:
    bootstrap = importlib._bootstrap  # type: ignore[attr-defined]
    before = bootstrap._find_and_load

    with ImportSandbox() as sandbox:
        sandbox.block("wave")
        sandbox.block("textwrap")
        with ImportSandbox() as inner:
            inner.block("json")
        inside = bootstrap._find_and_load

    assert bootstrap._find_and_load is before is not inside


def test_function_that_somebody_puts_round_that_of_import_stays() -> None:
    bootstrap = importlib._bootstrap  # type: ignore[attr-defined]
    before = bootstrap._find_and_load
    with ImportSandbox() as sandbox:
        sandbox.block("wave")
        inside = bootstrap._find_and_load
        bootstrap._find_and_load = lambda *args, **options: inside(*args, **options)
        around = bootstrap._find_and_load

    after, bootstrap._find_and_load = bootstrap._find_and_load, before

    assert after is around
    assert importlib.import_module("wave").__name__ == "wave"


@pytest.mark.parametrize(
    "form",
    [
        "import pkg.sub",
        "from pkg import sub",
        "from pkg import other, sub",
        "from pkg.sub import anything",
        "import importlib; importlib.import_module('pkg.sub')",
        "import importlib; importlib.import_module('.sub', 'pkg')",
    ],
)
@pytest.mark.parametrize("loaded", ["pkg.sub", "pkg", None])
def test_blocked_submodule_cannot_be_imported_in_any_form(
    form: str, loaded: str | None, write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "anything = 1", "pkg/other.py": ""})
    if loaded is not None:
        importlib.import_module(loaded)
    sandbox.block("pkg.sub")

    with pytest.raises(ModuleNotFoundError) as raised:
        exec(form, {})

    assert (str(raised.value), raised.value.name) == ("No module named 'pkg.sub'", "pkg.sub")
    assert importlib.import_module("pkg.other").__name__ == "pkg.other"


def test_relative_import_of_a_blocked_module_fails(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "pkg/other.py": "from . import sub"})
    sandbox.block("pkg.sub")

    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("pkg.other")

    assert raised.value.name == "pkg.sub"


@pytest.mark.parametrize("name", ["pkg", "pkg.sub", "errno", "textwrap", "there_is_no_such_module"])
def test_spec_of_a_blocked_module_is_none(name: str, write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")

    sandbox.block(name)

    assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize("name", ["pkg", "pkg.sub"])
def test_spec_stays_none_when_the_tree_is_evicted_later(
    name: str, write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    sandbox.block(name)

    sandbox.evict(name)
    sandbox.evict("pkg")

    assert importlib.util.find_spec(name) is None


def test_blocked_submodule_stays_blocked_in_a_fresh_package(
    write_modules: Write, sandbox: ImportSandbox
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    sandbox.block("pkg.sub")

    sandbox.fresh_import("pkg")

    assert importlib.util.find_spec("pkg.sub") is None
    with pytest.raises(ModuleNotFoundError) as raised:
        exec("from pkg import sub", {})
    assert raised.value.name == "pkg.sub"


def test_blocked_module_comes_back(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        sandbox.block("pkg.sub")
        sandbox.block("pkg", "textwrap")

    assert before.differences() == []


def test_module_that_was_not_loaded_can_be_imported_after_the_block(write_modules: Write) -> None:
    write_modules({"plain.py": "X = 1"})

    with ImportSandbox() as sandbox:
        sandbox.block("plain")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("plain")

    assert importlib.import_module("plain").X == 1


def test_attribute_of_a_blocked_submodule_goes(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    pkg = importlib.import_module("pkg")
    importlib.import_module("pkg.sub")

    sandbox.block("pkg.sub")

    assert not hasattr(pkg, "sub")


def test_function_of_the_name_of_a_blocked_module_stays(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"pkg/__init__.py": "from .sub import sub", "pkg/sub.py": "def sub(): pass"})
    pkg = importlib.import_module("pkg")

    sandbox.block("pkg.sub")

    assert pkg.sub.__name__ == "sub"


def test_blocking_twice_is_blocking_once(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    importlib.import_module("plain")
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.block("plain")
        sandbox.block("plain")

        assert importlib.util.find_spec("plain") is None

    assert before.differences() == []


def test_nothing_may_be_blocked(sandbox: ImportSandbox, picture: Any) -> None:
    before = picture()

    sandbox.block()

    assert before.differences() == []


def test_neighbours_of_a_blocked_module_are_found(write_modules: Write, sandbox: ImportSandbox) -> None:
    write_modules({"plain.py": "", "plains.py": "X = 1"})

    sandbox.block("plain")

    assert importlib.import_module("plains").X == 1


def test_fake_in_place_of_a_blocked_module_is_imported(sandbox: ImportSandbox) -> None:
    sandbox.block("textwrap")
    fake = ModuleType("textwrap")

    sys.modules["textwrap"] = fake

    assert importlib.import_module("textwrap") is fake
