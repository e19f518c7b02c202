"""Packages that share a pure Python package agree on it, whichever test imports which one first."""

import itertools
from collections.abc import Callable

import pytest

ORDERS = ("import pandas, dateutil.relativedelta", "import dateutil.relativedelta, pandas")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(ORDERS, repeat=2)))
def test_dateutil_of_pandas_stays_one_package(
    run_suite: Callable[..., None], first: str, second: str
) -> None:
    suite = f"""
        import sys
        import pytest

        classes = []

        def compare():
            import dateutil.relativedelta
            import pandas

            offset = pandas.DateOffset(months=1)._offset
            assert type(offset) is dateutil.relativedelta.relativedelta
            assert pandas.Timestamp("2024-01-31") + offset == pandas.Timestamp("2024-02-29")
            classes.append(dateutil.relativedelta.relativedelta)
            assert classes[-1] is classes[0]

        @pytest.mark.isolated_imports
        def test_first():
            {first}
            compare()

        @pytest.mark.isolated_imports
        def test_second():
            {second}
            compare()

        def test_plain():
            assert "dateutil" not in sys.modules
            {first}
            compare()
        """

    run_suite(suite, passed=3)
