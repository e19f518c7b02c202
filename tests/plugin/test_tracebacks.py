"""What an error looks like: the user's own lines, and none of this plugin or of the import machinery."""

from __future__ import annotations

from textwrap import indent

import pytest


def places(pytester: pytest.Pytester, body: str, *fixtures: str) -> list[str]:
    """Run a test that fails, and return the files and lines in its traceback."""
    pytester.makepyfile(
        **{
            "package/__init__": "",
            "package/broken": "import package.worse",
            "package/worse": "raise OSError('broken')",
            "package/no_syntax": "this is no Python",
            "package/needy": "import not_installed",
            "test_it": f"def test_it({', '.join(fixtures)}):\n{indent(body, '    ')}",
        }
    )
    result = pytester.runpytest("--tb=short")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    return [line.partition(": in ")[0] for line in result.outlines if ": in " in line]


@pytest.mark.parametrize(
    ("body", "modules"),
    [
        pytest.param("fresh_import('package.worse')", ["worse.py:1"], id="module raises"),
        pytest.param(
            "fresh_import('package.broken')", ["broken.py:1", "worse.py:1"], id="module of module raises"
        ),
        pytest.param("fresh_import('package.no_syntax')", [], id="module has no syntax"),
        pytest.param("fresh_import('package.needy')", ["needy.py:1"], id="module needs another"),
        pytest.param("fresh_import('not_installed')", [], id="not installed"),
        pytest.param("fresh_import('package.missing')", [], id="no such submodule"),
        pytest.param("fresh_import('package.worse', blocked='package')", [], id="parent is blocked"),
        pytest.param("fresh_import('package', blocked='package')", [], id="blocks itself"),
        pytest.param("fresh_import('.sub')", [], id="relative name without package"),
        pytest.param("fresh_import(3)", [], id="no name"),
        pytest.param("fresh_import('')", [], id="empty name"),
        pytest.param("fresh_import('sys')", [], id="the run stands on it"),
        pytest.param("fresh_import('package', blocked=3)", [], id="bad argument"),
    ],
)
def test_fresh_import(pytester: pytest.Pytester, body: str, modules: list[str]) -> None:
    lines = places(pytester, body, "fresh_import")

    package = pytester.path / "package"
    assert lines == ["test_it.py:2", *(str((package / each).relative_to(pytester.path)) for each in modules)]


@pytest.mark.parametrize(
    "body",
    [
        "import_sandbox.evict('sys')",
        "import_sandbox.evict(3)",
        "import_sandbox.block('pytest')",
        "import_sandbox.block('.relative')",
        "import_sandbox.__enter__()",
        "import_sandbox.__exit__(None, None, None); import_sandbox.changes()",
        "import_sandbox.block('package'); import package.sub",
        "import_sandbox.block('package.sub'); import package.sub.sub",
        "import_sandbox.block('package.sub'); from package.sub.sub import name",
        "import_sandbox.temp_package('no-name')",
        "import_sandbox.temp_package('package', 3)",
        "import_sandbox.temp_package('package', {'../file': ''})",
        "import_sandbox.temp_package('package', {'file': 3})",
        "import_sandbox.temp_package('package').write('/absolute', '')",
        "import_sandbox.temp_package('package', {'sub/file': ''}).write('sub', '')",
        "import_sandbox.temp_package('package').remove('../file')",
        "import pytest_importsandbox; pytest_importsandbox.ImportSandbox(preserve=3)",
        "import pytest_importsandbox; pytest_importsandbox.ImportSandbox().fresh_import('json')",
    ],
)
def test_error_in(pytester: pytest.Pytester, body: str) -> None:
    lines = places(pytester, body, "import_sandbox")

    assert lines == ["test_it.py:2"]


def test_wider_fixture_that_raises(pytester: pytest.Pytester) -> None:
    test = """
        import pytest


        @pytest.fixture(scope="module")
        def broken():
            raise OSError("broken")


        @pytest.mark.isolated_imports({isolated})
        def test_it(request):
            request.getfixturevalue("broken")
    """
    pytester.makepyfile(test_isolated=test.format(isolated=True), test_plain=test.format(isolated=False))

    results = [pytester.runpytest("--tb=short", f"test_{each}.py") for each in ("isolated", "plain")]

    isolated, plain = (
        [line.partition(":")[2] for line in result.outlines if ": in " in line] for result in results
    )
    assert isolated == plain


def test_frames_are_there_with_full_trace(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(fresh_import): fresh_import('not_installed')")

    result = pytester.runpytest("--full-trace")

    result.stdout.fnmatch_lines(["*importlib_bootstrap.py:*: ModuleNotFoundError"])
