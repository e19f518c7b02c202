"""Packages that are loaded or preserved can be blocked, and are back afterwards."""

from collections.abc import Callable

import pytest

WHEN = {"loaded_before": "import numpy, pandas", "preserved": "", "numpy_loaded_before": "import numpy"}


@pytest.mark.parametrize("first", WHEN.values(), ids=WHEN)
def test_blocked_package_cannot_be_imported_and_comes_back(
    run_suite: Callable[..., None], first: str
) -> None:
    suite = """
        import importlib.util
        import sys
        import pytest

        old = []

        def use():
            import numpy
            assert numpy.ones(2).sum() == 2
            old.append(numpy)
            assert old[-1] is old[0]

        @pytest.mark.isolated_imports
        def test_first():
            use()

        @pytest.mark.isolated_imports(blocked="numpy")
        @pytest.mark.parametrize("time", range(2))
        def test_blocked(time):
            for statement in ("import numpy", "from numpy import ones", "import numpy.linalg"):
                with pytest.raises(ModuleNotFoundError) as caught:
                    exec(statement)
                assert caught.value.name.partition(".")[0] == "numpy"
            assert importlib.util.find_spec("numpy") is None

        def test_blocked_after_an_import(import_sandbox):
            use()
            import_sandbox.block("numpy")
            with pytest.raises(ModuleNotFoundError):
                import numpy

        @pytest.mark.isolated_imports
        def test_after():
            use()

        def test_plain():
            use()
        """

    run_suite(suite, passed=6, first=first)


@pytest.mark.parametrize("first", ["", "import numpy"], ids=["preserved", "numpy_loaded_before"])
def test_preserved_package_cannot_be_imported_without_the_blocked_one_it_needs(
    run_suite: Callable[..., None], first: str
) -> None:
    suite = """
        import sys
        import pytest

        old = []

        def use():
            import pandas
            assert pandas.Series([1, 2]).sum() == 3
            old.append(pandas)
            assert old[-1] is old[0]

        @pytest.mark.isolated_imports
        def test_first():
            use()

        @pytest.mark.isolated_imports(blocked="numpy")
        @pytest.mark.parametrize("time", range(2))
        def test_blocked(time):
            before = set(sys.modules)
            with pytest.raises(ImportError, match="numpy"):
                import pandas
            assert "pandas" not in sys.modules

        @pytest.mark.isolated_imports
        def test_after():
            use()

        def test_plain():
            use()
        """

    run_suite(suite, passed=5, first=first)


def test_optional_dependency_that_is_blocked_shows_in_a_fresh_import_only(
    run_suite: Callable[..., None],
) -> None:
    suite = """
        import pytest

        @pytest.mark.isolated_imports
        def test_first():
            import msgpack, msgpack._cmsgpack
            assert msgpack.Packer is msgpack._cmsgpack.Packer

        def test_blocked(fresh_import):
            msgpack = fresh_import("msgpack", blocked="msgpack._cmsgpack")
            assert msgpack.Packer.__module__ == "msgpack.fallback"
            assert msgpack.unpackb(msgpack.packb([1])) == [1]

        @pytest.mark.isolated_imports
        def test_after():
            import msgpack
            assert msgpack.Packer.__module__ == "msgpack._cmsgpack"

        def test_plain():
            import msgpack
            assert msgpack.Packer.__module__ == "msgpack._cmsgpack"
        """

    run_suite(suite, passed=4)
