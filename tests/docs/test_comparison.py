"""Every cell of the table in docs/comparison.md, found out by running the tool in question.

A row of the table is a case: a small test file in which `test_during` runs with the tool and `test_after`
looks at what is left. The cell is a ✓ if all of the file passes. A column is a tool: a conftest file that
says how to use it. Where the tool has no means of its own for what a case does, a fixture does it by hand,
and the cell has the letter of that fixture. All cases of a tool are one inner run; a fixture puts the import
state back between them, by hand.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="the inner runs are processes")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "comparison.md"

LIBRARY = {
    "shop/__init__.py": "",
    "shop/settings.py": "import os\nCURRENCY = os.environ.get('SHOP_CURRENCY', 'EUR')\n",
    "shop/backend/__init__.py": "from shop.backend import fast\n",
    "shop/backend/fast.py": "",
    "shop/helper.py": "",
    "shop/broken.py": "import shop.helper\n1 / 0\n",
    "shop/gadget.py": "class Gadget:\n    pass\n",
    "shop_lazy.py": "",
    "portion/shop_plugins/card.py": "",
    "another_portion/shop_plugins/cash.py": "",
}

COMMON = """
    import importlib
    import os
    import sys
    from pathlib import Path
    from types import SimpleNamespace

    import pytest

    LIBRARY = Path(__file__).parent
    sys.path[:0] = [str(LIBRARY), str(LIBRARY / "portion")]
    # A process that the tool starts inherits it.
    os.environ.setdefault("PROCESS_OF_THE_RUN", str(os.getpid()))

    @pytest.fixture(scope="module", autouse=True)
    def world():
        registries = ("path", "meta_path", "path_hooks")
        saved = {name: (getattr(sys, name), list(getattr(sys, name))) for name in registries}
        modules, contents, cached = sys.modules, sys.modules.copy(), set(sys.path_importer_cache)
        import shop.backend.fast
        import shop.settings
        import shop_plugins

        yield SimpleNamespace(
            shop=shop,
            settings=shop.settings,
            fast=shop.backend.fast,
            plugins=shop_plugins,
            path=sys.path,
            library=LIBRARY,
            seen=[],
        )
        for name, (registry, entries) in saved.items():
            registry[:] = entries
            setattr(sys, name, registry)
        sys.modules = modules
        for name in modules.keys() - contents.keys():
            if name.partition(".")[0] in ("shop", "shop_lazy", "shop_plugins", "shop_written", "wave"):
                del modules[name]
        for entry in sys.path_importer_cache.keys() - cached:
            del sys.path_importer_cache[entry]

    @pytest.fixture
    def again():
        def by_hand(name):
            sys.modules.pop(name, None)
            return importlib.import_module(name)

        return by_hand

    @pytest.fixture
    def block():
        def by_hand(name):
            sys.modules[name] = None

        return by_hand

    @pytest.fixture
    def write():
        def by_hand(name, source):
            LIBRARY.joinpath(name + ".py").write_text(source, encoding="utf-8")
            os.utime(LIBRARY / (name + ".py"), (1e9, 1e9))
            importlib.invalidate_caches()

        return by_hand

    @pytest.fixture
    def extend_path():
        return lambda entry: sys.path.append(entry)

    @pytest.fixture
    def set_variable():
        return os.environ.__setitem__

    def pytest_collection_modifyitems(items):
        for item in items:
            if item.name.startswith("test_during"):
                item.add_marker(MARKER) if MARKER else item.fixturenames.append("span")

    MARKER = None

    @pytest.fixture
    def span():
        pass
"""


class Tool(NamedTuple):
    """How to use a tool: its modules, and what is special in its conftest file."""

    requires: str | None
    plugin: str | None
    conftest: str


TOOLS = {
    "pytest-importsandbox": Tool(
        None,
        "pytest_importsandbox.plugin",
        """
        MARKER = "isolated_imports"

        @pytest.fixture
        def again(fresh_import):
            return fresh_import

        @pytest.fixture
        def block(import_sandbox):
            return import_sandbox.block

        @pytest.fixture
        def write(temp_package):
            packages = {}

            def write(name, source):
                if name not in packages:
                    packages[name] = temp_package(name)
                packages[name].write("__init__.py", source)
                os.utime(packages[name].path / "__init__.py", (1e9, 1e9))

            return write
        """,
    ),
    "import_helper": Tool(
        "test.support.import_helper",
        None,
        """
        from contextlib import ExitStack

        from test.support import import_helper

        @pytest.fixture
        def span():
            saved = import_helper.modules_setup()
            with import_helper.DirsOnSysPath():
                yield
            import_helper.modules_cleanup(*saved)

        @pytest.fixture
        def again(span):
            return import_helper.import_fresh_module

        @pytest.fixture
        def block(span):
            def block(name):
                # As import_fresh_module(..., blocked=[name]) does.
                import_helper._save_and_remove_modules([name])
                sys.modules[name] = None

            return block

        @pytest.fixture
        def extend_path(span):
            with ExitStack() as stack:
                yield lambda entry: stack.enter_context(import_helper.DirsOnSysPath(entry))
        """,
    ),
    "pytester": Tool(
        None,
        None,
        """
        from _pytest.pytester import SysModulesSnapshot, SysPathsSnapshot

        @pytest.fixture
        def span():
            modules, paths = SysModulesSnapshot(), SysPathsSnapshot()
            yield
            modules.restore()
            paths.restore()
        """,
    ),
    "monkeypatch": Tool(
        None,
        None,
        """
        @pytest.fixture
        def again(monkeypatch):
            def again(name):
                monkeypatch.delitem(sys.modules, name, raising=False)
                return importlib.import_module(name)

            return again

        @pytest.fixture
        def block(monkeypatch):
            return lambda name: monkeypatch.setitem(sys.modules, name, None)

        @pytest.fixture
        def extend_path(monkeypatch):
            return monkeypatch.syspath_prepend

        @pytest.fixture
        def set_variable(monkeypatch):
            return monkeypatch.setenv
        """,
    ),
    "patch.dict": Tool(
        None,
        None,
        """
        from unittest import mock

        @pytest.fixture
        def span():
            with mock.patch.dict(sys.modules):
                yield
        """,
    ),
    "reload": Tool(
        None,
        None,
        """
        @pytest.fixture
        def again():
            return lambda name: importlib.reload(importlib.import_module(name))
        """,
    ),
    "localimport": Tool(
        "localimport",
        None,
        """
        from localimport import localimport

        @pytest.fixture
        def span():
            with localimport(str(LIBRARY)) as importer:
                yield importer

        @pytest.fixture
        def again(span):
            def again(name):
                span.disable(name)
                return importlib.import_module(name)

            return again

        @pytest.fixture
        def block(span):
            return span.disable
        """,
    ),
    "pytest-forked": Tool(
        "pytest_forked",
        "pytest_forked",
        """
        import pytest_forked

        MARKER = "forked"
        # It can't send on what reports have since pytest 9.2, and calls every test crashed.
        whole = pytest_forked.serialize_report
        pytest_forked.serialize_report = lambda report: {
            name: value for name, value in whole(report).items() if name != "_id"
        } | {"nodeid": report.nodeid}
        """,
    ),
    "pytest-isolated": Tool("pytest_isolated", "pytest_isolated.plugin", "MARKER = 'isolated'"),
}

CASES = {
    "runs the code of a module again": """
        def test_during(again, monkeypatch):
            monkeypatch.setenv("SHOP_CURRENCY", "GBP")

            assert again("shop.settings").CURRENCY == "GBP"
    """,
    "and that of its submodules": """
        def test_during(again, world):
            assert again("shop.backend").fast is not world.fast
    """,
    "an import later in the test finds the new module": """
        import importlib

        def test_during(again):
            new = again("shop.settings")

            assert importlib.import_module("shop.settings") is new
    """,
    "a file rewritten within a second is not stale": """
        def test_during(write, again):
            write("shop_written", "VALUE = 1")
            assert again("shop_written").VALUE == 1

            write("shop_written", "VALUE = 2")

            assert again("shop_written").VALUE == 2
    """,
    "a blocked package is missing with its submodules": """
        import importlib

        def test_during(block):
            block("shop.backend")

            try:
                found = importlib.import_module("shop.backend.fast")
            except ImportError:
                found = None
            assert found is None
    """,
    "an import that fails leaves nothing behind": """
        import sys

        def test_during(again):
            try:
                again("shop.broken")
            except ZeroDivisionError:
                pass

            assert "shop.helper" not in sys.modules
    """,
    "the old module keeps its contents": """
        def test_during(again, monkeypatch):
            monkeypatch.setenv("SHOP_CURRENCY", "GBP")
            again("shop.settings")

        def test_after(world):
            assert world.settings.CURRENCY == "EUR"
    """,
    "the old module is back in `sys.modules`": """
        import sys

        def test_during(again):
            again("shop.settings")

        def test_after(world):
            assert sys.modules["shop.settings"] is world.settings
    """,
    "and on its package": """
        def test_during(again):
            again("shop.settings")

        def test_after(world):
            assert world.shop.settings is world.settings
    """,
    "other modules that were imported are gone": """
        import sys

        def test_during():
            import wave

        def test_after():
            assert "wave" not in sys.modules
    """,
    "a reload in the test is undone": """
        import importlib

        def test_during(monkeypatch):
            monkeypatch.setenv("SHOP_CURRENCY", "GBP")
            importlib.reload(importlib.import_module("shop.settings"))

        def test_after(world):
            assert world.settings.CURRENCY == "EUR"
    """,
    "an entry that the test adds to `sys.path` is gone": """
        import sys

        def test_during(extend_path):
            extend_path("somewhere")
            assert "somewhere" in sys.path

        def test_after():
            assert "somewhere" not in sys.path
    """,
    "and one that the code under test adds": """
        import sys

        def test_during():
            sys.path.append("somewhere")

        def test_after():
            assert "somewhere" not in sys.path
    """,
    "also if it was another list": """
        import sys

        def test_during():
            sys.path = [*sys.path, "somewhere"]

        def test_after(world):
            assert sys.path is world.path
            assert "somewhere" not in sys.path
    """,
    "`sys.meta_path` is put back": """
        import sys

        class Finder:
            def find_spec(self, name, path, target=None):
                return None

        def test_during():
            sys.meta_path.append(Finder())

        def test_after():
            assert not any(type(finder).__name__ == "Finder" for finder in sys.meta_path)
    """,
    "`sys.path_hooks` is put back": """
        import sys

        def hook(path):
            raise ImportError

        def test_during():
            sys.path_hooks.append(hook)

        def test_after():
            assert hook not in sys.path_hooks
    """,
    "`sys.path_importer_cache` is put back": """
        import pkgutil
        import sys

        def test_during(tmp_path):
            pkgutil.get_importer(str(tmp_path))

        def test_after(tmp_path):
            assert not [entry for entry in sys.path_importer_cache if "test_during" in entry]
    """,
    "a namespace package loses a portion again": """
        import sys

        def test_during(world):
            sys.path.append(str(world.library / "another_portion"))
            list(world.plugins.__path__)  # It looks at sys.path when it is used.

        def test_after(world):
            assert len(world.plugins.__path__) == 1
    """,
    "the standard library stays one": """
        def test_during_first(world):
            import wave

            world.seen.append(wave.Error)

        def test_during_second(world):
            import wave

            assert all(error is wave.Error for error in world.seen)
    """,
    "numpy works in test after test": """
        import pytest

        @pytest.mark.parametrize("time", ["first", "second"])
        def test_during(time):
            try:
                import numpy
                result = numpy.mean([1, 2, 3])
            except ImportError:
                result = None

            assert result == 2
    """,
    "`sys.modules` is never empty for other threads": """
        import sys

        import pytest

        class Watched(dict):
            cleared = False

            def clear(self):
                self.cleared = True
                super().clear()

        @pytest.fixture(scope="module")
        def modules():
            before, sys.modules = sys.modules, Watched(sys.modules)
            yield sys.modules
            sys.modules = before

        def test_during(modules, again):
            again("shop.settings")

        def test_after(modules):
            assert not modules.cleared
    """,
    "a lazy module stays unloaded": """
        import importlib.util
        import sys

        import pytest

        @pytest.fixture(scope="module")
        def lazy():
            spec = importlib.util.find_spec("shop_lazy")
            spec.loader = importlib.util.LazyLoader(spec.loader)
            module = sys.modules["shop_lazy"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module

        def test_during(lazy, again):
            again("shop.settings")

        def test_after(lazy):
            assert type(lazy).__name__ == "_LazyModule"
    """,
    "an environment variable that the test sets is gone": """
        import os

        def test_during(set_variable):
            set_variable("SHOP_CLOSED", "yes")
            assert os.environ["SHOP_CLOSED"] == "yes"

        def test_after():
            assert "SHOP_CLOSED" not in os.environ
    """,
    "and one that the code under test sets": """
        import os

        def test_during():
            os.environ["SHOP_OPEN"] = "yes"

        def test_after():
            assert "SHOP_OPEN" not in os.environ
    """,
    "a thread that the test starts is gone": """
        import threading

        def test_during():
            threading.Thread(target=threading.Event().wait, name="waits", daemon=True).start()

        def test_after():
            assert "waits" not in [thread.name for thread in threading.enumerate()]
    """,
    "a module-scoped fixture stays usable": """
        import pytest

        @pytest.fixture(scope="module")
        def gadget():
            from shop.gadget import Gadget

            return Gadget()

        def test_during(request):
            request.getfixturevalue("gadget")

        def test_after(gadget):
            from shop.gadget import Gadget

            assert isinstance(gadget, Gadget)
    """,
    "and is set up once": """
        import pytest

        @pytest.fixture(scope="module")
        def counted(world):
            with world.library.joinpath("count.txt").open("a", encoding="utf-8") as file:
                file.write("1")

        def test_during_first(counted):
            pass

        def test_during_second(counted):
            pass

        def test_after(world):
            assert world.library.joinpath("count.txt").read_text(encoding="utf-8") == "1"
    """,
    "a test runs in the process of the run": """
        import os

        def test_during():
            assert os.environ["PROCESS_OF_THE_RUN"] == str(os.getpid())
    """,
    "nothing is needed but Python and pytest": """
        import os
        import sys

        def test_during():
            package = os.environ["PACKAGE_OF_THE_TOOL"]

            assert package in {"", "pytest", "test", *sys.stdlib_module_names}
    """,
}

# The fixtures that do by hand what a tool has no means for, and their letters in the table.
BY_HAND = {"again": "ᵃ", "block": "ᵇ", "write": "ᶜ", "extend_path": "ᵈ", "set_variable": "ᵉ"}


def cells() -> dict[tuple[str, str], str]:
    """The cells of the first table by case and tool."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    lines = lines[next(number for number, line in enumerate(lines) if line.startswith("|")) :]
    lines = list(takewhile(lambda line: line.startswith("|"), lines))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    tools = [header.strip("`") for header in rows[0][1:]]
    return {(row[0], tool): cell for row in rows[2:] for tool, cell in zip(tools, row[1:], strict=True)}


CELLS = cells()


def by_hand(case: str, tool: str) -> str:
    """The letters of what a case does by hand, since the tool has no means for it."""
    arguments = {
        name.strip()
        for listed in re.findall(r"def test_\w+\((.*)\)", CASES[case])
        for name in listed.split(",")
    }
    return "".join(
        letter
        for name, letter in BY_HAND.items()
        if name in arguments and f"def {name}(" not in TOOLS[tool].conftest
    )


def cell(case: str, tool: str, passed: bool) -> str:
    return ("✓" if passed else "✗") + by_hand(case, tool)


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bool]]:
    """What a tool can do: whether each case passes, worked out once for each tool."""

    @functools.cache
    def verdicts(tool: str) -> dict[str, bool]:
        return run_all_cases(TOOLS[tool], tmp_path_factory.mktemp("comparison"))

    return verdicts


def run_all_cases(tool: Tool, directory: Path) -> dict[str, bool]:
    """Run the cases in one process, and read from the report which passed."""
    files = [f"test_case_{number}.py" for number in range(len(CASES))]
    sources = dict(zip(files, CASES.values(), strict=True))
    sources["conftest.py"] = textwrap.dedent(COMMON) + textwrap.dedent(tool.conftest)
    for name, source in (LIBRARY | sources).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # The tool alone, without whatever else is installed.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment["PACKAGE_OF_THE_TOOL"] = (tool.requires or tool.plugin or "").partition(".")[0]
    plugin = ["-p", tool.plugin] if tool.plugin else []
    command = [sys.executable, "-m", "pytest", *plugin, "--junitxml=report.xml"]
    result = subprocess.run(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    outcomes: dict[str, list[bool]] = {file: [] for file in files}
    for test in ET.parse(directory / "report.xml").iter("testcase"):
        failure = test.find("failure")
        # Anything but a failed assertion is a fault of the case.
        assert test.find("error") is None, result.stdout
        assert failure is None or "AssertionError" in ET.tostring(failure, "unicode"), result.stdout
        outcomes[f"{test.attrib['classname'].rpartition('.')[2]}.py"].append(failure is None)
    assert all(outcomes.values()), result.stdout
    return {case: all(outcomes[file]) for case, file in zip(CASES, files, strict=True)}


def test_table_has_all_cases_and_tools() -> None:
    assert list(CELLS) == [(case, tool) for case in CASES for tool in TOOLS]


@pytest.mark.parametrize(("case", "tool"), CELLS)
def test_cell_says_what_the_tool_does(
    case: str, tool: str, verdicts: Callable[[str], dict[str, bool]]
) -> None:
    if tool == "pytest-forked" and not hasattr(os, "fork"):
        pytest.skip("pytest-forked needs os.fork")
    if requires := TOOLS[tool].requires:
        pytest.importorskip(requires)
    if "numpy" in case and importlib.util.find_spec("numpy") is None:
        pytest.skip("numpy is not installed")

    passed = verdicts(tool)[case]

    assert CELLS[case, tool] == cell(case, tool, passed)


if __name__ == "__main__":
    # Print the table as it should be.
    import tempfile

    results = {tool: run_all_cases(TOOLS[tool], Path(tempfile.mkdtemp())) for tool in TOOLS}
    print("| |", " | ".join(f"`{tool}`" for tool in TOOLS), "|")
    print("| --- |" + " :-: |" * len(TOOLS))
    for case in CASES:
        print("|", case, "|", " | ".join(cell(case, tool, results[tool][case]) for tool in TOOLS), "|")
