"""The standard library runs only once in a process, however many isolated tests import it."""

from collections.abc import Callable

import pytest


def use_asyncio() -> dict[type, object]:
    import asyncio
    import sys

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def main() -> asyncio.Queue[int]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(double(number)) for number in range(3)]
        for task in tasks:
            queue.put_nowait(task.result())
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        assert await process.wait() == 0
        return queue

    queue = asyncio.run(main())

    assert [queue.get_nowait() for _ in range(3)] == [0, 2, 4]
    return {asyncio.Queue: queue, asyncio.CancelledError: asyncio.CancelledError()}


def use_concurrent_futures() -> dict[type, object]:
    from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing import get_context
    from operator import neg

    with ThreadPoolExecutor() as threads:
        future = threads.submit(neg, 1)
        assert list(threads.map(neg, [1, 2])) == [-1, -2]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        assert processes.submit(neg, 3).result() == -3

    assert future.result() == -1
    return {Future: future, ThreadPoolExecutor: threads, ProcessPoolExecutor: processes}


def use_ctypes() -> dict[type, object]:
    import ctypes

    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_int)]

    point = Point(1, 2)
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda number: number + 1)

    assert bytes(point)[: ctypes.sizeof(ctypes.c_int)] == bytes(ctypes.c_int(1))
    assert callback(1) == 2
    assert ctypes.cast(ctypes.pointer(point), ctypes.POINTER(Point)).contents.y == 2
    return {ctypes.Structure: point, ctypes.c_int: ctypes.c_int(3)}


def use_decimal() -> dict[type, object]:
    import decimal
    import fractions
    import numbers

    number = decimal.Decimal("1.10")
    with decimal.localcontext() as context:
        context.prec = 3
        assert str(number / 3) == "0.367"

    assert number == fractions.Fraction(11, 10)
    return {decimal.Decimal: number, decimal.Context: context, numbers.Number: number}


def use_enum() -> dict[type, object]:
    import enum
    import http
    import signal

    class Colour(enum.Flag):
        RED = enum.auto()
        BLUE = enum.auto()

    assert Colour.RED in Colour.RED | Colour.BLUE
    assert http.HTTPStatus(404) is http.HTTPStatus.NOT_FOUND
    return {enum.Flag: Colour.RED, enum.IntEnum: http.HTTPStatus.OK, signal.Signals: signal.SIGINT}


def use_logging() -> dict[type, object]:
    import logging.config
    import logging.handlers

    logger = logging.getLogger("app")
    if not logger.handlers:
        # As an application does it when it is imported.
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"memory": {"class": "logging.handlers.BufferingHandler", "capacity": 9}},
                "loggers": {"app": {"handlers": ["memory"]}},
            }
        )
    (handler,) = logger.handlers
    handler.flush()
    logger.warning("once")

    assert [record.getMessage() for record in handler.buffer] == ["once"]
    return {logging.Logger: logger, logging.Handler: handler, logging.LogRecord: handler.buffer[0]}


def use_multiprocessing() -> dict[type, object]:
    import multiprocessing
    import operator

    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.map(operator.neg, [1, 2]) == [-1, -2]
        result = pool.apply_async(operator.truediv, (1, 0))
        with pytest.raises(ZeroDivisionError):
            result.get()
        pool.close()
        pool.join()
    return {multiprocessing.TimeoutError: multiprocessing.TimeoutError(), type(result): result}


def use_resource_tracker() -> dict[type, object]:
    import multiprocessing
    from multiprocessing import resource_tracker, shared_memory

    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    memory = shared_memory.SharedMemory(create=True, size=8)
    memory.buf[0] = 1
    same = shared_memory.SharedMemory(memory.name)
    seen = same.buf[0]
    same.close()
    memory.close()
    memory.unlink()

    assert seen == 1
    assert lock.acquire(timeout=30)
    lock.release()
    return {
        resource_tracker.ResourceTracker: resource_tracker._resource_tracker,
        shared_memory.SharedMemory: memory,
    }


def use_numbers() -> dict[type, object]:
    import fractions
    import numbers

    @numbers.Number.register
    class Roman:
        pass

    assert isinstance(Roman(), numbers.Number)
    return {numbers.Rational: fractions.Fraction(1, 2), numbers.Integral: 1, numbers.Complex: 1j}


def use_sqlite3() -> dict[type, object]:
    import sqlite3
    from contextlib import closing

    sqlite3.register_adapter(complex, str)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("CREATE TABLE t (n UNIQUE)")
        connection.execute("INSERT INTO t VALUES (?)", (1j,))
        row = connection.execute("SELECT * FROM t").fetchone()
        with pytest.raises(sqlite3.IntegrityError) as caught:
            connection.execute("INSERT INTO t VALUES (?)", (1j,))

    assert row["n"] == "1j"
    return {sqlite3.Connection: connection, sqlite3.Row: row, sqlite3.Error: caught.value}


def use_ssl() -> dict[type, object]:
    import ssl

    context = ssl.create_default_context()
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(theirs, ours, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError) as caught:
        connection.do_handshake()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert ours.pending > 100
    return {
        ssl.SSLContext: context,
        ssl.SSLObject: connection,
        ssl.SSLError: caught.value,
        ssl.TLSVersion: context.maximum_version,
    }


def use_threading() -> dict[type, object]:
    import queue
    import threading

    numbers: queue.Queue[int] = queue.Queue()
    local = threading.local()
    thread = threading.Thread(target=numbers.put, args=(1,))
    thread.start()
    timer = threading.Timer(0, numbers.put, (2,))
    timer.start()
    thread.join()
    timer.join()

    assert sorted([numbers.get(), numbers.get()]) == [1, 2]
    assert threading.main_thread() is threading.current_thread()
    return {threading.Thread: thread, threading.local: local, queue.Queue: numbers}


def use_typing() -> dict[type, object]:
    import typing

    class Point(typing.NamedTuple):
        x: int

    @typing.runtime_checkable
    class HasX(typing.Protocol):
        x: int

    variable = typing.TypeVar("variable")

    assert isinstance(Point(1), HasX)
    assert typing.get_type_hints(Point) == {"x": int}
    assert typing.get_args(typing.Annotated[int, 1]) == (int, 1)
    return {typing.TypeVar: variable, typing.ForwardRef: typing.ForwardRef("Point")}


def use_xml_etree() -> dict[type, object]:
    import copy
    import pickle
    from xml.etree import ElementTree

    root = ElementTree.fromstring("<a><b n='1'/></a>")
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring("<a>")

    assert copy.deepcopy(root).find("b").get("n") == "1"
    assert ElementTree.tostring(pickle.loads(pickle.dumps(root))) == b'<a><b n="1" /></a>'
    # Not the error that was caught: it holds on to the parser, and a parser that is still there when the
    # interpreter ends crashes CPython 3.12.1, with this plugin and without it.
    return {ElementTree.Element: root, ElementTree.ParseError: ElementTree.ParseError()}


USES = {
    "asyncio": use_asyncio,
    "concurrent.futures": use_concurrent_futures,
    "ctypes": use_ctypes,
    "decimal": use_decimal,
    "enum": use_enum,
    "logging": use_logging,
    "multiprocessing": use_multiprocessing,
    "multiprocessing.resource_tracker": use_resource_tracker,
    "numbers": use_numbers,
    "sqlite3": use_sqlite3,
    "ssl": use_ssl,
    "threading": use_threading,
    "typing": use_typing,
    "xml.etree.ElementTree": use_xml_etree,
}


@pytest.mark.parametrize("module", USES)
def test_module_works_in_isolated_tests_and_stays_the_same(
    module: str, use_three_times: Callable[..., None]
) -> None:
    use_three_times(module, USES[module])
