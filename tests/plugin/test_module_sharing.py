"""What several test files import is the same for them all, and runs once where it would turn out the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

Write = Callable[[Mapping[str, str]], None]

LIBRARY = {
    "lib/registry.py": "NAMES = []",
    "lib/library/__init__.py": "import registry\nregistry.NAMES.append('library')\nclass Thing: pass",
    "lib/library/impl.py": "",
    # Imports it optionally.
    "lib/user.py": """
        try:
            import library
        except ImportError:
            library = None
        from registry import NAMES
    """,
}


@pytest.fixture
def write(pytester: pytest.Pytester, write_files: Write) -> Write:
    """Write files, by their paths, beside a library; the directory `lib` is on `sys.path`."""
    pytester.makeini("[pytest]\npythonpath = lib\nisolated_imports = module")
    return lambda files: write_files({**LIBRARY, **files})


def test_library_that_registers_itself_is_registered_once(pytester: pytest.Pytester, write: Write) -> None:
    source = "import library, registry\ndef test_it(): assert registry.NAMES == ['library']"
    write({"conftest.py": "import registry", **{f"test_{number}.py": source for number in range(5)}})

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("first", ["library", "textwrap"])
def test_objects_of_a_session_fixture_have_the_class_that_the_files_import(
    pytester: pytest.Pytester, write: Write, first: str
) -> None:
    source = """
        from library import Thing


        def test_it(thing):
            from library import Thing as ThingOfNow

            assert isinstance(thing, Thing)
            assert Thing is ThingOfNow
    """
    write(
        {
            "conftest.py": f"""
                import pytest

                import {first}


                @pytest.fixture(scope="session")
                def thing():
                    from library import Thing

                    return Thing()
            """,
            "test_one.py": source,
            "test_two.py": source,
            "test_three.py": "def test_it(thing): pass",
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("names", [("test_1", "test_2"), ("test_2", "test_1")], ids=["first", "last"])
def test_what_asked_for_a_stub_runs_again_and_what_did_not_is_shared(
    pytester: pytest.Pytester, write: Write, names: tuple[str, str]
) -> None:
    stub, real = names
    write(
        {
            "conftest.py": "import registry",
            f"{stub}.py": """
                import sys

                sys.modules["library"] = "stub"

                import user, registry


                def test_it():
                    assert user.library == "stub"
                    assert user.NAMES is registry.NAMES
            """,
            f"{real}.py": """
                import user, library, registry


                def test_it():
                    assert user.library is library
                    assert library.Thing.__module__ == "library"
                    assert registry.NAMES == ["library"]
            """,
            "test_3.py": """
                import user, library, registry


                def test_it():
                    assert user.library is library
                    assert registry.NAMES == ["library"]
            """,
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=3)


def test_first_copy_of_a_preserved_package_has_nothing_of_the_stub_of_a_file(
    pytester: pytest.Pytester, write: Write
) -> None:
    write(
        {
            "conftest.py": "import registry",
            "lib/named.py": """
                import library, registry

                registry.NAMES.append(type(library).__name__)
            """,
            "test_1.py": """
                import sys

                sys.modules["library"] = "stub"

                import named, registry


                def test_it():
                    assert named.library == "stub"
            """,
            "test_2.py": """
                import named, library, registry


                def test_it():
                    assert named.library is library
                    assert registry.NAMES == ["library", "module", "str"]
            """,
        }
    )

    result = pytester.runpytest_subprocess("-o", "isolated_imports_preserve=named")

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("names", [("test_1", "test_2"), ("test_2", "test_1")], ids=["first", "last"])
def test_what_asked_for_the_stub_of_a_submodule_is_not_shared(
    pytester: pytest.Pytester, write: Write, names: tuple[str, str]
) -> None:
    stub, real = names
    write(
        {
            "lib/shop/reader.py": "NAME = 'real'",
            "lib/shop/till.py": "from shop.reader import NAME",
            f"{stub}.py": """
                import sys
                from unittest.mock import MagicMock

                sys.modules["shop.reader"] = MagicMock()

                from shop.till import NAME


                def test_it():
                    assert isinstance(NAME, MagicMock)
            """,
            f"{real}.py": "from shop.till import NAME\ndef test_it(): assert NAME == 'real'",
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=2)
