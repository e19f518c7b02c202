"""Import leaks: which test, fixture or file left what behind, as the run tells it."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

LEAKS = {
    "fake": ("sys.modules['stub'] = object()", "sys.modules['stub'] was nothing and is an object"),
    "none": ("sys.modules['absent'] = None", "sys.modules['absent'] was nothing and is None"),
    "alias": (
        "sys.modules['alias'] = pytest",
        "sys.modules['alias'] was nothing and is a module that was not imported under this name",
    ),
    "removed": ("del sys.modules['one']", "sys.modules['one'] was the module and is nothing"),
    "copy": (
        "del sys.modules['two'], sys.modules['two.inner']; import two.inner",
        "sys.modules['two'] was the module and is another copy of the module, with 1 of its submodules",
    ),
    "temporary": (
        "sys.path.append('temporary/strays'); import stray; sys.path.remove('temporary/strays')",
        "sys.modules['stray'] was nothing and is the module from a temporary directory, *stray.py",
    ),
    "path": ("sys.path.append('somewhere')", "sys.path has gained 'somewhere'"),
    "lost": ("sys.path.remove('lost')", "sys.path has lost 'lost'"),
    "order": ("sys.path.append(sys.path.pop(0))", "sys.path has another order: '*' has moved"),
    "finder": ("sys.meta_path.append(Finder())", "sys.meta_path has gained Finder"),
    "hook": ("sys.path_hooks.append(hook)", "sys.path_hooks has gained hook"),
    "method": (
        "PathFinder.find_distributions = None",
        "PathFinder.find_distributions was a * and is None",
    ),
    "reload": (
        "importlib.reload(sys.modules['three'])",
        "three was reloaded: 1 of its names are bound to other objects",
    ),
    "attribute": (
        "sys.modules['four'].inner = None",
        "four.inner was the module and is None",
    ),
}
"""By name: what leaves something behind, and what is said of it."""

PACKAGES = {
    "library.py": """
        import sys
        import one
        import two.inner
        import three
        import four.inner
        sys.path.append("lost")


        class Finder:
            def find_spec(self, *arguments):
                return None


        def hook(path):
            raise ImportError
    """,
    "one.py": "",
    "two/__init__.py": "",
    "two/inner.py": "",
    "three.py": "VALUE = object()",
    "four/__init__.py": "",
    "four/inner.py": "",
    "temporary/strays/stray.py": "",
    "conftest.py": "import library",
}

HEAD = """
import importlib
import sys
from importlib.machinery import PathFinder

import json
from xml.etree import ElementTree

import pytest

from library import Finder, hook
"""
IN_TEST = """

def test_{name}():
    {statement}
"""
IN_FIXTURE = """

@pytest.fixture(scope="{place}")
def fixture_{name}():
    {statement}


def test_{name}(fixture_{name}):
    pass
"""
IN_FILE = """
{statement}


def test_{name}():
    pass
"""
WIDER = ("class", "module", "package", "session")

WORKERS = pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="one process"),
        pytest.param(("-p", "xdist", "-n2"), id="xdist", marks=pytest.mark.slow),
    ],
)


def write_suite(pytester: pytest.Pytester, place: str) -> None:
    """Write a file for each kind of leak, which comes from one kind of place."""
    template = {"test": IN_TEST, "file": IN_FILE}.get(place, IN_FIXTURE)
    files = dict(PACKAGES)
    for name, (statement, _) in LEAKS.items():
        files[f"test_{name}.py"] = HEAD + template.format(name=name, statement=statement, place=place)
    write(pytester, files)


def write(pytester: pytest.Pytester, files: dict[str, str]) -> None:
    for file, source in files.items():
        path = pytester.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "\n".join(line.removeprefix(" " * 8) for line in source.splitlines()), encoding="utf-8"
        )


def expected(place: str) -> list[tuple[str, str]]:
    """Who is named for each kind of leak, and what is said of it."""
    who = {"test": "call", "function": "setup", "file": "collection"}.get(place)
    origin = "test_{0}.py" if place == "file" else "test_{0}.py::test_{0}"
    return [
        (
            origin.format(name),
            # What packages have is looked at once for each test.
            f"{who if name != 'attribute' or place == 'file' else 'test'}: {shown}"
            if who
            else f"setup of the {place}-scoped fixture 'fixture_{name}': {shown}",
        )
        for name, (_, shown) in LEAKS.items()
    ]


@pytest.fixture(autouse=True)
def _temporary_directory(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the directory `temporary` be the one for temporary files."""
    pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(pytester.path / "temporary"))


@pytest.mark.parametrize("place", ["test", "function", "file", *WIDER])
@WORKERS
def test_report_names_who_left_what(pytester: pytest.Pytester, place: str, workers: tuple[str, ...]) -> None:
    write_suite(pytester, place)

    result = pytester.runpytest_subprocess("--import-leaks=report", *workers)

    result.assert_outcomes(passed=len(LEAKS))
    for origin, text in expected(place):
        result.stdout.fnmatch_lines(
            [f"{origin}: * could see what it left", f"  {glob(text)}"], consecutive=True
        )
    assert result.stdout.str().count("remedy:") == len(LEAKS)


def glob(text: str) -> str:
    """A text as a pattern in which only the asterisk has a meaning."""
    return text.replace("[", "[[]")


@pytest.mark.parametrize("place", ["test", "function", *WIDER])
def test_error_fails_who_left_something(pytester: pytest.Pytester, place: str) -> None:
    write_suite(pytester, place)

    result = pytester.runpytest_subprocess("--import-leaks=error")

    result.assert_outcomes(passed=len(LEAKS), errors=len(LEAKS))
    for origin, text in expected(place):
        result.stdout.fnmatch_lines([f"import leak of {origin}", f"  {glob(text)}"], consecutive=True)


def test_error_is_one_of_the_collection_for_a_file(pytester: pytest.Pytester) -> None:
    write_suite(pytester, "file")

    result = pytester.runpytest_subprocess("--import-leaks=error")

    result.assert_outcomes(errors=len(LEAKS))
    for origin, text in expected("file"):
        result.stdout.fnmatch_lines(
            [f"* ERROR collecting {origin} *", f"import leak of {origin}", f"  {glob(text)}"],
            consecutive=True,
        )


@pytest.mark.parametrize("mode", ["report", "error"])
@pytest.mark.parametrize("place", ["test", "function"])
def test_isolated_tests_leave_nothing_that_their_sandboxes_undo(
    pytester: pytest.Pytester, place: str, mode: str
) -> None:
    write_suite(pytester, place)
    # No import changed it: that is for `monkeypatch`.
    (pytester.path / "test_attribute.py").unlink()

    result = pytester.runpytest_subprocess(f"--import-leaks={mode}", "--isolated-imports")

    result.assert_outcomes(passed=len(LEAKS) - 1)
    result.stdout.no_fnmatch_line("*import leak*")


@pytest.mark.parametrize("place", WIDER)
def test_wider_fixtures_outlive_isolated_tests(pytester: pytest.Pytester, place: str) -> None:
    write_suite(pytester, place)

    result = pytester.runpytest_subprocess("--import-leaks=report", "--isolated-imports")

    result.assert_outcomes(passed=len(LEAKS))
    for origin, text in expected(place):
        result.stdout.fnmatch_lines(
            [f"{origin}: * could see what it left", f"  {glob(text)}"], consecutive=True
        )


def test_conftest_file_that_is_loaded_for_a_directory(pytester: pytest.Pytester) -> None:
    statement, _ = LEAKS["fake"]
    write(
        pytester,
        {
            "inner/conftest.py": f"import sys; {statement}",
            "inner/test_it.py": "def test_it(): pass",
            "test_other.py": "def test_other(): pass",
        },
    )

    report = pytester.runpytest_subprocess("--import-leaks=report")
    error = pytester.runpytest_subprocess("--import-leaks=error", "--continue-on-collection-errors")

    report.assert_outcomes(passed=2)
    report.stdout.fnmatch_lines(
        ["inner/conftest.py: 2 later tests could see*", "  collection: sys.modules[[]'stub'] was nothing*"],
        consecutive=True,
    )
    error.assert_outcomes(passed=2, errors=1)
    error.stdout.fnmatch_lines(["* ERROR collecting inner/conftest.py *"])


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import xml.etree.ElementTree, pytest, library", id="first import"),
        pytest.param("import finder_and_alias", id="import that adds a finder, an alias and a path"),
        pytest.param("import importlib, library; importlib.reload(library)", id="reload of what it imported"),
        pytest.param("import package; package.found()", id="function that takes the place of its submodule"),
        pytest.param("import namespace.portion", id="namespace package"),
        pytest.param("import moved_html.entities", id="module that has two names"),
        pytest.param("import unittest; unittest.IsolatedAsyncioTestCase", id="lazy attribute"),
        pytest.param("import sys; sys.path.append('x'); sys.path.remove('x')", id="what it puts back"),
        pytest.param(
            "import importlib.util, sys\n"
            "        spec = importlib.util.spec_from_file_location('by_hand', 'library.py')\n"
            "        sys.modules['by_hand'] = module = importlib.util.module_from_spec(spec)\n"
            "        spec.loader.exec_module(module)",
            id="import by hand",
        ),
        pytest.param("import sys, weakref; sys.modules['proxy'] = weakref.proxy(sys)", id="weak proxy"),
    ],
)
@pytest.mark.parametrize("import_mode", ["prepend", "importlib"])
def test_what_is_no_leak(pytester: pytest.Pytester, source: str, import_mode: str) -> None:
    write(
        pytester,
        {
            "pytest.ini": "[pytest]\npythonpath = .",
            "library.py": "VALUE = object()",
            "finder_and_alias.py": """
        import sys
        import types
        sys.modules["finder_and_alias.moved"] = sys.modules["moved"] = types.ModuleType("other")
        sys.path.insert(0, "elsewhere")
        class Finder:
            def find_spec(self, *arguments):
                return None
        sys.meta_path.append(Finder())
    """,
            "moved_html.py": """
        import html
        import importlib.util
        import sys
        __path__ = []
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "moved_html.entities":
                    return importlib.util.spec_from_loader(name, self)
            def create_module(self, spec):
                return importlib.import_module("html.entities")
            def exec_module(self, module):
                pass
        sys.meta_path.append(Finder())
    """,
            "package/__init__.py": """
        import importlib


        def __getattr__(name):
            globals()[name] = found = getattr(importlib.import_module(f"package.{name}"), name)
            return found
    """,
            "package/found.py": "def found(): pass",
            "namespace/portion.py": "",
            "tests/__init__.py": "",
            "tests/test_it.py": f"""
        def test_it():
            {source}
        def test_afterwards():
            pass
    """.replace("\n        spec", "\n            spec").replace("\n        sys.", "\n            sys."),
            "tests/conftest.py": "import html, package",
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=error", f"--import-mode={import_mode}")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*import leaks*")


STUB = "__import__('sys').modules['stub'] = None"
UNSTUB = "del __import__('sys').modules['stub']"


@pytest.mark.parametrize("mode", ["report", "error"])
def test_wider_fixture_that_puts_back_what_it_changed_leaves_nothing(
    pytester: pytest.Pytester, mode: str
) -> None:
    pytester.makepyfile(
        f"""
        import unittest
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def by_itself():
            {STUB}
            yield
            {UNSTUB}

        @pytest.fixture(scope="module")
        def patches():
            with pytest.MonkeyPatch.context() as monkeypatch:
                yield monkeypatch

        @pytest.fixture(scope="module", autouse=True)
        def by_another(patches):
            patches.syspath_prepend("somewhere")

        class TestIt(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                __import__("sys").path_hooks.append(print)

            @classmethod
            def tearDownClass(cls):
                __import__("sys").path_hooks.remove(print)

            def test_first(self):
                pass

            def test_second(self):
                pass

        def test_last():
            pass
        """
    )

    result = pytester.runpytest_subprocess(f"--import-leaks={mode}")

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*import leak*")


def test_wider_fixture_with_a_teardown_is_judged_when_it_ends(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.fixture(scope="module")
        def fixture():
            {STUB}
            yield

        def test_first(fixture):
            pass

        def test_last():
            pass
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=error", "-v")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*::test_last ERROR *",
            "import leak of *::test_first",
            "  setup of the module-scoped fixture 'fixture': sys.modules[[]'stub'] was nothing and is None",
        ]
    )


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("setup_module(module)", "setup of the module-scoped fixture 'setup_module'"),
        ("teardown_module(module)", "teardown of the module-scoped fixture 'setup_module'"),
    ],
)
def test_functions_of_a_module_are_named_as_they_are_written(
    pytester: pytest.Pytester, function: str, shown: str
) -> None:
    pytester.makepyfile(
        f"""
        def {function}:
            {STUB}

        def test_it():
            pass
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines([f"  {shown}: sys.modules[[]'stub'] was nothing and is None"])


def test_sorted_by_how_many_tests_could_see_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_short():
            {STUB}

        def test_long():
            __import__("sys").path.append("somewhere")

        def test_that_heals():
            {UNSTUB}

        def test_of_no_concern():
            pass
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=error")

    # Who puts it back is not to blame.
    result.assert_outcomes(passed=4, errors=2)
    shown = result.stdout.str().partition("= import leaks =")[2].splitlines()
    assert [line for line in shown if "later test" in line or "put back" in line] == [
        "test_sorted_by_how_many_tests_could_see_it.py::test_short: 2 later tests could see what it left",
        "    put back by test_sorted_by_how_many_tests_could_see_it.py::test_that_heals",
        "test_sorted_by_how_many_tests_could_see_it.py::test_long: 2 later tests could see what it left",
    ]


def test_leak_that_another_test_adds_to(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_first():
            sys.modules["stub"] = None

        def test_second():
            sys.modules["stub"] = object()

        def test_third():
            del sys.modules["stub"]
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(
        ["*::test_first: 2 later *", "*changed again by *::test_second", "*put back by *::test_third"]
    )
    result.stdout.fnmatch_lines(["*::test_second: 1 later *", "*put back by *::test_third"])


def test_failing_tests_that_look_it_up_are_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        application="""
        import helper
        import stub
        """,
        helper="",
        inner__init__="",
    )
    pytester.mkpydir("elsewhere").joinpath("extra.py").write_text("", encoding="utf-8")
    pytester.makepyfile(
        f"""
        import importlib.util
        import sys
        import pytest
        import helper

        def test_leaks():
            {STUB}
            sys.path.append("elsewhere")
            importlib.reload(helper)
            helper.__dict__

        def test_imports():
            import stub

        def test_imports_a_part():
            from stub import part

        # Not by an import: https://github.com/python/cpython/issues/151631 ends the run in Python 3.15.
        def test_names():
            importlib.util.find_spec("stub.part")

        def test_loads_what_imports():
            import application

        def test_uses_the_path():
            import extra
            assert False

        def test_uses_the_module():
            assert not helper

        def test_has_nothing_to_do_with_it():
            assert False

        def test_passes():
            with pytest.raises(ImportError):
                import stub
        """
    )
    pytester.path.joinpath("helper.py").write_text("VALUE = object()", encoding="utf-8")

    result = pytester.runpytest_subprocess("--import-leaks=report")

    lines = [line.split(": ")[1] for line in result.outlines if "failed, and looks it up" in line]
    tests = [[each.partition("::")[2] for each in line.split(", ")] for line in lines]
    assert tests == [
        ["test_imports", "test_imports_a_part", "test_names", "test_loads_what_imports"],
        ["test_uses_the_path"],
        ["test_loads_what_imports", "test_uses_the_module"],
    ]


def test_finder_is_met_by_failing_tests_that_import(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        class Finder:
            def find_spec(self, *arguments):
                pass

        def test_leaks():
            sys.meta_path.append(Finder())

        def test_imports():
            import absent

        def test_fails():
            assert False
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(["*failed, and looks it up: *::test_imports"])


def test_entry_that_was_there_very_often_is_told_as_often_as_it_comes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        sys.path += ["somewhere"] * 300

        def test_first():
            sys.path.append("somewhere")

        def test_second():
            sys.path.append("somewhere")
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    assert result.stdout.str().count("call: sys.path has gained 'somewhere'") == 2


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        ("modules:stub\n path:some*", 0),
        ("*:*", 0),
        ("test_it.py::test_modules :: modules:stub", 1),
        ("test_*::test_* :: modules:s*", 1),
        ("test_it.py :: modules:stub", 2),
        ("path:else*", 2),
    ],
)
def test_known_leaks_can_be_allowed(pytester: pytest.Pytester, allowed: str, left: int) -> None:
    pytester.makeini(f"[pytest]\nimport_leaks = error\nimport_leaks_allow =\n {allowed}")
    pytester.makepyfile(
        test_it=f"""
        def test_modules():
            {STUB}

        def test_path():
            __import__("sys").path.append("somewhere")

        def test_that_heals():
            {UNSTUB}
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3, errors=left)
    unused = "allowed nothing in this run" in result.stdout.str()
    assert unused is (left == 2)


@WORKERS
def test_entry_that_allows_nothing_is_reported(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makeini("[pytest]\nimport_leaks = report\nimport_leaks_allow =\n modules:stub\n modules:other")
    pytester.makepyfile(f"def test_it():\n    {STUB}")

    result = pytester.runpytest_subprocess(*workers)

    result.stdout.fnmatch_lines(["import_leaks_allow: 'modules:other' allowed nothing in this run"])
    result.stdout.no_fnmatch_line("*modules:stub*")


@pytest.mark.parametrize("entry", ["stub", "modules:", "module:stub", "test_it.py::test_it", "a :: b"])
def test_entry_that_cannot_be_understood(pytester: pytest.Pytester, entry: str) -> None:
    pytester.makeini(f"[pytest]\nimport_leaks = report\nimport_leaks_allow =\n {entry}")

    result = pytester.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: import_leaks_allow: '{entry}' is neither 'kind:name' nor *"])


def test_setting_that_is_not_known(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nimport_leaks = on")

    result = pytester.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: import_leaks must be 'off', 'report' or 'error', not 'on'"])


@WORKERS
def test_files_for_tools(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(
        test_it=f"""
        {STUB}

        def test_it():
            __import__("sys").path.append("somewhere")

        def test_other():
            pass
        """
    )

    pytester.runpytest_subprocess("--import-leaks-json=out/leaks.json", "--junitxml=junit.xml", *workers)

    found = json.loads(pytester.path.joinpath("out", "leaks.json").read_text(encoding="utf-8"))["leaks"]
    assert found[0].pop("seen_by") == 2
    assert found[1].pop("seen_by") in (0, 1)
    nobody: dict[str, object] = {
        **dict.fromkeys(("fixture", "scope")),
        **{name: [] for name in ("healed_by", "changed_by", "looked_up_by")},
    }
    assert found == [
        {
            "origin": "test_it.py",
            "phase": "collection",
            "kind": "modules",
            "name": "stub",
            "change": "sys.modules['stub'] was nothing and is None",
            "remedy": "run with --isolated-modules, or do it in a fixture that undoes it",
            **nobody,
        },
        {
            "origin": "test_it.py::test_it",
            "phase": "call",
            "kind": "path",
            "name": "somewhere",
            "change": "sys.path has gained 'somewhere'",
            "remedy": "monkeypatch.syspath_prepend('somewhere')",
            **nobody,
        },
    ]
    properties = ElementTree.parse(pytester.path / "junit.xml").iter("property")
    texts = [each.get("value") or "" for each in properties if each.get("name") == "import_leak"]
    assert [text.partition(";")[0] for text in texts] == [
        "test_it.py: collection: sys.modules['stub'] was nothing and is None",
        "call: sys.path has gained 'somewhere'",
    ]


def test_quiet_run_has_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(f"def test_it():\n    {STUB}")

    result = pytester.runpytest_subprocess("--import-leaks=report", "-q")

    result.stdout.fnmatch_lines(["import leaks: 1; without -q they are shown"])
    result.stdout.no_fnmatch_line("*remedy*")


def test_run_without_leaks_says_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it():\n    import colorsys")

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.no_fnmatch_line("*import leaks*")


@pytest.mark.slow
def test_worker_that_crashes_does_no_harm(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        f"""
        import os

        def test_first():
            {STUB}

        def test_second():
            os._exit(1)
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report", "-p", "xdist", "-n1")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*::test_first: * could see what it left"])


def test_run_that_is_interrupted_still_reports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys
        import pytest

        @pytest.fixture(scope="session")
        def good():
            sys.path.append("somewhere")
            yield
            sys.path.remove("somewhere")

        @pytest.fixture(scope="session")
        def bad():
            {STUB}
            yield

        def test_first(good, bad):
            pass

        def test_interrupted():
            raise KeyboardInterrupt
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(["*::test_first: * could see what it left", "  setup of the *'bad': *"])
    result.stdout.no_fnmatch_line("*somewhere*remedy*")


def test_test_that_empties_the_modules(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(monkeypatch):
            monkeypatch.setattr(sys, "modules", {})
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=error")

    result.assert_outcomes(passed=1)


def test_modules_of_tests_die_as_without_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        short_lived="",
        test_it="""
        import gc
        import sys
        import weakref

        def test_it():
            import short_lived
            reference = weakref.ref(sys.modules.pop("short_lived"))
            del short_lived
            gc.collect()
            assert reference() is None
        """,
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.assert_outcomes(passed=1)


def test_plugin_that_suspends_between_tests_what_a_fixture_does(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys
        import pytest

        stub = object()
        active = []

        @pytest.fixture(scope="module")
        def faked():
            active.append(True)
            sys.modules["stub"] = stub
            yield
            active.clear()
            del sys.modules["stub"]

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup():
            if active:
                sys.modules["stub"] = stub

        def pytest_runtest_logreport(report):
            if report.when == "teardown":
                sys.modules.pop("stub", None)
        """
    )
    pytester.makepyfile(
        test_first="def test_1(faked): pass\ndef test_2(faked): pass\ndef test_3(faked): pass",
        test_other="def test_other(): pass",
    )

    result = pytester.runpytest_subprocess("--import-leaks=error")

    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*import leak*")


def test_submodule_that_was_taken_out_but_is_still_an_attribute(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        {
            "conftest.py": "import package",
            "package/__init__.py": "",
            "package/part.py": "",
            "package/other.py": "",
            "test_it.py": """
        import sys
        from unittest import mock

        def test_stale():
            with mock.patch.dict(sys.modules):
                import package.part

        def test_fake():
            import package.other
            package.other = mock.sentinel.fake
    """,
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(
        [
            "*::test_stale: 1 later *",
            "  test: package.part is a module that sys.modules has no more",
            "    remedy: mark the test with isolated_imports",
            "*::test_fake: no later *",
            "  test: package.other was nothing and is a *",
        ]
    )


def test_sandbox_of_a_file_undoes_what_packages_have_of_submodules(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        {
            "conftest.py": "import package",
            "package/__init__.py": "",
            "package/part.py": "",
            "test_it.py": """
        import sys
        from unittest import mock

        def test_stale():
            with mock.patch.dict(sys.modules):
                import package.part

        # So that the sandbox is still there when that one has ended.
        def test_last():
            pass
    """,
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=error", "--isolated-modules")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*import leak*")


@pytest.mark.parametrize("import_mode", ["prepend", "importlib"])
def test_what_pytest_itself_does_is_no_leak(pytester: pytest.Pytester, import_mode: str) -> None:
    write(
        pytester,
        {
            "conftest.py": "",
            "one/conftest.py": "",
            "one/test_one.py": "def test_one(): pass",
            "two/conftest.py": "",
            "two/inner/test_two.py": "def test_two(): pass",
            "three/package/__init__.py": "def setup_module(): pass",
            "three/package/test_three.py": "def test_three(): pass",
            "four/other/__init__.py": "",
            "four/other/conftest.py": "",
            "four/other/inner/__init__.py": "",
            "four/other/inner/test_four.py": "def test_four(): pass",
            "test_text.txt": ">>> import colorsys",
        },
    )

    result = pytester.runpytest_subprocess(
        "--import-leaks=error", f"--import-mode={import_mode}", "--doctest-modules"
    )

    result.assert_outcomes(passed=5)
    result.stdout.no_fnmatch_line("*import leaks*")


@pytest.mark.skipif(pytest.version_tuple < (8, 1), reason="pytest considers namespace packages from 8.1 on")
def test_leak_of_a_file_in_a_namespace_package_is_told(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconsider_namespace_packages = true")
    write(
        pytester,
        {
            "conftest.py": "import sys; sys.path.append(sys.path.pop(0)); sys.path.append('tests')",
            "space/package/__init__.py": "",
            "space/package/test_it.py": f"{STUB}\ndef test_it(): pass",
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=report", "space")

    result.stdout.fnmatch_lines(
        ["space/package/test_it.py: 1 later *", "  collection: sys.modules[[]'stub']*"]
    )
    assert result.stdout.str().count("remedy:") == 1


def test_what_plugins_do_between_tests_belongs_to_nobody(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(package__init__="", helper="VALUE = object()")
    write(pytester, {"package/__init__.py": "", "package/part.py": ""})
    pytester.makeconftest(
        """
        import sys
        import helper
        import package.part

        def pytest_runtest_logreport(report):
            if report.when == "setup":
                sys.path.append("by the plugin")
            if report.when == "teardown" and "somewhere" in sys.path:
                sys.path.remove("somewhere")
        """
    )
    pytester.makepyfile(
        """
        import importlib
        import sys
        import helper
        import package

        def test_first():
            sys.path.append("somewhere")
            importlib.reload(helper)
            package.part = None

        def test_second():
            pass
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*sys.path has gained 'somewhere'", "*", "*put back by a plugin, between two tests"]
    )
    result.stdout.no_fnmatch_line("*has gained 'by the plugin'*")
    assert result.stdout.str().count("remedy:") == 3


@pytest.mark.parametrize("place", ["test", "function", "file", "class", "module"])
def test_isolated_modules_leave_nothing_that_their_sandboxes_undo(
    pytester: pytest.Pytester, place: str
) -> None:
    write_suite(pytester, place)
    # No import changed it: that is for `monkeypatch`.
    (pytester.path / "test_attribute.py").unlink()

    result = pytester.runpytest_subprocess("--import-leaks=error", "--isolated-modules")

    result.assert_outcomes(passed=len(LEAKS) - 1)
    result.stdout.no_fnmatch_line("*import leak*")


def test_fixtures_of_the_session_outlive_isolated_modules(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        {
            "conftest.py": f"import pytest\n@pytest.fixture(scope='session')\ndef fixture(): {STUB}",
            "test_it.py": "def test_it(fixture): pass",
            "test_other.py": "def test_other(): pass",
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=report", "--isolated-modules")

    result.stdout.fnmatch_lines(
        ["test_it.py::test_it: 1 later *", "  setup of the session-scoped fixture 'fixture': *"]
    )


def test_order_of_the_path_that_a_later_test_puts_back(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_first():
            sys.path.append(sys.path.pop(0))

        def test_second():
            sys.path.insert(0, sys.path.pop())
        """
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(["*sys.path has another order*", "*put back by *::test_second"])
    assert result.stdout.str().count("remedy:") == 1


def test_who_left_it_is_no_victim_nor_is_a_doctest_whose_code_is_not_known(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        {
            "test_it.py": f"""
        import pytest

        @pytest.fixture
        def broken():
            yield
            import stub

        def test_leaks(broken):
            {STUB}
    """,
            "test_text.txt": ">>> import stub",
        },
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.assert_outcomes(passed=1, errors=1, failed=1)
    result.stdout.fnmatch_lines(["*::test_leaks: 1 later *"])
    result.stdout.no_fnmatch_line("*looks it up*")


def test_test_is_told_from_an_import_whose_lock_somebody_keeps(pytester: pytest.Pytester) -> None:
    """From Python 3.15 on, the exception of a failed import does."""
    pytester.makepyfile(
        one="",
        two="",
        test_it="""
        import sys
        from importlib._bootstrap import _get_module_lock


        def test_it():
            kept = _get_module_lock("one")
            import one
            import two
            sys.path.append("somewhere")
        """,
    )

    result = pytester.runpytest_subprocess("--import-leaks=report")

    result.stdout.fnmatch_lines(["*sys.path has gained 'somewhere'"])
