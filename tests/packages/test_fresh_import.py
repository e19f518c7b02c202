"""A fresh import of packages with extension modules, and of compiled modules of the standard library."""

from collections.abc import Callable

import pytest

LOADED = ["loaded_before", "preserved"]


@pytest.mark.parametrize(
    ("package", "extension"),
    [
        ("PIL.Image", "PIL._imaging"),
        ("aiohttp", "aiohttp._http_parser"),
        ("cffi.api", "_cffi_backend"),
        ("lxml", "lxml.etree"),
        ("msgpack", "msgpack._cmsgpack"),
        ("zope.interface", "zope.interface._zope_interface_coptimizations"),
        ("pydantic", "pydantic_core._pydantic_core"),
        ("regex", "regex._regex"),
        ("rpds", "rpds.rpds"),
        ("yaml", "yaml._yaml"),
    ],
)
@pytest.mark.parametrize("when", LOADED)
def test_python_modules_run_again_and_extensions_are_the_same(
    run_suite: Callable[..., None], package: str, extension: str, when: str
) -> None:
    suite = f"""
        import importlib
        import sys
        import pytest

        old = []

        def load():
            old.append((importlib.import_module({package!r}), importlib.import_module({extension!r})))
            assert old[-1][0] is old[0][0]
            assert old[-1][1] is old[0][1]

        if {when!r} == "loaded_before":
            load()

        @pytest.mark.isolated_imports
        def test_first():
            load()

        def test_fresh(fresh_import):
            fresh = fresh_import({package!r}, fresh={package.partition(".")[0]!r})
            assert fresh is sys.modules[{package!r}]
            assert fresh is not old[0][0]
            assert importlib.import_module({extension!r}) is old[0][1]

        @pytest.mark.isolated_imports
        def test_after():
            load()

        def test_plain():
            load()
        """

    run_suite(suite, passed=4)


def test_submodule_runs_again_and_its_extensions_are_the_same(run_suite: Callable[..., None]) -> None:
    suite = """
        import sys

        def test_fresh(fresh_import):
            import numpy.fft
            from numpy.fft import _pocketfft, _pocketfft_umath

            fresh = fresh_import("numpy.fft")

            assert fresh is sys.modules["numpy.fft"] is sys.modules["numpy"].fft
            assert sys.modules["numpy.fft._pocketfft"] is not _pocketfft
            assert sys.modules["numpy.fft._pocketfft_umath"] is _pocketfft_umath
            assert fresh.fft([1, 0]).tolist() == [1, 1]

        def test_plain():
            import numpy.fft
            assert numpy.fft.fft([1, 0]).tolist() == [1, 1]
        """

    run_suite(suite, passed=2)


@pytest.mark.parametrize("when", LOADED)
@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("numpy", "assert numpy.linalg.inv(numpy.diag([2.0])).tolist() == [[0.5]]"),
        ("h5py", "import io; h5py.File(io.BytesIO(), 'w').attrs['unit'] = 'm'"),
    ],
)
def test_package_that_cannot_run_again_is_back_in_place(
    run_suite: Callable[..., None], package: str, use: str, when: str
) -> None:
    suite = f"""
        import sys
        import pytest

        old = {{}}

        def use():
            import {package}
            {use}
            assert old.setdefault("module", {package}) is {package}

        if {when!r} == "loaded_before":
            use()

        @pytest.mark.isolated_imports
        def test_first():
            use()

        def test_fresh(fresh_import):
            before = list(sys.modules.items())

            with pytest.raises(Exception) as caught:
                fresh_import({package!r})

            (note,) = caught.value.__notes__
            assert note.startswith("pytest-importsandbox: {package!r} has extension modules")
            assert "process of its own" in note
            assert str(caught.value).find("importsandbox") == -1
            assert "{package}" in str(caught.traceback[-1].path)
            after = list(sys.modules.items())
            assert [name for name, _ in after] == [name for name, _ in before]
            assert all(new is old for (_, new), (_, old) in zip(after, before))
            use()

        @pytest.mark.isolated_imports
        def test_after():
            use()

        def test_plain():
            use()
        """

    run_suite(suite, passed=4)


@pytest.mark.parametrize(
    "extension",
    ["PIL._imagingmath", "orjson.orjson", "regex._regex", "rpds.rpds"],
)
@pytest.mark.parametrize("when", LOADED)
def test_extension_that_is_named_is_loaded_anew(
    run_suite: Callable[..., None], extension: str, when: str
) -> None:
    suite = f"""
        import importlib
        import sys
        import pytest

        old = []

        def load():
            importlib.import_module({extension!r})
            old.append(sys.modules[{extension!r}])
            assert old[-1] is old[0]

        if {when!r} == "loaded_before":
            load()

        @pytest.mark.isolated_imports
        def test_first():
            load()

        def test_fresh(fresh_import):
            fresh = fresh_import({extension!r})
            assert fresh is sys.modules[{extension!r}]
            assert fresh is not old[0]
            assert vars(fresh).keys() >= vars(old[0]).keys()

        @pytest.mark.isolated_imports
        def test_after():
            load()

        def test_plain():
            load()
        """

    run_suite(suite, passed=4)


@pytest.mark.parametrize(
    "name",
    [
        "_bisect",
        "_ctypes",
        "_decimal",
        "_json",
        "_sqlite3",
        "_ssl",
        "itertools",
        "math",
        "pyexpat",
        "time",
        "unicodedata",
    ],
)
@pytest.mark.parametrize("first", ["", "import {name}"], ids=["preserved", "loaded_before"])
def test_compiled_module_of_the_standard_library_is_never_loaded_twice(
    run_suite: Callable[..., None], name: str, first: str
) -> None:
    suite = f"""
        import importlib
        import pytest

        seen = []

        @pytest.mark.parametrize("time", range(3))
        def test_fresh(import_sandbox, time):
            seen.append(import_sandbox.fresh_import({name!r}))
            import_sandbox.evict({name!r})
            seen.append(importlib.import_module({name!r}))
            assert all(each is seen[0] for each in seen)

        def test_plain():
            assert importlib.import_module({name!r}) is seen[0]
            assert "\\N{{LATIN SMALL LETTER A}}" == "a"
        """

    run_suite(suite, passed=4, first=first.format(name=name))


@pytest.mark.parametrize(
    "name", ["asyncio", "ctypes", "decimal", "enum", "json", "sqlite3", "xml.etree.ElementTree"]
)
def test_python_module_of_the_standard_library_runs_again_until_the_test_ends(
    run_suite: Callable[..., None], name: str
) -> None:
    suite = f"""
        import importlib
        import pytest

        old = []

        @pytest.mark.isolated_imports
        def test_first():
            old.append(importlib.import_module({name!r}))

        def test_fresh(fresh_import):
            assert fresh_import({name!r}) is not old[0]

        def test_plain():
            assert importlib.import_module({name!r}) is old[0]
        """

    run_suite(suite, passed=3)
