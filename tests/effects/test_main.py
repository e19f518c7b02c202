"""The command line: ``python -m pytest_importsandbox``."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects
from pytest_importsandbox.__main__ import main

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")

Run = Callable[..., tuple[int, str, str]]

SOURCES = {
    "inkhorn": "import inkhorn.formats, os\nos.environ['INKHORN'] = '1'",
    "inkhorn__formats": "import colorsys\nimport threading\nthreading.Thread(target=int).start()",
}
OPTIONS = (
    "--against",
    "--blocked",
    "--fail-on",
    "--json",
    "--max-growth",
    "--max-seconds",
    "--not",
    "--sort",
    "--svg",
    "--timeout",
    "--tree",
)


@pytest.fixture
def run(write: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: the exit status, and what it wrote."""
    write(**SOURCES)

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as exc:
            status = int(str(exc.code))
        return status, *capsys.readouterr()

    return run


def test_report_is_printed(run: Run) -> None:
    status, out, err = run("inkhorn")

    assert (status, err) == (0, "")
    assert out.startswith("import inkhorn: ")
    assert "\nenviron\n  INKHORN added: 1  (inkhorn/__init__.py:2)\n" in out


def test_tree_is_printed_in_the_order_of_loads_or_of_times(run: Run) -> None:
    _, out, _ = run("inkhorn", "--tree")
    _, by_time, _ = run("inkhorn", "--tree", "--sort", "time")

    assert "inkhorn.formats  (inkhorn/__init__.py:1)" in out.partition("\npackages\n")[2]
    assert "inkhorn.formats  (inkhorn/__init__.py:1)" in by_time.partition("\npackages\n")[2]


def test_json_is_printed_instead(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("inkhorn", "--json")

    assert status == 0
    assert json.loads(out)["names"] == ["inkhorn"]
    (tmp_path / "effects.json").write_text(out, encoding="utf-8")
    assert ImportEffects.load(tmp_path / "effects.json").chain("colorsys")


def test_flame_graph_is_written(run: Run, tmp_path: Path) -> None:
    run("inkhorn", "--svg", str(tmp_path / "import.svg"))

    picture = ElementTree.parse(tmp_path / "import.svg").getroot()
    titles = [str(title.text) for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("inkhorn.formats: ") for title in titles)


def test_several_modules_are_imported_in_turn(run: Run) -> None:
    assert run("inkhorn.formats", "inkhorn")[1].startswith("import inkhorn.formats, inkhorn: ")


def test_blocked_packages_look_as_if_they_were_not_installed(run: Run) -> None:
    status, out, err = run("inkhorn", "--blocked", "colorsys,xml")

    # Python 3.15 has words of its own for what belongs to the standard library.
    missing = ModuleNotFoundError("No module named 'colorsys'", name="colorsys")
    line = "".join(traceback.format_exception_only(missing))
    assert status == 1
    assert f"\n  {line}" in out
    assert err == f"FAILED: the import failed: {line}"


def test_script_is_imported_like_a_module(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my-script.py").write_text(
        "import my_part\nif __name__ == '__main__':\n    import colorsys\n", encoding="utf-8"
    )
    (tmp_path / "my_part.py").write_text("", encoding="utf-8")

    status, out, _ = run(str(tmp_path / "my-script.py"), "--not", "colorsys")

    assert status == 0
    assert out.startswith("import my-script: 2 modules in ")


@pytest.mark.parametrize(
    ("arguments", "failure"),
    [
        (["--fail-on", "environ,cwd"], "environ: <INKHORN added: 1 (inkhorn/__init__.py:2)>"),
        (["--fail-on", "cwd", "--fail-on", "environ"], "environ: <INKHORN added: 1 (inkhorn/__init__.py:2)>"),
        (
            ["--not", "wave,colorsys"],
            "colorsys is loaded: inkhorn -> inkhorn.formats (inkhorn/formats.py:1) -> colorsys",
        ),
        (["--max-seconds", "0.000001"], "the import took "),
    ],
)
def test_check_that_fails_is_told_and_the_exit_status_is_1(
    run: Run, arguments: list[str], failure: str
) -> None:
    status, _, err = run("inkhorn", *arguments)

    assert status == 1
    assert err.startswith(f"FAILED: {failure}")
    assert len(err.splitlines()) == 1


def test_exit_status_is_0_if_all_checks_pass(run: Run) -> None:
    assert run("inkhorn", "--fail-on", "cwd,network", "--not", "wave", "--max-seconds", "60")[0] == 0


def test_import_that_takes_too_long_fails(run: Run, write: Callable[..., Path]) -> None:
    write(slow="import time; time.sleep(600)")

    status, _, err = run("slow", "--timeout", "2")

    assert status == 1
    assert err == "FAILED: the import failed: the import was not over after 2 seconds while importing slow\n"


def test_nothing_is_new_since_a_moment_ago(run: Run, tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text(run("inkhorn", "--json")[1], encoding="utf-8")

    status, out, err = run("inkhorn", "--against", str(tmp_path / "before.json"))

    assert (status, err) == (0, "")
    assert "import inkhorn: 0 modules in " in out


def test_what_is_new_is_shown_and_the_exit_status_is_1(
    run: Run, write: Callable[..., Path], tmp_path: Path
) -> None:
    before = tmp_path / "before.json"
    before.write_text(run("inkhorn", "--json")[1], encoding="utf-8")
    source = f"{SOURCES['inkhorn']}\nimport new\nos.environ['MORE'] = '1'"
    write(inkhorn=source, inkhorn__sub="", new="")

    status, out, err = run("inkhorn", "--against", str(before))

    assert status == 1
    assert "  MORE added: 1  (inkhorn/__init__.py:4)\n" in out
    assert "INKHORN" not in out
    assert err == (
        f"FAILED: there is something new since {before}: <ImportEffects of inkhorn: 1 modules, 1 environ>\n"
    )


def test_growth_of_a_share_is_shown_and_fails_if_that_is_asked_for(
    run: Run, write: Callable[..., Path], tmp_path: Path
) -> None:
    write(shop="import shop_one, shop_two", shop_one="import time; time.sleep(0.2)", shop_two="")
    before = tmp_path / "before.json"
    before.write_text(run("shop", "--json")[1], encoding="utf-8")
    write(shop_two="import time; time.sleep(1)")

    status, out, err = run("shop", "--against", str(before))
    strict, _, failures = run("shop", "--against", str(before), "--max-growth", "5")

    assert (status, err) == (0, "")
    assert "  shop_two: " in out
    assert strict == 1
    assert failures.startswith("FAILED: shop_two: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: NAME"),
        (["1x"], "'1x' is not the name of a module"),
        (["missing/script.py"], "there is no script 'missing/script.py'"),
        (["some/thing"], "there is no script 'some/thing'"),
        (["inkhorn", "--blocked", "1x"], "--blocked: '1x' is not the name of a module"),
        (["inkhorn", "--not", "1x"], "--not: '1x' is not the name of a module"),
        (["inkhorn", "--fail-on", "ink"], "'ink' is none of files_read, "),
        (["inkhorn", "--timeout", "soon"], "'soon' is not a positive number"),
        (["inkhorn", "--max-seconds", "0"], "'0' is not a positive number"),
        (["inkhorn", "--against", "missing.json"], "missing.json"),
    ],
)
def test_wrong_command_line_is_told_and_the_exit_status_is_2(
    run: Run, arguments: list[str], message: str
) -> None:
    status, out, err = run(*arguments)

    assert (status, out) == (2, "")
    assert message in " ".join(err.split())


def test_help_tells_of_every_option(run: Run) -> None:
    status, out, _ = run("--help")

    assert status == 0
    assert out.startswith("usage: python -m pytest_importsandbox ")
    for option in OPTIONS:
        assert f"  {option} " in out


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_report_is_coloured_for_a_terminal_unless_that_is_not_wanted(
    run: Run, monkeypatch: pytest.MonkeyPatch, terminal: bool, no_color: str, coloured: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)

    assert ("\x1b[" in run("inkhorn")[1]) is coloured


def test_package_is_a_command(tmp_path: Path) -> None:
    (tmp_path / "inkhorn.py").write_text("print('text')", encoding="utf-8")

    result = subprocess.run(
        [sys.executable, "-m", "pytest_importsandbox", "inkhorn", "--fail-on", "stdout"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )

    assert result.returncode == 1
    assert result.stdout.startswith("import inkhorn: 1 module in ")
    assert result.stderr == "FAILED: stdout: <text\\n written (inkhorn.py)>\n"
