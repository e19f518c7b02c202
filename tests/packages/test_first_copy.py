"""The first copy of a package is the one that lasts, and no order of imports changes how one ends.

Compiled code knows the Python classes of the first copy, so that a fresh copy of some of these packages is
limited (docs/explanation/limitations.md names them). Whatever the fresh copy is good for, the first one
stays whole.
"""

import inspect
import itertools
import textwrap
from collections.abc import Callable

import pytest

# Each function uses a package so that its compiled and its Python code have to agree.


def use_yaml() -> None:
    import yaml

    with pytest.raises(yaml.YAMLError):
        yaml.load("[", Loader=yaml.CSafeLoader)
    assert yaml.load("{a: 1}", Loader=yaml.CSafeLoader) == {"a": 1}
    assert yaml.dump({"a": [1]}, Dumper=yaml.CSafeDumper) == "a:\n- 1\n"


def use_cryptography() -> None:
    from cryptography.fernet import Fernet, InvalidToken
    from cryptography.hazmat.primitives.asymmetric import ec

    fernet = Fernet(Fernet.generate_key())
    key = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(InvalidToken):
        fernet.decrypt(b"text")
    assert fernet.decrypt(fernet.encrypt(b"text")) == b"text"
    assert isinstance(key, ec.EllipticCurvePrivateKey)


def use_sqlalchemy() -> None:
    import sqlalchemy as sa

    table = sa.Table("item", sa.MetaData(), sa.Column("name", sa.String))
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(table.insert(), [{"name": "a"}])
            with pytest.raises(sa.exc.OperationalError):
                connection.execute(sa.text("nonsense"))
            (row,) = connection.execute(table.select())
    finally:
        # From Python 3.13 on, a connection that nobody closes is a ResourceWarning.
        engine.dispose()

    assert isinstance(row, sa.Row)
    assert row._mapping["name"] == "a"


def use_msgpack() -> None:
    import msgpack

    code = msgpack.ExtType(5, b"x")
    time = msgpack.Timestamp(1, 2)

    assert msgpack.unpackb(msgpack.packb([code, time])) == [code, time]
    with pytest.raises(msgpack.exceptions.ExtraData):
        msgpack.unpackb(b"\1\1")


def use_simplejson() -> None:
    import simplejson

    with pytest.raises(simplejson.JSONDecodeError):
        simplejson.loads("[")
    assert simplejson.dumps({"a": simplejson.RawJSON("1")}) == '{"a": 1}'


def use_psycopg() -> None:
    import psycopg
    import psycopg.conninfo

    assert psycopg.pq.__impl__ == "binary"
    assert psycopg.conninfo.conninfo_to_dict("dbname=a") == {"dbname": "a"}
    with pytest.raises(psycopg.ProgrammingError):
        psycopg.conninfo.conninfo_to_dict("=")
    assert psycopg.sql.Literal(5).as_string(None) == "5"


def use_protobuf() -> None:
    from google.protobuf import json_format, message, struct_pb2

    struct = struct_pb2.Struct()
    struct.update({"a": [1, "b"]})

    assert isinstance(struct, message.Message)
    assert json_format.MessageToDict(struct_pb2.Struct.FromString(struct.SerializeToString())) == {
        "a": [1, "b"]
    }
    with pytest.raises(message.DecodeError):
        struct.ParseFromString(b"text")


def use_pandas_with_pyarrow() -> None:
    import pandas as pd
    import pyarrow as pa

    frame = pd.DataFrame({"n": [1, 2], "text": ["a", "b"]})
    numbers = pd.Series([1, 2], dtype="int64[pyarrow]")

    assert pa.Table.from_pandas(frame).to_pandas().equals(frame)
    assert isinstance(numbers.dtype, pd.ArrowDtype)
    assert (numbers + numbers).sum() == 6
    assert frame.groupby("text")["n"].sum().to_dict() == {"a": 1, "b": 2}


def use_mypy() -> None:
    import os

    from mypy import build, errors, modulefinder, options

    settings = options.Options()
    settings.incremental = False
    settings.cache_dir = os.devnull
    result = build.build([modulefinder.BuildSource(None, "shop", "x: int = 'a'")], settings)

    assert "Incompatible types in assignment" in result.errors[0]
    with pytest.raises(errors.CompileError):
        build.build([modulefinder.BuildSource(None, "shop", "x = (")], settings)


def use_asyncio() -> None:
    import asyncio

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def main() -> int:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(double(1))
        assert isinstance(task, asyncio.Future)
        return await asyncio.wait_for(double(task.result()), 30)

    assert asyncio.run(main()) == 4


def use_zoneinfo() -> None:
    import datetime
    import pickle
    import zoneinfo

    zone = zoneinfo.ZoneInfo("Europe/Paris")

    assert datetime.datetime(2024, 7, 1, tzinfo=zone).utcoffset() == datetime.timedelta(hours=2)
    assert pickle.loads(pickle.dumps(zone)) is zone
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        zoneinfo.ZoneInfo("No/Where")


def use_numbers() -> None:
    import decimal
    import fractions
    import numbers

    assert isinstance(fractions.Fraction(1, 2), numbers.Rational)
    assert isinstance(decimal.Decimal(1), numbers.Number)


USES = {
    "asyncio": use_asyncio,
    "cryptography": use_cryptography,
    "google.protobuf": use_protobuf,
    "msgpack": use_msgpack,
    "mypy": use_mypy,
    "numbers": use_numbers,
    "pandas": use_pandas_with_pyarrow,
    "psycopg": use_psycopg,
    "simplejson": use_simplejson,
    "sqlalchemy": use_sqlalchemy,
    "yaml": use_yaml,
    "zoneinfo": use_zoneinfo,
}

# Their fresh copies are of use, too, after the first one was.
WHOLE_AFRESH = {"asyncio"}

STEPS = {
    "outside": """
        def test_{number}_outside():
            use_first_copy()
        """,
    "isolated": """
        @pytest.mark.isolated_imports
        def test_{number}_isolated():
            use_first_copy()
        """,
    "fresh": """
        def test_{number}_fresh(fresh_import):
            with allowed:
                fresh_import(PACKAGE)
                use()
        """,
    "both": """
        def test_{number}_both(fresh_import):
            use_first_copy()
            with allowed:
                assert fresh_import(PACKAGE) is not first_copies[0]
                use()
        """,
}


@pytest.mark.parametrize("package", USES)
@pytest.mark.parametrize(
    "order",
    [
        ("outside", "fresh", "outside"),
        ("fresh", "outside", "fresh", "isolated"),
        ("both", "isolated", "both", "outside"),
    ],
    ids="-".join,
)
def test_first_copy_stays_whole_whatever_a_fresh_copy_does(
    run_suite: Callable[..., None], package: str, order: tuple[str, ...]
) -> None:
    use = USES[package]
    allowed = "nullcontext()" if package in WHOLE_AFRESH else "suppress(Exception, SystemExit)"
    suite = f"""
import sys
from contextlib import nullcontext, suppress

import pytest

PACKAGE = {package!r}
allowed = {allowed}
first_copies = []

{inspect.getsource(use).replace(use.__name__, "use")}

def use_first_copy():
    use()
    first_copies.append(sys.modules[PACKAGE])
    assert first_copies[-1] is first_copies[0]
"""
    for number, step in enumerate(order):
        suite += textwrap.dedent(STEPS[step]).format(number=number)

    run_suite(suite, passed=len(order))


# What a package makes of one that it can do without, or the type of the error if it cannot.
FINDINGS = {
    ("pandas", "pyarrow"): ("import pandas.compat", "pandas.compat.HAS_PYARROW", "False", "True"),
    ("aiohttp", "brotli"): (
        "import aiohttp.compression_utils",
        "aiohttp.compression_utils.HAS_BROTLI",
        "False",
        "True",
    ),
    ("numpy", "ctypes"): ("import numpy", "numpy.arange(3).ctypes.data > 0", "AttributeError", "True"),
    ("requests", "chardet"): (
        "import requests.compat",
        "requests.compat.chardet.__name__",
        "charset_normalizer",
        "chardet",
    ),
}


@pytest.mark.parametrize(("package", "blocked"), FINDINGS, ids=["-".join(each) for each in FINDINGS])
@pytest.mark.parametrize("order", list(itertools.permutations(["without", "afresh", "with"])), ids="-".join)
def test_import_under_a_block_ends_alike_in_every_order(
    run_suite: Callable[..., None], package: str, blocked: str, order: tuple[str, ...]
) -> None:
    statement, expression, without, with_it = FINDINGS[package, blocked]
    tests = {
        "without": f"""
            @pytest.mark.isolated_imports(blocked={blocked!r})
            def test_without():
                assert found() == {without!r}
            """,
        "afresh": f"""
            def test_afresh(fresh_import):
                assert found(lambda: fresh_import({package!r}, blocked={blocked!r})) == {without!r}
            """,
        "with": f"""
            @pytest.mark.isolated_imports
            def test_with():
                assert found() == {with_it!r}
            """,
    }
    suite = f"""
import pytest

def found(prepare=lambda: None):
    try:
        prepare()
        {statement}
        return str({expression})
    except Exception as exc:
        assert exc.__notes__[0].startswith("pytest-importsandbox: {package!r} ")
        return type(exc).__name__
"""
    for step in order:
        suite += textwrap.dedent(tests[step])
    suite += f"""
def test_outside():
    assert found() == {with_it!r}
"""

    run_suite(suite, passed=len(order) + 1)
