"""Parts of a preserved package that are imported later are preserved with it."""

from collections.abc import Callable

import pytest

USES = {
    "concurrent.futures.thread": "from concurrent.futures.thread import ThreadPoolExecutor as part",
    "matplotlib.pyplot": "from matplotlib import pyplot as part; part.plot([1, 2]); part.close()",
    "numpy.f2py": "import numpy; part = numpy.f2py; assert part.get_include()",
    "scipy.signal": "import scipy; part = scipy.signal; assert part.convolve([1], [2]).tolist() == [2]",
    "sqlalchemy.dialects.sqlite": "import sqlalchemy; part = type(sqlalchemy.create_engine('sqlite://').dialect)",
    "xml.sax.saxutils": "from xml.sax.saxutils import escape as part; assert part('<') == '&lt;'",
}


@pytest.mark.parametrize("first", ["", "import {package}"], ids=["preserved", "loaded_before"])
@pytest.mark.parametrize("part", USES)
def test_part_works_and_stays_the_same(run_suite: Callable[..., None], part: str, first: str) -> None:
    package = part.partition(".")[0]
    suite = f"""
        import importlib
        import sys
        import pytest

        parts = []

        def use():
            {USES[part]}
            module = importlib.import_module({part!r})
            parent, _, child = {part!r}.rpartition(".")
            assert getattr(sys.modules[parent], child) is module
            parts.append((module, part))
            assert module is parts[0][0]
            assert part is parts[0][1]

        @pytest.mark.isolated_imports
        def test_package_alone():
            importlib.import_module({package!r})
            assert {part!r} not in sys.modules

        @pytest.mark.isolated_imports
        @pytest.mark.parametrize("time", range(3))
        def test_part(time):
            assert {part!r} not in sys.modules
            importlib.import_module({package!r})
            use()

        def test_plain():
            assert {part!r} not in sys.modules
            use()
        """

    run_suite(suite, passed=5, first=first.format(package=package))


@pytest.mark.parametrize(
    ("package", "part"), [("numpy", "f2py"), ("scipy", "signal"), ("matplotlib", "pyplot")]
)
def test_part_leaves_nothing_on_a_package_that_was_loaded_before(
    run_suite: Callable[..., None], package: str, part: str
) -> None:
    suite = f"""
        import importlib
        import {package}

        def test_isolated(import_sandbox):
            importlib.import_module("{package}.{part}")
            assert {part!r} in vars({package})

        def test_plain():
            assert {part!r} not in vars({package})
        """

    run_suite(suite, passed=2)
