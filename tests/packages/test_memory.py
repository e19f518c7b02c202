"""Only preserved modules stay in memory."""

from collections.abc import Callable


def test_modules_of_temporary_packages_are_freed(run_suite: Callable[..., None]) -> None:
    suite = """
        import gc
        import sys
        import weakref
        import pytest

        modules = []
        blocks = {}

        @pytest.mark.parametrize("time", range(2000))
        def test_isolated(temp_package, time):
            till = "rows = [object() for _ in range(5000)]"
            temp_package("shop", {"__init__.py": "import shop.till", "till.py": till})
            import shop
            modules.extend([weakref.ref(shop), weakref.ref(shop.till)])
            if time in (500, 1999):
                gc.collect()
                blocks[time] = sys.getallocatedblocks()

        def test_plain():
            gc.collect()
            assert len(modules) == 4000
            assert [reference() for reference in modules if reference() is not None] == []
            # The rows of one test are 5,000 blocks; what pytest itself keeps of a test are about 30.
            assert blocks[1999] - blocks[500] < 500 * 1500
        """

    run_suite(suite, passed=2001)
