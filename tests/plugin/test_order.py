"""When the sandbox opens and closes, among the fixtures of a test."""

from __future__ import annotations

from textwrap import dedent

import pytest

RECORDER = """
    def record(where):
        try:
            import blocked
        except ModuleNotFoundError:
            print(f"{where}: inside")
        else:
            print(f"{where}: outside")
"""

FIXTURES = """
    import pytest

    from recorder import record

    MARKER = pytest.mark.isolated_imports(blocked="blocked")


    @pytest.fixture(scope="session", autouse=True)
    def session():
        record("session setup")
        yield
        record("session teardown")


    @pytest.fixture(scope="module")
    def module(session):
        record("module setup")
        yield
        record("module teardown")


    @pytest.fixture(autouse=True)
    def autouse():
        record("autouse setup")
        yield
        record("autouse teardown")


    @pytest.fixture
    def function(request):
        record("function setup")
        request.addfinalizer(lambda: record("finalizer"))
        yield
        record("function teardown")


"""


def recorded(pytester: pytest.Pytester, test: str) -> list[str]:
    """Run one test and return what it recorded."""
    pytester.makepyfile(recorder=RECORDER, blocked="", test_it=dedent(FIXTURES) + dedent(test))
    result = pytester.runpytest("-s")
    result.assert_outcomes(passed=1)
    places = (line.rpartition("test_it.py ")[2].lstrip(".") for line in result.outlines)
    return [place for place in places if place.endswith((": inside", ": outside"))]


@pytest.mark.parametrize(
    "test",
    [
        pytest.param(
            """
            @MARKER
            def test_it(function, module):
                record("test")
            """,
            id="arguments",
        ),
        pytest.param(
            """
            @MARKER
            @pytest.mark.usefixtures("function", "module")
            def test_it():
                record("test")
            """,
            id="usefixtures",
        ),
        pytest.param(
            """
            @MARKER
            @pytest.mark.usefixtures("function", "module")
            class TestIt:
                def test_it(self):
                    record("test")
            """,
            id="class",
        ),
        pytest.param(
            """
            pytestmark = [MARKER, pytest.mark.usefixtures("function", "module")]

            def test_it():
                record("test")
            """,
            id="module",
        ),
        pytest.param(
            """
            @MARKER
            def test_it(function, module, import_sandbox):
                record("test")
            """,
            id="marker and fixture",
        ),
        pytest.param(
            """
            @MARKER
            @pytest.mark.parametrize("number", [1])
            def test_it(number, function, module):
                record("test")
            """,
            id="parametrized",
        ),
    ],
)
def test_sandbox_spans_all_function_scoped_fixtures_and_no_others(
    pytester: pytest.Pytester, test: str
) -> None:
    assert recorded(pytester, test) == [
        "session setup: outside",
        "module setup: outside",
        "autouse setup: inside",
        "function setup: inside",
        "test: inside",
        "function teardown: inside",
        "finalizer: inside",
        "autouse teardown: inside",
        "module teardown: outside",
        "session teardown: outside",
    ]


def test_fixture_that_uses_ours_opens_the_sandbox_before_all_function_scoped_ones(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        @pytest.fixture(scope="module", autouse=True)
        def module():
            sys.path.append("module")


        @pytest.fixture(autouse=True)
        def autouse():
            sys.path.append("autouse")


        @pytest.fixture
        def function():
            sys.path.append("function")


        @pytest.fixture
        def application(fresh_import):
            return fresh_import("json")


        def test_it(function, application, import_sandbox):
            assert import_sandbox.changes().path == ("+autouse", "+function")
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)


def test_fixture_that_is_requested_in_the_test_opens_the_sandbox_there(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys


        def test_it(request):
            sys.path.append("before")
            fresh_import = request.getfixturevalue("fresh_import")
            sys.path.append("after")
            assert fresh_import("json") is sys.modules["json"] is not json


        def test_afterwards():
            assert sys.path[-1] == "before"
            assert sys.modules["json"] is json


        import json
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_all_fixtures_of_a_test_share_one_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        def test_it(import_sandbox, temp_package, fresh_import):
            temp_package("package")
            module = fresh_import("package")

            assert "package" in import_sandbox.changes().added
            assert import_sandbox.changes().path
            assert fresh_import.__self__ is import_sandbox
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)


def test_setup_methods_of_a_test_class(pytester: pytest.Pytester) -> None:
    test = """
        def setup_module():
            record("setup_module")


        def teardown_module():
            record("teardown_module")


        @MARKER
        class TestIt:
            @classmethod
            def setup_class(cls):
                record("setup_class")

            @classmethod
            def teardown_class(cls):
                record("teardown_class")

            def setup_method(self):
                record("setup_method")

            def teardown_method(self):
                record("teardown_method")

            def test_it(self):
                record("test")
    """

    places = recorded(pytester, test)

    assert [place for place in places if place.startswith(("setup_", "test:", "teardown_"))] == [
        "setup_module: outside",
        "setup_class: outside",
        "setup_method: inside",
        "test: inside",
        "teardown_method: inside",
        "teardown_class: outside",
        "teardown_module: outside",
    ]


def test_monkeypatch_undoes_its_changes_inside_of_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import json
        import sys

        import pytest


        @pytest.mark.isolated_imports
        def test_it(monkeypatch, tmp_path):
            monkeypatch.syspath_prepend(tmp_path)
            monkeypatch.setitem(sys.modules, "json", None)
            monkeypatch.delitem(sys.modules, "json.decoder")
            monkeypatch.setattr(sys, "path", [])


        def test_afterwards(import_sandbox):
            assert sys.modules["json"] is json
            assert sys.modules["json.decoder"] is json.decoder
            assert str(import_sandbox.changes()) == "no changes"
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_sandbox_of_a_test_without_fixtures_spans_the_hooks_of_its_call(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys

        import pytest


        @pytest.hookimpl(trylast=True)
        def pytest_runtest_setup():
            sys.path.append("setup")


        def pytest_runtest_call():
            sys.path.append("call")


        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_teardown():
            sys.path.append("teardown")
        """
    )
    pytester.makepyfile(
        """
        import sys

        import pytest


        @pytest.mark.isolated_imports
        def test_isolated():
            assert sys.path[-2:] == ["setup", "call"]


        def test_afterwards():
            assert sys.path.count("setup") == 1
            assert "teardown" not in sys.path
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("name", ["import_sandbox", "fresh_import", "temp_package"])
def test_marked_test_is_isolated_whatever_the_users_fixtures_are_called(
    pytester: pytest.Pytester, name: str
) -> None:
    pytester.makepyfile(
        f"""
        import sys

        import pytest


        @pytest.fixture
        def {name}():
            sys.path.append("left by the fixture")
            return "the user's own"


        @pytest.mark.isolated_imports(blocked="wave")
        def test_isolated({name}):
            assert {name} == "the user's own"
            with pytest.raises(ModuleNotFoundError):
                import wave
            sys.path.append("left by the test")


        def test_nothing_is_left():
            assert not [entry for entry in sys.path if entry.startswith("left by")]


        def test_not_isolated({name}):
            pass


        def test_what_is_not_isolated_is_left():
            assert "left by the fixture" in sys.path
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


def test_fixture_that_overrides_ours_and_builds_on_it_opens_the_sandbox_before_all_others(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import sys

        import pytest


        @pytest.fixture(autouse=True)
        def autouse():
            sys.path.append("autouse")


        @pytest.fixture
        def import_sandbox(import_sandbox):
            import_sandbox.block("wave")
            return import_sandbox


        def test_it(import_sandbox):
            assert import_sandbox.changes().path == ("+autouse",)
            with pytest.raises(ModuleNotFoundError):
                import wave
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("requested", ["as an argument", "in the middle"])
def test_sandbox_closes_with_its_test_although_a_teardown_raises_system_exit(
    pytester: pytest.Pytester, requested: str
) -> None:
    argument, request = {
        "as an argument": ("import_sandbox, cli", "pass"),
        "in the middle": ("request", "[request.getfixturevalue(each) for each in ('import_sandbox', 'cli')]"),
    }[requested]
    pytester.makepyfile(
        f"""
        import sys

        import pytest


        @pytest.fixture
        def cli():
            yield
            sys.exit(3)


        def test_exits({argument}):
            {request}
            sys.modules["left"] = sys


        def test_not_isolated():
            assert "left" not in sys.modules
            sys.modules["wanted"] = sys


        @pytest.mark.isolated_imports
        def test_isolated():
            assert "wanted" in sys.modules
            sys.modules["left"] = sys


        def test_last():
            assert "wanted" in sys.modules
            assert "left" not in sys.modules
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=4, errors=1)


def test_sandbox_of_an_interrupted_test_closes_although_a_teardown_raises_system_exit(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        @pytest.fixture
        def cli():
            yield
            sys.exit(3)


        @pytest.mark.isolated_imports
        def test_it(cli):
            sys.modules["left"] = sys
            raise KeyboardInterrupt
        """,
        script="""
        import sys

        import pytest

        try:
            pytest.main(["test_it.py"])
        except SystemExit:
            pass
        assert "left" not in sys.modules
        """,
    )

    result = pytester.runpython("script.py")

    assert result.ret == 0


def test_teardown_that_the_debugger_delays_is_inside_of_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest

        import pytest


        @pytest.mark.isolated_imports
        class TestIt(unittest.TestCase):
            def test_it(self):
                pass

            def tearDown(self):
                sys.path.append("left")


        def test_afterwards():
            assert "left" not in sys.path
        """
    )

    result = pytester.runpytest_subprocess("--pdb")

    result.assert_outcomes(passed=2)
