"""Every kind of effect, as the import of a package has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pytest_importsandbox import ImportEffects, import_effects
from pytest_importsandbox._effects.model import KINDS, Effect

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")

Observe = Callable[..., ImportEffects]
Write = Callable[..., Path]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="is for POSIX")


def told(effects: Iterable[Effect]) -> list[tuple[str, str]]:
    """What was done to what."""
    return [(effect.what, effect.how) for effect in effects]


def named(effects: Iterable[Effect], what: str) -> Effect:
    """The one effect on something."""
    (found,) = (effect for effect in effects if effect.what == what)
    return found


def test_import_of_an_empty_package_has_no_effects(effects_of: Observe) -> None:
    effects = effects_of("")

    assert not effects
    assert [module.name for module in effects.modules] == ["inkhorn"]


# The same statement in the package itself, in a submodule and in a thread, with a directory of the test.
STATEMENTS = {
    "files_read": "open(r'{directory}/words.txt').close()",
    "files_written": "open(r'{directory}/new.txt', 'w').close()",
    "directories": "__import__('os').listdir(r'{directory}')",
    "network": "__import__('socket').socket(type=__import__('socket').SOCK_DGRAM).connect(('127.0.0.1', 9))",
    "processes": "__import__('os').system('exit 0')",
    "threads": "__import__('threading').Thread(target=int).start()",
    "environ": "__import__('os').environ['INKHORN'] = '1'",
    "cwd": "__import__('os').chdir(r'{directory}')",
    "path": "__import__('sys').path.append('somewhere')",
    "meta_path": "__import__('sys').meta_path.append(object())",
    "path_hooks": "__import__('sys').path_hooks.append(object())",
    "warnings": "__import__('warnings').warn('old')",
    "stdout": "print('text')",
    "stderr": "print('text', file=__import__('sys').stderr)",
    "handlers": "__import__('atexit').register(int)",
    "patched": "__import__('os').getlogin = int",
    "shared_libraries": "__import__('ctypes').CDLL(__import__('_ctypes').__file__)",
}
WITHOUT_LINE = ("handlers", "meta_path", "path", "path_hooks", "patched", "stderr", "stdout")


@pytest.fixture(params=STATEMENTS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "shared_libraries" and "_ctypes" in sys.builtin_module_names:
        pytest.skip("all modules are built in")
    return str(request.param)


@pytest.fixture
def statement(kind: str, tmp_path: Path) -> str:
    (tmp_path / "words.txt").write_text("ink", encoding="utf-8")
    return STATEMENTS[kind].format(directory=tmp_path)


def test_every_kind_is_tried() -> None:
    assert set(STATEMENTS) == set(KINDS)


def test_effect_of_a_package_is_told_with_its_place(effects_of: Observe, kind: str, statement: str) -> None:
    effects = effects_of(f"pass\n{statement}")

    effect = getattr(effects, kind)[-1]
    assert effect.module == "inkhorn"
    assert effect.place == ("inkhorn/__init__.py" if kind in WITHOUT_LINE else "inkhorn/__init__.py:2")


def test_effect_of_a_submodule_is_told_with_its_place(effects_of: Observe, kind: str, statement: str) -> None:
    effects = effects_of("import inkhorn.sub", sub=f"pass\n{statement}")

    effect = getattr(effects, kind)[-1]
    assert effect.module == "inkhorn.sub"
    assert effect.place == ("inkhorn/sub.py" if kind in WITHOUT_LINE else "inkhorn/sub.py:2")


def test_effect_of_a_thread_is_told(effects_of: Observe, kind: str, statement: str) -> None:
    effects = effects_of(
        f"""
        import threading

        def run():
            {statement}

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        """
    )

    effect = getattr(effects, kind)[-1]
    assert effect.module == "inkhorn"
    assert effect.place.startswith("inkhorn/__init__.py")


def test_effect_of_a_thread_of_the_standard_library_alone_is_told_of_that(
    effects_of: Observe, tmp_path: Path
) -> None:
    effects = effects_of(
        f"""
        import importlib, os, threading
        for target, argument in ((os.mkdir, r"{tmp_path / "new"}"), (importlib.import_module, "colorsys")):
            thread = threading.Thread(target=target, args=(argument,))
            thread.start()
            thread.join()
        """
    )

    assert [(each.what, each.module) for each in effects.directories] == [
        (str(tmp_path / "new"), "threading")
    ]
    assert ("colorsys", "") in [(each.name, each.importer) for each in effects.modules]


def test_effect_in_a_function_of_another_module_has_the_line_of_that(effects_of: Observe) -> None:
    effects = effects_of(
        "from inkhorn.sub import set_it\nset_it()",
        sub="import os\ndef set_it():\n    os.environ['INKHORN'] = '1'",
    )

    assert [(each.module, each.place) for each in effects.environ] == [("inkhorn", "inkhorn/sub.py:3")]


# Modules


def test_module_is_told_with_who_asked_for_it_and_where(write: Write) -> None:
    write(
        inkhorn="from inkhorn.formats import table",
        inkhorn__formats="\n\nimport inkhorn.colours",
        inkhorn__formats__table="",
        inkhorn__colours="",
    )

    effects = import_effects("inkhorn")

    assert [(each.name, each.importer, each.place) for each in effects.modules] == [
        ("inkhorn.colours", "inkhorn.formats", "formats/__init__.py:3"),
        ("inkhorn.formats", "inkhorn", "inkhorn/__init__.py:1"),
        ("inkhorn.formats.table", "inkhorn", "inkhorn/__init__.py:1"),
        ("inkhorn", "", ""),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "import inkhorn_other",
        "import importlib; importlib.import_module('inkhorn_other')",
        "__import__('inkhorn_other')",
        "exec('import inkhorn_other')",
    ],
)
def test_every_way_to_import_is_seen(write: Write, statement: str) -> None:
    write(inkhorn=statement, inkhorn_other="")

    effects = import_effects("inkhorn")

    assert effects.chain("inkhorn_other") == "inkhorn (inkhorn.py:1) -> inkhorn_other"


def test_module_that_was_put_into_place_by_hand_comes_last_and_without_a_time(effects_of: Observe) -> None:
    effects = effects_of("import sys, types; sys.modules['by_hand'] = types.ModuleType('by_hand')")

    assert effects.modules[-1].name == "by_hand"
    assert effects.modules[-1].seconds == 0.0


def test_module_that_failed_to_load_is_not_told(effects_of: Observe) -> None:
    effects = effects_of(
        """
        try:
            import inkhorn.sub
        except ZeroDivisionError:
            pass
        """,
        sub="1 / 0",
    )

    assert [module.name for module in effects.modules] == ["inkhorn"]


def test_package_that_its_own_submodule_needs_is_told_once(effects_of: Observe) -> None:
    effects = effects_of("from inkhorn import sub", sub="import inkhorn.sub")

    assert [module.name for module in effects.modules] == ["inkhorn.sub", "inkhorn"]


def test_times_add_up(effects_of: Observe) -> None:
    effects = effects_of("import inkhorn.sub", sub="import time; time.sleep(0.2)")

    sub, package = effects.modules
    assert package.seconds >= sub.seconds >= sub.self_seconds >= 0.2 > package.self_seconds
    assert package.self_seconds + sub.self_seconds == pytest.approx(package.seconds)
    assert effects.seconds >= package.seconds


def test_what_the_interpreter_has_loaded_is_told_apart(effects_of: Observe) -> None:
    effects = effects_of("import sys, marshal")

    assert "marshal" in effects.preloaded
    assert not effects.chain("marshal")


def test_observer_loads_nothing(effects_of: Observe) -> None:
    effects = effects_of("import sys; print(*sys.modules, sep='\\n')")

    assert effects.stdout[0].what.split() == [*effects.preloaded, "inkhorn"]


def test_module_that_a_function_of_the_standard_library_loads_is_told_of_its_caller(
    effects_of: Observe,
) -> None:
    effects = effects_of("import codecs; codecs.encode('ink', 'rot13')")

    assert effects.chain("encodings.rot_13") == "inkhorn (inkhorn/__init__.py:1) -> encodings.rot_13"


# Files and directories


def test_files_that_import_itself_reads_and_writes_are_not_told(effects_of: Observe) -> None:
    effects = effects_of("import inkhorn.sub, json, xml.dom.minidom", env={"PYTHONDONTWRITEBYTECODE": ""})

    assert not effects.files_read
    assert not effects.files_written
    assert not effects.directories


def test_file_that_a_loader_is_asked_for_is_told(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of("import pkgutil; pkgutil.get_data('inkhorn', 'sub.py')")

    assert told(effects.files_read) == [(str(tmp_path / "home" / "inkhorn" / "sub.py"), "read")]
    assert effects.files_read[0].place == "inkhorn/__init__.py:1"


def test_module_that_is_run_by_its_loader_is_no_file_that_is_read(effects_of: Observe) -> None:
    effects = effects_of(
        """
        from importlib.util import module_from_spec, spec_from_file_location
        spec = spec_from_file_location("by_hand", __file__.replace("__init__", "sub"))
        spec.loader.exec_module(module_from_spec(spec))
        """
    )

    assert not effects.files_read


def test_file_that_is_not_there_is_not_told(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of(
        """
        import os
        for act in (open, os.remove, os.rmdir, os.listdir, lambda file: os.rename(file, file + "2")):
            try:
                act("missing")
            except OSError:
                pass
        os.makedirs(".", exist_ok=True)
        """
    )

    assert not effects


def test_relative_path_is_told_with_its_directory(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of(
        f"""
        import os
        os.chdir(r"{tmp_path}")
        open("one.txt", "w").close()
        open(b"two.txt", "w").close()
        os.listdir()
        """
    )

    assert [effect.what for effect in effects.files_written] == [
        str(tmp_path / "one.txt"),
        str(tmp_path / "two.txt"),
    ]
    assert told(effects.directories) == [(str(tmp_path), "listed")]


def test_removed_and_renamed_files_are_told_with_that(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of(
        f"""
        import os, pathlib
        file = pathlib.Path(r"{tmp_path}", "a.txt")
        file.write_text("ink", encoding="utf-8")
        file.rename(file.with_name("b.txt"))
        os.replace(file.with_name("b.txt"), file)
        os.truncate(file, 0)
        os.chmod(file, 0o600)
        file.unlink()
        """
    )

    a, b = str(tmp_path / "a.txt"), str(tmp_path / "b.txt")
    assert [(each.what, each.how, each.after) for each in effects.files_written] == [
        (a, "written", None),
        (a, "renamed", b),
        (b, "renamed", a),
        (a, "truncated", None),
        (a, "mode changed", None),
        (a, "removed", None),
    ]


@posix_only
def test_links_are_told_with_what_they_lead_to(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of(f"import os; os.symlink('target', r'{tmp_path}/link')")

    assert told(effects.files_written) == [(str(tmp_path / "link"), "linked")]
    assert effects.files_written[0].after == "target"


def test_directories_are_told_when_they_are_made_listed_and_removed(
    effects_of: Observe, tmp_path: Path
) -> None:
    effects = effects_of(
        f"""
        import os, shutil
        os.makedirs(r"{tmp_path / "a" / "b"}")
        open(r"{tmp_path / "a" / "b" / "file"}", "w").close()
        list(os.scandir(r"{tmp_path}"))
        os.mkdir(r"{tmp_path / "c"}")
        os.rmdir(r"{tmp_path / "c"}")
        shutil.rmtree(r"{tmp_path / "a"}")
        """
    )

    made = [(Path(each.what).name, each.how) for each in effects.directories if each.how != "listed"]
    assert made[:4] == [("a", "made"), ("b", "made"), ("c", "made"), ("c", "removed")]
    assert made[4] == ("a", "removed")
    assert (str(tmp_path), "listed") in told(effects.directories)


def test_file_is_told_once_for_each_line_that_reads_it(effects_of: Observe) -> None:
    effects = effects_of("for _ in range(3):\n    open(__file__).close()\nopen(__file__).close()")

    assert [effect.place for effect in effects.files_read] == [
        "inkhorn/__init__.py:2",
        "inkhorn/__init__.py:3",
    ]


def test_database_is_a_file_that_is_written(effects_of: Observe, tmp_path: Path) -> None:
    pytest.importorskip("sqlite3")
    effects = effects_of(
        f"""
        import sqlite3
        sqlite3.connect(r"{tmp_path / "ink.db"}").close()
        sqlite3.connect(":memory:").close()
        """
    )

    assert told(effects.files_written) == [(str(tmp_path / "ink.db"), "written")]


def test_null_device_is_no_file_that_is_written(effects_of: Observe) -> None:
    assert not effects_of("import os; open(os.devnull, 'w').close()").files_written


# Network, processes, threads


def test_connections_and_look_ups_are_told_with_their_address(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import socket
        for act in (
            lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9)),
            lambda: socket.gethostbyname("localhost"),
            lambda: socket.getaddrinfo("localhost", 80),
        ):
            try:
                act()
            except OSError:
                pass
        """,
        args=("-W", "ignore"),
    )

    assert told(effects.network) == [
        ("127.0.0.1:9", "connected"),
        ("127.0.0.1:9", "sent to"),
        ("localhost", "looked up"),
        ("localhost", "looked up"),
    ]


def test_sockets_that_reach_nobody_are_no_network(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import socket
        for end in socket.socketpair():
            end.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
        socket.gethostname()
        """
    )

    assert not effects.network


def test_command_is_told_once_however_it_is_started(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import subprocess, sys
        subprocess.run([sys.executable, "-c", "pass"])
        subprocess.run([sys.executable, "-c", "pass"], close_fds=False)
        """
    )

    command = f"{sys.executable} -c pass"
    assert told(effects.processes) == [(command, "started"), (command, "started")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the children of a process")
def test_process_that_has_not_ended_is_told_and_ended(
    effects_of: Observe, wait_for_end: Callable[[int], None]
) -> None:
    effects = effects_of(
        """
        import subprocess, sys
        code = "import time; time.sleep(60)"
        print(subprocess.Popen([sys.executable, "-c", code]).pid)
        """,
        args=("-W", "ignore"),
    )

    assert [effect.after for effect in effects.processes] == ["running"]
    wait_for_end(int(effects.stdout[0].what))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists the children of a process")
def test_process_that_no_event_tells_of_is_told_if_it_is_running(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import os
        from multiprocessing import resource_tracker
        os.system("exit 0")
        resource_tracker.ensure_running()
        """
    )

    assert [effect.after for effect in effects.processes] == [None, "running"]
    assert "resource_tracker" in effects.processes[1].what


@posix_only
def test_fork_is_told(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import os
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        """,
        args=("-W", "ignore"),
    )

    assert told(effects.processes) == [("fork", "started")]


def test_threads_are_told_with_whether_they_are_alive(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import threading
        threading.Thread(target=threading.Event().wait, name="long").start()
        threading.Thread(target=threading.Event().wait, name="daemon", daemon=True).start()
        short = threading.Thread(target=int, name="short")
        short.start()
        short.join()
        """
    )

    assert [(each.what, each.how, each.after) for each in effects.threads] == [
        ("long", "started", "alive"),
        ("daemon", "started", "alive"),
        ("short", "started", "ended"),
    ]


def test_thread_without_an_object_is_told_by_its_function(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import _thread
        lock, running = _thread.allocate_lock(), _thread.allocate_lock()
        lock.acquire()
        running.acquire()

        def wait():
            running.release()
            lock.acquire()

        _thread.start_new_thread(wait, ())
        running.acquire()
        """
    )

    assert [(each.what, each.after) for each in effects.threads] == [("inkhorn.wait", "alive")]


# State


def test_environment_variables_are_told_with_what_was_there(
    effects_of: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKHORN_CHANGED", "old")
    monkeypatch.setenv("INKHORN_REMOVED", "old")

    effects = effects_of(
        """
        import os
        os.environ["INKHORN_CHANGED"] = "other"
        os.environ["INKHORN_CHANGED"] = "new"
        del os.environ["INKHORN_REMOVED"]
        os.environ["INKHORN_ADDED"] = "new"
        os.environ["INKHORN_BACK"] = "new"
        del os.environ["INKHORN_BACK"]
        """
    )

    assert [(each.what, each.how, each.before, each.after) for each in effects.environ] == [
        ("INKHORN_CHANGED", "changed", "old", "new"),
        ("INKHORN_REMOVED", "removed", "old", None),
        ("INKHORN_ADDED", "added", None, "new"),
    ]


def test_working_directory_is_told_with_what_it_was(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of(f"import os; os.chdir(r'{tmp_path.resolve()}')")

    assert [(each.before, each.after) for each in effects.cwd] == [(str(Path.cwd()), str(tmp_path.resolve()))]


def test_working_directory_that_is_set_back_is_not_told(effects_of: Observe, tmp_path: Path) -> None:
    assert not effects_of(f"import os; old = os.getcwd(); os.chdir(r'{tmp_path}'); os.chdir(old)").cwd


def test_search_path_is_told_entry_by_entry_with_positions(effects_of: Observe) -> None:
    effects = effects_of("import sys; sys.path.insert(0, 'new'); sys.path.append(sys.path.pop(1))")

    assert [(each.what, each.how, each.before, each.after) for each in effects.path] == [
        ("new", "added", None, "0"),
        (sys.path[0], "moved", "0", str(len(sys.path))),
    ]


def test_finders_are_told_by_their_class(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import sys

        class Finder:
            def find_spec(self, name, path, target=None):
                return None

        sys.meta_path.insert(0, Finder())
        sys.meta_path.append(Finder)
        del sys.path_hooks[0]
        """
    )

    assert [(each.what, each.how) for each in effects.meta_path] == [
        ("<inkhorn.Finder object>", "added"),
        ("inkhorn.Finder", "added"),
    ]
    assert told(effects.path_hooks) == [("zipimport.zipimporter", "removed")]


# What is written


def test_warnings_are_told_with_their_category_and_place(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import warnings
        from inkhorn.sub import old
        warnings.warn("one")
        old()
        """,
        sub="import warnings\ndef old():\n    warnings.warn('two', DeprecationWarning, stacklevel=2)",
        args=("-W", "always"),
    )

    assert [(each.what, each.how, each.place) for each in effects.warnings] == [
        ("one", "UserWarning", "inkhorn/__init__.py:4"),
        ("two", "DeprecationWarning", "inkhorn/__init__.py:5"),
    ]
    assert not effects.files_read


def test_warning_of_the_interpreter_is_told(effects_of: Observe) -> None:
    effects = effects_of("x = 'a' is 'a'", env={"PYTHONDONTWRITEBYTECODE": "1"})

    assert [each.how for each in effects.warnings] == ["SyntaxWarning"]


def test_warning_that_is_ignored_is_not_told(effects_of: Observe) -> None:
    assert not effects_of("import warnings; warnings.warn('one')", args=("-W", "ignore")).warnings


def test_output_is_told_by_who_wrote_it(effects_of: Observe) -> None:
    effects = effects_of("print('one'); import inkhorn.sub; print('three')", sub="print('two')\nprint('two')")

    assert [(each.what, each.module) for each in effects.stdout] == [
        ("one\n", "inkhorn"),
        ("two\ntwo\n", "inkhorn.sub"),
        ("three\n", "inkhorn"),
    ]


def test_output_of_a_module_is_one_text_as_long_as_nobody_else_writes(effects_of: Observe) -> None:
    effects = effects_of("print('one'); import inkhorn.sub; print('two')")

    assert [(each.what, each.module) for each in effects.stdout] == [("one\ntwo\n", "inkhorn")]


# Patches


def test_patched_attributes_are_told_with_both_objects(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import socket, os

        class Socket(socket.socket):
            pass

        socket.socket = Socket
        del os.getlogin
        """
    )

    assert [(each.what, each.how, each.before, each.after) for each in effects.patched] == [
        ("os.getlogin", "removed", "posix.getlogin" if os.name == "posix" else "nt.getlogin", None),
        ("socket.socket", "changed", "socket.socket", "inkhorn.Socket"),
    ]


def test_patch_is_told_of_the_module_that_made_it(effects_of: Observe) -> None:
    effects = effects_of(
        "import socket\nsocket.has_ipv6 = None\nimport inkhorn.sub", sub="import socket\nsocket.socket = None"
    )

    assert [(each.what, each.module) for each in effects.patched] == [
        ("socket.has_ipv6", "inkhorn"),
        ("socket.socket", "inkhorn.sub"),
    ]


def test_what_the_standard_library_does_to_itself_is_no_patch(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import mimetypes, random, tempfile, logging
        mimetypes.init([])
        random.seed(5)
        tempfile.gettempdir()
        logging.getLogger("inkhorn")
        """
    )

    assert not effects.patched


def test_module_of_ones_own_is_no_standard_library(write: Write) -> None:
    write(inkhorn="import token_of_ours; token_of_ours.VALUE = 2", token_of_ours="VALUE = 1")

    assert not import_effects("inkhorn").patched


def test_replaced_standard_streams_are_patches(effects_of: Observe) -> None:
    effects = effects_of("import io, sys; sys.stdout = io.StringIO(); print('lost')")

    assert told(effects.patched) == [("sys.stdout", "changed")]
    assert not effects.stdout


# Shared libraries


def test_extension_modules_are_told_with_their_file(effects_of: Observe) -> None:
    effects = effects_of("import _ctypes")

    if "_ctypes" in sys.builtin_module_names:
        pytest.skip("all modules are built in")
    assert [(Path(each.what).name.split(".")[0], each.how) for each in effects.shared_libraries] == [
        ("_ctypes", "extension")
    ]
    assert effects.shared_libraries[0].place == "inkhorn/__init__.py:1"
    assert not effects


@posix_only
def test_libraries_of_ctypes_are_told(effects_of: Observe, tmp_path: Path) -> None:
    effects = effects_of("import ctypes\ntry:\n    ctypes.CDLL('libinkhorn.so')\nexcept OSError:\n    pass")

    assert ("libinkhorn.so", "ctypes") in told(effects.shared_libraries)


# Handlers and settings


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signal SIGTERM"),
        ("import atexit; atexit.register(print)", "atexit"),
        ("import sys; sys.excepthook = print", "sys.excepthook"),
        ("import sys; sys.displayhook = print", "sys.displayhook"),
        ("import sys; sys.unraisablehook = print", "sys.unraisablehook"),
        ("import sys; sys.breakpointhook = print", "sys.breakpointhook"),
        ("import threading; threading.excepthook = print", "threading.excepthook"),
        ("import threading; threading.setprofile(print)", "threading.setprofile"),
        ("import sys; sys.setprofile(lambda *arguments: None)", "sys.setprofile"),
        ("import sys; sys.set_asyncgen_hooks(print)", "asyncgen firstiter hook"),
        ("import sys; sys.setrecursionlimit(5000)", "recursion limit"),
        ("import sys; sys.setswitchinterval(0.5)", "switch interval"),
        ("import sys; sys.set_int_max_str_digits(0)", "digits of integers"),
        ("import locale; locale.setlocale(locale.LC_CTYPE, 'C')", "locale"),
        ("import gc; gc.disable()", "gc.isenabled"),
        ("import gc; gc.set_threshold(5)", "gc.threshold"),
        ("import gc; gc.set_debug(gc.DEBUG_UNCOLLECTABLE)", "gc.debug"),
        ("import gc; gc.callbacks.append(print)", "gc.callbacks"),
        ("import socket; socket.setdefaulttimeout(5)", "default socket timeout"),
        ("import multiprocessing; multiprocessing.set_start_method('spawn')", "multiprocessing start method"),
        ("import asyncio.events; asyncio.events._event_loop_policy = 5", "asyncio policy"),
        ("import logging; logging.getLogger().setLevel(5)", "logging root level"),
        ("import logging; logging.getLogger().addHandler(logging.NullHandler())", "logging root handlers"),
        ("import logging; logging.getLogger().addFilter(print)", "logging root filters"),
        ("import logging; logging.disable()", "logging disabled up to"),
        ("import logging; logging.addLevelName(5, 'TRACE')", "logging level 5"),
        ("import logging; logging.setLoggerClass(type('L', (logging.Logger,), {}))", "logger class"),
        ("import logging; logging.setLogRecordFactory(print)", "log record factory"),
        ("import warnings; warnings.simplefilter('ignore', FutureWarning)", "warnings.filters"),
        ("import codecs; codecs.register(lambda name: None)", "codecs"),
        ("import codecs; codecs.register_error('ink', print)", "codec error handler ink"),
        ("import copyreg; copyreg.pickle(type('K', (), {}), print)", "copyreg inkhorn.sub.K"),
        ("import builtins; builtins.ink = 5", "builtins.ink"),
        ("import builtins; builtins.ascii = repr", "builtins.ascii"),
        pytest.param(
            "import faulthandler; faulthandler.enable()",
            "faulthandler",
            marks=pytest.mark.skipif(sys.flags.dev_mode, reason="it is enabled in development mode"),
        ),
        ("import tracemalloc; tracemalloc.start()", "tracemalloc"),
        ("import sys; sys.addaudithook(lambda event, arguments: None)", "audit hook"),
        pytest.param(
            "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
            "resource limit",
            marks=posix_only,
        ),
        pytest.param(
            "import sys; sys.monitoring.use_tool_id(3, 'inkhorn')",
            "sys.monitoring tool 3",
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="is new in Python 3.12"),
        ),
    ],
)
def test_handlers_and_settings_are_told_by_name(effects_of: Observe, statement: str, what: str) -> None:
    effects = effects_of("import inkhorn.sub", sub=statement)

    assert {(each.what, each.module) for each in effects.handlers} == {(what, "inkhorn.sub")}


def test_handler_is_told_with_what_it_was_and_is(effects_of: Observe) -> None:
    effects = effects_of(
        "import signal\ndef stop(*arguments):\n    pass\nsignal.signal(signal.SIGTERM, stop)"
    )

    assert [(each.before, each.after) for each in effects.handlers] == [("SIG_DFL", "inkhorn.stop")]


def test_callbacks_of_atexit_are_told_by_name_and_not_called(effects_of: Observe) -> None:
    effects = effects_of(
        """
        import atexit

        class Closer:
            def close(self):
                print("closed")

        @atexit.register
        def stop():
            import time
            time.sleep(60)

        atexit.register(Closer().close)
        """
    )

    assert [(each.what, each.how, each.after) for each in effects.handlers] == [
        ("atexit", "added", "inkhorn.stop"),
        ("atexit", "added", "inkhorn.Closer.close"),
    ]
    assert not effects.stdout


def test_what_is_set_and_set_back_is_not_told(effects_of: Observe) -> None:
    effects = effects_of(
        "import sys, inkhorn.sub\nsys.setrecursionlimit(inkhorn.sub.old)",
        sub="import sys\nold = sys.getrecursionlimit()\nsys.setrecursionlimit(5000)",
    )

    assert not effects.handlers


def test_what_the_standard_library_sets_up_when_it_is_loaded_is_not_told(effects_of: Observe) -> None:
    effects = effects_of(
        "import logging, concurrent.futures.thread, re, asyncio, multiprocessing.util, decimal"
    )

    assert not effects
