"""What audit events tell: https://docs.python.org/3/library/audit_events.html."""

from __future__ import annotations

import sys

from pytest_importsandbox._effects.observer.places import (
    NOWHERE,
    calling_function,
    calling_module,
    import_does_it,
    innermost_line,
)
from pytest_importsandbox._effects.observer.rows import own, text
from pytest_importsandbox._effects.observer.unseen import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pytest_importsandbox._effects.observer.imports import Imports
    from pytest_importsandbox._effects.observer.recorder import Recorder
    from pytest_importsandbox._effects.observer.threads import Threads

# The attribute of `ImportEffects`, what, how, before, after.
Effect = tuple[str, str, str, str | None, str | None]

_WRITES = system.O_WRONLY | system.O_RDWR | system.O_CREAT | system.O_TRUNC | system.O_APPEND
_NULL_DEVICES = ("/dev/null", "nul", "NUL")


class Audit:
    """The audit hook: turns the events of an import into records of its effects."""

    def __init__(self, recorder: Recorder, imports: Imports, threads: Threads) -> None:
        self._recorder = recorder
        self._imports = imports
        self._threads = threads
        # Trace functions are not called for audit hooks, unless these ask for it. One that was there before
        # the import, as that of a tool that measures coverage, is not the import's.
        self.__cantrace__ = sys.gettrace() is not None

    def install(self) -> None:
        """Observe from now on; an audit hook can't be taken away again."""
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Record what an event tells; an exception here would end what the import is about to do."""
        if event not in _EVENTS:
            return
        began = self._recorder.begin()
        if began is None:
            return
        try:
            effect = _EVENTS[event](*arguments)
            if event in _THREAD_EVENTS:
                self._threads.add(arguments[0])
            if effect is not None:
                self._record(effect)
        except BaseException:
            self._recorder.write("missed", event)
        finally:
            self._recorder.finish(began)

    def _record(self, effect: Effect) -> None:
        try:
            line = innermost_line()
        # Looking at frames is audited itself, and the import may have a hook that refuses it.
        except BaseException:
            line = NOWHERE
        self._recorder.write("effect", *effect, self._imports.current() or line[0], line)


def path_text(path: object) -> str:
    """A path as text, absolute or not, without running code of its own."""
    if type(path) is bytes:
        return path.decode(sys.getfilesystemencoding(), "surrogateescape")
    if isinstance(path, str):
        return str.__str__(path)
    if isinstance(path, int):
        return f"file descriptor {int(path)}"
    return path_text(type(path).__fspath__(path))  # type: ignore[attr-defined]


def absolute(path: object) -> str:
    """A path with the directory that it starts from."""
    found = path_text(path)
    if found == ".":
        return str(system.getcwd())
    if found.startswith(("/", "\\")) or found[1:2] == ":" or isinstance(path, int):
        return found
    return f"{system.getcwd()}{_SEPARATOR}{found.removeprefix(f'.{_SEPARATOR}')}"


_SEPARATOR = "\\" if sys.platform == "win32" else "/"


def _opened(path: object, mode: object, flags: int) -> Effect | None:
    # A descriptor was opened by path before.
    if isinstance(path, int) or import_does_it():
        return None
    name = absolute(path)
    if flags & _WRITES:
        return None if name in _NULL_DEVICES else ("files_written", name, "written", None, None)
    return ("files_read", name, "read", None, None) if _exists(name) else None


def _database(path: object, *_: object) -> Effect | None:
    name = path_text(path)
    if name in ("", ":memory:") or name.startswith("file:"):
        return None
    return "files_written", absolute(path), "written", None, None


def _renamed(old: object, new: object, *_: object) -> Effect | None:
    name = absolute(old)
    if import_does_it() or not _exists(name):
        return None
    return "files_written", name, "renamed", None, absolute(new)


def _linked(old: object, new: object, *_: object) -> Effect:
    return "files_written", absolute(new), "linked", None, path_text(old)


def _exists(path: str) -> bool:
    """Whether there is such a file: the event comes before what may still fail."""
    try:
        system.lstat(path)
    except OSError:
        return False
    return True


def _written(how: str) -> Callable[..., Effect | None]:
    def changed(path: object, *_: object) -> Effect | None:
        name = absolute(path)
        if import_does_it() or not _exists(name):
            return None
        return "files_written", name, how, None, None

    return changed


def _listed(path: object = ".") -> Effect | None:
    name = absolute("." if path is None else path)
    if import_does_it() or not _exists(name):
        return None
    return "directories", name, "listed", None, None


def _made(path: object, *_: object) -> Effect | None:
    name = absolute(path)
    if import_does_it() or _exists(name):
        return None
    return "directories", name, "made", None, None


def _removed(kind: str) -> Callable[[object, int], Effect | None]:
    def removed(path: object, directory: int) -> Effect | None:
        name = absolute(path)
        # `shutil.rmtree` goes from directory to directory, and has an event of its own.
        if directory >= 0 or import_does_it() or not _exists(name):
            return None
        return kind, name, "removed", None, None

    return removed


def _tree_removed(path: object, *_: object) -> Effect | None:
    name = absolute(path)
    return ("directories", name, "removed", None, None) if _exists(name) else None


def _address(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{_host(address[0])}:{_host(address[1])}"
    return path_text(address) if isinstance(address, (str, bytes)) else text(address)


def _host(part: object) -> str:
    return path_text(part) if isinstance(part, (str, bytes)) else text(part)


def _connected(how: str) -> Callable[..., Effect | None]:
    def connected(socket: object, address: object, *_: object) -> Effect | None:
        # On Windows, a pair of sockets is made by a connection of a process to itself.
        if calling_module() == "socket" and calling_function() == "socketpair":
            return None
        return "network", _address(address), how, None, None

    return connected


def _bound(socket: object, address: object) -> Effect | None:
    # Any port will do: that is how to find out whether the protocol is there.
    if isinstance(address, tuple) and len(address) >= 2 and address[1] == 0:
        return None
    return _connected("bound")(socket, address)


def _looked_up(host: object, *more: object) -> Effect | None:
    name = _address(host)
    # Without a host or with an address of numbers, nobody is asked.
    if host is None or ":" in name or not name.strip(".0123456789"):
        return None
    return "network", name, "looked up", None, None


def _command(executable: object, arguments: object, *_: object) -> Effect:
    words = [arguments] if isinstance(arguments, (str, bytes)) else list(arguments)  # type: ignore[call-overload]
    return "processes", " ".join([path_text(word) for word in words]), "started", None, None


def _spawned(path: object, arguments: object, *_: object) -> Effect | None:
    # Told by `subprocess.Popen` already.
    return None if calling_module() == "subprocess" else _command(path, arguments)


def _shell(command: object, *_: object) -> Effect:
    return "processes", path_text(command), "started", None, None


def _forked() -> Effect | None:
    if calling_module() == "subprocess":
        return None
    return "processes", "fork", "started", None, None


def _environment(name: object, value: object = None) -> Effect:
    what = path_text(name)
    # `before` comes from the picture that was taken at the start.
    return "environ", what, "changed", None, None if value is None else path_text(value)


def _thread(function: object, *_: object) -> Effect:
    name = own(own(function, "__self__"), "_name")
    return "threads", name if type(name) is str else text(function), "started", None, None


def _extension(name: str, file: object, *_: object) -> Effect | None:
    # Without a file, it is the search for a module.
    return None if file is None else ("shared_libraries", path_text(file), "extension", None, None)


def _library(name: object) -> Effect | None:
    return None if name is None else ("shared_libraries", path_text(name), "ctypes", None, None)


def _handler(what: str) -> Callable[..., Effect]:
    return lambda *_: ("handlers", what, "added", None, None)


def _changed_directory(path: object) -> Effect:
    return "cwd", "cwd", "changed", system.getcwd(), absolute(path)


_THREAD_EVENTS = ("_thread.start_joinable_thread", "_thread.start_new_thread")
_EVENTS: dict[str, Callable[..., Effect | None]] = {
    "_thread.start_joinable_thread": _thread,
    "_thread.start_new_thread": _thread,
    "ctypes.dlopen": _library,
    "import": _extension,
    "open": _opened,
    "os.chdir": _changed_directory,
    "os.chflags": _written("flags changed"),
    "os.chmod": _written("mode changed"),
    "os.chown": _written("owner changed"),
    "os.exec": _command,
    "os.fork": _forked,
    "os.forkpty": _forked,
    "os.link": _linked,
    "os.listdir": _listed,
    "os.mkdir": _made,
    "os.posix_spawn": _spawned,
    "os.putenv": _environment,
    "os.remove": _removed("files_written"),
    "os.rename": _renamed,
    "os.rmdir": _removed("directories"),
    "os.scandir": _listed,
    "os.setxattr": _written("attribute changed"),
    "os.startfile": _shell,
    "os.symlink": _linked,
    "os.system": _shell,
    "os.truncate": _written("truncated"),
    "os.unsetenv": _environment,
    "os.utime": _written("times changed"),
    "resource.setrlimit": _handler("resource limit"),
    "shutil.rmtree": _tree_removed,
    "socket.bind": _bound,
    "socket.connect": _connected("connected"),
    "socket.getaddrinfo": _looked_up,
    "socket.gethostbyaddr": _looked_up,
    "socket.gethostbyname": _looked_up,
    "socket.getnameinfo": _looked_up,
    "socket.sendmsg": _connected("sent to"),
    "socket.sendto": _connected("sent to"),
    "sqlite3.connect": _database,
    "subprocess.Popen": _command,
    "sys.addaudithook": _handler("audit hook"),
}
