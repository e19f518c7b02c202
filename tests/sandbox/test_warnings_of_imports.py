"""Whom a warning about an import is for, if the import is a fresh one.

This file is not named after the module that it tests: `warnings` would take it for a part of import as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_importsandbox import ImportSandbox

Write = Callable[[Mapping[str, str]], Path]
DEPRECATED = "import warnings\nwarnings.warn('the module is deprecated', DeprecationWarning, stacklevel=2)\n"


def warned(act: Callable[[], object]) -> tuple[str, int]:
    """The file and the line that the one warning is attributed to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    (warning,) = caught
    return warning.filename, warning.lineno


@pytest.mark.parametrize("name", ["old", "pkg.old"])
def test_warning_of_a_module_is_attributed_to_the_line_that_imports_it_afresh(
    name: str, write_modules: Write
) -> None:
    write_modules({"old.py": DEPRECATED, "pkg/__init__.py": "", "pkg/old.py": DEPRECATED})

    with ImportSandbox() as sandbox:
        importing = warned(lambda: sandbox.fresh_import(name))

    assert importing == (__file__, importing_line())


def importing_line() -> int:
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(source, 1) if "importing = warned(" in line)


def test_warning_of_a_module_is_attributed_to_the_module_that_imports_it(write_modules: Write) -> None:
    directory = write_modules({"old.py": DEPRECATED, "user.py": "\nimport old\n"})

    with ImportSandbox() as sandbox:
        attributed = warned(lambda: sandbox.fresh_import("user"))

    assert attributed == (str(directory / "user.py"), 2)


def test_summary_of_pytest_names_the_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    pytester.makepyfile(old=DEPRECATED)
    pytester.makepyfile(
        """
        def test_old(fresh_import):
            fresh_import("old")
        """
    )

    result = pytester.runpytest_subprocess("-p", "importsandbox")

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*test_summary_of_pytest_names_the_test.py:2: DeprecationWarning: *"])
