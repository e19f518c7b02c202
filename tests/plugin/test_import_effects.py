"""The fixture `import_effects`, as the tests of a user's project meet it."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")


def test_fixture_tells_what_an_import_does(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        inkhorn="import colorsys, os\nos.environ['INKHORN'] = '1'",
        test_inkhorn="""
        def test_import(import_effects):
            effects = import_effects("inkhorn")
            assert effects.chain("colorsys") == "inkhorn (inkhorn.py:1) -> colorsys"
            assert [effect.what for effect in effects.environ] == ["INKHORN"]
        """,
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_failed_assertion_shows_who_asked_for_a_module(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        inkhorn="import inkhorn_formats",
        inkhorn_formats="pass\npass\nimport colorsys",
        test_inkhorn="""
        def test_import_is_light(import_effects):
            effects = import_effects("inkhorn")
            assert not effects.chain("colorsys")
        """,
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * assert not 'inkhorn -> inkhorn_formats (inkhorn_formats.py:3) -> colorsys'"]
    )


def test_failed_assertion_shows_the_effects(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        inkhorn="import threading\nthreading.Thread(target=threading.Event().wait, name='poller').start()",
        test_inkhorn="""
        def test_import_has_no_effects(import_effects):
            effects = import_effects("inkhorn")
            assert not effects.threads
        """,
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert not (<poller started: alive (inkhorn.py:2)>,)"])
    result.stdout.fnmatch_lines(["E * <ImportEffects of inkhorn: * modules, 1 threads>.threads"])


def test_failed_import_fails_the_test_with_its_traceback_and_without_frames_of_the_plugin(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        inkhorn="1 / 0",
        test_inkhorn="""
        def test_import(import_effects):
            import_effects("inkhorn")
        """,
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*import_effects("inkhorn")',
            "E * ImportError: Traceback (most recent call last):",
            'E * File "*inkhorn.py", line 1, in <module>',
            "E * ZeroDivisionError: division by zero",
            "test_inkhorn.py:2: ImportError",
        ]
    )
    result.stdout.no_fnmatch_line("*effects.py:*")


def test_package_that_was_written_for_the_test_is_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_import(temp_package, import_effects):
            temp_package("inkhorn", {"__init__.py": "from inkhorn import sub", "sub.py": "print('text')"})
            effects = import_effects("inkhorn")
            (text,) = effects.stdout
            assert (text.what, text.place) == ("text\\n", "inkhorn/sub.py")
            assert "inkhorn" not in sys.modules
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_fixture_opens_no_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_one(import_effects):
            sys.path.append("left behind")
            import_effects("json")

        def test_two():
            assert "left behind" in sys.path
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_wider_fixture_can_use_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def effects(import_effects):
            return import_effects("json")

        def test_import(effects):
            assert not effects
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_fixture_works_in_a_sandbox_and_next_to_blocked_packages(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.isolated_imports(blocked=["colorsys"])
        @pytest.mark.parametrize("time", range(2))
        def test_import(import_effects, time):
            assert import_effects("colorsys").chain("colorsys")

        def test_outside(import_effects):
            assert import_effects("colorsys").chain("colorsys")
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=3)


def test_tests_that_do_not_use_it_load_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_others(temp_package, fresh_import):
            temp_package("inkhorn")
            fresh_import("inkhorn")
            assert not [name for name in sys.modules if name.startswith("pytest_importsandbox._effects")]
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_function_and_class_can_be_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pytest_importsandbox import ImportEffects, import_effects

        def test_import():
            assert isinstance(import_effects("json"), ImportEffects)
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
