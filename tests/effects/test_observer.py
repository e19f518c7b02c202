"""The parts of the observer by themselves, in this process: what no import of a test brings about."""

from __future__ import annotations

import _thread
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_importsandbox._effects.observer import PARTS, children, run
from pytest_importsandbox._effects.observer.events import _EVENTS, Audit, path_text
from pytest_importsandbox._effects.observer.imports import Imports
from pytest_importsandbox._effects.observer.places import NOWHERE, is_standard
from pytest_importsandbox._effects.observer.rows import ListedRow, NamedRow, module_of, text
from pytest_importsandbox._effects.observer.state import rows
from pytest_importsandbox._effects.observer.threads import Threads, announce_threads

WriteModules = Callable[[Mapping[str, str]], Path]

# The name that `threading` of Python 3.11 has for the function of `_thread`.
NEW_THREAD = "_start_new_thread"


class Records(list[tuple[Any, ...]]):
    """Takes the place of a recorder."""

    def write(self, *record: Any) -> None:
        self.append(record)

    def begin(self) -> float:
        return 0.0

    def finish(self, began: float) -> None:
        pass

    def clock(self, now: float) -> float:
        return now


@pytest.fixture
def records() -> Records:
    return Records()


def refuse(*arguments: object) -> None:
    raise RuntimeError


def test_parts_import_nothing_but_each_other_and_what_is_always_loaded() -> None:
    always = {"__future__", "_thread", "_weakref", "marshal", "sys", "time"}
    ours = "pytest_importsandbox._effects.observer."
    for part in PARTS:
        source = Path(run.__file__).with_name(f"{part}.py").read_text(encoding="utf-8")
        imports = [line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))]
        assert [name for name in imports if name not in always and not name.startswith(ours)] == []


# Imports


@pytest.fixture
def observed_imports(monkeypatch: pytest.MonkeyPatch) -> Callable[[Imports], None]:
    """Observe the imports of this process until the test ends."""

    def install(imports: Imports) -> None:
        bootstrap = sys.modules["_frozen_importlib"]
        name = "_find_and_load_unlocked"
        monkeypatch.setattr(bootstrap, name, getattr(bootstrap, name))
        imports.install()

    return install


def test_imports_are_recorded_from_begin_to_end(
    records: Records, observed_imports: Callable[[Imports], None], write_modules: WriteModules
) -> None:
    write_modules({"inkhorn_a.py": "import inkhorn_b", "inkhorn_b.py": ""})
    looks: list[tuple[str, str]] = []
    ready: list[str] = []
    observed_imports(Imports(records, lambda *names: looks.append(names), ready.append))  # type: ignore[arg-type]

    importlib.import_module("inkhorn_a")

    assert [record[:2] for record in records] == [
        ("begin", "inkhorn_a"),
        ("begin", "inkhorn_b"),
        ("end", "inkhorn_b"),
        ("end", "inkhorn_a"),
    ]
    assert records[0][2][0] == __name__
    assert records[1][2][::2] == ("inkhorn_a", 1)
    assert ready == ["inkhorn_b", "inkhorn_a"]
    assert looks == [
        ("", "inkhorn_a"),
        ("inkhorn_a", "inkhorn_b"),
        ("inkhorn_b", "inkhorn_a"),
        ("inkhorn_a", ""),
    ]


def test_import_goes_on_if_the_observer_fails(
    records: Records, observed_imports: Callable[[Imports], None], write_modules: WriteModules
) -> None:
    write_modules({"inkhorn_a.py": ""})
    observed_imports(Imports(records, refuse, refuse))  # type: ignore[arg-type]

    importlib.import_module("inkhorn_a")

    assert [record[0] for record in records] == ["begin", "missed", "end"]
    assert records[0][2] == NOWHERE


# The last look


def test_last_look_goes_on_if_a_part_of_it_fails(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    observer = run.Observer(records, set(), [])  # type: ignore[arg-type]
    monkeypatch.setattr(observer, "_look_at_everything", refuse)

    observer.last_look()

    assert records[0] == ("missed", "refuse: RuntimeError")
    assert [record[0] for record in records[1:]] == ["alive", "running"]


# Audit events


@pytest.fixture
def audit(records: Records) -> Audit:
    return Audit(records, Imports(records, refuse, refuse), Threads())  # type: ignore[arg-type]


def test_event_that_cannot_be_understood_does_no_harm(audit: Audit, records: Records) -> None:
    audit("open", ())

    assert records == [("missed", "open")]


def test_event_that_nobody_asks_about_is_passed_over(audit: Audit, records: Records) -> None:
    audit("compile", (None, "file"))

    assert records == []


def test_effect_is_told_without_its_place_if_frames_are_refused(
    audit: Audit, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_importsandbox._effects.observer.events.innermost_line", refuse)

    audit("os.system", (b"ink",))

    assert records == [("effect", "processes", "ink", "started", None, None, "", NOWHERE)]


class Text(str):
    def __str__(self) -> str:
        return "other"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", "a"),
        (Text("a"), "a"),
        (b"a\xff", "a\udcff"),
        (3, "file descriptor 3"),
        (Path("a"), "a"),
    ],
)
def test_path_of_any_kind_becomes_text(path: object, expected: str) -> None:
    found = path_text(path)

    assert (found, type(found)) == (expected, str)


@pytest.mark.parametrize(
    ("event", "arguments", "effect"),
    [
        ("os.startfile", ("a.txt", "open"), ("processes", "a.txt", "started", None, None)),
        ("os.exec", ("/bin/a", ["a", b"b"], None), ("processes", "a b", "started", None, None)),
        ("os.posix_spawn", ("/bin/a", ("a",), None), ("processes", "a", "started", None, None)),
        ("subprocess.Popen", ("a", "a b", None, None), ("processes", "a b", "started", None, None)),
        ("socket.connect", (None, "/run/socket"), ("network", "/run/socket", "connected", None, None)),
        ("socket.connect", (None, b"/run/socket"), ("network", "/run/socket", "connected", None, None)),
        ("socket.connect", (None, 5), ("network", "5", "connected", None, None)),
        ("socket.connect", (None, ("::1", 80, 0, 0)), ("network", "::1:80", "connected", None, None)),
        ("socket.bind", (None, ("::1", 80, 0, 0)), ("network", "::1:80", "bound", None, None)),
        ("socket.bind", (None, ("::1", 0, 0, 0)), None),
        ("socket.getaddrinfo", (b"ink.test", 80, 0, 0, 0), ("network", "ink.test", "looked up", None, None)),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0), None),
        ("socket.gethostbyaddr", ("10.0.0.1",), None),
        ("socket.gethostbyaddr", ("::1",), None),
        ("sqlite3.connect", ("file:ink.db?mode=ro",), None),
        ("ctypes.dlopen", (None,), None),
        ("import", ("a", None, [], [], []), None),
    ],
)
def test_event_is_an_effect(event: str, arguments: tuple[object, ...], effect: object) -> None:
    assert _EVENTS[event](*arguments) == effect


def called_by(module: str, function: str, event: str, *arguments: object) -> object:
    """What an event is taken for that a function of this name raises, in a module of this name."""
    namespace: dict[str, Any] = {"__name__": module, "hear": _EVENTS[event], "arguments": arguments}
    exec(f"def {function}():\n    return hear(*arguments)", namespace)
    return namespace[function]()


@pytest.mark.parametrize(
    ("module", "function", "event", "arguments"),
    [
        ("socket", "socketpair", "socket.connect", (None, ("127.0.0.1", 5))),
        ("subprocess", "_execute_child", "os.fork", ()),
        ("subprocess", "_posix_spawn", "os.posix_spawn", ("/bin/a", ("a",), None)),
        ("importlib._bootstrap_external", "set_data", "os.chmod", ("pyproject.toml", 0)),
    ],
)
def test_event_of_the_standard_library_within_is_no_effect(
    module: str, function: str, event: str, arguments: tuple[object, ...]
) -> None:
    assert called_by(module, function, event, *arguments) is None


# Rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        ("a", "'a'"),
        (5, "5"),
        ((1, "a"), "1, 'a'"),
        (frozenset({1}), "1"),
        (int, "int"),
        (Records, f"{__name__}.Records"),
        (os, "module os"),
        (len, "len"),
        (os.getcwd, f"{os.name if os.name == 'posix' else 'nt'}.getcwd"),
        ([].append, "list.append"),
        (Records().begin, f"{__name__}.Records.begin"),
        (dict.fromkeys, "dict.fromkeys"),
        (refuse, f"{__name__}.refuse"),
        (object(), "<object object>"),
    ],
)
def test_object_is_told_by_a_short_text(value: object, expected: str) -> None:
    assert text(value) == expected


class Hostile:
    @property
    def __module__(self) -> str:  # type: ignore[override]
        raise SystemError

    def __getattr__(self, name: str) -> object:
        raise SystemError


def test_object_that_refuses_to_tell_of_itself_is_told_by_its_class() -> None:
    assert text(Hostile()).startswith("<")
    assert module_of(Hostile()) == ""
    assert module_of(refuse) == __name__


def takes(*values: Any) -> Callable[[], Any]:
    """A function that returns one value after the other."""
    iterator: Iterator[Any] = iter(values)
    return lambda: next(iterator)


def test_named_row_tells_what_came_went_and_changed() -> None:
    row = NamedRow("kind", takes({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": "x", "d": None, "e": 5}))

    assert list(row.changes()) == [
        ("b", "changed", "2", "x"),
        ("c", "removed", "3", None),
        ("d", "added", None, None),
        ("e", "added", None, "5"),
    ]


def test_listed_row_tells_what_came_went_and_moved() -> None:
    row = ListedRow("kind", "", takes(("a", "b", "c", "d"), ("d", "a", "c", "x")))

    assert list(row.changes()) == [
        ("b", "removed", "1", None),
        ("x", "added", None, "3"),
        ("d", "moved", "3", "0"),
    ]


@pytest.mark.parametrize("row", [NamedRow, lambda kind, take: ListedRow(kind, "", take)])
def test_row_that_was_not_there_before_tells_nothing(row: Any) -> None:
    later = {"a": 1}

    found = row("kind", takes(None, later, None))

    assert list(found.changes()) == []
    assert list(found.changes()) == []


def test_state_that_nobody_changes_has_no_changes() -> None:
    for loaded in ({}, dict(sys.modules)):
        for row in rows(loaded):
            assert list(row.changes()) == []


def test_module_is_one_of_the_standard_library_by_its_file_too() -> None:
    assert is_standard("os", str(os.__file__))
    assert is_standard("sys", "")
    assert not is_standard("token", str(Path("somewhere", "token.py").resolve()))
    assert not is_standard("inkhorn", "")


# Threads


@pytest.mark.parametrize("loaded", [True, False])
def test_new_thread_is_announced_whether_threading_is_loaded_or_not(
    monkeypatch: pytest.MonkeyPatch, loaded: bool
) -> None:
    for module, name in ((_thread, "start_new_thread"), (_thread, "start_new"), (threading, NEW_THREAD)):
        monkeypatch.setattr(module, name, _thread.start_new_thread, raising=False)
    if not loaded:
        monkeypatch.delitem(sys.modules, "threading")
    heard: list[tuple[str, tuple[object, ...]]] = []
    running = _thread.allocate_lock()
    running.acquire()
    before = getattr(threading, NEW_THREAD)

    announce_threads(lambda event, arguments: heard.append((event, arguments)))
    _thread.start_new_thread(running.release, ())

    assert running.acquire(timeout=60)
    assert heard == [("_thread.start_new_thread", (running.release,))]
    assert (getattr(threading, NEW_THREAD) is before) is not loaded


# Processes


def test_nothing_is_running_where_nobody_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> list[str]:
        raise FileNotFoundError

    monkeypatch.setattr(children, "_listdir", missing)

    assert children.running_children() == []


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The files of `/proc` that there are: their contents, one after the other."""
    files: dict[str, Any] = {"/proc/self/cmdline": "python\0"}

    def content(path: str) -> str:
        if path not in files:
            raise FileNotFoundError
        if isinstance(files[path], list):
            return str(files[path].pop(0))
        return str(files[path])

    monkeypatch.setattr(children, "_listdir", lambda path: ["1", "2"])
    monkeypatch.setattr(children, "_content", content)
    return files


def test_processes_are_told_by_their_commands(processes: dict[str, Any]) -> None:
    # The second thread has ended, and so has the process 12; 11 has just begun; 13 waits for its parent.
    processes["/proc/self/task/1/children"] = "10 11 12 13 14"
    processes["/proc/10/cmdline"] = "sleep\x005\0"
    processes["/proc/11/cmdline"] = ["", "ls\0"]
    processes["/proc/11/stat"] = "11 (l) s) R 1"
    processes["/proc/13/cmdline"] = ""
    processes["/proc/13/stat"] = "13 (ls) Z 1"
    processes["/proc/14/cmdline"] = "python\0"

    assert children.running_children() == ["sleep 5", "ls", "fork"]


def test_process_that_never_has_a_command_is_not_waited_for(processes: dict[str, Any]) -> None:
    processes["/proc/self/task/1/children"] = "10"
    processes["/proc/10/cmdline"] = ""
    processes["/proc/10/stat"] = "10 (kworker) S 1"

    assert children.running_children() == []
