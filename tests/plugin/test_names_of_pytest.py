"""What pytest does not promise to keep: whether it is still there, and still does what this package needs.

The plugin takes no part. So this tells what has changed also where it can't be loaded any more:
python -m pytest -p no:importsandbox tests/plugin/test_names_of_pytest.py
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from _pytest import junitxml, outcomes


@pytest.fixture(autouse=True)
def _without_this_plugin(_this_plugin_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")


class Observed:
    """A plugin that notes what the test of it is about."""

    def __init__(self) -> None:
        self.found: list[Any] = []


# Configuration


@pytest.mark.parametrize("mode", ["rewrite", "plain"])
def test_rewrite_hook_is_the_finder_that_rewrites_assertions(mode: str, pytester: pytest.Pytester) -> None:
    class Plugin(Observed):
        def pytest_configure(self, config: pytest.Config) -> None:
            hook = config.pluginmanager.rewrite_hook
            self.found.append(any(each is hook for each in sys.meta_path))

    plugin = Plugin()
    pytester.inline_run(f"--assert={mode}", plugins=[plugin])

    assert plugin.found == [mode == "rewrite"], (
        "config.pluginmanager.rewrite_hook is not what pytest has put on sys.meta_path"
    )


def test_options_are_known_before_the_conftest_files_are_loaded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        inkhorn="""
        found = []

        def pytest_addoption(parser):
            parser.addoption("--ink")

        def pytest_load_initial_conftests(early_config):
            found.append(early_config.known_args_namespace.ink)
        """
    )
    pytester.syspathinsert()

    pytester.parseconfig("-p", "inkhorn", "--ink=blue")

    assert sys.modules["inkhorn"].found == ["blue"], (
        "config.known_args_namespace does not have the options before the conftest files are loaded"
    )


# Fixtures


def test_closest_definition_of_a_fixture_is_the_last_one(pytester: pytest.Pytester) -> None:
    item: Any = pytester.getitem(
        """
        import pytest

        @pytest.fixture
        def tmp_path(tmp_path):
            return tmp_path

        def test_it(tmp_path):
            pass
        """,
        "test_it",
    )

    assert "tmp_path" in item.fixturenames, (
        "item.fixturenames does not have the fixtures that a test requests"
    )
    definitions = item._fixtureinfo.name2fixturedefs["tmp_path"]
    assert [each.func.__module__ for each in definitions] == ["_pytest.tmpdir", item.module.__name__], (
        "item._fixtureinfo.name2fixturedefs does not have the definitions of a fixture, the closest last"
    )
    assert definitions[-1].argnames == ("tmp_path",), "argnames is not what a fixture requests"


def test_fixture_tells_its_name_and_the_file_that_defines_it(pytester: pytest.Pytester) -> None:
    class Plugin(Observed):
        def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
            self.found.append((fixturedef.argname, fixturedef.baseid))

    source = """
        import pytest

        @pytest.fixture
        def {}():
            pass
        """
    pytester.makeconftest(source.format("of_conftest"))
    pytester.makepyfile(
        source.format("of_file") + "\n        def test_it(of_conftest, of_file):\n            pass"
    )
    plugin = Plugin()
    pytester.inline_run(plugins=[plugin])

    assert [name for name, _ in plugin.found] == ["of_conftest", "of_file"], (
        "the argname of a fixture is not its name"
    )
    (_, of_conftest), (_, of_file) = plugin.found
    assert of_file.endswith(".py"), "the baseid of a fixture is not the file that defines it"
    assert not of_conftest.endswith(".py"), "the baseid of a fixture of a conftest file is not its directory"


OF_MODULE = """
def {}():
    pass

def test_it():
    pass
"""
OF_CLASS = """
import unittest

class TestIt({}):
    @classmethod
    def {}(cls):
        pass

    def test_it(self):
        pass
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (OF_MODULE.format("setup_module"), "setup_module_fixture"),
        (OF_MODULE.format("setUpModule"), "setup_module_fixture"),
        (OF_CLASS.format("", "setup_class"), "setup_class_fixture"),
        (OF_CLASS.format("unittest.TestCase", "setUpClass"), "setUpClass_fixture"),
    ],
    ids=["setup_module", "setUpModule", "setup_class", "setUpClass"],
)
def test_fixture_that_pytest_makes_of_a_function_is_named_after_that(
    source: str, expected: str, pytester: pytest.Pytester
) -> None:
    class Plugin(Observed):
        def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
            self.found.append(fixturedef.argname)

    pytester.makepyfile(source)
    plugin = Plugin()
    pytester.inline_run(plugins=[plugin])

    assert [name for name in plugin.found if expected in name], (
        f"no fixture has a name with {expected!r}, but there are {plugin.found}"
    )


def test_finalizers_of_a_fixture_run_in_reverse_order_and_its_own_among_them(
    pytester: pytest.Pytester,
) -> None:
    class Plugin(Observed):
        @pytest.hookimpl(wrapper=True)
        def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
            fixturedef.addfinalizer(partial(self.found.append, "added before"))
            try:
                return (yield)
            finally:
                fixturedef.addfinalizer(partial(self.found.append, "added after"))

    plugin = Plugin()
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def its_own(pytestconfig):
            yield
            pytestconfig.pluginmanager.get_plugin("observed").found.append("its own")

        def test_it(its_own):
            pass
        """
    )

    class Registering:
        def pytest_configure(self, config: pytest.Config) -> None:
            config.pluginmanager.register(plugin, "observed")

    pytester.inline_run(plugins=[Registering()])

    assert plugin.found[:3] == ["added after", "its own", "added before"], (
        "the finalizers that are added around pytest_fixture_setup do not run around that of the fixture"
    )


# Tests and collectors


def test_setup_and_teardown_that_are_put_on_a_node_are_called(pytester: pytest.Pytester) -> None:
    class Plugin(Observed):
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            for node in items[0].listchain()[1:]:
                for name in ("setup", "teardown"):
                    setattr(node, name, partial(self.note, type(node), name, getattr(node, name)))

        def note(self, kind: type, name: str, function: Callable[[], None]) -> None:
            self.found.append((kind, name))
            function()

    pytester.makepyfile("def test_it():\n    pass")
    plugin = Plugin()
    pytester.inline_run(plugins=[plugin]).assertoutcome(passed=1)

    kinds = [pytest.Dir, pytest.Module, pytest.Function]
    assert plugin.found == [
        *((kind, "setup") for kind in kinds),
        *((kind, "teardown") for kind in reversed(kinds)),
    ], "the setup and the teardown that a plugin puts on a test or a collector are not called"


def test_repr_failure_that_is_put_on_a_test_is_called_and_takes_sections(pytester: pytest.Pytester) -> None:
    class Plugin:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            items[0].repr_failure = partial(self.repr_failure, items[0].repr_failure)

        def repr_failure(self, original: Callable[[Any], Any], excinfo: pytest.ExceptionInfo[Any]) -> Any:
            report = original(excinfo)
            report.addsection("inkhorn", f"told of {excinfo.value}")
            return report

    pytester.makepyfile("def test_it():\n    raise ValueError('ink')")

    result = pytester.runpytest_inprocess(plugins=[Plugin()])

    assert "told of ink" in result.outlines, (
        "the repr_failure of a test is not called, or what it returns has no addsection()"
    )


def test_frames_of_a_traceback_have_their_code_and_variables() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        1 / 0  # noqa: B018
    frame = raised.traceback[-1].frame

    assert frame.code.raw is sys._getframe().f_code, "frame.code.raw of a traceback entry is not the code"
    assert frame.f_globals is globals(), "frame.f_globals of a traceback entry are not the global variables"


def test_assertion_keeps_what_it_has_computed_in_variables(pytester: pytest.Pytester) -> None:
    class Plugin(Observed):
        def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
            if call.excinfo is not None:
                variables = call.excinfo.traceback[-1].frame.f_locals
                self.found += (value for name, value in variables.items() if name.startswith("@py_assert"))

    pytester.makepyfile("def test_it():\n    assert isinstance(str(55), int)")
    plugin = Plugin()
    pytester.inline_run(plugins=[plugin])

    assert "55" in plugin.found, "a rewritten assertion has no variables @py_assert with what it has computed"


def test_between_an_assertion_and_its_explanation_are_frames_of_pytest_alone(
    pytester: pytest.Pytester,
) -> None:
    class Plugin(Observed):
        def pytest_assertrepr_compare(self) -> None:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_globals["__name__"].partition(".")[0] in (
                "_pytest",
                "pluggy",
            ):
                frame = frame.f_back
            self.found.append(frame and frame.f_code.co_name)

    pytester.makepyfile("def test_it():\n    assert 1 == 2")
    plugin = Plugin()
    pytester.inline_run(plugins=[plugin])

    assert plugin.found == ["test_it"], (
        "pytest_assertrepr_compare is called by others than pytest, pluggy and the test"
    )


# Modules


def test_module_that_pytest_makes_up_for_a_directory_can_be_told(pytester: pytest.Pytester) -> None:
    source = """
        import sys

        def test_it(record_property):
            module = sys.modules["inkhorn"]
            record_property("doc", module.__doc__)
            record_property("name", module.__spec__ and module.__spec__.name)
    """
    pytester.mkdir("inkhorn").joinpath("test_it.py").write_text(textwrap.dedent(source), encoding="utf-8")

    report = pytester.inline_run("--import-mode=importlib").matchreport("test_it", when="call")

    made_up = dict(report.user_properties)
    # pytest 8.0 makes an empty module; later ones import the directory.
    assert made_up["name"] == "inkhorn" or made_up["doc"].startswith("Empty module created by pytest"), (
        "a module that pytest makes up for a directory is neither imported under its name, nor says in its "
        f"__doc__ what it is: {made_up}"
    )


# Reports


def test_failure_can_be_made_a_class_of_ones_own() -> None:
    assert outcomes.Failed is pytest.fail.Exception, (
        "pytest.fail() raises something else than outcomes.Failed"
    )


def test_report_of_junit_takes_properties_of_the_run(pytester: pytest.Pytester) -> None:
    class Plugin:
        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish(self, session: pytest.Session) -> None:
            session.config.stash[junitxml.xml_key].add_global_property("ink", "blue")

    pytester.makepyfile("def test_it():\n    pass")

    pytester.inline_run("--junitxml=report.xml", plugins=[Plugin()])

    report = pytester.path.joinpath("report.xml").read_text(encoding="utf-8")
    assert '<property name="ink" value="blue"' in report, (
        "the report of JUnit is not under junitxml.xml_key, or has no add_global_property()"
    )


def test_report_carries_what_is_put_on_it_to_another_process(pytestconfig: pytest.Config) -> None:
    report: Any = pytest.TestReport("test_it", ("", None, ""), {}, "passed", None, "call")
    report.ink = ["blue", {"and": "red"}]
    hook = pytestconfig.hook

    data = hook.pytest_report_to_serializable(config=pytestconfig, report=report)
    found = hook.pytest_report_from_serializable(config=pytestconfig, data=data)

    assert getattr(found, "ink", None) == report.ink, "a report loses the attributes that are put on it"
