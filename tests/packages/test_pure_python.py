"""Pure Python code runs again in each isolated test."""

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("module", "class_name"),
    [("attr", "Attribute"), ("attrs", "AttrsInstance"), ("click", "Command"), ("dateutil.tz", "tzutc")],
)
def test_third_party_package_runs_again(run_suite: Callable[..., None], module: str, class_name: str) -> None:
    suite = f"""
        import sys
        import pytest

        earlier = []

        @pytest.mark.isolated_imports
        @pytest.mark.parametrize("time", range(3))
        def test_isolated(time):
            assert {module!r} not in sys.modules
            import {module}
            assert not any({module}.{class_name} is each for each in earlier)
            earlier.append({module}.{class_name})
        """

    run_suite(suite, passed=3)


def test_users_package_on_top_of_preserved_ones_runs_again(
    run_suite: Callable[..., None], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        shop="""
        import numpy
        from pydantic import BaseModel

        class Item(BaseModel):
            price: float

        total = numpy.zeros(1)
        """
    )
    suite = """
        import sys
        import pytest

        earlier = []

        @pytest.mark.isolated_imports
        @pytest.mark.parametrize("time", range(3))
        def test_isolated(time):
            assert "shop" not in sys.modules
            import shop
            shop.total += shop.Item(price=time).price
            assert shop.total[0] == time
            assert not any(shop.Item is each for each in earlier)
            assert {each.__base__ for each in earlier} <= {shop.BaseModel}
            earlier.append(shop.Item)
        """

    run_suite(suite, passed=3)


@pytest.mark.parametrize("name", ["shop", "shop.report"])
def test_users_package_that_registers_itself_with_a_preserved_one_can_be_preserved_by_name(
    run_suite: Callable[..., None], pytester: pytest.Pytester, name: str
) -> None:
    pytester.mkpydir("shop").joinpath("report.py").write_text(
        "import pandas\n"
        "@pandas.api.extensions.register_dataframe_accessor('report')\n"
        "class Report:\n"
        "    def __init__(self, frame): self.rows = len(frame)\n",
        encoding="utf-8",
    )
    suite = f"""
        import pytest

        earlier = []

        def use():
            import pandas, shop.report
            earlier.append(shop.report.Report)
            # Registered twice, it would warn.
            assert pandas.DataFrame([1, 2]).report.rows == 2
            assert shop.report.Report is earlier[0]

        @pytest.mark.isolated_imports(preserve={name!r})
        @pytest.mark.parametrize("time", range(3))
        def test_isolated(time):
            use()

        def test_plain():
            use()
        """

    run_suite(suite, passed=4)


def test_temporary_package_runs_again(run_suite: Callable[..., None]) -> None:
    suite = """
        import sys
        import pytest

        @pytest.mark.parametrize("time", range(3))
        def test_isolated(temp_package, time):
            assert "shop" not in sys.modules
            temp_package("shop", {"__init__.py": "import json, shop.till", "till.py": f"time = {time}"})
            import shop
            assert shop.till.time == time
        """

    run_suite(suite, passed=3)


def test_module_named_like_one_of_the_standard_library_is_the_tests_own(
    run_suite: Callable[..., None],
) -> None:
    suite = """
        import sys
        import pytest

        @pytest.mark.parametrize("time", range(3))
        def test_isolated(temp_package, time):
            temp_package("shop", {"token.py": f"time = {time}", "enum.py": "import token"})
            from shop import enum, token
            assert token.time == time
            assert enum.token is sys.modules["token"]
            assert not hasattr(enum.token, "time")

        @pytest.mark.parametrize("time", range(3))
        def test_on_the_path(temp_package, time, monkeypatch):
            package = temp_package("shop", {"sched.py": f"time = {time}"})
            monkeypatch.syspath_prepend(package.path)
            assert "sched" not in sys.modules
            import sched
            assert sched.time == time

        def test_plain():
            import sched
            assert sched.scheduler
        """

    run_suite(suite, passed=7)
