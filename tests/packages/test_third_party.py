"""Packages that must run only once in a process, each used by three isolated tests and then a plain one.

Each function below uses one package the way its users do, and returns the classes that they know with
an object of each. Its source goes into an inner suite, which runs in a process of its own.
"""

from collections.abc import Callable

import pytest


def use_numpy() -> dict[type, object]:
    import numpy as np

    matrix = np.arange(6, dtype="float64").reshape(2, 3)
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(np.ones(8))
    record = np.rec.array([(1, "a")], dtype=[("x", int), ("y", "U1")])

    assert np.allclose(np.linalg.inv(np.diag([1.0, 2.0])), np.diag([1.0, 0.5]))
    assert rng.integers(10, size=1000).max() == 9
    assert spectrum[0] == 8
    assert record.y[0] == "a"
    assert np.ma.masked_array([1, 2], mask=[False, True]).sum() == 1
    return {np.ndarray: matrix, np.float64: matrix.mean(), np.random.Generator: rng, np.recarray: record}


def use_pandas() -> dict[type, object]:
    import io

    import pandas as pd

    frame = pd.DataFrame({"day": pd.date_range("2024-02-28", periods=3), "n": [1, 2, 4]})
    by_month = frame.groupby(frame["day"].dt.month)["n"].sum()
    read = pd.read_csv(io.StringIO(frame.to_csv(index=False)), parse_dates=["day"])

    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert by_month.to_dict() == {2: 3, 3: 4}
    assert pd.Timestamp("2024-01-31") + pd.DateOffset(months=1) == pd.Timestamp("2024-02-29")
    return {pd.DataFrame: frame, pd.Series: by_month, pd.Timestamp: frame["day"][0], pd.Index: frame.index}


def use_scipy() -> dict[type, object]:
    import scipy.optimize
    import scipy.sparse
    import scipy.stats

    found = scipy.optimize.minimize(lambda x: (x[0] - 3) ** 2, [0.0])
    identity = scipy.sparse.eye_array(4, format="csr")

    assert abs(found.x[0] - 3) < 1e-4
    assert identity.sum() == 4
    assert abs(scipy.stats.norm.cdf(0) - 0.5) < 1e-12
    assert scipy.special.factorial(5) == 120
    return {scipy.optimize.OptimizeResult: found, scipy.sparse.csr_array: identity}


def use_matplotlib() -> dict[type, object]:
    import io

    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    figure, axes = plt.subplots()
    (line,) = axes.plot([1, 2, 3])
    axes.set_title("three points")
    for file_format in ("png", "pdf", "svg"):
        file = io.BytesIO()
        figure.savefig(file, format=file_format)
        assert file.tell() > 1000
    plt.close(figure)
    return {Figure: figure, matplotlib.axes.Axes: axes, matplotlib.lines.Line2D: line}


def use_pydantic() -> dict[type, object]:
    from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

    class Item(BaseModel):
        name: str = Field(min_length=1)
        tags: list[int] = []

        @field_validator("name")
        @classmethod
        def lower(cls, value: str) -> str:
            return value.lower()

    item = Item.model_validate_json('{"name": "A", "tags": ["1"]}')
    try:
        Item(name="")
    except ValidationError as exc:
        error = exc

    assert item.model_dump() == {"name": "a", "tags": [1]}
    assert TypeAdapter(dict[str, int]).validate_python({"a": "2"}) == {"a": 2}
    assert error.errors()[0]["type"] == "string_too_short"
    return {BaseModel: item, ValidationError: error}


def use_cryptography() -> dict[type, object]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    fernet = Fernet(Fernet.generate_key())
    key = ed25519.Ed25519PrivateKey.generate()
    curve_key = ec.generate_private_key(ec.SECP256R1())
    try:
        key.public_key().verify(bytes(64), b"text")
    except InvalidSignature as exc:
        error = exc
    pem = curve_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"text")

    assert fernet.decrypt(fernet.encrypt(b"text")) == b"text"
    assert digest.finalize().hex().startswith("982d9e3e")
    curve_key.public_key().verify(
        curve_key.sign(b"text", ec.ECDSA(hashes.SHA256())), b"text", ec.ECDSA(hashes.SHA256())
    )
    assert serialization.load_pem_public_key(pem) == curve_key.public_key()
    return {
        Fernet: fernet,
        InvalidSignature: error,
        ed25519.Ed25519PrivateKey: key,
        ec.EllipticCurve: curve_key.curve,
    }


def use_lxml() -> dict[type, object]:
    from lxml import etree, html, objectify

    root = etree.fromstring("<a><b n='1'/><b n='2'/></a>")
    transform = etree.XSLT(
        etree.fromstring(
            '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            '<xsl:template match="/"><c><xsl:value-of select="count(//b)"/></c></xsl:template>'
            "</xsl:stylesheet>"
        )
    )
    page = html.fromstring("<p>one<br>two</p>")
    try:
        etree.fromstring("<a>")
    except etree.XMLSyntaxError as exc:
        error = exc

    assert root.xpath("//b[@n='2']/@n") == ["2"]
    assert transform(root).getroot().text == "2"
    assert page.text_content() == "onetwo"
    assert objectify.fromstring("<a><b>3</b></a>").b + 1 == 4
    return {etree._Element: root, etree.XMLSyntaxError: error, html.HtmlElement: page}


def use_sqlalchemy() -> dict[type, object]:
    import sqlalchemy as sa
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

    class Base(DeclarativeBase):
        pass

    class Author(Base):
        __tablename__ = "author"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        books: Mapped[list["Book"]] = relationship(back_populates="author")

    class Book(Base):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"))
        author: Mapped[Author] = relationship(back_populates="books")

    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Author(name="Ada", books=[Book(), Book()]))
        session.commit()
        counted = session.execute(
            sa.select(Author.name, sa.func.count()).join(Author.books).group_by(Author.id)
        ).one()
    engine.dispose()

    assert tuple(counted) == ("Ada", 2)
    return {sa.Table: Author.__table__, sa.Engine: engine, Session: session, sa.Row: counted}


def use_pyarrow() -> dict[type, object]:
    import io

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pa.table({"n": [1, 2, 3], "s": ["a", "b", None]})
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)

    assert pq.read_table(file).equals(table)
    assert pc.sum(table["n"]).as_py() == 6
    assert table.to_pandas()["n"].tolist() == [1, 2, 3]
    return {pa.Table: table, pa.ChunkedArray: table["n"], pa.Schema: table.schema}


def use_protobuf() -> dict[type, object]:
    from google.protobuf import descriptor_pb2, json_format, struct_pb2, timestamp_pb2
    from google.protobuf.message import Message

    struct = struct_pb2.Struct()
    struct.update({"a": [1, "b"]})
    again = struct_pb2.Struct.FromString(struct.SerializeToString())
    stamp = timestamp_pb2.Timestamp()
    stamp.FromJsonString("2024-01-01T00:00:00Z")
    file = descriptor_pb2.FileDescriptorProto(name="a.proto")

    assert json_format.MessageToDict(again) == {"a": [1.0, "b"]}
    assert stamp.ToDatetime().year == 2024
    return {Message: stamp, struct_pb2.Struct: struct, descriptor_pb2.FileDescriptorProto: file}


def use_grpc() -> dict[type, object]:
    from concurrent import futures

    import grpc

    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request[::-1])
    failing = grpc.unary_unary_rpc_method_handler(
        lambda request, context: context.abort(grpc.StatusCode.NOT_FOUND, "gone")
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    service = grpc.method_handlers_generic_handler("test.Echo", {"Back": handler, "Fail": failing})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        answer = channel.unary_unary("/test.Echo/Back")(b"abc", timeout=30, wait_for_ready=True)
        try:
            channel.unary_unary("/test.Echo/Fail")(b"", timeout=30)
        except grpc.RpcError as exc:
            error = exc
    server.stop(None).wait()

    assert answer == b"cba"
    assert error.code() is grpc.StatusCode.NOT_FOUND
    return {grpc.Server: server, grpc.Channel: channel, grpc.RpcError: error}


def use_orjson() -> dict[type, object]:
    import dataclasses
    import datetime
    import json
    import uuid

    import orjson

    @dataclasses.dataclass
    class Point:
        x: int

    try:
        orjson.loads("{")
    except orjson.JSONDecodeError as exc:
        error = exc

    text = orjson.dumps({"p": Point(1), "d": datetime.date(2024, 1, 2), "u": uuid.UUID(int=1)})
    assert orjson.loads(text)["p"] == {"x": 1}
    assert orjson.dumps([1], option=orjson.OPT_INDENT_2) == b"[\n  1\n]"
    return {
        orjson.JSONDecodeError: error,
        json.JSONDecodeError: error,
        orjson.Fragment: orjson.Fragment(b"1"),
    }


def use_yaml() -> dict[type, object]:
    import yaml

    data = yaml.load("a: [1, {b: 2024-01-02}]", Loader=yaml.CSafeLoader)
    node = yaml.compose("a: 1")
    try:
        yaml.safe_load("a: [")
    except yaml.YAMLError as exc:
        error = exc

    assert data["a"][1]["b"].year == 2024
    assert yaml.dump(data, Dumper=yaml.CSafeDumper).startswith("a:\n- 1")
    return {yaml.MappingNode: node, yaml.YAMLError: error, yaml.Mark: error.problem_mark}


def use_pillow() -> dict[type, object]:
    import io

    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    image = Image.new("RGB", (32, 32), "white")
    ImageDraw.Draw(image).text((2, 2), "A", fill="black", font=ImageFont.load_default())
    file = io.BytesIO()
    image.filter(ImageFilter.BLUR).save(file, "PNG")
    read = Image.open(file)
    read.load()

    assert read.size == (32, 32)
    assert read.convert("L").getextrema()[0] < 255
    return {Image.Image: image, type(read): read}


def use_psutil() -> dict[type, object]:
    import os

    import psutil

    process = psutil.Process()
    try:
        psutil.Process(2**31 - 1)
    except psutil.NoSuchProcess as exc:
        error = exc

    assert process.pid == os.getpid()
    assert process.memory_info().rss > 0
    assert psutil.cpu_count() >= 1
    assert psutil.virtual_memory().total > 0
    return {psutil.Process: process, psutil.Error: error}


def use_aiohttp() -> dict[type, object]:
    import asyncio

    import aiohttp
    from aiohttp import web
    from aiohttp.test_utils import TestClient, TestServer

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"got": await request.json()})

    async def ask() -> object:
        app = web.Application()
        app.router.add_post("/", answer)
        async with TestClient(TestServer(app)) as client:
            response = await client.post("/", json=[1])
            assert await response.json() == {"got": [1]}
            return response

    response = asyncio.run(ask())
    form = aiohttp.FormData({"a": "1"})
    return {aiohttp.ClientResponse: response, aiohttp.FormData: form}


def use_gevent() -> dict[type, object]:
    import gevent.event
    import gevent.pool
    import gevent.queue
    import greenlet

    queue = gevent.queue.Queue()
    worker = gevent.spawn(lambda: [queue.get() for _ in range(3)])
    gevent.pool.Pool(2).map(queue.put, range(3))

    assert worker.get(timeout=30) == [0, 1, 2]
    with gevent.Timeout(0.01, False) as timeout:
        gevent.sleep(30)
    return {gevent.Greenlet: worker, greenlet.greenlet: worker, gevent.Timeout: timeout}


def use_zope_interface() -> dict[type, object]:
    from zope.interface import Attribute, Interface, implementer
    from zope.interface.adapter import AdapterRegistry
    from zope.interface.verify import verifyObject

    class Named(Interface):
        name = Attribute("what it is called")

    @implementer(Named)
    class Dog:
        name = "Rex"

    registry = AdapterRegistry()
    registry.register([Named], Named, "", "adapter")

    assert verifyObject(Named, Dog())
    assert registry.lookup([Named], Named) == "adapter"
    return {type(Interface): Named, AdapterRegistry: registry, Attribute: Named["name"]}


def use_msgpack() -> dict[type, object]:
    import msgpack

    packer = msgpack.Packer()
    unpacker = msgpack.Unpacker(raw=False)
    unpacker.feed(packer.pack({"a": [1, 2.5, None]}))
    code = msgpack.ExtType(5, b"x")

    assert next(iter(unpacker)) == {"a": [1, 2.5, None]}
    assert msgpack.unpackb(msgpack.packb(code)) == code
    assert msgpack.unpackb(msgpack.packb(msgpack.Timestamp(1, 2))).seconds == 1
    return {msgpack.Packer: packer, msgpack.Unpacker: unpacker, msgpack.ExtType: code}


def use_regex() -> dict[type, object]:
    import regex

    pattern = regex.compile(r"(?P<word>\p{L}+)(?:, )?", regex.V1)
    match = pattern.match("één, twee")
    try:
        regex.compile("(")
    except regex.error as exc:
        error = exc

    assert match is not None
    assert match["word"] == "één"
    assert regex.fullmatch(r"(?:colour){e<=1}", "color") is not None
    return {regex.Pattern: pattern, regex.Match: match, regex.error: error}


def use_rpds() -> dict[type, object]:
    import collections.abc

    import rpds

    table = rpds.HashTrieMap({"a": 1}).insert("b", 2)
    items = rpds.List([1, 2]).push_front(0)

    assert dict(table) == {"a": 1, "b": 2}
    assert list(items) == [0, 1, 2]
    return {
        rpds.HashTrieMap: table,
        rpds.List: items,
        rpds.HashTrieSet: rpds.HashTrieSet([1]),
        collections.abc.Mapping: table,
    }


def use_cffi() -> dict[type, object]:
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("struct point { int x; int y; }; int abs(int);")
    point = ffi.new("struct point *", {"x": 3})
    try:
        ffi.cdef("struct {")
    except cffi.CDefError as exc:
        error = exc

    assert point.x == 3
    assert ffi.sizeof("struct point") == 8
    assert bytes(ffi.buffer(ffi.new("char[]", b"ab"))) == b"ab\0"
    return {cffi.FFI: ffi, ffi.CData: point, cffi.CDefError: error}


def use_h5py() -> dict[type, object]:
    import io

    import h5py
    import numpy

    with h5py.File(io.BytesIO(), "w") as file:
        numbers = file.create_dataset("group/numbers", data=numpy.arange(10), compression="gzip")
        numbers.attrs["unit"] = "m"

        assert file["group/numbers"][2:4].tolist() == [2, 3]
        assert dict(numbers.attrs) == {"unit": "m"}
    return {h5py.File: file, h5py.Dataset: numbers}


def use_sklearn() -> dict[type, object]:
    import pickle

    import numpy
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    x = numpy.array([[0.0], [1.0], [2.0], [3.0]])
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(x, [1, 3, 5, 7])
    tree = DecisionTreeClassifier(random_state=0).fit(x, [0, 0, 1, 1])

    assert abs(pickle.loads(pickle.dumps(model)).predict([[4.0]])[0] - 9) < 1e-9
    assert tree.predict([[2.5]]).tolist() == [1]
    return {Pipeline: model, BaseEstimator: tree, DecisionTreeClassifier: tree}


def use_dask() -> dict[type, object]:
    import dask
    import dask.array
    import numpy

    array = dask.array.arange(100, chunks=10)
    delayed = dask.delayed(sum)([1, 2])

    assert (array + 1).sum().compute(scheduler="sync") == 5050
    assert delayed.compute(scheduler="threads") == 3
    # Dask itself is pure Python and runs again.
    return {numpy.ndarray: array.compute()}


def use_spacy() -> dict[type, object]:
    import spacy
    from spacy.language import Language
    from spacy.matcher import Matcher
    from spacy.tokens import Doc, Token

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    doc = nlp("Here is a sentence. Here is another.")
    matcher = Matcher(nlp.vocab)
    matcher.add("IS", [[{"LOWER": "here"}, {"LOWER": "is"}]])

    assert len(list(doc.sents)) == 2
    assert len(matcher(doc)) == 2
    return {Language: nlp, Doc: doc, Token: doc[0]}


def use_statsmodels() -> dict[type, object]:
    import numpy
    import pandas
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    data = pandas.DataFrame({"x": numpy.arange(20.0)})
    data["y"] = 2 * data["x"] + 1 + numpy.sin(data["x"])
    by_formula = smf.ols("y ~ x", data).fit()
    by_matrix = sm.OLS(data["y"], sm.add_constant(data["x"])).fit()

    assert abs(by_formula.params["x"] - by_matrix.params["x"]) < 1e-9
    assert "R-squared" in str(by_formula.summary())
    return {sm.OLS: by_formula.model, type(by_matrix): by_formula}


USES = {
    "PIL": use_pillow,
    "aiohttp": use_aiohttp,
    "cffi": use_cffi,
    "cryptography": use_cryptography,
    "dask": use_dask,
    "gevent": use_gevent,
    "google.protobuf": use_protobuf,
    "grpc": use_grpc,
    "h5py": use_h5py,
    "lxml": use_lxml,
    "matplotlib": use_matplotlib,
    "msgpack": use_msgpack,
    "numpy": use_numpy,
    "orjson": use_orjson,
    "pandas": use_pandas,
    "psutil": use_psutil,
    "pyarrow": use_pyarrow,
    "pydantic": use_pydantic,
    "regex": use_regex,
    "rpds": use_rpds,
    "scipy": use_scipy,
    "sklearn": use_sklearn,
    "spacy": use_spacy,
    "sqlalchemy": use_sqlalchemy,
    "statsmodels": use_statsmodels,
    "yaml": use_yaml,
    "zope.interface": use_zope_interface,
}


@pytest.mark.parametrize("package", USES)
def test_package_works_in_isolated_tests_and_stays_the_same(
    package: str, use_three_times: Callable[..., None]
) -> None:
    use_three_times(package, USES[package], first=f"assert {package!r} not in sys.modules")


@pytest.mark.parametrize("package", ["dask", "sklearn", "spacy", "statsmodels"])
@pytest.mark.parametrize("loaded", ["numpy", "numpy.f2py, pandas, scipy.signal"])
def test_package_works_on_top_of_others_that_were_loaded_before(
    package: str, loaded: str, use_three_times: Callable[..., None]
) -> None:
    use_three_times(package, USES[package], first=f"import {loaded}")
