"""Which tests are isolated, and what the arguments of the marker do."""

from __future__ import annotations

import pytest

LEAVE_A_TRACE = """
    import sys


    def pytest_runtest_call(item):
        sys.path.append(f"trace {item.name}")


    def pytest_terminal_summary(terminalreporter):
        traces = [entry.split()[1] for entry in sys.path if entry.startswith("trace ")]
        terminalreporter.write_line(f"traces: {' '.join(traces)}")
"""

TESTS = """
    import unittest

    import pytest


    def test_plain():
        pass


    @pytest.mark.isolated_imports
    def test_marked():
        pass


    @pytest.mark.isolated_imports()
    def test_called():
        pass


    @pytest.mark.isolated_imports(True)
    def test_enabled():
        pass


    @pytest.mark.isolated_imports(False)
    def test_disabled():
        pass


    @pytest.mark.isolated_imports(False)
    def test_disabled_with_fixture(fresh_import):
        pass


    @pytest.mark.isolated_imports
    class TestClass:
        def test_in_class(self):
            pass

        @pytest.mark.isolated_imports(False)
        def test_disabled_in_class(self):
            pass


    @pytest.mark.isolated_imports(False)
    class TestDisabledClass:
        @pytest.mark.isolated_imports
        def test_enabled_in_class(self):
            pass

        def test_in_disabled_class(self):
            pass


    @pytest.mark.isolated_imports
    class TestUnittest(unittest.TestCase):
        def test_in_testcase(self):
            pass


    @pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.isolated_imports), 2])
    def test_parametrized(number):
        pass


    def test_import_sandbox(import_sandbox):
        pass


    def test_fresh_import(fresh_import):
        pass


    def test_temp_package(temp_package):
        pass
"""


def not_isolated(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    """Run the tests and return the names of those whose changes stay."""
    pytester.makepyfile(leaves_a_trace=LEAVE_A_TRACE)
    pytester.syspathinsert()
    result = pytester.runpytest("-p", "leaves_a_trace", *arguments)
    assert result.ret == pytest.ExitCode.OK
    (line,) = [line for line in result.outlines if line.startswith("traces:")]
    return set(line.split()[1:])


OPTED_OUT = {"test_disabled", "test_disabled_in_class", "test_in_disabled_class"}


def test_tests_with_marker_or_fixture_are_isolated(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    assert not_isolated(pytester) == OPTED_OUT | {"test_plain", "test_parametrized[2]"}


def test_flag_isolates_all_but_those_that_opt_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    assert not_isolated(pytester, "--isolated-imports") == OPTED_OUT


def test_setting_isolates_all_but_those_that_opt_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makeini("[pytest]\nisolated_imports = test")

    assert not_isolated(pytester) == OPTED_OUT


def test_setting_in_pyproject(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        isolated_imports = "test"
        isolated_imports_preserve = ["a", "b.c"]
        """
    )

    assert not_isolated(pytester) == OPTED_OUT


def test_setting_on_the_command_line_wins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    pytester.makeini("[pytest]\nisolated_imports = test")

    isolated = not_isolated(pytester, "-o", "isolated_imports=marked")

    assert isolated == OPTED_OUT | {"test_plain", "test_parametrized[2]"}


@pytest.mark.parametrize(
    ("of_module", "staying"),
    [
        ("pytest.mark.isolated_imports", OPTED_OUT),
        (
            "pytest.mark.isolated_imports(False)",
            OPTED_OUT | {"test_plain", "test_parametrized[2]"},
        ),
    ],
)
def test_closest_marker_wins_over_that_of_the_module(
    pytester: pytest.Pytester, of_module: str, staying: set[str]
) -> None:
    pytester.makepyfile(f"{TESTS}\n    pytestmark = {of_module}")

    assert not_isolated(pytester) == staying


@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
def test_marker_that_a_conftest_file_adds_while_collecting(pytester: pytest.Pytester, order: str) -> None:
    pytester.makepyfile(TESTS)
    pytester.makeconftest(
        f"""
        import pytest


        @pytest.hookimpl({order}=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.isolated_imports)
        """
    )

    assert not_isolated(pytester) == {"test_disabled", "test_disabled_in_class"}


def test_blocked_of_all_markers_add_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from importlib.util import find_spec

        import pytest

        pytestmark = pytest.mark.isolated_imports(blocked=["json", "colorsys"])


        @pytest.mark.isolated_imports(blocked="html")
        class TestBlocked:
            @pytest.mark.isolated_imports(blocked=("wave", "xml.dom"))
            def test_all(self):
                for name in ("json", "colorsys", "html", "wave", "xml.dom"):
                    assert find_spec(name) is None
                    with pytest.raises(ModuleNotFoundError) as error:
                        __import__(name)
                    assert error.value.name == name
                import xml

            def test_some(self):
                import wave
                with pytest.raises(ModuleNotFoundError):
                    import html

        def test_few():
            import html
            with pytest.raises(ModuleNotFoundError):
                import colorsys
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)


def test_blocked_module_lets_importorskip_skip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest


        @pytest.mark.isolated_imports(blocked=["json", "package"])
        @pytest.mark.parametrize("name", ["json", "json.decoder", "package", "package.sub"])
        def test_it(name):
            pytest.importorskip(name)
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(skipped=4)


def test_preserve_of_all_markers_and_the_setting_add_up(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nisolated_imports_preserve =\n    once_a\n    once_b.sub  once_c")
    pytester.makepyfile(
        **{
            "once_a": "",
            "once_b/sub": "",
            "once_b/__init__": "",
            "once_c": "",
            "once_d": "",
            "once_e": "",
            "again": "",
            "test_it": """
        import importlib
        import sys

        import pytest

        NAMES = ["once_a", "once_b", "once_b.sub", "once_c", "once_d", "once_e", "again"]

        pytestmark = pytest.mark.isolated_imports(preserve="once_d")
        seen = []


        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.isolated_imports(preserve=["once_e"])
        def test_isolated(number):
            assert not sys.modules.keys() & set(NAMES)
            modules = {name: importlib.import_module(name) for name in NAMES}
            seen.append(modules)


        def test_same():
            first, second = seen
            assert [name for name in NAMES if first[name] is not second[name]] == ["again"]
        """,
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)


def test_marker_passes_strict_markers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)

    result = pytester.runpytest("--strict-markers", "--strict-config")

    assert result.ret == pytest.ExitCode.OK


def test_markers_are_described(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--markers")

    signature = "@pytest.mark.isolated_imports(enabled=True, /, *, preserve=(), blocked=())"
    result.stdout.fnmatch_lines([f"{signature}: put the import state back*'preserve'*'blocked'*"])


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("import_sandbox", "Put the import state back after the test*"),
        ("fresh_import", "Import a module as if for the first time*"),
        ("temp_package", "Write packages that can be imported*"),
    ],
)
def test_fixtures_are_described(pytester: pytest.Pytester, name: str, description: str) -> None:
    result = pytester.runpytest("--fixtures")

    result.stdout.re_match_lines([rf"{name}( -- .*)?"])
    result.stdout.fnmatch_lines([f"{name}*", f"    {description}"])


@pytest.mark.parametrize(
    "line",
    [
        "isolation of imports:",
        "  --isolated-imports *isolate the imports of every test*",
        "  isolated_imports (string):*",
        "  isolated_imports_preserve (linelist):*",
    ],
)
def test_help_describes(pytester: pytest.Pytester, line: str) -> None:
    result = pytester.runpytest("--help")

    result.stdout.fnmatch_lines([line])
