"""Fixtures that outlive the isolated test that is their first user."""

from __future__ import annotations

import pytest

# Some releases of pytest-asyncio ask for an option that others do not know.
WITHOUT_SCOPE = 'ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset'

SCOPES = ["class", "module", "package", "session"]
REQUESTED = pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param("thing", "thing", id="requested directly"),
        pytest.param("request", "request.getfixturevalue('thing')", id="getfixturevalue"),
    ],
)


@pytest.fixture(autouse=True)
def _library(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        **{
            "library/__init__": "",
            "library/things": "class Thing: pass",
            "library/more": "from library.things import Thing",
        }
    )


@pytest.mark.parametrize("scope", SCOPES)
@REQUESTED
def test_classes_of_a_wider_fixture_stay_the_same(
    pytester: pytest.Pytester, argument: str, value: str, scope: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import sys

        import pytest


        @pytest.fixture(scope="{scope}")
        def thing():
            from library.things import Thing
            return Thing()


        class TestAll:
            @pytest.mark.isolated_imports
            def test_first(self, {argument}):
                value = {value}
                from library.things import Thing
                assert isinstance(value, Thing)

            @pytest.mark.isolated_imports
            def test_isolated(self, thing, temp_package):
                temp_package("other")
                import other
                from library.things import Thing
                assert isinstance(thing, Thing)

            def test_not_isolated(self, thing):
                import library
                from library.more import Thing
                assert isinstance(thing, Thing)
                assert library.things is sys.modules["library.things"]
                assert "other" not in sys.modules
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_fixture_requested_in_the_middle_sees_none_of_the_tests_imports(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import importlib
        import sys

        import pytest

        import library.things


        @pytest.fixture(scope="module")
        def seen():
            return {
                "fake": "fake" in sys.modules,
                "blocked": sys.modules["library.things"] is not library.things,
                "path": "somewhere" in sys.path,
            }


        @pytest.mark.isolated_imports(blocked="library.things")
        def test_isolated(request, import_sandbox):
            sys.modules["fake"] = sys
            sys.path.insert(0, "somewhere")

            assert not any(request.getfixturevalue("seen").values())
            assert "fake" in sys.modules
            assert sys.path[0] == "somewhere"
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module("library.things")
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)


def test_changes_of_a_wider_fixture_outlive_the_test_until_its_teardown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                return None


        @pytest.fixture(scope="module")
        def plugins(tmp_path_factory):
            directory = tmp_path_factory.mktemp("plugins")
            directory.joinpath("late_plugin.py").touch()
            sys.path.insert(0, str(directory))
            sys.meta_path.append(Finder)
            sys.path_hooks.append(Finder)
            yield str(directory)
            sys.path.remove(str(directory))
            sys.meta_path.remove(Finder)
            sys.path_hooks.remove(Finder)


        @pytest.mark.isolated_imports
        def test_isolated(plugins):
            sys.path.append("somewhere")
            import late_plugin


        def test_afterwards(plugins):
            assert plugins == sys.path[0]
            assert "somewhere" not in sys.path
            assert sys.meta_path[-1] is sys.path_hooks[-1] is Finder
            assert "late_plugin" not in sys.modules
            import late_plugin
        """,
        test_other="""
        import sys


        def test_last():
            assert not any("plugins" in entry for entry in sys.path)
            assert "Finder" not in [getattr(finder, "__name__", None) for finder in sys.meta_path]
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


@REQUESTED
def test_what_a_wider_fixture_removes_stays_removed(
    pytester: pytest.Pytester, argument: str, value: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import sys

        import pytest

        import library.things

        SPARE = "spare"
        sys.path.append(SPARE)


        @pytest.fixture(scope="module")
        def thing():
            del sys.modules["library.things"], library.things
            sys.path.remove(SPARE)


        @pytest.mark.isolated_imports
        def test_isolated({argument}):
            {value}


        def test_afterwards():
            assert SPARE not in sys.path
            assert "library.things" not in sys.modules
            assert "things" not in vars(library)
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_wider_fixtures_that_request_one_another(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        @pytest.fixture(scope="session")
        def base():
            from library.things import Thing
            return Thing


        @pytest.fixture(scope="module")
        def derived(base, request):
            request.getfixturevalue("other")
            import library.more
            assert library.more.Thing is base
            return library.more


        @pytest.fixture(scope="package")
        def other():
            sys.path.append("other")


        @pytest.mark.isolated_imports
        def test_isolated(request):
            sys.path.append("isolated")
            derived = request.getfixturevalue("derived")
            assert derived.Thing is request.getfixturevalue("base")
            assert {"isolated", "other"} < set(sys.path)


        def test_afterwards(base, derived):
            assert sys.modules["library.more"] is derived
            assert sys.modules["library.things"].Thing is base
            assert sys.path[-1] == "other"
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_parametrized_wider_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        flavour_a="class Flavour: pass",
        flavour_b="class Flavour: pass",
        test_it="""
        import importlib
        import sys

        import pytest


        @pytest.fixture(scope="module", params=["a", "b"])
        def flavour(request):
            sys.path.append(f"flavour {request.param}")
            yield importlib.import_module(f"flavour_{request.param}").Flavour()
            sys.path.remove(f"flavour {request.param}")


        @pytest.mark.isolated_imports
        def test_isolated(flavour):
            pass


        def test_afterwards(flavour, request):
            name = request.node.callspec.params["flavour"]
            assert isinstance(flavour, importlib.import_module(f"flavour_{name}").Flavour)
            assert [entry for entry in sys.path if "flavour" in entry] == [f"flavour {name}"]


        @pytest.mark.isolated_imports
        def test_isolated_again(flavour, request):
            test_afterwards(flavour, request)
        """,
        test_last="""
        import sys


        def test_nothing_is_left():
            assert not [entry for entry in sys.path if "flavour" in entry]
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=7)


def test_wider_fixture_that_raises_leaves_the_sandbox_in_order(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        @pytest.fixture(scope="module")
        def broken():
            import library.things
            raise OSError("broken")


        @pytest.mark.isolated_imports
        def test_isolated(request, temp_package):
            temp_package("package")
            import package
            with pytest.raises(OSError, match="broken"):
                request.getfixturevalue("broken")
            assert sys.modules["package"] is package
            assert "library.things" in sys.modules


        def test_afterwards():
            assert "package" not in sys.modules
            assert "library.things" in sys.modules


        @pytest.mark.isolated_imports
        def test_error(broken):
            pass


        def test_last(import_sandbox):
            assert not import_sandbox.changes()
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3, errors=1)


def test_module_that_the_test_imported_before_the_wider_fixture(pytester: pytest.Pytester) -> None:
    """Both have their own: the test's is forgotten, the fixture's stays."""
    pytester.makepyfile(
        test_it="""
        import pytest


        @pytest.fixture(scope="module")
        def thing():
            from library.things import Thing
            return Thing()


        @pytest.mark.isolated_imports
        def test_isolated(request):
            import library.things
            thing = request.getfixturevalue("thing")
            from library.things import Thing
            assert isinstance(thing, Thing)


        @pytest.mark.isolated_imports
        def test_isolated_again(thing):
            from library.things import Thing
            assert isinstance(thing, Thing)


        def test_afterwards(thing):
            import library
            from library.things import Thing
            assert isinstance(thing, Thing)
            assert isinstance(thing, library.things.Thing)
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_nested_sandbox_while_a_wider_fixture_is_set_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest

        from pytest_importsandbox import ImportSandbox


        @pytest.fixture(scope="module")
        def thing():
            with ImportSandbox() as sandbox:
                sandbox.fresh_import("library.more")
            from library.things import Thing
            return Thing()


        @pytest.mark.isolated_imports
        def test_isolated(request):
            with ImportSandbox() as inner:
                sys.modules["fake"] = sys
                thing = request.getfixturevalue("thing")
                assert inner.changes().added == ("fake",)
            assert "fake" not in sys.modules
            assert sys.modules["library.things"].Thing is type(thing)


        def test_afterwards(thing):
            assert sys.modules["library.things"].Thing is type(thing)
            assert "library.more" not in sys.modules
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("change", "meanwhile", "inside"),
    [
        pytest.param("del library.things", "pass", "None", id="nothing"),
        pytest.param("pass", "pass", "sys.modules['library.things']", id="a copy"),
        pytest.param("pass", "library.things = None", "sys.modules['library.things']", id="still a copy"),
    ],
)
def test_package_has_in_the_test_what_it_had_before_the_wider_fixture(
    pytester: pytest.Pytester, change: str, meanwhile: str, inside: str
) -> None:
    pytester.makepyfile(
        test_it=f"""
        import importlib
        import sys

        import pytest

        import library.things


        @pytest.fixture(scope="module")
        def thing():
            {meanwhile}


        @pytest.mark.isolated_imports
        def test_isolated(request):
            del sys.modules["library.things"]
            importlib.import_module("library.things")
            {change}
            request.getfixturevalue("thing")
            assert vars(library).get("things") is {inside}
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)


def test_method_of_a_finder_that_a_wider_fixture_replaces_outlives_a_nested_sandbox(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        test_it="""
        from importlib.machinery import PathFinder

        import pytest

        from pytest_importsandbox import ImportSandbox


        class Other:
            @classmethod
            def find_distributions(cls, context=None):
                return []


        def method_of(finder):
            return vars(finder)["find_distributions"]


        @pytest.fixture(scope="module")
        def others():
            usual = method_of(PathFinder)
            PathFinder.find_distributions = method_of(Other)
            yield
            PathFinder.find_distributions = usual


        @pytest.mark.isolated_imports
        def test_isolated(request):
            with ImportSandbox():
                request.getfixturevalue("others")
                del PathFinder.find_distributions
            assert method_of(PathFinder) is method_of(Other)


        def test_afterwards(others):
            assert method_of(PathFinder) is method_of(Other)
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_teardown_of_a_wider_fixture_is_outside_of_the_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import sys

        import pytest


        @pytest.fixture(scope="class")
        def late():
            yield
            sys.path.append("late")
            import library.things


        class TestIt:
            @pytest.mark.isolated_imports
            def test_isolated(self, late):
                sys.path.append("early")


        def test_afterwards():
            assert sys.path[-1] == "late"
            assert "library.things" in sys.modules
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_async_wider_fixture(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(
        test_it="""
        import pytest
        import pytest_asyncio


        @pytest_asyncio.fixture(scope="module")
        async def thing():
            from library.things import Thing
            return Thing()


        @pytest_asyncio.fixture(scope="module")
        async def things():
            from library.more import Thing
            yield [Thing()]


        @pytest.mark.asyncio
        @pytest.mark.isolated_imports
        async def test_isolated(thing, things):
            from library.things import Thing
            assert isinstance(thing, Thing)
            assert isinstance(things[0], Thing)


        def test_afterwards(thing, things):
            from library.things import Thing
            assert isinstance(thing, Thing)
            assert isinstance(things[0], Thing)
        """,
    )

    result = pytester.runpytest_subprocess("-p", "asyncio", "-W", WITHOUT_SCOPE)

    result.assert_outcomes(passed=2)


def test_wider_fixture_of_anyio(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    pytester.makepyfile(
        test_it="""
        import pytest

        pytestmark = pytest.mark.anyio


        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"


        @pytest.fixture(scope="module")
        async def thing(anyio_backend):
            from library.things import Thing
            yield Thing()


        @pytest.mark.isolated_imports
        async def test_isolated(thing):
            from library.things import Thing
            assert isinstance(thing, Thing)


        async def test_afterwards(thing):
            from library.things import Thing
            assert isinstance(thing, Thing)
        """,
    )

    result = pytester.runpytest_subprocess("-p", "anyio")

    result.assert_outcomes(passed=2)
