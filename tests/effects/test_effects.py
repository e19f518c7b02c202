"""`import_effects`: its arguments, its errors, and the interpreter that it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_importsandbox import ImportEffects, import_effects

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")

Observe = Callable[..., ImportEffects]
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param({"name": 5}, TypeError, "name must be the name of a module", id="name"),
        pytest.param(
            {"name": [5]}, TypeError, "name must hold names of modules as str, not int: 5", id="names"
        ),
        pytest.param({"name": ()}, ValueError, "name must hold at least one name", id="no name"),
        pytest.param({"name": ".sub"}, ValueError, "'.sub' is not the name of a module", id="relative"),
        pytest.param({"blocked": 5}, TypeError, "blocked must be the name of a module", id="blocked"),
        pytest.param({"args": "-O"}, TypeError, "args must be a sequence of str, not '-O'", id="args"),
        pytest.param({"args": [5]}, TypeError, "args must hold str alone, not int: 5", id="arg"),
        pytest.param({"env": ["A"]}, TypeError, "env must be a mapping of names to values", id="env"),
        pytest.param({"env": {"A": 5}}, TypeError, "env must hold str alone, not int: 5", id="value"),
        pytest.param({"timeout": "1"}, TypeError, "timeout must be a number of seconds, not '1'", id="text"),
        pytest.param(
            {"timeout": True}, TypeError, "timeout must be a number of seconds, not True", id="bool"
        ),
        pytest.param(
            {"timeout": 0}, ValueError, "timeout must be a positive number of seconds, not 0", id="zero"
        ),
    ],
)
def test_wrong_argument_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        import_effects(**{"name": "json", **arguments})


def test_import_of_this_process_is_left_alone(write: Write) -> None:
    write(inkhorn="import os; os.environ['INKHORN'] = '1'")

    import_effects("inkhorn")

    assert "inkhorn" not in sys.modules
    assert "INKHORN" not in os.environ


def test_search_path_is_that_of_this_process_as_it_is_now(write: Write) -> None:
    write(inkhorn="import sys; print(*sys.path, sep='\\n')")

    effects = import_effects("inkhorn")

    assert effects.stdout[0].what.splitlines() == sys.path


def test_entries_of_the_search_path_that_are_no_text_are_passed_over(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(inkhorn="")
    monkeypatch.setattr(sys, "path", [Path("somewhere"), *sys.path])

    assert not import_effects("inkhorn").path


def test_several_names_are_imported_in_turn(write: Write) -> None:
    write(first="", second="import first, third", third="")

    effects = import_effects(["first", "second"])

    assert effects.names == ("first", "second")
    assert [module.name for module in effects.modules] == ["first", "third", "second"]


def test_interpreter_has_the_flags_of_this_one_and_those_given(effects_of: Observe) -> None:
    effects = effects_of("import sys; print(sys.flags.optimize, sys.flags.safe_path)", args=("-O", "-P"))

    assert effects.stdout[0].what == "1 True\n"


def test_environment_is_that_of_this_process_and_what_is_given(
    effects_of: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKHORN_A", "of the process")
    monkeypatch.setenv("INKHORN_B", "of the process")

    effects = effects_of(
        "import os; print(os.environ['INKHORN_A'], os.environ['INKHORN_B'])", env={"INKHORN_B": "given"}
    )

    assert effects.stdout[0].what == "of the process given\n"
    assert not effects.environ


def test_main_module_and_arguments_tell_nothing_of_the_observer(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import sys
        print(sys.argv, [name for name in vars(sys.modules["__main__"]) if not name.startswith("__")])
        """
    )

    assert effects.stdout[0].what == "['-c'] []\n"


@pytest.mark.parametrize(
    "statement",
    [
        "import numbers",
        "from numbers import Number",
        "import importlib; importlib.import_module('numbers')",
        "__import__('numbers')",
    ],
)
def test_blocked_package_looks_as_if_it_were_not_installed(effects_of: Observe, statement: str) -> None:
    effects = effects_of(
        f"""
        try:
            {statement}
        except ModuleNotFoundError as exc:
            print(exc, exc.name)
        """,
        blocked="numbers",
    )

    assert effects.stdout[0].what == "No module named 'numbers' numbers\n"
    assert not effects.chain("numbers")


def test_blocked_package_has_no_spec(effects_of: Observe) -> None:
    effects = effects_of(
        "from importlib.util import find_spec; print(find_spec('xml'), find_spec('json').name)",
        blocked=["xml", "numbers"],
    )

    assert effects.stdout[0].what == "None json\n"


def test_blocked_module_that_the_interpreter_has_loaded_is_gone(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import encodings
        try:
            import encodings.aliases
        except ModuleNotFoundError:
            print(hasattr(encodings, "aliases"))
        """,
        blocked="encodings.aliases",
    )

    assert effects.stdout[0].what == "False\n"


def test_failure_is_an_import_error_with_the_traceback_and_the_report(write: Write) -> None:
    write(
        inkhorn="import threading, os\nos.environ['INKHORN'] = '1'\nimport inkhorn_sub", inkhorn_sub="1 / 0"
    )

    with pytest.raises(ImportError) as caught:
        import_effects("inkhorn")

    lines = str(caught.value).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "ZeroDivisionError: division by zero" in lines
    assert "  INKHORN added: 1  (inkhorn.py:2)" in lines


def test_traceback_has_no_frames_of_the_observer(effects_of: Observe) -> None:
    effects = effects_of("from inkhorn import sub", sub="1 / 0", check=False)

    files = [line.split('"')[1] for line in effects.error.splitlines() if line.startswith("  File ")]
    assert [Path(file).name for file in files if not file.startswith("<frozen importlib")] == [
        "__init__.py",
        "sub.py",
    ]


def test_failure_is_told_if_it_is_not_to_be_raised(effects_of: Observe) -> None:
    effects = effects_of("import colorsys\n1 / 0", check=False)

    assert effects.error.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "colorsys" in [module.name for module in effects.modules]
    assert "inkhorn" not in [module.name for module in effects.modules]
    assert effects


def test_missing_module_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="No module named 'inkhorn_that_is_not_there'"):
        import_effects("inkhorn_that_is_not_there")


def test_exit_of_the_import_is_a_failure(effects_of: Observe) -> None:
    assert effects_of("raise SystemExit(3)", check=False).error.splitlines()[-1] == "SystemExit: 3"


def test_interpreter_that_does_not_start_is_an_import_error_with_what_it_says() -> None:
    with pytest.raises(ImportError, match=r"the interpreter did not start:\n(?i:unknown) option:? -Y"):
        import_effects("json", args=("-Y",))


def test_import_that_takes_too_long_is_a_timeout_error_with_what_was_seen(write: Write) -> None:
    write(inkhorn="import inkhorn_sub", inkhorn_sub="import os, time\nos.environ['A'] = '1'\ntime.sleep(60)")

    with pytest.raises(TimeoutError) as caught:
        import_effects("inkhorn", timeout=1)

    lines = str(caught.value).splitlines()
    assert lines[0] == "the import was not over after 1 seconds while importing inkhorn_sub (inkhorn.py:1)"
    assert "  A added: 1  (inkhorn_sub.py:2)" in lines


def test_effects_of_lazy_imports_are_those_of_the_modules_that_were_loaded(effects_of: Observe) -> None:
    if sys.version_info < (3, 15):
        pytest.skip("lazy imports are new in Python 3.15")

    effects = effects_of("from inkhorn import sub", sub="print('run')", args=("-X", "lazy_imports=all"))

    assert not effects.stdout
