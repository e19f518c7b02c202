"""A whole run as if some packages were not installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

LIBRARY = {
    "lib/optional/__init__.py": "",
    "lib/optional/sub.py": "",
    "lib/library.py": """
        try:
            import optional
        except ModuleNotFoundError as exc:
            assert exc.name == "optional"
            optional = None
    """,
}
ABSENT = """
    import importlib
    import importlib.util
    import sys

    import pytest

    import library


    def test_absent():
        assert library.optional is None
        assert importlib.util.find_spec("optional") is None
        for name in ("optional", "optional.sub"):
            with pytest.raises(ModuleNotFoundError):
                importlib.import_module(name)
        with pytest.raises(ModuleNotFoundError) as caught:
            from optional import sub
        assert caught.value.name == "optional"
        pytest.importorskip("optional")
"""
NO_NAME = "is not the name of a module; give an absolute dotted name such as 'package.module'"

Write = Callable[[Mapping[str, str]], None]


@pytest.fixture
def write(pytester: pytest.Pytester, write_files: Write) -> Write:
    """Write files, by their paths, beside a library; the directory `lib` is on `sys.path`."""
    pytester.makeini("[pytest]\npythonpath = lib")
    return lambda files: write_files({**LIBRARY, **files})


def assert_usage_error(result: pytest.RunResult, message: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in [*result.errlines, *result.outlines] if line.startswith("ERROR: ")]
    assert lines == [f"ERROR: {message}"]
    result.stdout.no_fnmatch_line("*collected*")
    output = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in output


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--isolated-imports",),
        ("--isolated-modules",),
        ("--isolated-imports", "--isolated-modules"),
        ("--import-mode=importlib",),
    ],
)
def test_package_looks_as_if_it_were_not_installed(
    pytester: pytest.Pytester, write: Write, arguments: tuple[str, ...]
) -> None:
    write({"test_one.py": ABSENT, "test_two.py": ABSENT})

    result = pytester.runpytest("--block-imports=optional", *arguments)

    result.assert_outcomes(skipped=2)


def test_run_without_the_option_is_not_changed(pytester: pytest.Pytester, write: Write) -> None:
    write({"test_one.py": "import optional.sub\ndef test_it(): pass"})

    result = pytester.runpytest()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*blocked imports*")


def test_block_holds_for_the_first_conftest_file(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "conftest.py": """
                import pytest

                import library


                @pytest.fixture(scope="session")
                def in_session():
                    try:
                        import optional
                    except ModuleNotFoundError:
                        return None
                    return optional


                def pytest_configure():
                    assert library.optional is None
            """,
            "test_one.py": "def test_it(in_session):\n    assert in_session is None",
        }
    )

    result = pytester.runpytest("--block-imports", "optional")

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "arguments",
    [("--block-imports=optional,other",), ("--block-imports", "optional", "--block-imports", "other,other")],
)
def test_head_of_the_report_says_what_is_blocked(
    pytester: pytest.Pytester, write: Write, arguments: tuple[str, ...]
) -> None:
    write({"test_one.py": "def test_it(): pass", "lib/other.py": ""})

    result = pytester.runpytest(*arguments)

    result.stdout.fnmatch_lines(["blocked imports: optional, other"])


def test_submodule_alone(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "test_one.py": """
                import pytest

                import optional


                def test_it():
                    with pytest.raises(ImportError):
                        from optional import sub
            """
        }
    )

    result = pytester.runpytest("--block-imports=optional.sub")

    result.assert_outcomes(passed=1)


def test_tests_that_put_up_a_stub_have_it(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "test_one.py": """
                import sys


                def test_it(monkeypatch):
                    monkeypatch.setitem(sys.modules, "optional", "stub")
                    import optional

                    assert optional == "stub"
            """,
            "test_two.py": ABSENT,
        }
    )

    result = pytester.runpytest("--block-imports=optional")

    result.assert_outcomes(passed=1, skipped=1)


def test_who_takes_the_entry_out_of_the_cache_cannot_import_it_either(
    pytester: pytest.Pytester, write: Write
) -> None:
    write(
        {
            "test_one.py": """
                import sys

                import pytest


                def test_it(monkeypatch):
                    monkeypatch.delitem(sys.modules, "optional")
                    with pytest.raises(ModuleNotFoundError):
                        import optional


                def test_fresh_import(fresh_import):
                    import library

                    assert fresh_import("library").optional is None
            """
        }
    )

    result = pytester.runpytest("--block-imports=optional")

    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_workers_of_xdist(pytester: pytest.Pytester, write: Write) -> None:
    pytest.importorskip("xdist")
    write({f"test_{number}.py": ABSENT for number in range(4)})

    result = pytester.runpytest_subprocess("-p", "xdist", "-n2", "--block-imports=optional")

    result.assert_outcomes(skipped=4)


def test_option_may_stand_in_the_configuration(pytester: pytest.Pytester, write: Write) -> None:
    write({"test_one.py": ABSENT})
    pytester.makeini("[pytest]\npythonpath = lib\naddopts = --block-imports=optional")

    result = pytester.runpytest()

    result.assert_outcomes(skipped=1)


def test_plugin_that_a_conftest_file_names_blocks_from_then_on(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-W error")
    write(
        {
            "conftest.py": """
                pytest_plugins = ["pytest_importsandbox.plugin"]


                def pytest_addoption(parser):
                    pass
            """,
            "test_one.py": ABSENT,
        }
    )

    result = pytester.runpytest_subprocess("--block-imports=optional")

    result.assert_outcomes(skipped=1)


METADATA = {
    "lib/optional_thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Optional-Thing\nVersion: 1\n",
    "lib/optional_thing-1.0.dist-info/RECORD": "optional/__init__.py,,\n_optional.py,,\n",
    "lib/optional_thing-1.0.dist-info/entry_points.txt": "[some.group]\nname = optional:main\n",
    "lib/mixed-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mixed\nVersion: 1.0\n",
    "lib/mixed-1.0.dist-info/top_level.txt": "optional\nother\n",
    "lib/edit_able-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Edit-Able\nVersion: 1.0\n",
    "lib/edit_able-1.0.dist-info/RECORD": "__editable__.edit-able.pth,,\nedit_able-1.0.dist-info/RECORD,,\n",
}


def test_distribution_of_which_nothing_can_be_imported_is_not_found(
    pytester: pytest.Pytester, write: Write
) -> None:
    write(
        {
            **METADATA,
            "test_one.py": """
                from importlib.metadata import PackageNotFoundError, distributions, entry_points, version

                import pytest


                @pytest.mark.parametrize("name", ["Optional-Thing", "optional_thing", "edit-able"])
                def test_absent(name):
                    with pytest.raises(PackageNotFoundError):
                        version(name)


                def test_lists():
                    names = {each.name for each in distributions()}
                    assert "mixed" in names and "pytest" in names
                    assert not names & {"Optional-Thing", "Edit-Able"}
                    assert not entry_points(group="some.group")
            """,
        }
    )

    result = pytester.runpytest("--block-imports=optional,edit_able")

    result.assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-package", f"--block-imports: 'my-package' {NO_NAME}"),
        ("optional,", f"--block-imports: '' {NO_NAME}"),
        (".relative", f"--block-imports: '.relative' {NO_NAME}"),
        ("pytest", "--block-imports: 'pytest' cannot be blocked: the test run itself stands on it"),
        (
            "_pytest.python",
            "--block-imports: '_pytest.python' cannot be blocked: the test run itself stands on it",
        ),
        (
            "pytest_importsandbox",
            "--block-imports: 'pytest_importsandbox' cannot be blocked: the test run itself stands on it",
        ),
        ("importlib", "--block-imports: 'importlib' cannot be blocked: the test run itself stands on it"),
    ],
)
def test_name_that_cannot_be_blocked(
    pytester: pytest.Pytester, write: Write, name: str, message: str
) -> None:
    write({"test_one.py": ABSENT})

    result = pytester.runpytest_subprocess(f"--block-imports={name}")

    assert_usage_error(result, message)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("iniconfig", "it is loaded already, since pytest itself imports it"),
        ("optional", "it is loaded already, since the plugin 'direct' imports it"),
        ("deep", "it is loaded already, since the plugin 'indirect' imports 'between', which imports it"),
        ("direct", "it belongs to the plugin 'direct'"),
        ("early", "it was loaded before pytest read its options"),
    ],
)
def test_package_that_is_loaded_already_is_told_with_who_did_it(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch, name: str, by: str
) -> None:
    write(
        {
            "lib/direct.py": "import optional",
            "lib/indirect.py": "import between, early; del early",
            "lib/between.py": "import deep",
            "lib/deep.py": "",
            "lib/early.py": "",
            "test_one.py": "def test_it(): pass",
        }
    )
    monkeypatch.setenv("PYTHONPATH", str(pytester.path / "lib"))

    result = pytester.runpytest_subprocess("-p", "direct", "-p", "indirect", f"--block-imports={name}")

    assert_usage_error(result, f"--block-imports: {name!r} cannot be blocked: {by}")


def test_plugin_that_is_switched_off_is_not_told_to_have_loaded_anything(
    pytester: pytest.Pytester, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"lib/direct.py": "import builtins, optional; builtins.optional = optional; del optional"})
    monkeypatch.setenv("PYTHONPATH", str(pytester.path / "lib"))

    result = pytester.runpytest_subprocess(
        "-p", "direct", "-p", "no:cacheprovider", "--block-imports=optional"
    )

    assert_usage_error(
        result,
        "--block-imports: 'optional' cannot be blocked: "
        "it is loaded already, since pytest itself imports 'builtins', which imports it",
    )


def test_block_is_gone_when_pytest_returns(
    pytester: pytest.Pytester, write: Write, run_script: Callable[..., str]
) -> None:
    write(
        {
            **METADATA,
            "test_one.py": "import pytest\ndef test_it():\n    pytest.importorskip('optional')",
            "test_nested.py": """
                import subprocess
                import sys

                import pytest


                def test_it():
                    pytest.main(["-q", "--block-imports=optional,other", "test_one.py"])
                    pytest.importorskip("other")
                    pytest.importorskip("optional")
            """,
            "lib/other.py": "",
        }
    )

    output = run_script(
        f"""
        import os
        import sys
        from importlib.machinery import PathFinder
        from importlib.metadata import version

        import pytest

        os.chdir({str(pytester.path)!r})
        sys.path.insert(0, "lib")
        # Where pytest tells of usage errors.
        sys.stderr = sys.stdout
        method = PathFinder.find_distributions
        finders = list(sys.meta_path)
        for arguments in (["test_one.py"], ["test_nested.py"], ["absent.py"], ["test_one.py", "--nonsense"]):
            pytest.main(["-q", "--block-imports=optional", *arguments])
            assert "optional" not in sys.modules
            import optional, other

            print("version:", version("optional-thing"), PathFinder.find_distributions is method)
            assert [each for each in sys.meta_path if each not in finders] == [], sys.meta_path
            del sys.modules["optional"], sys.modules["other"]
        """,
        environment={"PYTEST_ADDOPTS": "-p importsandbox -p no:cacheprovider"},
    )

    assert output.count("version: 1 True") == 4
