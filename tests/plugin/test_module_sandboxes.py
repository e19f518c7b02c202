"""Every test file as if it were run alone: what one does to the import state, no other one sees."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping

import pytest

LIBRARY = {
    "lib/library/__init__.py": "class Thing: pass",
    "lib/library/sub.py": "from library import Thing",
    "lib/other.py": "",
}
STUB = """
    import sys
    from types import SimpleNamespace

    sys.modules["library"] = SimpleNamespace(Thing="stub")

    from library import Thing


    def test_stub():
        import library

        assert Thing == library.Thing == "stub"


    def test_stub_again():
        assert sys.modules["library"].Thing == "stub"
"""
REAL = """
    from library import Thing


    def test_real():
        import library
        from library.sub import Thing as ThingOfSub

        assert Thing is library.Thing is ThingOfSub
        assert isinstance(Thing, type)


    def test_real_again():
        from library import Thing as ThingOfNow

        assert ThingOfNow is Thing
"""
# The tests of two files in turns, as plugins that shuffle tests may run them.
IN_TURNS = """
    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: item.name[-1])
"""

Write = Callable[[Mapping[str, str]], None]


@pytest.fixture
def write(pytester: pytest.Pytester, write_files: Write) -> Write:
    """Write files, by their paths, beside a library; the directory `lib` is on `sys.path`."""
    pytester.makeini("[pytest]\npythonpath = lib\nisolated_imports = module")
    return lambda files: write_files({**LIBRARY, **files})


@pytest.mark.parametrize("names", [("test_1", "test_2"), ("test_2", "test_1")], ids=["first", "last"])
@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_stub_at_the_top_of_a_file_is_seen_by_that_file_alone(
    pytester: pytest.Pytester, write: Write, names: tuple[str, str], mode: str
) -> None:
    write({f"{names[0]}.py": STUB, f"{names[1]}.py": REAL, "test_3.py": REAL})

    result = pytester.runpytest(f"--import-mode={mode}")

    result.assert_outcomes(passed=6)


def test_flag_says_the_same_as_the_setting(pytester: pytest.Pytester, write: Write) -> None:
    real = """
        from library import Thing


        def test_real():
            assert isinstance(Thing, type)
        """
    write({"test_1.py": STUB, "test_2.py": real})

    flag = pytester.runpytest("-oisolated_imports=marked", "--isolated-modules")
    neither = pytester.runpytest("-oisolated_imports=marked")

    flag.assert_outcomes(passed=3)
    neither.assert_outcomes(passed=2, failed=1)


def test_files_of_the_same_name_in_two_directories_collect(pytester: pytest.Pytester, write: Write) -> None:
    source = """
        import helpers


        def test_it():
            import helpers as helpers_of_now
            import sibling

            assert helpers is helpers_of_now
            assert helpers.WHERE == sibling.WHERE == {!r}
    """
    write(
        {
            f"{directory}/{file}.py": content.format(directory)
            for directory in ("one", "two")
            for file, content in {
                "test_it": source,
                "helpers": "WHERE = {!r}",
                "sibling": "WHERE = {!r}",
            }.items()
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("sys.path.insert(0, 'somewhere')", "sys.path[0] == 'somewhere'"),
        ("sys.path.append('somewhere')", "'somewhere' in sys.path"),
        ("sys.path.remove(LIB)", "LIB not in sys.path"),
        ("sys.path = ['somewhere', *sys.path]", "sys.path[0] == 'somewhere'"),
        ("sys.meta_path.append(FINDER)", "FINDER in sys.meta_path"),
        ("sys.path_hooks.append(FINDER)", "FINDER in sys.path_hooks"),
        ("sys.path_importer_cache[ABSENT] = FINDER", "ABSENT in sys.path_importer_cache"),
        ("sys.modules['other'] = None", "'other' in sys.modules"),
        ("sys.modules['library'] = FINDER", "sys.modules['library'] is FINDER"),
        ("del sys.modules['library']", "'library' not in sys.modules"),
        ("import library.sub", "hasattr(LIBRARY, 'sub')"),
        ("import library.sub; library.sub = 3", "getattr(LIBRARY, 'sub', 0) == 3"),
        ("importlib.reload(LIBRARY)", "LIBRARY.Thing is not Thing"),
        ("namespace.__path__.append('somewhere')", "'somewhere' in namespace.__path__"),
    ],
)
def test_change_at_the_top_of_a_file_is_seen_by_that_file_alone(
    pytester: pytest.Pytester, write: Write, change: str, check: str
) -> None:
    common = "import importlib, sys, namespace\nfrom common import *\n"
    write(
        {
            "lib/namespace/module.py": "",
            "common.py": """
                from pathlib import Path

                import library as LIBRARY
                from library import Thing

                FINDER = type("Finder", (), {"find_spec": print})()
                LIB = str(Path(__file__).with_name("lib"))
                ABSENT = str(Path(__file__).with_name("absent"))
            """,
            "conftest.py": "import common, namespace\n" + textwrap.dedent(IN_TURNS),
            "test_1.py": f"{common}{change}\ndef test_changed_1(): assert {check}\n"
            f"def test_changed_4(): assert {check}",
            "test_2.py": f"{common}def test_unchanged_2(): assert not ({check})\n"
            f"def test_unchanged_5(): assert not ({check})",
            "test_3.py": f"{common}{change}\ndef test_changed_3(): assert {check}\n"
            f"def test_changed_6(): assert {check}",
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=6)


def test_tests_of_two_files_in_turns(pytester: pytest.Pytester, write: Write) -> None:
    write({"conftest.py": IN_TURNS, "test_stub.py": STUB, "test_zreal.py": REAL, "test_areal.py": REAL})

    result = pytester.runpytest("-v")

    result.assert_outcomes(passed=6)


def test_what_a_test_changes_is_seen_by_the_next_tests_of_its_file_alone(
    pytester: pytest.Pytester, write: Write
) -> None:
    source = """
        import sys


        def test_1():
            assert "somewhere" not in sys.path
            sys.path.append("somewhere")


        def test_2():
            assert "somewhere" in sys.path
    """
    write({"conftest.py": IN_TURNS, "test_one.py": source, "test_two.py": source})

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


def test_conftest_files_and_what_they_import_are_the_same_for_all(
    pytester: pytest.Pytester, write: Write
) -> None:
    source = """
        import sys

        import library


        def test_it(library_of_conftest):
            assert library_of_conftest is library
            assert "other" in sys.modules
    """
    write(
        {
            "conftest.py": """
                import pytest

                import library as LIBRARY


                @pytest.fixture
                def library_of_conftest():
                    return LIBRARY
            """,
            "one/conftest.py": "import other",
            "one/test_one.py": source,
            "one/test_two.py": source,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["package", "session"])
def test_fixture_that_outlives_the_file_imports_the_real_module_and_the_stub_stays(
    pytester: pytest.Pytester, write: Write, scope: str
) -> None:
    write(
        {
            "conftest.py": f"""
                import sys

                import pytest


                @pytest.fixture(scope="{scope}")
                def thing():
                    import library

                    yield library.Thing()

                    assert isinstance(sys.modules["library"].Thing(), library.Thing)
            """,
            "test_1.py": STUB
            + "\n\n    def test_3(thing):\n        test_stub()\n        assert thing != 'stub'\n",
            "test_2.py": """
                def test_it(thing):
                    from library import Thing

                    assert isinstance(thing, Thing)
            """,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("scope", ["class", "module"])
def test_fixture_of_the_file_is_set_up_and_finalized_in_its_sandbox(
    pytester: pytest.Pytester, write: Write, scope: str
) -> None:
    source = f"""
        import sys

        import pytest

        sys.path.append(__name__)


        @pytest.fixture(scope="{scope}")
        def thing():
            assert sys.path[-1] == __name__

            yield

            assert sys.path[-1] == __name__


        class TestAll:
            def test_1(self, thing):
                pass

            def test_2(self, thing):
                pass
    """
    write({"conftest.py": IN_TURNS, "test_one.py": source, "test_two.py": source})

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


XUNIT = {
    "module": """
        def setup_module():
            assert sys.path[-1] == __name__

        def teardown_module():
            assert sys.path[-1] == __name__

        def test_it():
            pass
    """,
    "class": """
        class TestAll:
            def setup_class(self):
                assert sys.path[-1] == __name__

            def teardown_class(self):
                assert sys.path[-1] == __name__

            def test_it(self):
                pass
    """,
    "unittest": """
        import unittest

        def setUpModule():
            assert sys.path[-1] == __name__
            unittest.addModuleCleanup(tearDownModule)

        def tearDownModule():
            assert sys.path[-1] == __name__

        class Tests(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                assert sys.path[-1] == __name__
                cls.addClassCleanup(tearDownModule)

            @classmethod
            def tearDownClass(cls):
                assert sys.path[-1] == __name__

            def test_it(self):
                assert sys.path[-1] == __name__
    """,
}


@pytest.mark.parametrize("kind", XUNIT)
def test_setup_and_teardown_functions_run_in_the_sandbox(
    pytester: pytest.Pytester, write: Write, kind: str
) -> None:
    source = "import sys\nsys.path.append(__name__)\n" + textwrap.dedent(XUNIT[kind])
    write({"test_one.py": source, "test_two.py": source})

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_session_fixture_of_the_file_itself_belongs_to_the_file(
    pytester: pytest.Pytester, write: Write
) -> None:
    """No other file can ask for it, and run alone it meets what the file has done."""
    source = """
        import sys

        import pytest

        sys.path.append(__name__)


        @pytest.fixture(scope="session")
        def thing():
            assert sys.path[-1] == __name__

            yield

            assert sys.path[-1] == __name__


        def test_it(thing):
            pass
    """
    write({"test_one.py": source, "test_two.py": source, "test_zzz.py": "def test_it(): pass"})

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_parametrized_session_fixture_is_finalized_outside(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "conftest.py": """
                import sys

                import pytest


                @pytest.fixture(scope="session", params=[1, 2])
                def thing(request):
                    assert "inside" not in sys.path

                    yield request.param

                    assert "inside" not in sys.path
            """,
            "test_one.py": """
                import sys

                sys.path.append("inside")


                def test_it(thing):
                    assert "inside" in sys.path
            """,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_doctests_and_tests_of_a_file_have_one_sandbox(pytester: pytest.Pytester, write: Write) -> None:
    source = '''
        """
        >>> import sys
        >>> sys.path[-1] == __name__
        True
        >>> sys.path.append("doctest")
        """

        import sys

        sys.path.append(__name__)


        def test_it():
            assert sys.path[-2:] == [__name__, "doctest"]
    '''
    write({"test_one.py": source, "test_two.py": source})

    result = pytester.runpytest("--doctest-modules", "--ignore=lib")

    result.assert_outcomes(passed=4)


def test_text_files_with_doctests_have_sandboxes(pytester: pytest.Pytester, write: Write) -> None:
    source = ">>> import sys\n>>> 'library' in sys.modules\nFalse\n>>> import library\n"
    write({"test_one.txt": source, "test_two.txt": source})

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_plugin_that_a_test_file_names_serves_all_its_tests(pytester: pytest.Pytester, write: Write) -> None:
    source = """
        pytest_plugins = ["plugin"]


        def test_it(thing):
            import plugin

            assert isinstance(thing, plugin.Thing)
    """
    write(
        {
            "lib/plugin.py": """
                import pytest


                class Thing:
                    pass


                @pytest.fixture(scope="session")
                def thing():
                    import plugin

                    return plugin.Thing()
            """,
            "test_one.py": source,
            "test_two.py": source,
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_package_of_test_files_is_set_up_once_and_is_the_same_for_all(
    pytester: pytest.Pytester, write: Write, mode: str
) -> None:
    source = """
        from . import STATE


        def test_it():
            from checks import STATE as STATE_OF_NOW

            assert STATE is STATE_OF_NOW
            assert STATE == ["set up"]
    """
    write(
        {
            "checks/__init__.py": """
                STATE = []

                def setup_module():
                    STATE.append("set up")

                def teardown_module():
                    assert STATE == ["set up"]
            """,
            "checks/test_one.py": source,
            "checks/test_two.py": source,
        }
    )

    result = pytester.runpytest(f"--import-mode={mode}")

    result.assert_outcomes(passed=2)


def test_package_that_cannot_be_imported_is_told_at_each_file(
    pytester: pytest.Pytester, write: Write
) -> None:
    write(
        {
            "checks/__init__.py": "import nonexistent",
            "checks/test_one.py": "def test_it(): pass",
            "checks/test_two.py": "def test_it(): pass",
            "test_three.py": "def test_it(): pass",
        }
    )

    result = pytester.runpytest("--continue-on-collection-errors")

    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["E   ModuleNotFoundError: No module named 'nonexistent'"] * 2)


def test_package_that_cannot_be_set_up_leaves_no_trace_of_its_files(
    pytester: pytest.Pytester, write: Write
) -> None:
    write(
        {
            "checks/__init__.py": "def setup_module(): raise ValueError",
            "checks/test_one.py": "import sys\nsys.path.append('inside')\ndef test_it(): pass",
            "test_two.py": "import sys\ndef test_it(): assert 'inside' not in sys.path",
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(errors=1, passed=1)
    assert "inside" not in sys.path


def test_test_class_that_another_file_imports(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "test_1.py": STUB
            + """
    class TestBase:
        name = __name__

        def test_it(self):
            assert self.name in (__name__, "test_2")
            test_stub()
    """,
            "test_2.py": """
                from test_1 import TestBase


                class TestDerived(TestBase):
                    name = __name__
            """,
            "test_3.py": REAL,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2 + 1 + 2 + 2)


@pytest.mark.parametrize(
    "end", ["import nonexistent", "x = = y", "import pytest; pytest.skip('no', allow_module_level=True)"]
)
def test_file_that_does_not_collect_leaves_no_trace(
    pytester: pytest.Pytester, write: Write, end: str
) -> None:
    write({"test_1.py": f"{textwrap.dedent(STUB)}\n{end}", "test_2.py": REAL})

    result = pytester.runpytest("--continue-on-collection-errors")

    assert result.parseoutcomes()["passed"] == 2


def test_sandbox_of_a_test_nests_inside_the_one_of_its_file(pytester: pytest.Pytester, write: Write) -> None:
    source = """
        import sys

        import pytest

        sys.path.append(__name__)


        @pytest.fixture(scope="module")
        def in_file():
            sys.path.append("fixture")
            yield
            assert sys.path[-2:] == [__name__, "fixture"]


        @pytest.mark.parametrize("time", ["first", "second"])
        def test_1(time, in_file, outside):
            assert sys.path[-2:] == [__name__, "fixture"]
            assert "outside" in sys.path
            sys.path.append("test")


        def test_2(temp_package):
            temp_package("library", "Thing = 'temporary'")
            import library

            assert library.Thing == "temporary"


        def test_3():
            import library

            assert library.Thing != "temporary"
            assert sys.path[-2:] == [__name__, "fixture"]
    """
    write(
        {
            "conftest.py": """
                import sys

                import pytest


                @pytest.fixture(scope="session")
                def outside():
                    sys.path.insert(0, "outside")
            """,
            "test_one.py": source,
            "test_two.py": source,
        }
    )

    result = pytester.runpytest("--isolated-imports")

    result.assert_outcomes(passed=8)


def test_async_tests(pytester: pytest.Pytester, write: Write) -> None:
    pytest.importorskip("anyio")
    source = """
        import sys

        import pytest

        sys.path.append(__name__)


        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"


        @pytest.fixture(scope="module")
        async def thing():
            assert sys.path[-1] == __name__
            yield
            assert sys.path[-1] == __name__


        @pytest.mark.anyio
        async def test_it(thing):
            assert sys.path[-1] == __name__
    """
    write({"test_one.py": source, "test_two.py": source})

    result = pytester.runpytest_subprocess("-p", "anyio")

    result.assert_outcomes(passed=2)


OBSERVED = """
    import sys

    import pytest


    @pytest.fixture(scope="module")
    def thing():
        yield
        print("finalizer:", sys.path[-1])


    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish():
        try:
            return (yield)
        finally:
            print("end:", "test_one" in sys.path, sys.path[-1] == "test_two")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "argument"),
    [
        ("assert False", "-x"),
        ("assert False", "--maxfail=1"),
        ("raise KeyboardInterrupt", "-v"),
        ("pytest.exit('enough')", "-v"),
        ("raise SystemExit", "-x"),
    ],
)
@pytest.mark.parametrize("each_test", ["-v", "--isolated-imports"])
def test_run_that_ends_early_finalizes_in_the_sandbox_and_closes_it(
    pytester: pytest.Pytester, write: Write, end: str, argument: str, each_test: str
) -> None:
    source = """
        import sys

        import pytest

        sys.path.append(__name__)


        def test_first(thing):
            pass


        def test_it(thing):
            if __name__ == "test_one":
                {}
    """
    write({"conftest.py": OBSERVED, "test_one.py": source.format(end), "test_two.py": source.format("pass")})

    # In this process, pytester would pass the interruption on.
    result = pytester.runpytest_subprocess("-s", argument, each_test)

    output = result.stdout.str()
    assert "finalizer: test_one" in output
    assert "finalizer: test_two" not in output
    assert "end: False False" in output
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["import", "fixture"])
@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "pytest.exit('enough')"])
def test_interruption_of_an_import_or_a_session_fixture_leaves_no_trace(
    pytester: pytest.Pytester, write: Write, where: str, end: str
) -> None:
    write(
        {
            "conftest.py": f"""
                {textwrap.indent(textwrap.dedent(OBSERVED), " " * 16).strip()}


                @pytest.fixture(scope="session")
                def interrupted():
                    {end}
            """,
            "test_one.py": f"""
                import sys

                import pytest

                sys.path.append(__name__)

                {end if where == "import" else "pass"}


                def test_it(interrupted):
                    pass
            """,
        }
    )

    result = pytester.runpytest_subprocess("-s")

    assert "end: False False" in result.stdout.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_import_state_is_what_it_was_when_pytest_returns(
    pytester: pytest.Pytester, write: Write, run_script: Callable[..., str]
) -> None:
    write({"test_1.py": STUB, "test_2.py": REAL, "test_3.py": "import nonexistent"})

    output = run_script(
        f"""
        import os
        import sys

        import pytest

        os.chdir({str(pytester.path)!r})
        # What pytest itself imports for a traceback stays.
        pytest.main(["-q", "."])
        for arguments in (["test_1.py"], ["test_1.py", "test_2.py"], ["."], ["--collect-only"]):
            before = list(sys.modules.items()), list(sys.path), list(sys.meta_path), list(sys.path_hooks)
            pytest.main(["-q", *arguments])
            after = list(sys.modules.items()), list(sys.path), list(sys.meta_path), list(sys.path_hooks)
            print("same:", before == after)
        """,
        environment={"PYTEST_ADDOPTS": "-p importsandbox -p no:cacheprovider"},
    )

    assert output.count("same: True") == 4


def test_collection_alone_leaves_nothing(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {"conftest.py": OBSERVED, "test_one.py": "import sys; sys.path.append(__name__)\ndef test_it(): pass"}
    )

    result = pytester.runpytest("--collect-only", "-s")

    result.stdout.fnmatch_lines(["*<Function test_it>", "end: False False"])


@pytest.mark.parametrize("argument", ["--lf", "--ff", "--sw"])
def test_later_run_finds_the_file_as_it_was(pytester: pytest.Pytester, write: Write, argument: str) -> None:
    failing = STUB + "\n\n    def test_fails():\n        test_stub()\n        raise ValueError\n"
    write({"test_1.py": failing, "test_2.py": REAL})
    pytester.runpytest()

    result = pytester.runpytest(argument)

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["E*ValueError"])


def test_debugger_sees_the_sandbox(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "lib/debugger.py": """
                import pdb
                import sys


                class Debugger(pdb.Pdb):
                    def interaction(self, *arguments):
                        print("debugger:", sys.modules["library"].Thing)
            """,
            "test_1.py": STUB + "\n\n    def test_fails():\n        assert False\n",
            "test_2.py": REAL,
        }
    )

    result = pytester.runpytest_subprocess("--pdb", "--pdbcls=debugger:Debugger", "-s")

    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*debugger: stub"])


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["load", "loadfile", "loadscope", "worksteal", "each"])
def test_workers_of_xdist(pytester: pytest.Pytester, write: Write, distribution: str) -> None:
    pytest.importorskip("xdist")
    write({f"test_{number}.py": STUB if number % 2 else REAL for number in range(6)})

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2", f"--dist={distribution}")

    result.assert_outcomes(passed=24 if distribution == "each" else 12)


def test_items_that_lie_in_no_file_run_in_the_outer_state(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "conftest.py": """
                import sys

                import pytest


                class Item(pytest.Item):
                    def runtest(self):
                        assert "test_one" not in sys.path


                def pytest_collection_modifyitems(session, items):
                    items[1:1] = [Item.from_parent(session, name="custom")]
            """,
            "test_one.py": """
                import sys

                sys.path.append(__name__)


                def test_1():
                    assert sys.path[-1] == __name__


                def test_2():
                    assert sys.path[-1] == __name__
            """,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_test_files_in_another_language_have_sandboxes(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "conftest.py": """
                import sys

                import pytest


                class Item(pytest.Item):
                    def runtest(self):
                        assert sys.path[-1] == self.path.name


                class File(pytest.File):
                    def collect(self):
                        assert not sys.path[-1].endswith(".check")
                        sys.path.append(self.path.name)
                        return [Item.from_parent(self, name="item")]


                def pytest_collect_file(file_path, parent):
                    if file_path.suffix == ".check":
                        return File.from_parent(parent, path=file_path)
            """,
            "one.check": "",
            "two.check": "",
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_without_the_cache_plugin(pytester: pytest.Pytester, write: Write) -> None:
    write({"test_1.py": STUB, "test_2.py": REAL})

    result = pytester.runpytest("-p", "no:cacheprovider")

    result.assert_outcomes(passed=4)


def test_same_file_named_twice_has_one_sandbox(pytester: pytest.Pytester, write: Write) -> None:
    write({"test_1.py": STUB, "test_2.py": REAL})

    result = pytester.runpytest(
        "test_1.py::test_stub",
        "test_2.py::test_real",
        "test_1.py::test_stub_again",
        "test_2.py::test_real_again",
    )

    result.assert_outcomes(passed=4)


def test_conftest_files_of_other_directories_take_nothing_away(
    pytester: pytest.Pytester, write: Write
) -> None:
    files = {
        "conftest": "WHERE = {!r}",
        "helpers": "WHERE = {!r}",
        "test_it": """
            from conftest import WHERE


            def test_it():
                import conftest
                import helpers

                assert conftest.WHERE == WHERE == helpers.WHERE == {!r}
        """,
    }
    write(
        {
            f"{directory}/{file}.py": textwrap.dedent(source).format(directory)
            for directory in ("one", "two", "three")
            for file, source in files.items()
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_submodule_that_another_file_imported_is_absent(pytester: pytest.Pytester, write: Write) -> None:
    """What passes only in company fails as it does alone."""
    with_submodule = "import library.sub\ndef test_it(): assert library.sub"
    write(
        {
            "test_1.py": with_submodule,
            "test_2.py": "import library\ndef test_it(): assert not hasattr(library, 'sub')",
            "test_3.py": with_submodule,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_module_that_a_file_takes_out_runs_again_there(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "conftest.py": "import library as LIBRARY",
            "test_1.py": """
                import sys

                del sys.modules["library"]
                import library
                import conftest


                def test_it():
                    import library as library_of_now

                    assert library is library_of_now
                    assert library is not conftest.LIBRARY
            """,
            "test_2.py": "import conftest, library\ndef test_it(): assert library is conftest.LIBRARY",
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)
