"""Command lines with which an isolated suite can be run."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.slow

SUITE = """
    import importlib
    import sys

    import pytest


    @pytest.fixture(scope="module")
    def decoder():
        import html.parser
        return html.parser.HTMLParser


    @pytest.mark.isolated_imports
    def test_marker(decoder):
        assert "package" not in sys.modules
        sys.modules["package"] = object()
        sys.path.append("left")


    def test_fresh_import(fresh_import, decoder):
        assert "left" not in sys.path
        assert issubclass(decoder, importlib.import_module("html.parser").HTMLParser)
        assert fresh_import("json.decoder") is sys.modules["json.decoder"]
        with pytest.raises(ModuleNotFoundError):
            fresh_import("html.parser", blocked=["_markupbase"])


    @pytest.mark.parametrize("namespace", [True, False])
    def test_temp_package(temp_package, namespace):
        assert "package" not in sys.modules
        package = temp_package("package", {"sub.py": "NUMBER = 1", "data.bin": b""}, namespace=namespace)
        assert importlib.import_module("package.sub").NUMBER == 1
        package.write("sub.py", "NUMBER = 2")
        assert importlib.reload(sys.modules["package.sub"]).NUMBER == 2


    @pytest.mark.isolated_imports
    def test_hidden_here():
        import hidden_module
        assert hidden_module.__file__


    def test_afterwards(import_sandbox):
        assert not {"package", "hidden_module"} & sys.modules.keys()
        assert not import_sandbox.changes()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> None:
    """A suite that makes use of the whole plugin."""
    pytester.makepyfile(test_suite=SUITE, hidden_module="")
    pytester.makeini("[pytest]\npythonpath = .")


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--import-mode=prepend"],
        ["--import-mode=append"],
        ["--import-mode=importlib"],
        ["--assert=plain"],
        ["--strict-markers", "--strict-config"],
        ["--isolated-imports"],
        ["--setup-show"],
        ["-s"],
        ["-p", "no:cacheprovider"],
        ["--full-trace", "-vv"],
    ],
    ids=" ".join,
)
def test_suite_passes_with(pytester: pytest.Pytester, arguments: list[str]) -> None:
    result = pytester.runpytest(*arguments)

    result.assert_outcomes(passed=6)


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(
    "arguments",
    [["-W", "error"], ["-X", "dev", "-W", "error"], ["-B"], ["-P"]],
    ids=" ".join,
)
def test_suite_passes_without_complaint_in(pytester: pytest.Pytester, arguments: list[str]) -> None:
    result = pytester.run(sys.executable, *arguments, "-m", "pytest")

    result.assert_outcomes(passed=6)
    assert result.errlines == []
    result.stdout.no_fnmatch_line("*Warning*")


def test_two_test_modules_of_the_same_name(pytester: pytest.Pytester) -> None:
    test = """
        import sys

        from pytest_importsandbox import ImportSandbox


        def test_own_module_stays(fresh_import):
            before = sys.modules[__name__]
            fresh_import("json")
            assert sys.modules[__name__] is before
            assert vars(before) is globals()


        def test_plain():
            assert vars(sys.modules[__name__]) is globals()
    """
    pytester.makepyfile(**{"first/test_it": test, "second/test_it": test})

    result = pytester.runpytest("--import-mode=importlib", "--isolated-imports")

    result.assert_outcomes(passed=4)


@pytest.mark.usefixtures("autoload")
def test_without_the_plugin_other_tests_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys


        def test_plugin_is_not_even_imported():
            assert not [name for name in sys.modules if name.startswith("pytest_importsandbox")]
            assert not [each for each in sys.meta_path if "importsandbox" in type(each).__module__]


        def test_python_interface_still_works():
            from pytest_importsandbox import ImportSandbox

            with ImportSandbox() as sandbox:
                sandbox.temp_package("package")
                sandbox.fresh_import("package")
            assert "package" not in sys.modules
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:importsandbox")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("plugins:*importsandbox*")


@pytest.mark.usefixtures("autoload")
def test_without_the_plugin_its_names_are_unknown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(fresh_import): pass")

    result = pytester.runpytest_subprocess("-p", "no:importsandbox")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E * fixture 'fresh_import' not found"])


def test_debugger_stands_inside_of_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest


        def is_loaded():
            return "package" in sys.modules


        def test_isolated(temp_package):
            temp_package("package")
            import package
            assert False


        def test_afterwards():
            assert not is_loaded()
        """
    )

    result = pytester.run(
        sys.executable, "-m", "pytest", "--pdb", stdin=b"p is_loaded(), 'first'\nimport package\nc\n"
    )

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*(True, 'first')"])


def test_quitting_the_debugger_closes_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys


        def pytest_unconfigure():
            print("left:", "left" in sys.path)
        """
    )
    pytester.makepyfile(
        """
        import sys

        import pytest


        @pytest.mark.isolated_imports
        def test_isolated():
            sys.path.append("left")
            breakpoint()
            sys.path.append("left")
        """
    )

    result = pytester.run(sys.executable, "-m", "pytest", stdin=b"p 'left' in sys.path, 'seen'\nquit\n")

    result.stdout.fnmatch_lines(["*(True, 'seen')", "*left: False"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_failed_test_runs_first_and_alone_the_next_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import importlib
        import sys

        import pytest

        pytestmark = pytest.mark.isolated_imports


        @pytest.mark.parametrize("number", range(4))
        def test_it(number, temp_package):
            assert "package" not in sys.modules
            temp_package("package", f"NUMBER = {number}")
            assert importlib.import_module("package").NUMBER != 2
        """
    )

    first = pytester.runpytest("-x")
    second = pytester.runpytest("-x", "--lf")

    first.assert_outcomes(passed=2, failed=1)
    second.assert_outcomes(failed=1)


def test_assertions_of_fresh_modules_are_rewritten(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest; pytest.register_assert_rewrite('checks')")
    pytester.makepyfile(
        checks="""
        def check(left, right):
            assert left == right
        """,
        test_it="""
        import pytest


        @pytest.mark.parametrize("number", [1, 2])
        def test_it(number, fresh_import):
            fresh_import("checks").check(f"left {number}", "right")
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E * assert 'left 1' == 'right'", "E * assert 'left 2' == 'right'"])


def test_suite_that_runs_pytest_in_its_own_process(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["pytester"]')
    pytester.makepyfile(
        '''
        import json
        import sys

        import pytest

        INNER = """
            import json
            import sys

            import pytest

            before = sys.path.copy()


            @pytest.fixture(scope="session")
            def wider():
                import plistlib
                return plistlib.InvalidFileException


            @pytest.mark.isolated_imports(blocked="wave")
            def test_marker(wider):
                sys.path.append("inner")
                with pytest.raises(ModuleNotFoundError):
                    import wave


            def test_fixtures(temp_package, fresh_import, wider):
                from plistlib import InvalidFileException
                assert InvalidFileException is wider
                temp_package("inner_package", "NUMBER = 2")
                assert fresh_import("inner_package").NUMBER == 2
                assert fresh_import("json") is not json


            def test_afterwards(wider):
                assert sys.path == before
                assert "inner_package" not in sys.modules
                assert sys.modules["json"] is json
        """


        @pytest.mark.parametrize("isolated", [True, False, True])
        def test_in_process(pytester, request, isolated):
            if isolated:
                sandbox = request.getfixturevalue("import_sandbox")
                sandbox.temp_package("package", "NUMBER = 1")
                assert sandbox.fresh_import("package").NUMBER == 1
                sandbox.block("colorsys")
            pytester.makepyfile(INNER)

            for arguments in ([], ["--isolated-imports"]):
                result = pytester.runpytest_inprocess("-p", "importsandbox", *arguments)
                result.assert_outcomes(passed=3)

            if isolated:
                assert sys.modules["package"].NUMBER == 1
                with pytest.raises(ModuleNotFoundError):
                    import colorsys
                assert sandbox.fresh_import("package").NUMBER == 1


        def test_afterwards(import_sandbox):
            assert sys.modules["json"] is json
            assert "package" not in sys.modules
            assert not import_sandbox.changes()
            import colorsys
        '''
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    "end",
    [
        "def test_it(import_sandbox, spoiled): raise KeyboardInterrupt",
        "def test_it(import_sandbox, spoiled, interrupted): pass",
        "def test_it(import_sandbox, spoiled, left): pass",
    ],
    ids=["interrupted test", "interrupted teardown", "pytest.exit in teardown"],
)
def test_caller_of_pytest_main_finds_its_import_state_after_an_interrupt(
    pytester: pytest.Pytester, end: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import sys

        import pytest


        @pytest.fixture
        def spoiled():
            sys.modules["fake"] = sys
            sys.modules["json"] = sys
            sys.path.append("left")


        @pytest.fixture
        def interrupted():
            yield
            raise KeyboardInterrupt


        @pytest.fixture
        def left():
            yield
            pytest.exit("left")


        {end}
        """,
        script="""
        import json
        import sys

        import pytest

        before = sys.path.copy(), sys.meta_path.copy(), json
        status = pytest.main(["--import-mode=importlib", "-p", "no:assertion", "test_it.py"])
        assert status == pytest.ExitCode.INTERRUPTED
        assert (sys.path, sys.meta_path, sys.modules["json"]) == before
        assert "fake" not in sys.modules
        """,
    )

    result = pytester.runpython("script.py")

    assert result.ret == 0
