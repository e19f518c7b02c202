"""The import state after an isolated test, however the test treats it and however it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from textwrap import dedent

import pytest

TORTURE = """
    import json, string, textwrap  # So that they are there to be taken away.
    import sys
    from types import ModuleType

    import pytest


    touched = []


    class Hostile:
        __hash__ = None

        def refuse(self, *args):
            touched.append(args)
            raise AssertionError("foreign code was called")

        __eq__ = __ne__ = __bool__ = __len__ = __repr__ = __getattr__ = __delattr__ = refuse


    def torture():
        sys.modules["added"] = ModuleType("added")
        sys.modules["hostile"] = Hostile()
        sys.modules["nothing"] = None
        sys.modules["json"] = Hostile()
        sys.modules["string"] = ModuleType("string")
        del sys.modules["textwrap"]
        del sys.modules["pytest"]
        sys.modules["os"] = sys.modules.pop("os")
        for name in ("path", "meta_path", "path_hooks"):
            getattr(sys, name).append(Hostile())
            getattr(sys, name).reverse()
            setattr(sys, name, getattr(sys, name)[1:])
        sys.path_importer_cache["nowhere"] = None
        sys.path_importer_cache = {}
        sys.modules = dict(reversed(sys.modules.items()))
        sys.modules["late"] = Hostile()


    @pytest.fixture
    def broken_setup():
        torture()
        raise OSError("setup")


    @pytest.fixture
    def broken_teardown():
        yield
        torture()
        raise OSError("teardown")


    @pytest.fixture
    def late_torture():
        yield
        torture()
"""

Observe = Callable[..., tuple[pytest.RunResult, str]]


@pytest.mark.parametrize(
    ("test", "outcomes"),
    [
        pytest.param("def test_it(): torture()", {"passed": 1}, id="passes"),
        pytest.param("def test_it(): torture(); assert sys is None", {"failed": 1}, id="fails"),
        pytest.param("def test_it(broken_setup): pass", {"errors": 1}, id="error in setup"),
        pytest.param(
            "def test_it(broken_teardown): pass", {"passed": 1, "errors": 1}, id="error in teardown"
        ),
        pytest.param("def test_it(late_torture): pass", {"passed": 1}, id="changes in teardown"),
        pytest.param("def test_it(): torture(); pytest.skip('enough')", {"skipped": 1}, id="skip"),
        pytest.param("def test_it(): torture(); pytest.xfail('enough')", {"xfailed": 1}, id="xfail"),
        pytest.param("def test_it(): torture(); sys.exit(3)", {"failed": 1}, id="sys.exit"),
    ],
)
def test_is_as_before_when_the_test(observe: Observe, test: str, outcomes: dict[str, int]) -> None:
    suite = dedent(TORTURE) + "@pytest.mark.observed\n@pytest.mark.isolated_imports\n" + test

    result, differences = observe(suite)

    assert differences == "none"
    result.assert_outcomes(**outcomes)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        pytest.param("pytest.exit('enough', returncode=7)", 7, id="pytest.exit"),
        pytest.param("raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED, id="KeyboardInterrupt"),
    ],
)
def test_is_as_before_when_the_run_is_ended_by(observe: Observe, ending: str, status: int) -> None:
    suite = dedent(TORTURE) + dedent(
        f"""
        @pytest.mark.observed
        @pytest.mark.isolated_imports
        def test_it():
            torture()
            {ending}
        """
    )

    result, differences = observe(suite)

    assert differences == "none"
    assert result.ret == status


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer, which Windows lacks")
def test_is_as_before_when_a_time_limit_stops_the_test(observe: Observe) -> None:
    suite = dedent(TORTURE) + dedent(
        """
        import signal


        def stop(*args):
            raise TimeoutError("time limit")


        @pytest.mark.observed
        @pytest.mark.isolated_imports
        def test_it():
            signal.signal(signal.SIGALRM, stop)
            torture()
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while True:
                pass
        """
    )

    result, differences = observe(suite)

    assert differences == "none"
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TimeoutError: time limit"])


def test_hostile_objects_that_were_there_before_stay_untouched(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    # coverage looks for files in all entries of `sys.path`.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    suite = dedent(TORTURE) + dedent(
        """
        sys.modules["hostile"] = sys.modules["package.hostile"] = Hostile()
        sys.path.append(Hostile())


        @pytest.mark.observed
        @pytest.mark.isolated_imports
        def test_it(fresh_import):
            fresh_import("json")
            torture()


        def test_afterwards(import_sandbox):
            assert type(sys.modules["hostile"]) is Hostile
            assert str(import_sandbox.changes()) == "no changes"
            assert touched == []
        """
    )

    result, differences = observe(suite, "-p", "no:assertion")

    assert differences == "none"
    result.assert_outcomes(passed=2)


def test_tests_that_each_import_another_module_of_the_same_name(pytester: pytest.Pytester) -> None:
    """https://github.com/pytest-dev/pytest/issues/10854"""
    pytester.makepyfile(
        """
        import sys

        import pytest

        pytestmark = pytest.mark.isolated_imports


        def test_one(tmp_path):
            tmp_path.joinpath("foo.py").write_text("NAME = 'one'", encoding="utf-8")
            sys.path.insert(0, str(tmp_path))
            import foo

            assert foo.NAME == "one"


        def test_two(tmp_path, monkeypatch):
            tmp_path.joinpath("foo.py").write_text("NAME = 'two'", encoding="utf-8")
            monkeypatch.syspath_prepend(tmp_path)
            import foo

            assert foo.NAME == "two"


        @pytest.mark.isolated_imports(False)
        def test_neither_is_left():
            assert "foo" not in sys.modules
            with pytest.raises(ModuleNotFoundError):
                import foo
        """
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=3)


def test_reloaded_module_has_its_names_back(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        settings="""
        import os

        CHANGED = os.environ.get("CHANGED", "no")
        if CHANGED == "no":
            DELETED_BY_THE_MODULE = DELETED_BY_THE_TEST = True
        else:
            del DELETED_BY_THE_MODULE
            ADDED = True
        """,
        test_it="""
        import importlib

        import settings

        before = dict(vars(settings))


        def test_isolated(import_sandbox, monkeypatch):
            monkeypatch.setenv("CHANGED", "yes")
            importlib.reload(settings)
            assert settings.CHANGED == "yes" and settings.ADDED
            assert not hasattr(settings, "DELETED_BY_THE_MODULE")
            del settings.DELETED_BY_THE_TEST


        def test_afterwards():
            assert list(vars(settings)) == list(before)
            assert all(vars(settings)[name] is before[name] for name in before)
        """,
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)


def test_modules_that_react_to_being_looked_at_are_not_looked_at(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        **{
            "lazy/__init__": "",
            "lazy/sub": "import touched; touched.names.append(__name__)",
            "lazy_module": "import touched; touched.names.append(__name__)",
            "asked/__init__": "import touched; __getattr__ = touched.names.append",
            "asked/sub": "import touched; __getattr__ = touched.names.append",
            "touched": "names = []",
            "test_it": """
            import sys
            from importlib.machinery import PathFinder
            from importlib.util import LazyLoader, find_spec, module_from_spec

            import pytest

            import asked, asked.sub, lazy, touched


            def import_lazily(name):
                spec = find_spec(name)
                spec.loader = LazyLoader(spec.loader)
                module = sys.modules[name] = module_from_spec(spec)
                spec.loader.exec_module(module)
                return module


            modules = [import_lazily("lazy_module"), import_lazily("lazy.sub")]


            def test_collection_looked_at_what_it_found():
                touched.names.clear()


            @pytest.mark.parametrize("number", range(100))
            def test_isolated(number, fresh_import, import_sandbox, temp_package):
                temp_package("late", "import touched; touched.names.append(__name__)")
                import_lazily("late")
                fresh_import("asked.sub")
                import_sandbox.changes()
                if number % 2:
                    sys.meta_path[:] = [PathFinder]
                    sys.modules = dict(sys.modules)


            def test_afterwards():
                assert [type(module).__name__ for module in modules] == ["_LazyModule"] * 2
                assert touched.names == []
            """,
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=102)


@pytest.mark.parametrize(
    "second_portion",
    [
        "sys.path.insert(0, str(tmp_path))",
        "sys.path.append(str(tmp_path)); ns.__path__",
        "temp_package('ns', {'second.py': ''}, namespace=True)",
        "ns.__path__ = [*ns.__path__, str(tmp_path / 'ns')]",
        "ns.__path__.append(str(tmp_path / 'ns'))",
    ],
)
def test_namespace_package_has_one_portion_again(pytester: pytest.Pytester, second_portion: str) -> None:
    pytester.makepyfile(
        **{
            "ns/first": "",
            "test_it": f"""
            import importlib
            import sys

            import pytest

            import ns.first

            before = ns.__path__, list(ns.__path__), dict(vars(ns)), sys.modules["ns"]


            @pytest.mark.parametrize("number", range(3))
            def test_isolated(number, import_sandbox, temp_package, tmp_path):
                tmp_path.joinpath("ns").mkdir()
                tmp_path.joinpath("ns", "second.py").touch()
                {second_portion}
                importlib.import_module("ns.second")
                assert len(list(ns.__path__)) == 2


            def test_afterwards():
                assert sys.modules["ns"] is before[3]
                assert list(ns.__path__) == before[1]
                assert ns.__path__ is before[0]
                assert not hasattr(ns, "second")
                with pytest.raises(ModuleNotFoundError, match="ns.second"):
                    importlib.import_module("ns.second")
            """,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=4)


def test_preserved_and_forgotten_modules_leave_sys_modules_alike(observe: Observe) -> None:
    result, differences = observe(
        """
        import sys

        import pytest

        pytestmark = [pytest.mark.observed, pytest.mark.isolated_imports]
        seen = []


        def test_one(temp_package):
            temp_package("forgotten")
            import forgotten, wave
            seen.extend([forgotten, wave])


        def test_two(temp_package):
            temp_package("forgotten")
            import forgotten, wave
            assert wave is seen[1]
            assert forgotten is not seen[0]
        """
    )

    assert differences == "none\nnone"
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("fake", ["sys", "json", "array", "pytest", "types.ModuleType('package')"])
def test_fake_of_one_test_is_unknown_to_the_next(pytester: pytest.Pytester, fake: str) -> None:
    pytester.makepyfile(
        f"""
        import array
        import importlib
        import json
        import sys
        import types

        import pytest


        @pytest.mark.isolated_imports
        def test_fake():
            sys.modules["package"] = {fake}
            sys.modules["package.sub"] = {fake}


        def test_not_installed(import_sandbox):
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module("package")
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module("package.sub")


        def test_real(temp_package):
            temp_package("package", "NUMBER = 1")
            assert importlib.import_module("package").NUMBER == 1
        """
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)
