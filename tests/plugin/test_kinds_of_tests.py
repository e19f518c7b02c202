"""All kinds of tests that pytest runs are isolated alike."""

from __future__ import annotations

import pytest

# Some releases of pytest-asyncio ask for an option that others do not know.
WITHOUT_SCOPE = 'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset'


def test_unittest_class(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        def setUpModule():
            sys.path.append("setUpModule")


        @pytest.mark.isolated_imports
        class TestIsolated(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                sys.path.append("setUpClass")

            def setUp(self):
                sys.path.append("setUp")

            def test_one(self):
                assert sys.path[-3:] == ["setUpModule", "setUpClass", "setUp"]
                sys.path.append("test")
                self.addCleanup(sys.path.append, "cleanup")

            def test_two(self):
                self.test_one()

            @unittest.expectedFailure
            def test_three(self):
                sys.path.append("test")
                self.fail()

            def tearDown(self):
                sys.path.append("tearDown")

            @classmethod
            def tearDownClass(cls):
                sys.path.append("tearDownClass")


        def test_afterwards():
            assert sys.path[-3:] == ["setUpModule", "setUpClass", "tearDownClass"]
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3, xfailed=1)


def test_unittest_methods_with_the_flag_and_markers_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        class TestCases(unittest.TestCase):
            @pytest.mark.isolated_imports(blocked="json")
            def test_1_blocked(self):
                with self.assertRaises(ModuleNotFoundError):
                    import json
                sys.path.append("blocked")

            def test_2_flag(self):
                sys.path.append("flag")

            @pytest.mark.isolated_imports(False)
            def test_3_opted_out(self):
                assert not {"blocked", "flag"} & set(sys.path)
                sys.path.append("opted out")

            def test_4_afterwards(self):
                assert sys.path[-1] == "opted out"
        """
    )

    result = pytester.runpytest("--isolated-imports")

    result.assert_outcomes(passed=4)


def test_fixtures_in_a_unittest_class(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        class TestFixtures(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _sandbox(self, temp_package, fresh_import):
                self.temp_package = temp_package
                self.fresh_import = fresh_import

            def test_one(self):
                assert "package" not in sys.modules
                self.temp_package("package", "NUMBER = 1")
                assert self.fresh_import("package").NUMBER == 1

            def test_two(self):
                assert "package" not in sys.modules
                self.temp_package("package", "NUMBER = 2")
                import package
                assert package.NUMBER == 2


        @pytest.mark.usefixtures("import_sandbox")
        class TestUsed(unittest.TestCase):
            def test_three(self):
                assert "package" not in sys.modules
                sys.path.append("used")


        def test_afterwards():
            assert "used" not in sys.path
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


def test_unittest_class_of_async_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        @pytest.mark.isolated_imports
        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                sys.path.append("asyncSetUp")

            async def test_one(self):
                assert sys.path.count("asyncSetUp") == 1

            async def test_two(self):
                assert sys.path.count("asyncSetUp") == 1


        def test_afterwards():
            assert "asyncSetUp" not in sys.path
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)


def test_subtests_of_unittest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        @pytest.mark.isolated_imports
        class TestIt(unittest.TestCase):
            def test_it(self):
                for number in range(3):
                    with self.subTest(number=number):
                        sys.path.append("sub")
                assert sys.path.count("sub") == 3


        def test_afterwards():
            assert "sub" not in sys.path
        """
    )

    result = pytester.runpytest()

    assert result.ret == pytest.ExitCode.OK


ASYNC_TESTS = """
    import {library}
    import importlib
    import sys

    import pytest

    pytestmark = pytest.mark.{marker}


    @pytest.fixture
    async def package(temp_package):
        package = temp_package("package", "VALUE = 'fixture'")
        await {library}.sleep(0)
        yield package
        importlib.import_module("package")
        await {library}.sleep(0)


    @pytest.mark.isolated_imports
    async def test_marker(package):
        import package
        await {library}.sleep(0)
        assert sys.modules["package"].VALUE == "fixture"


    async def test_fixture(temp_package, fresh_import):
        assert "package" not in sys.modules
        temp_package("package", "VALUE = 'test'")
        await {library}.sleep(0)
        assert fresh_import("package").VALUE == "test"


    async def test_afterwards():
        assert "package" not in sys.modules
"""


def test_async_tests_of_pytest_asyncio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(ASYNC_TESTS.format(library="asyncio", marker="asyncio"))

    result = pytester.runpytest_subprocess("-p", "asyncio", "--asyncio-mode=auto", "-W", WITHOUT_SCOPE)

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_tests_of_anyio(pytester: pytest.Pytester, backend: str) -> None:
    pytest.importorskip("anyio")
    pytest.importorskip(backend)
    pytester.makepyfile(ASYNC_TESTS.format(library="anyio", marker="anyio"))
    pytester.makeconftest(
        f"""
        import pytest


        @pytest.fixture(scope="session")
        def anyio_backend():
            return {backend!r}
        """
    )

    result = pytester.runpytest_subprocess("-p", "anyio")

    result.assert_outcomes(passed=3)


def test_doctests_of_a_module_with_the_flag(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        library='''
        def one():
            """
            >>> import sys
            >>> "left" in sys.path
            False
            >>> sys.path.append("left")
            """


        def two():
            """
            >>> import sys
            >>> "left" in sys.path
            False
            >>> sys.path.append("left")
            """
        '''
    )

    result = pytester.runpytest("--doctest-modules", "--isolated-imports")

    result.assert_outcomes(passed=2)


def test_doctests_of_a_module_with_the_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        library='''
        import pytest

        pytestmark = pytest.mark.isolated_imports(blocked="json")


        def one():
            """
            >>> import sys, json
            Traceback (most recent call last):
            ...
            ModuleNotFoundError: ...
            """
        '''
    )

    result = pytester.runpytest("--doctest-modules", "-o", "doctest_optionflags=ELLIPSIS")

    result.assert_outcomes(passed=1)


def test_doctests_that_ask_for_a_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        library='''
        def one():
            """
            >>> temp_package = getfixture("temp_package")
            >>> _ = temp_package("zyx", "NUMBER = 1")
            >>> getfixture("fresh_import")("zyx").NUMBER
            1
            """


        def two():
            """
            >>> import zyx
            Traceback (most recent call last):
            ModuleNotFoundError: No module named 'zyx'
            """
        '''
    )

    result = pytester.runpytest("--doctest-modules")

    result.assert_outcomes(passed=2)


def test_doctests_of_text_files(pytester: pytest.Pytester) -> None:
    text = """
    >>> import sys
    >>> "left" in sys.path
    False
    >>> sys.path.append("left")
    >>> _ = getfixture("temp_package")("package")
    >>> import package
    """
    pytester.maketxtfile(test_one=text, test_two=text)

    result = pytester.runpytest("--isolated-imports")

    result.assert_outcomes(passed=2)


CUSTOM_ITEMS = """
    import importlib
    import sys

    import pytest


    def pytest_collect_file(file_path, parent):
        if file_path.suffix == ".modules":
            return File.from_parent(parent, path=file_path)


    class File(pytest.File):
        def collect(self):
            for line in self.path.read_text(encoding="utf-8").splitlines():
                name, _, marker = line.partition(" ")
                item = Item.from_parent(self, name=name)
                if marker:
                    item.add_marker(eval(f"pytest.mark.{marker}"))
                yield item


    class Item(pytest.Item):
        def setup(self):
            sys.path.append("setup")

        def runtest(self):
            assert sys.path.count("setup") == 1
            assert sys.modules.get(self.name) is None
            importlib.import_module(self.name)
            sys.path.append("test")

        def teardown(self):
            sys.path.append("teardown")

        def repr_failure(self, excinfo):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
"""

AFTERWARDS = """
    import sys


    def test_no_trace_is_left():
        assert not {"setup", "test", "teardown"} & set(sys.path)
        assert "module" not in sys.modules
"""


def test_items_of_other_plugins_with_the_flag(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CUSTOM_ITEMS)
    pytester.makepyfile(module="", test_last=AFTERWARDS)
    pytester.makefile(".modules", all="module\nmodule")

    result = pytester.runpytest("--isolated-imports", "all.modules", "test_last.py")

    result.assert_outcomes(passed=3)


def test_items_of_other_plugins_with_markers(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CUSTOM_ITEMS)
    pytester.makepyfile(module="", test_last=AFTERWARDS)
    pytester.makefile(
        ".modules",
        all="""
        module isolated_imports
        module isolated_imports(blocked="module")
        module isolated_imports(preserve="module")
        """,
    )

    result = pytester.runpytest("all.modules", "test_last.py")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["ModuleNotFoundError: *module*"])


def test_items_of_other_plugins_that_opt_out(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CUSTOM_ITEMS)
    pytester.makepyfile(module="", test_last="import sys\ndef test_it(): assert 'module' in sys.modules")
    pytester.makefile(".modules", all="module isolated_imports(False)")

    result = pytester.runpytest("--isolated-imports", "all.modules", "test_last.py")

    result.assert_outcomes(passed=2)


def test_item_of_another_plugin_leaves_the_teardown_of_wider_fixtures_alone(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(CUSTOM_ITEMS)
    pytester.makepyfile(
        **{
            "first/__init__": "",
            "first/conftest": """
            import sys

            import pytest


            @pytest.fixture(scope="package")
            def path():
                sys.path.append("path of the package")
                yield
                sys.path.remove("path of the package")
            """,
            "first/test_it": "def test_it(path): pass",
            "second/test_it": """
            import sys


            def test_afterwards():
                assert "path of the package" not in sys.path
            """,
        }
    )
    pytester.makepyfile(module="")
    pytester.syspathinsert()
    pytester.path.joinpath("first", "z.modules").write_text("module", encoding="utf-8")

    result = pytester.runpytest("--isolated-imports", "--import-mode=importlib")

    result.assert_outcomes(passed=3)
