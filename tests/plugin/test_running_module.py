"""Tests that lie inside the package that they evict or import afresh."""

from __future__ import annotations

import pytest

PACKAGE = {
    "kiln/__init__": """
        try:
            import wave
        except ModuleNotFoundError:
            HAS_WAVE = False
        else:
            HAS_WAVE = True

        runs = globals().get("runs", 0) + 1
    """,
    "kiln/core": "",
    "kiln/shelf/__init__": "",
    "kiln/shelf/tray": "",
    "kiln/shelf/tests/__init__": "",
    "kiln/shelf/tests/helpers": "class Helper: pass",
    "kiln/shelf/tests/test_other": "",
}
HEAD = """
    import importlib
    import sys
    from unittest import mock

    import pytest

    import kiln.core
    import kiln.shelf.tray
    from kiln.shelf.tests import helpers

    me, package, shelf, tests = (
        sys.modules[name] for name in (__name__, "kiln", "kiln.shelf", "kiln.shelf.tests")
    )
    core, tray = kiln.core, kiln.shelf.tray


    def function():
        return 1

"""


def run(pytester: pytest.Pytester, body: str, *arguments: str) -> pytest.RunResult:
    """Run the tests of a module inside the package."""
    pytester.makepyfile(**PACKAGE, **{"kiln/shelf/tests/test_it": HEAD + body})
    return pytester.runpytest("kiln", *arguments)


@pytest.mark.parametrize(
    "evict", ["import_sandbox.evict('kiln')", "import_sandbox.fresh_import('kiln')"], ids=["evict", "fresh"]
)
def test_module_and_the_packages_it_lies_in_stay(pytester: pytest.Pytester, evict: str) -> None:
    result = run(
        pytester,
        f"""
    def test_it(import_sandbox):
        {evict}

        assert sys.modules[__name__] is me
        assert sys.modules["kiln"] is package
        assert sys.modules["kiln.shelf"] is vars(package)["shelf"] is shelf
        assert sys.modules["kiln.shelf.tests"] is vars(shelf)["tests"] is tests
        assert vars(tests)["test_it"] is me
        """,
    )

    result.assert_outcomes(passed=1)


def test_all_else_in_these_packages_is_evicted(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(import_sandbox):
        import_sandbox.evict("kiln")

        assert not {"kiln.core", "kiln.shelf.tray"} & sys.modules.keys()
        assert importlib.import_module("kiln.core") is not core
        assert importlib.import_module("kiln.shelf.tray") is not tray


    def test_afterwards():
        assert (kiln.core, kiln.shelf.tray) == (core, tray)
        assert (sys.modules["kiln.core"], sys.modules["kiln.shelf.tray"]) == (core, tray)
        """,
    )

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("name", ["kiln", "kiln.shelf"])
def test_what_names_the_test_module_and_its_neighbours_finds_them(
    pytester: pytest.Pytester, name: str
) -> None:
    result = run(
        pytester,
        f"""
    def test_import(fresh_import):
        fresh_import({name!r})
        import kiln.shelf.tests.test_it as again
        assert again.function is function


    def test_monkeypatch(fresh_import, monkeypatch):
        fresh_import({name!r})
        monkeypatch.setattr(f"{{__name__}}.function", lambda: 2)
        assert function() == 2


    def test_patch_of_a_neighbour(fresh_import):
        fresh_import({name!r})
        with mock.patch("kiln.shelf.tests.helpers.Helper", "fake"):
            assert helpers.Helper == "fake"
        """,
    )

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("names", [["kiln.shelf.tests"], ["kiln", "kiln.shelf.tests.helpers"]])
def test_neighbours_that_are_asked_for_are_evicted(pytester: pytest.Pytester, names: list[str]) -> None:
    result = run(
        pytester,
        f"""
    def test_evict(import_sandbox):
        import_sandbox.evict(*{names!r})
        assert "kiln.shelf.tests.helpers" not in sys.modules
        assert sys.modules["kiln.shelf.tests"] is tests
        assert sys.modules[__name__] is me


    def test_fresh_import(fresh_import):
        fresh = fresh_import("kiln.shelf.tests.helpers", fresh={names!r})
        assert fresh is sys.modules["kiln.shelf.tests.helpers"] is not helpers
        """,
    )

    result.assert_outcomes(passed=2)


def test_fresh_import_runs_a_package_again_where_it_is(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(fresh_import):
        assert package.HAS_WAVE
        assert fresh_import("kiln", blocked="wave") is package
        assert not package.HAS_WAVE
        assert package.runs == 2
        assert vars(package)["shelf"] is shelf


    def test_afterwards():
        assert package.HAS_WAVE
        assert package.runs == 1
        assert vars(package)["core"] is core
        """,
    )

    result.assert_outcomes(passed=2)


def test_failed_fresh_import_leaves_the_package_as_it_was(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(fresh_import):
        before = vars(package).copy()
        with open(package.__file__, "a", encoding="utf-8") as file:
            file.write("\\n1 / 0\\n")

        with pytest.raises(ZeroDivisionError):
            fresh_import("kiln", blocked="wave")

        assert vars(package) == before
        assert sys.modules["kiln.core"] is core
        import wave
        """,
    )

    result.assert_outcomes(passed=1)


def test_traceback_of_a_package_that_fails_where_it_is_shows_the_users_own_lines(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
    def test_it(fresh_import):
        with open(package.__file__, "a", encoding="utf-8") as file:
            file.write("\\nimport kiln.broken\\n")
        with open(package.__path__[0] + "/broken.py", "w", encoding="utf-8") as file:
            file.write("1 / 0\\n")
        fresh_import("kiln")
        """,
        "--tb=short",
    )

    result.assert_outcomes(failed=1)
    places = [line.partition(": in ") for line in result.outlines if ": in " in line]
    assert [where for _, _, where in places] == ["test_it", "<module>", "<module>"]


@pytest.mark.parametrize(
    ("blocked", "error"), [("kiln", "ValueError"), ("kiln.shelf", "ModuleNotFoundError")]
)
def test_package_that_is_blocked_itself_cannot_be_imported(
    pytester: pytest.Pytester, blocked: str, error: str
) -> None:
    result = run(
        pytester,
        f"""
    def test_it(fresh_import):
        with pytest.raises({error}):
            fresh_import("kiln.shelf", blocked={blocked!r})
        assert sys.modules["kiln.shelf"] is shelf
        """,
    )

    result.assert_outcomes(passed=1)


def test_test_module_itself_is_refused(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    def test_it(import_sandbox):
        for call in (import_sandbox.evict, import_sandbox.fresh_import):
            with pytest.raises(ValueError, match="can be neither evicted nor blocked"):
                call(__name__)
        """,
    )

    result.assert_outcomes(passed=1)


def test_conftest_file_inside_the_package_stays(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        **{
            "kiln/conftest": """
        import sys

        import pytest


        @pytest.fixture
        def conftest():
            return sys.modules[__name__]
        """
        }
    )

    result = run(
        pytester,
        """
    def test_it(fresh_import, conftest):
        fresh_import("kiln")
        assert sys.modules[conftest.__name__] is conftest
        assert sys.modules["kiln"] is package
        """,
    )

    result.assert_outcomes(passed=1)
