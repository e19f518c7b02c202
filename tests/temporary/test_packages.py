"""Temporary packages: what is written, what imports see of it, and that nothing of it stays."""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import inspect
import linecache
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NoReturn

import pytest

from pytest_importsandbox import ImportSandbox, TempModule, TempPackage

Run = Callable[..., str]


@pytest.fixture
def sandbox(temporary: Path) -> Iterator[ImportSandbox]:
    with ImportSandbox() as sandbox:
        yield sandbox


def files_in(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# What is written


def test_text_is_that_of_the_package_itself(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", "X = 1")

    assert importlib.import_module("pkg").X == 1
    assert files_in(package.path) == {"__init__.py"}


def test_package_without_files_is_empty(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg")

    assert (package.path / "__init__.py").read_bytes() == b""


def test_files_are_written_by_their_paths(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": "X = 1", "sub/deep/mod.py": "X = 2"})

    assert importlib.import_module("pkg.mod").X == 1
    assert importlib.import_module("pkg.sub.deep.mod").X == 2
    assert files_in(package.path) == {
        "__init__.py",
        "mod.py",
        "sub/__init__.py",
        "sub/deep/__init__.py",
        "sub/deep/mod.py",
    }


def test_init_file_that_is_given_is_kept(sandbox: ImportSandbox) -> None:
    sandbox.temp_package("pkg", {"sub/mod.py": "", "sub/__init__.py": "X = 1", "__init__.py": "Y = 2"})

    assert (importlib.import_module("pkg").Y, importlib.import_module("pkg.sub").X) == (2, 1)


def test_directory_without_python_files_is_no_package(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"texts/greeting.txt": "hello"})

    assert files_in(package.path) == {"__init__.py", "texts/greeting.txt"}


@pytest.mark.parametrize(
    "mapping", [OrderedDict, MappingProxyType, dict], ids=lambda mapping: mapping.__name__
)
def test_any_mapping_of_files_is_taken(mapping: Any, sandbox: ImportSandbox) -> None:
    sandbox.temp_package("pkg", mapping({"mod.py": "X = 1"}))

    assert importlib.import_module("pkg.mod").X == 1


def test_text_is_dedented_and_written_in_utf_8(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package(
        "pkg",
        """
        if True:
            X = "naïve ✓"
        """,
    )

    assert (package.path / "__init__.py").read_bytes() == '\nif True:\n    X = "naïve ✓"\n'.encode()
    assert importlib.import_module("pkg").X == "naïve ✓"


def test_bytes_are_written_as_they_are(sandbox: ImportSandbox) -> None:
    content = b"  # coding: latin-1\r\nX = '\xe9'\n"
    package = sandbox.temp_package("pkg", {"mod.py": content})

    assert (package.path / "mod.py").read_bytes() == content
    assert importlib.import_module("pkg.mod").X == "é"


def test_path_may_begin_with_a_dot(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"./mod.py": "X = 1"})

    assert files_in(package.path) == {"__init__.py", "mod.py"}


def test_package_tells_its_name_and_its_directory(sandbox: ImportSandbox, temporary: Path) -> None:
    package = sandbox.temp_package("pkg")

    assert isinstance(package, TempPackage)
    assert (package.name, package.path.name, package.path.parents[1]) == ("pkg", "pkg", temporary.resolve())
    assert repr(package) == f"<TempPackage 'pkg' at {str(package.path)!r}>"


def test_directory_comes_first_on_the_path(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg")

    assert sys.path[0] == str(package.path.parent)


def test_newest_package_of_a_name_is_the_one_that_is_found(sandbox: ImportSandbox) -> None:
    sandbox.temp_package("pkg", "X = 1")
    importlib.import_module("pkg")
    sandbox.temp_package("pkg", "X = 2")

    assert sandbox.fresh_import("pkg").X == 2


def test_package_hides_an_installed_one_of_its_name_that_is_loaded(temporary: Path, picture: Any) -> None:
    real = importlib.import_module("colorsys")
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.temp_package("colorsys", "X = 1")

        assert importlib.import_module("colorsys").X == 1

    assert (importlib.import_module("colorsys"), before.differences()) == (real, [])


def test_package_hides_an_installed_one_that_an_earlier_sandbox_preserved(temporary: Path) -> None:
    with ImportSandbox():
        importlib.import_module("this")

    with ImportSandbox() as sandbox:
        sandbox.temp_package("this", "X = 1")

        assert importlib.import_module("this").X == 1


def test_package_takes_the_place_of_a_stand_in(sandbox: ImportSandbox) -> None:
    sys.modules["pkg"] = ModuleType("pkg")

    sandbox.temp_package("pkg", "X = 1")

    assert importlib.import_module("pkg").X == 1


def test_dotted_name_takes_the_place_of_the_whole_package(
    write_modules: Callable[..., Path], sandbox: ImportSandbox
) -> None:
    write_modules({"acme/__init__.py": "", "acme/tools.py": "X = 1"})
    importlib.import_module("acme.tools")

    sandbox.temp_package("acme.tools", "X = 2")

    assert importlib.import_module("acme.tools").X == 2


def test_package_that_is_refused_leaves_the_loaded_one_alone(sandbox: ImportSandbox) -> None:
    real = importlib.import_module("colorsys")

    with pytest.raises(ValueError, match="leaves the package"):
        sandbox.temp_package("colorsys", {"../mod.py": ""})

    assert sys.modules["colorsys"] is real


def test_packages_do_not_see_one_another_s_files(sandbox: ImportSandbox) -> None:
    one = sandbox.temp_package("one", {"mod.py": ""})
    other = sandbox.temp_package("other", {"mod.py": ""})

    assert one.path.parent != other.path.parent


# Dotted names and namespace packages


def test_dotted_name_creates_the_parents(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("acme.tools.fast", {"mod.py": "X = 1"})

    assert importlib.import_module("acme.tools.fast.mod").X == 1
    assert files_in(package.path.parents[2]) == {
        "acme/__init__.py",
        "acme/tools/__init__.py",
        "acme/tools/fast/__init__.py",
        "acme/tools/fast/mod.py",
    }


def test_namespace_package_has_no_init_file(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("spread", {"one.py": "", "inner/two.py": "X = 2"}, namespace=True)

    assert files_in(package.path) == {"one.py", "inner/two.py"}
    assert importlib.import_module("spread").__spec__.origin is None
    assert importlib.import_module("spread.inner.two").X == 2


def test_namespace_packages_of_one_name_have_two_portions(sandbox: ImportSandbox) -> None:
    one = sandbox.temp_package("spread", {"one.py": "X = 1"}, namespace=True)
    two = sandbox.temp_package("spread", {"two.py": "X = 2"}, namespace=True)

    spread = importlib.import_module("spread")

    assert list(spread.__path__) == [str(two.path), str(one.path)]
    assert (importlib.import_module("spread.one").X, importlib.import_module("spread.two").X) == (1, 2)


def test_second_portion_is_found_when_the_first_is_loaded(sandbox: ImportSandbox) -> None:
    sandbox.temp_package("spread", {"one.py": "X = 1"}, namespace=True)
    importlib.import_module("spread.one")
    sandbox.temp_package("spread", {"two.py": "X = 2"}, namespace=True)

    assert importlib.import_module("spread.two").X == 2


def test_portion_joins_a_namespace_package_that_is_loaded(
    write_modules: Callable[..., Path], sandbox: ImportSandbox
) -> None:
    write_modules({"spread/one.py": "X = 1", "spread/inner/deep.py": "X = 2"})
    spread, one = importlib.import_module("spread"), importlib.import_module("spread.one")
    importlib.import_module("spread.inner.deep")

    sandbox.temp_package("spread.inner", {"two.py": "X = 3"}, namespace=True)

    assert importlib.import_module("spread.inner.two").X == 3
    assert (importlib.import_module("spread"), importlib.import_module("spread.one")) == (spread, one)


def test_portion_takes_the_place_of_a_stand_in(sandbox: ImportSandbox) -> None:
    sys.modules["spread"] = ModuleType("spread")

    sandbox.temp_package("spread", {"one.py": "X = 1"}, namespace=True)

    assert importlib.import_module("spread.one").X == 1


def test_dotted_namespace_package_has_no_init_file_in_its_parents(sandbox: ImportSandbox) -> None:
    one = sandbox.temp_package("acme.one", {"mod.py": "X = 1"}, namespace=True)
    sandbox.temp_package("acme.two", {"mod.py": "X = 2"}, namespace=True)

    assert files_in(one.path.parents[1]) == {"acme/one/mod.py"}
    assert (importlib.import_module("acme.one.mod").X, importlib.import_module("acme.two.mod").X) == (1, 2)


def test_file_written_later_makes_no_init_file_in_a_namespace_package(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("spread", namespace=True)

    package.write("inner/mod.py", "")

    assert files_in(package.path) == {"inner/mod.py"}


def test_init_file_in_a_namespace_package_is_a_value_error(sandbox: ImportSandbox, picture: Any) -> None:
    before = picture()

    with pytest.raises(ValueError, match=r"^a namespace package has no '__init__\.py'$"):
        sandbox.temp_package("spread", "X = 1", namespace=True)

    assert before.differences() == []


# Modules of a single file


def test_module_is_one_file(sandbox: ImportSandbox, temporary: Path) -> None:
    module = sandbox.temp_package.module("mod", "X = 1")

    assert importlib.import_module("mod").X == 1
    assert isinstance(module, TempModule)
    assert (module.name, module.path.name, module.path.parents[1]) == ("mod", "mod.py", temporary.resolve())
    assert repr(module) == f"<TempModule 'mod' at {str(module.path)!r}>"
    assert files_in(module.path.parent) == {"mod.py"}


def test_source_of_a_module_is_dedented(sandbox: ImportSandbox) -> None:
    sandbox.temp_package.module(
        "mod",
        """
        X = "naïve ✓"
        """,
    )

    assert importlib.import_module("mod").X == "naïve ✓"


def test_source_of_a_module_may_be_bytes(sandbox: ImportSandbox) -> None:
    sandbox.temp_package.module("mod", b"# coding: latin-1\nX = '\xe9'\n")

    assert importlib.import_module("mod").X == "é"


def test_module_rewritten_within_a_second_is_always_the_newest(sandbox: ImportSandbox) -> None:
    module = sandbox.temp_package.module("mod", "X = 100")

    seen = []
    for number in range(101, 150):
        module.write(f"X = {number}")
        seen.append(sandbox.fresh_import("mod").X)

    assert seen == list(range(101, 150))


def test_module_hides_an_installed_one_that_is_loaded(temporary: Path) -> None:
    real = importlib.import_module("colorsys")

    with ImportSandbox() as sandbox:
        sandbox.temp_package.module("colorsys", "X = 1")

        assert importlib.import_module("colorsys").X == 1

    assert importlib.import_module("colorsys") is real


def test_module_is_gone_after_the_sandbox(temporary: Path, picture: Any) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.temp_package.module("mod", "X = 1")
        importlib.import_module("mod")

    assert (before.differences(), list(temporary.iterdir())) == ([], [])


NO_DOTS = (
    "{!r} has dots; give the name of a top-level module without a suffix, "
    "and write a module of a package with temp_package(package, files)"
)
NO_NAME = "name: {!r} is not the name of a module; give an absolute dotted name such as 'package.module'"
MODULE_NAMES = {
    "pkg.sub.mod": NO_DOTS.format("pkg.sub.mod"),
    "mod.py": NO_DOTS.format("mod.py"),
    "not a name": NO_NAME.format("not a name"),
    "nul": "'nul' cannot be written on every system: on Windows, 'nul' is the name of a device",
    "pytest": "no temporary module can be named 'pytest': the test run itself stands on 'pytest'",
}


@pytest.mark.parametrize(("name", "message"), MODULE_NAMES.items(), ids=MODULE_NAMES)
def test_bad_name_of_a_module_is_a_value_error(
    name: str, message: str, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package.module(name, "")

    assert str(raised.value) == message
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_module_of_the_wrong_types_is_a_type_error(sandbox: ImportSandbox, temporary: Path) -> None:
    bad: Any = 5

    with pytest.raises(TypeError, match=r"^the name of a module must be a str, not int: 5$"):
        sandbox.temp_package.module(bad, "")
    with pytest.raises(TypeError, match=r"^the content of 'mod\.py' must be str or bytes, not int: 5$"):
        sandbox.temp_package.module("mod", bad)

    assert list(temporary.iterdir()) == []


# What imports see


def test_package_rewritten_200_times_is_always_the_newest(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"__init__.py": "from .mod import X", "mod.py": "X = 000"})

    seen = []
    for number in range(200):
        package.write("mod.py", f"X = {1000 + number}")
        seen.append(sandbox.fresh_import("pkg").X)

    assert seen == [1000 + number for number in range(200)]


@pytest.mark.slow
@pytest.mark.parametrize("optimization", ["0", "1", "2"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PYTHONPYCACHEPREFIX": "cache"},
        {"PYTHONDONTWRITEBYTECODE": "1"},
        {"PYTHONPYCACHEPREFIX": "cache", "PYTHONDONTWRITEBYTECODE": "1"},
    ],
    ids=lambda environment: "+".join(environment) or "none",
)
def test_newest_text_is_seen_however_bytecode_is_kept(
    environment: dict[str, str], optimization: str, run_script: Run
) -> None:
    output = run_script(
        """
        import sys
        from pathlib import Path

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            package = sandbox.temp_package("pkg")
            seen = []
            for number in range(100, 120):
                package.write("mod.py", f"X = {number}")
                seen.append(sandbox.fresh_import("pkg.mod").X)
            print(seen == list(range(100, 120)))
            bytecode = Path("cache") if sys.pycache_prefix else package.path.parent
            print(len(list(bytecode.rglob(f"mod.{sys.implementation.cache_tag}*.pyc"))))
            print(package.path.parent)
        """,
        environment={
            "PYTHONPYCACHEPREFIX": None,
            "PYTHONDONTWRITEBYTECODE": None,
            "PYTHONOPTIMIZE": optimization if optimization != "0" else None,
            **environment,
        },
    )

    newest, written, directory = output.splitlines()
    assert (newest, int(written)) == ("True", 0 if "PYTHONDONTWRITEBYTECODE" in environment else 1)
    assert not Path(directory).exists()


@pytest.mark.parametrize("prefix", [None, "cache"], ids=["beside", "prefix"])
def test_bytecode_of_everyone_who_compiles_goes(
    prefix: str | None, sandbox: ImportSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", prefix and str(tmp_path / prefix))
    package = sandbox.temp_package("pkg", {"mod.py": "X = 1", "mod_two.py": ""})
    cached = Path(importlib.util.cache_from_source(str(package.path / "mod.py"))).parent
    cached.mkdir(parents=True, exist_ok=True)
    for file in (
        "mod.other-1.pyc",
        "mod.other-1-pytest-8.0.0.pyc",
        "mod.other-1.opt-2.pyc",
        "mod_two.other-1.pyc",
    ):
        (cached / file).touch()

    package.write("mod.py", "X = 2")

    assert [path.name for path in cached.iterdir()] == ["mod_two.other-1.pyc"]


def test_rewritten_assertions_are_those_of_the_newest_text(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    pytester.makepyfile(
        """
        import pytest

        pytest.register_assert_rewrite("helpers")

        @pytest.mark.parametrize("name", ["app.conftest", "app.test_numbers", "helpers.numbers"])
        def test_rewritten(temp_package, fresh_import, name):
            package, _, module = name.partition(".")
            temporary = temp_package(package, {f"{module}.py": "X = 1"})
            assert fresh_import(name).X == 1
            temporary.write(f"{module}.py", "X = 2")
            assert fresh_import(name).X == 2
        """
    )

    pytester.runpytest_subprocess("-p", "importsandbox").assert_outcomes(passed=3)


def test_directory_in_the_bytecode_cache_is_removed(run_script: Run, tmp_path: Path) -> None:
    run_script(
        """
        from pytest_importsandbox import ImportSandbox

        with ImportSandbox() as sandbox:
            sandbox.temp_package("pkg", {"sub/mod.py": ""})
            import pkg.sub.mod
        """,
        environment={"PYTHONPYCACHEPREFIX": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": None},
    )

    assert list((tmp_path / "cache").rglob("importsandbox-*")) == []


def test_file_added_to_a_known_directory_is_found(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": ""})
    importlib.import_module("pkg.mod")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pkg.late")

    package.write("late.py", "X = 1")

    assert importlib.import_module("pkg.late").X == 1


def test_package_added_to_a_known_directory_is_found(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pkg.late.mod")

    package.write("late/mod.py", "X = 1")

    assert importlib.import_module("pkg.late.mod").X == 1
    assert (package.path / "late" / "__init__.py").exists()


def test_removed_file_is_no_longer_found(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": "X = 1"})
    importlib.import_module("pkg.mod")

    package.remove("mod.py")

    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'pkg\.mod'$"):
        sandbox.fresh_import("pkg.mod")


def test_file_that_was_removed_can_be_written_again(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": "X = 1"})
    importlib.import_module("pkg.mod")

    package.remove("mod.py")
    package.write("mod.py", "X = 2")

    assert sandbox.fresh_import("pkg.mod").X == 2


def test_module_gives_way_to_a_package_of_its_name(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": "X = 1"})
    importlib.import_module("pkg.mod")

    package.remove("mod.py")
    package.write("mod/__init__.py", "X = 2")

    assert sandbox.fresh_import("pkg.mod").X == 2


def test_traceback_shows_the_newest_text(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": ""})

    shown = []
    for name in ("one", "two", "six"):
        package.write("mod.py", f"raise ValueError('x')  # {name}")
        with pytest.raises(ValueError, match="x") as raised:
            sandbox.fresh_import("pkg.mod")
        shown.append(traceback.extract_tb(raised.tb)[-1].line)

    assert shown == [f"raise ValueError('x')  # {name}" for name in ("one", "two", "six")]


def test_inspect_shows_the_newest_text(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("pkg", {"mod.py": ""})

    shown = []
    for number in range(10, 20):
        package.write("mod.py", f"def f(): return {number}\n")
        shown.append(inspect.getsource(sandbox.fresh_import("pkg.mod").f))

    assert shown == [f"def f(): return {number}\n" for number in range(10, 20)]


def test_data_files_are_read_through_importlib_resources(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package(
        "pkg", {"greeting.txt": "hello", "data/raw.bin": b"\x00\xff", "sub/__init__.py": "", "sub/a.txt": "a"}
    )

    files = importlib.resources.files("pkg")
    assert (files / "greeting.txt").read_text("utf-8") == "hello"
    assert (files / "data" / "raw.bin").read_bytes() == b"\x00\xff"
    assert (importlib.resources.files("pkg.sub") / "a.txt").read_text("utf-8") == "a"
    package.write("greeting.txt", "howdy")
    assert (files / "greeting.txt").read_text("utf-8") == "howdy"


def test_data_files_of_a_namespace_package_are_read(sandbox: ImportSandbox) -> None:
    sandbox.temp_package("spread", {"one.txt": "1"}, namespace=True)
    sandbox.temp_package("spread", {"two.txt": "2"}, namespace=True)

    files = importlib.resources.files("spread")

    assert [(files / name).read_text("utf-8") for name in ("one.txt", "two.txt")] == ["1", "2"]


# Bad input: an error, and nothing has happened


@pytest.mark.parametrize("name", [None, 5, b"pkg", ["pkg"]], ids=lambda name: type(name).__name__)
def test_name_that_is_no_str_is_a_type_error(
    name: Any, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        sandbox.temp_package(name)

    assert str(raised.value) == f"the name of a package must be a str, not {type(name).__name__}: {name!r}"
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


@pytest.mark.parametrize(
    "name", ["", ".", ".pkg", "pkg.", "pkg..sub", "pkg/sub", "../pkg", "pkg-name", "a\0b", "1"]
)
def test_name_that_is_no_module_name_is_a_value_error(
    name: str, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package(name)

    assert str(raised.value) == (
        f"name: {name!r} is not the name of a module; give an absolute dotted name such as 'package.module'"
    )
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


@pytest.mark.parametrize(
    "files",
    [5, b"X = 1", ["mod.py"], [("mod.py", "")], Path("mod.py")],
    ids=lambda files: type(files).__name__,
)
def test_files_that_are_no_mapping_are_a_type_error(
    files: Any, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(TypeError) as raised:
        sandbox.temp_package("pkg", files)

    assert str(raised.value) == (
        "files must be a mapping of paths to contents, or the text of __init__.py, "
        f"not {type(files).__name__}: {files!r}"
    )
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


NO_FILE = "{!r} is not the path of a file"
OUTSIDE = (
    "{!r} is not a path inside the package; give a relative one with forward slashes, such as 'sub/mod.py'"
)
LEAVES = "{!r} leaves the package"
NO_WINDOWS = "{!r} cannot be written on every system: on Windows, "
BAD_PATHS = {
    "con.py": NO_WINDOWS + "'con.py' is the name of a device",
    "AUX": NO_WINDOWS + "'AUX' is the name of a device",
    "sub/Com1.tar.gz": NO_WINDOWS + "'Com1.tar.gz' is the name of a device",
    "lpt9 .txt": NO_WINDOWS + "'lpt9 .txt' is the name of a device",
    "prn/mod.py": NO_WINDOWS + "'prn' is the name of a device",
    "mod.": NO_WINDOWS + "no name can end with '.'",
    "sub /mod.py": NO_WINDOWS + "no name can end with ' '",
    "mod.py:x": NO_WINDOWS + "no name can have the character ':'",
    "what?.py": NO_WINDOWS + "no name can have the character '?'",
    "a\nb.py": NO_WINDOWS + "no name can have the character '\\n'",
    "x:y": OUTSIDE,
    "": NO_FILE,
    ".": NO_FILE,
    "./": NO_FILE,
    "sub/": NO_FILE,
    "a\0.py": NO_FILE,
    "/mod.py": OUTSIDE,
    "//host/share/mod.py": OUTSIDE,
    "C:/mod.py": OUTSIDE,
    "c:mod.py": OUTSIDE,
    "sub\\mod.py": OUTSIDE,
    "../mod.py": LEAVES,
    "sub/../../mod.py": LEAVES,
    "sub/../mod.py": LEAVES,
    "..": LEAVES,
}


@pytest.mark.parametrize(("path", "message"), BAD_PATHS.items(), ids=map(repr, BAD_PATHS))
def test_bad_path_is_a_value_error(
    path: str, message: str, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package("pkg", {"good.py": "", path: ""})

    assert str(raised.value) == message.format(path)
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


@pytest.mark.parametrize(("path", "message"), BAD_PATHS.items(), ids=map(repr, BAD_PATHS))
def test_bad_path_to_write_is_a_value_error(
    path: str, message: str, sandbox: ImportSandbox, temporary: Path
) -> None:
    package = sandbox.temp_package("pkg")
    before = files_in(temporary)

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        package.write(path, "X = 1")

    assert str(raised.value) == message.format(path)
    assert files_in(temporary) == before


@pytest.mark.parametrize(("path", "message"), BAD_PATHS.items(), ids=map(repr, BAD_PATHS))
def test_bad_path_to_remove_is_a_value_error(
    path: str, message: str, sandbox: ImportSandbox, temporary: Path
) -> None:
    (temporary / "mod.py").touch()
    package = sandbox.temp_package("pkg", {"mod.py": "", "sub/mod.py": ""})
    before = files_in(temporary)

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        package.remove(path)

    assert str(raised.value) == message.format(path)
    assert files_in(temporary) == before


def test_device_is_no_name_of_a_package(sandbox: ImportSandbox, temporary: Path) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package("pkg.aux")

    assert str(raised.value) == (
        "'pkg.aux' cannot be written on every system: on Windows, 'aux' is the name of a device"
    )
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.py": "", "A.py": ""},
            "'A.py' cannot be written on every system: it differs from 'a.py' in case alone",
        ),
        (
            {"Sub/a.py": "", "sub/b.py": ""},
            "'sub' cannot be written on every system: it differs from 'Sub' in case alone",
        ),
    ],
    ids=["files", "directories"],
)
def test_paths_that_differ_in_case_alone_are_a_value_error(
    files: dict[str, str], message: str, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package("pkg", files)

    assert str(raised.value) == message
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_path_that_differs_from_an_older_one_in_case_alone_is_a_value_error(
    sandbox: ImportSandbox, temporary: Path
) -> None:
    package = sandbox.temp_package("pkg", {"sub/a.py": ""})
    before = files_in(temporary)

    with pytest.raises(
        ValueError, match=r"^'sub/A\.py' cannot .* it differs from 'sub/a\.py' in case alone$"
    ):
        package.write("sub/A.py", "")

    assert files_in(temporary) == before


@pytest.mark.parametrize(("content", "example"), [({"m.py": ""}, "sub/m.py"), ({}, "sub/mod.py")], ids=repr)
def test_files_of_a_directory_in_a_mapping_of_their_own_are_a_type_error_with_a_hint(
    content: Any, example: str, sandbox: ImportSandbox
) -> None:
    with pytest.raises(TypeError) as raised:
        sandbox.temp_package("pkg", {"sub": content})

    assert str(raised.value) == (
        f"the content of 'sub' must be str or bytes, not dict: {content!r}; "
        f"give the files of a directory by their paths, such as {example!r}"
    )


@pytest.mark.parametrize(
    ("files", "module", "file", "right"),
    [
        ({"mod": "X = 1"}, "pkg.mod", "mod", "mod.py"),
        ({"sub.mod": "X = 1"}, "pkg.sub.mod", "sub.mod", "sub/mod.py"),
        ({"sub/__init__.py": "", "sub/mod": "X = 1"}, "pkg.sub.mod", "sub/mod", "sub/mod.py"),
    ],
    ids=["module", "dotted", "in a directory"],
)
def test_module_in_a_file_without_its_suffix_is_not_found_with_a_hint(
    files: dict[str, str], module: str, file: str, right: str, sandbox: ImportSandbox
) -> None:
    sandbox.temp_package("pkg", files)

    with pytest.raises(ModuleNotFoundError) as raised:
        sandbox.fresh_import(module)

    (note,) = raised.value.__notes__
    assert note == (
        f"pytest-importsandbox: the temporary package 'pkg' has a file {file!r}, which is no module; "
        f"the file of the module {module!r} is {right!r}"
    )


@pytest.mark.parametrize("module", ["pkg.absent", "other.mod", "there_is_no_such_module"])
def test_module_that_nobody_wrote_is_not_found_without_a_hint(module: str, sandbox: ImportSandbox) -> None:
    sandbox.temp_package("pkg", {"mod": "X = 1"})
    sandbox.temp_package.module("other", "")

    with pytest.raises(ModuleNotFoundError) as raised:
        sandbox.fresh_import(module)

    assert not hasattr(raised.value, "__notes__")


NEEDED = "no temporary module can be named {!r}: the test run itself stands on {!r}"
IN_PLACE = (
    "no temporary module can be named {!r}: that is a compiled or frozen module of the standard library, "
    "which stays in place; block it, or put a stand-in into sys.modules"
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pytest", NEEDED.format("pytest", "pytest")),
        ("_pytest.extra", NEEDED.format("_pytest", "_pytest")),
        ("importlib", NEEDED.format("importlib", "importlib")),
        ("time", IN_PLACE.format("time")),
        ("_json", IN_PLACE.format("_json")),
    ],
)
def test_name_of_a_module_that_no_file_can_replace_is_a_value_error(
    name: str, message: str, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError) as raised:  # noqa: PT011
        sandbox.temp_package(name)

    assert str(raised.value) == message
    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_portion_of_the_namespace_package_of_the_running_module_may_be_written(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        **{
            "suite/test_it": """
                import importlib
                import sys

                import pytest

                def test_portion(temp_package):
                    importlib.import_module("suite.other")
                    temp_package("suite", {"extra.py": "X = 1"}, namespace=True)
                    assert importlib.import_module("suite.extra").X == 1

                def test_package(temp_package):
                    with pytest.raises(ValueError, match="the test run itself stands on 'suite.test_it'$"):
                        temp_package("suite")
            """,
            "suite/other": "",
        }
    )
    result = pytester.runpytest_subprocess("--import-mode=importlib", "-o", "pythonpath=.")

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("path", [None, 5, b"mod.py", Path("mod.py")], ids=lambda path: type(path).__name__)
def test_path_that_is_no_str_is_a_type_error(
    path: Any, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    package = sandbox.temp_package("pkg")
    before, files = picture(), files_in(temporary)
    message = f"the path of a file must be a str, not {type(path).__name__}: {path!r}"

    for act in (
        lambda: sandbox.temp_package("other", {path: ""}),
        lambda: package.write(path, ""),
        lambda: package.remove(path),
    ):
        with pytest.raises(TypeError) as raised:
            act()
        assert str(raised.value) == message

    assert (before.differences(), files_in(temporary)) == ([], files)


@pytest.mark.parametrize(
    "content", [None, 5, ["X = 1"], bytearray(b"X = 1")], ids=lambda content: type(content).__name__
)
def test_content_that_is_neither_str_nor_bytes_is_a_type_error(
    content: Any, sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    package = sandbox.temp_package("pkg")
    before, files = picture(), files_in(temporary)
    message = f"the content of 'mod.py' must be str or bytes, not {type(content).__name__}: {content!r}"

    for act in (
        lambda: sandbox.temp_package("other", {"good.py": "", "mod.py": content}),
        lambda: package.write("mod.py", content),
    ):
        with pytest.raises(TypeError) as raised:
            act()
        assert str(raised.value) == message

    assert (before.differences(), files_in(temporary)) == ([], files)


def test_text_that_cannot_be_encoded_is_a_value_error(
    sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        sandbox.temp_package("pkg", {"good.py": "", "mod.py": "X = '\ud800'"})

    assert (before.differences(), list(temporary.iterdir())) == ([], [])


@pytest.mark.parametrize(
    "files", [{"a": "", "a/b.py": ""}, {"a/b.py": "", "a": ""}, {"a": "", "a/b/c.py": ""}], ids=str
)
def test_path_that_is_a_file_and_a_directory_is_a_value_error(
    files: dict[str, str], sandbox: ImportSandbox, temporary: Path, picture: Any
) -> None:
    before = picture()

    with pytest.raises(ValueError, match=r"^'a' is given as a file, so that there can be no 'a/b(/c)?\.py'$"):
        sandbox.temp_package("pkg", files)

    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_directory_is_not_overwritten_by_a_file(sandbox: ImportSandbox, temporary: Path) -> None:
    package = sandbox.temp_package("pkg", {"sub/mod.py": ""})
    before = files_in(temporary)

    with pytest.raises(ValueError, match=r"^'sub' is a directory$"):
        package.write("sub", "X = 1")

    assert files_in(temporary) == before


def test_file_is_not_taken_for_a_directory(sandbox: ImportSandbox, temporary: Path) -> None:
    package = sandbox.temp_package("pkg", {"sub": "a text"})
    before = files_in(temporary)

    with pytest.raises(ValueError, match=r"^'sub' is a file, so that there can be no 'sub/deep/mod\.py'$"):
        package.write("sub/deep/mod.py", "X = 1")

    assert files_in(temporary) == before


def test_removal_of_a_missing_file_is_a_file_not_found_error(sandbox: ImportSandbox, temporary: Path) -> None:
    package = sandbox.temp_package("pkg")
    before = files_in(temporary)

    with pytest.raises(FileNotFoundError):
        package.remove("missing.py")

    assert files_in(temporary) == before


def cannot_write(*_: object) -> NoReturn:
    raise OSError("the disk is full")


def test_package_that_cannot_be_written_does_not_come_onto_the_path(
    sandbox: ImportSandbox, temporary: Path, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", cannot_write)
    before = picture()

    with pytest.raises(OSError):  # noqa: PT011
        sandbox.temp_package("pkg", {"mod.py": ""})

    assert before.differences() == []


# Nothing is left behind


def test_directory_and_path_entry_are_gone(temporary: Path, picture: Any) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.temp_package("pkg", {"mod.py": "X = 1"})
        sandbox.temp_package("other.deep")
        importlib.import_module("pkg.mod")

    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_directory_is_gone_when_the_sandbox_ends_with_an_exception(temporary: Path, picture: Any) -> None:
    before = picture()

    def fail() -> None:
        with ImportSandbox() as sandbox:
            sandbox.temp_package("pkg")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert (before.differences(), list(temporary.iterdir())) == ([], [])


def test_directory_of_a_package_that_could_not_be_written_is_gone(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", cannot_write)

    with ImportSandbox() as sandbox, pytest.raises(OSError):  # noqa: PT011
        sandbox.temp_package("pkg", {"mod.py": ""})

    assert list(temporary.iterdir()) == []


def test_directory_that_was_moved_away_is_no_error(temporary: Path) -> None:
    with ImportSandbox() as sandbox:
        package = sandbox.temp_package("pkg")
        package.path.parent.rename(temporary / "elsewhere")

    assert [path.name for path in temporary.iterdir()] == ["elsewhere"]


def test_lines_of_its_files_are_forgotten(temporary: Path) -> None:
    with ImportSandbox() as sandbox:
        package = sandbox.temp_package("pkg", {"mod.py": "def f(): pass"})
        inspect.getsource(importlib.import_module("pkg.mod").f)
        assert str(package.path / "mod.py") in linecache.cache

    assert [file for file in linecache.cache if file.startswith(str(package.path.parent) + os.sep)] == []


def test_lines_of_other_files_are_kept(temporary: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("X = 1", encoding="utf-8")

    with ImportSandbox() as sandbox:
        sandbox.temp_package("pkg")
        linecache.getline(str(other), 1)

    assert linecache.cache.pop(str(other))[2] == ["X = 1\n"]  # type: ignore[misc]


def test_packages_of_an_inner_sandbox_go_with_it(temporary: Path) -> None:
    with ImportSandbox() as outer:
        outer.temp_package("pkg", "X = 1")
        with ImportSandbox() as inner:
            inner.temp_package("pkg", "X = 2")
            assert importlib.import_module("pkg").X == 2

        assert importlib.import_module("pkg").X == 1
        assert len(list(temporary.iterdir())) == 1


@pytest.mark.parametrize("key", [("not", "a str"), 5, None], ids=repr)
def test_foreign_keys_among_the_cached_lines_are_left_alone(
    key: Any, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry: Any = (1, None, ["x"], "y")
    monkeypatch.setitem(linecache.cache, key, entry)

    with ImportSandbox() as sandbox:
        sandbox.temp_package("pkg")

    assert (linecache.cache[key], list(temporary.iterdir())) == (entry, [])


def test_packages_of_a_sandbox_that_is_left_open_go_with_the_one_around_it(temporary: Path) -> None:
    inner = ImportSandbox()
    with ImportSandbox() as outer:
        outer.temp_package("one")
        inner.__enter__()
        inner.temp_package("two")

    assert list(temporary.iterdir()) == []


def test_packages_of_a_sandbox_that_is_never_closed_go_at_the_exit_of_the_process(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        from pytest_importsandbox import ImportSandbox

        sandbox = ImportSandbox()
        sandbox.__enter__()
        print(sandbox.temp_package("one").path)
        ImportSandbox().__enter__().temp_package("two")
        import two
        print(two.__path__[0])
        """
    )

    assert [Path(line).parent.exists() for line in output.splitlines()] == [False, False]


def test_finder_that_cannot_invalidate_its_caches_does_no_harm(
    sandbox: ImportSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        find_spec = staticmethod(lambda name, path=None, target=None: None)

        @staticmethod
        def invalidate_caches() -> NoReturn:
            raise RuntimeError

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])

    sandbox.temp_package("pkg", "X = 1")

    assert importlib.import_module("pkg").X == 1
