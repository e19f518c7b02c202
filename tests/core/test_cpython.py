"""What CPython does not promise to keep: whether it is still there, and still does what this package needs.

Nothing of the package is imported here. So this tells what has changed also where the plugin can't be loaded
any more: python -m pytest -p no:importsandbox tests/core/test_cpython.py
"""

from __future__ import annotations

import _imp
import ast
import dis
import importlib
import importlib.util
import json
import linecache
import os
import pkgutil
import subprocess
import sys
import sysconfig
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from importlib.abc import InspectLoader, Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "pytest_importsandbox"
PATIENCE = 30.0
MOMENT = 0.2

Write = Callable[[Mapping[str, str]], Path]


def private(name: str) -> Any:
    """What CPython has under the full name of something that is not public."""
    with suppress(AttributeError, ImportError):
        return pkgutil.resolve_name(name)
    pytest.fail(f"CPython has no {name} any more", pytrace=False)


class Import(Loader):
    """Imports a module, and acts in the middle of it: when the finder is asked, and when the module runs."""

    def __init__(self) -> None:
        self.name = "inkhorn"
        self.when_asked: Callable[[], object] = int
        self.when_run: Callable[[], object] = int

    def __call__(self) -> ModuleType:
        return importlib.import_module(self.name)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        self.when_asked()
        return ModuleSpec(name, self)

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to import."""

    def exec_module(self, module: ModuleType) -> None:
        self.when_run()


@pytest.fixture
def inkhorn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """A module that can be imported until the test ends."""
    importing = Import()
    monkeypatch.setattr(sys, "meta_path", [importing, *sys.meta_path])
    yield importing
    sys.modules.pop("inkhorn", None)


def lock_of(name: str) -> Any:
    """The lock of a module; None where there is none."""
    return private("importlib._bootstrap._module_locks").get(name, lambda: None)()


# The locks of modules


@pytest.mark.parametrize("moment", ["when_asked", "when_run"])
def test_module_that_is_being_imported_has_a_lock_that_its_thread_owns(moment: str, inkhorn: Import) -> None:
    owners: list[int] = []
    setattr(inkhorn, moment, lambda: owners.append(getattr(lock_of("inkhorn"), "owner", None)))

    inkhorn()

    assert owners == [threading.get_ident()], (
        "importlib._bootstrap._module_locks does not hold the lock of a module that is being imported, "
        "or its owner is not the thread that imports"
    )


def test_lock_of_a_module_is_gone_when_its_import_is_over(inkhorn: Import) -> None:
    gone: list[str] = []
    references = []
    inkhorn.when_run = lambda: references.append(
        weakref.ref(lock_of("inkhorn"), lambda _: gone.append("inkhorn"))
    )

    inkhorn()

    assert gone == ["inkhorn"], "somebody keeps the lock of a module whose import is over"
    assert lock_of("inkhorn") is None, "_module_locks keeps the lock of a module whose import is over"


def test_nobody_owns_the_lock_of_a_module_whose_import_has_failed(inkhorn: Import) -> None:
    inkhorn.when_run = lambda: 1 / 0

    with pytest.raises(ZeroDivisionError):
        inkhorn()

    assert getattr(lock_of("inkhorn"), "owner", None) is None, (
        "a module whose import has failed is still being imported, going by the owner of its lock"
    )


def test_lock_that_no_thread_has_taken_yet_has_no_owner() -> None:
    lock = private("importlib._bootstrap._get_module_lock")("inkhorn")

    assert lock_of("inkhorn") is lock, "_module_locks does not have a lock before a thread takes it"
    assert lock.owner is None, "the lock of a module has an owner although no thread has taken it"


def test_module_lock_manager_takes_the_lock_of_a_module() -> None:
    with private("importlib._bootstrap._ModuleLockManager")("inkhorn"):
        owner = lock_of("inkhorn").owner

    assert owner == threading.get_ident(), "_ModuleLockManager does not take the lock of a module"
    assert lock_of("inkhorn") is None, "_ModuleLockManager does not give the lock of a module back"


# The import lock


@pytest.mark.parametrize("name", ["_imp.acquire_lock", "_imp.release_lock"])
def test_import_lock_can_be_taken_and_given_back(name: str) -> None:
    private(name)


def test_import_lock_can_be_taken_more_than_once() -> None:
    _imp.acquire_lock()
    _imp.acquire_lock()
    _imp.release_lock()
    is_held = _imp.lock_held()
    _imp.release_lock()

    assert is_held, "_imp.release_lock gives the import lock back although it was taken twice"


def test_finder_is_asked_under_the_import_lock(inkhorn: Import) -> None:
    held: list[bool] = []
    inkhorn.when_asked = lambda: held.append(_imp.lock_held())

    inkhorn()

    assert held == [True], "import asks finders without the lock of _imp.acquire_lock"


def test_module_runs_without_the_import_lock(inkhorn: Import) -> None:
    held: list[bool] = []
    inkhorn.when_run = lambda: held.append(_imp.lock_held())

    inkhorn()

    assert held == [False], "a module runs under the lock of _imp.acquire_lock, so no other can run meanwhile"


def test_thread_begins_no_import_while_another_one_has_the_import_lock(inkhorn: Import) -> None:
    asked = threading.Event()
    inkhorn.when_asked = asked.set
    thread = threading.Thread(target=inkhorn)

    _imp.acquire_lock()
    try:
        thread.start()
        began_too_early = asked.wait(MOMENT)
    finally:
        _imp.release_lock()
    thread.join(PATIENCE)

    assert not began_too_early, "_imp.acquire_lock does not keep other threads from importing"
    assert asked.is_set(), "_imp.release_lock does not let other threads import again"


# Loading


@pytest.mark.parametrize(
    "statement",
    ["import inkwell.pen", "from inkwell.pen import nib", "importlib.import_module('inkwell.pen')"],
)
@pytest.mark.parametrize("entry", [[], [None]], ids=["absent", "None"])
def test_import_is_carried_out_by_a_function_that_can_be_replaced(
    entry: list[None], statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private("importlib._bootstrap._find_and_load")
    asked = []

    def refuse(name: str, import_: object, **options: bool) -> None:
        asked.append(name)
        raise ModuleNotFoundError(name)

    for value in entry:
        monkeypatch.setitem(sys.modules, "inkwell.pen", value)
    monkeypatch.setattr("importlib._bootstrap._find_and_load", refuse)
    with pytest.raises(ModuleNotFoundError):
        exec(statement, {"importlib": importlib})

    assert asked == ["inkwell.pen"], "an import does not go through importlib._bootstrap._find_and_load"


def test_spec_of_a_finder_is_loaded_under_its_name(inkhorn: Import) -> None:
    ran: list[bool] = []
    inkhorn.when_run = lambda: ran.append(True)

    module = private("importlib._bootstrap._load_unlocked")(ModuleSpec("inkhorn", inkhorn))

    assert ran, "importlib._bootstrap._load_unlocked does not run a module"
    assert sys.modules["inkhorn"] is module, "_load_unlocked does not return what is in sys.modules"


def test_module_that_puts_another_into_its_place_is_loaded_as_that(inkhorn: Import) -> None:
    other = ModuleType("inkhorn")
    inkhorn.when_run = lambda: sys.modules.update(inkhorn=other)

    module = private("importlib._bootstrap._load_unlocked")(ModuleSpec("inkhorn", inkhorn))

    assert module is other, "_load_unlocked does not return what a module puts into its own place"


def test_spec_knows_whether_its_module_has_run_to_its_end(inkhorn: Import) -> None:
    running: list[object] = []
    inkhorn.when_run = lambda: running.append(vars(sys.modules["inkhorn"].__spec__).get("_initializing"))

    module = inkhorn()

    assert running == [True], "the spec of a module that is running has no _initializing that is True"
    assert vars(module.__spec__)["_initializing"] is False, "the spec of a module that has run says otherwise"


@pytest.mark.parametrize("name", ["email", "sys", "zipimport", "xml.dom"])
def test_spec_keeps_in_its_dict_what_its_attributes_are(name: str) -> None:
    spec = importlib.util.find_spec(name)

    for attribute in ("name", "loader", "origin", "submodule_search_locations"):
        assert vars(spec).get(attribute) is getattr(spec, attribute), (
            f"the {attribute} of a spec is not what it keeps under that name"
        )


def test_lazy_module_has_a_type_of_its_own_until_it_is_used(write_modules: Write) -> None:
    write_modules({"inkhorn.py": "X = 1"})
    spec = importlib.util.find_spec("inkhorn")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert type(module) is private("importlib.util._LazyModule"), "LazyLoader makes another type of module"
    object.__setattr__(module, "__class__", ModuleType)
    assert not hasattr(module, "X"), "a lazy module whose class is put back runs all the same"


def files_of(frames: Iterator[FrameType]) -> set[str]:
    """The files of what runs in some frames, without those of the test run."""
    ours = (str(Path(__file__).parents[1]), str(Path(pytest.__file__).parents[1]))
    return {each.f_code.co_filename for each in frames if not each.f_code.co_filename.startswith(ours)}


def test_import_runs_in_frames_of_two_files(write_modules: Write) -> None:
    directory = write_modules({"inkhorn.py": ""})
    module = importlib.import_module("inkhorn")
    directory.joinpath("inkhorn.py").write_text("1 / 0  # Not of the same size as before.", encoding="utf-8")

    with pytest.raises(ZeroDivisionError) as raised:
        importlib.reload(module)

    files = files_of(frame for frame, _ in traceback.walk_tb(raised.value.__traceback__))
    assert files == {
        importlib.reload.__code__.co_filename,
        private("importlib._bootstrap._load_unlocked").__code__.co_filename,
        private("importlib._bootstrap_external._NamespacePath").__init__.__code__.co_filename,
        str(directory / "inkhorn.py"),
    }, "a reload runs in frames of other files than those of importlib"


def test_thread_that_is_importing_can_be_told_by_its_frames(inkhorn: Import) -> None:
    begun, over = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        over.wait(PATIENCE)

    current_frames = private("sys._current_frames")
    file = private("importlib._bootstrap._load_unlocked").__code__.co_filename
    # Not when a finder is asked: the thread has the import lock then, and this one may need that.
    inkhorn.when_run = wait
    thread = threading.Thread(target=inkhorn)
    thread.start()
    assert begun.wait(PATIENCE)
    frame = current_frames().get(thread.ident)
    over.set()
    thread.join(PATIENCE)

    assert frame is not None, "sys._current_frames has no frame for the identity of a thread"
    files = {each.f_code.co_filename for each, _ in traceback.walk_stack(frame)}
    assert file in files, "a thread that is importing has no frame of importlib._bootstrap"


# The search paths of namespace packages


def test_namespace_package_has_a_search_path_of_a_type_of_its_own(write_modules: Write) -> None:
    write_modules({"inkhorn/part.py": ""})
    module = importlib.import_module("inkhorn")

    kind = private("importlib._bootstrap_external._NamespacePath")
    assert type(module.__path__) is kind, "a namespace package has a __path__ of another type"
    assert module.__spec__ is not None
    assert type(module.__spec__.submodule_search_locations) is kind, "its spec has one of another type"


def test_search_path_keeps_its_directories_in_a_list(write_modules: Write, tmp_path: Path) -> None:
    directory = write_modules({"inkhorn/part.py": ""})
    path: Any = importlib.import_module("inkhorn").__path__
    tmp_path.joinpath("other", "inkhorn").mkdir(parents=True)
    sys.path.append(str(tmp_path / "other"))

    before = vars(path).get("_path")
    assert before == [str(directory / "inkhorn")], "a search path keeps its directories elsewhere"
    assert type(before) is list, "a search path does not keep its directories in a list"
    found = list(path)

    del sys.path[-1]
    assert found == [str(each / "inkhorn") for each in (directory, tmp_path / "other")], (
        "a search path is not computed anew when it is read"
    )


def test_search_path_can_be_put_back(write_modules: Write, tmp_path: Path) -> None:
    write_modules({"inkhorn/part.py": ""})
    path: Any = importlib.import_module("inkhorn").__path__
    saved, directories = vars(path).copy(), vars(path)["_path"].copy()
    tmp_path.joinpath("other", "inkhorn").mkdir(parents=True)
    sys.path.append(str(tmp_path / "other"))
    assert len(path) == 2
    del sys.path[-1]

    vars(path).update(saved)
    vars(path)["_path"][:] = directories

    assert list(path) == directories, "a search path is more than its __dict__ and the list in that"


# Distributions


def install(directory: Path, name: str) -> None:
    """Make a distribution look as if it were installed in a directory."""
    dist_info = directory / f"{name}-1.0.dist-info"
    dist_info.mkdir(parents=True)
    dist_info.joinpath("METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="utf-8")


def test_finder_of_metadata_looks_anew_at_a_directory_that_seems_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "inkhorn")
    assert metadata.version("inkhorn") == "1.0"
    changed = tmp_path.stat().st_mtime_ns
    install(tmp_path, "inkwell")
    os.utime(tmp_path, ns=(changed, changed))

    private("importlib.metadata.MetadataPathFinder")().invalidate_caches()

    assert metadata.version("inkwell") == "1.0", "MetadataPathFinder.invalidate_caches() forgets nothing"


def test_standard_finder_can_be_kept_from_finding_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    method = vars(PathFinder).get("find_distributions")
    assert method is not None, "PathFinder itself has no find_distributions() any more"
    found = list(method.__get__(None, PathFinder)(metadata.DistributionFinder.Context(name="pytest")))
    assert [each.version for each in found] == [pytest.__version__], "PathFinder finds other distributions"
    monkeypatch.setattr(PathFinder, "find_distributions", staticmethod(lambda *_: []))

    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("pytest")


# Code


IMPORTS = [
    ("import a", ("a", 0, None)),
    ("import a.b as c", ("a.b", 0, None)),
    ("from a import b, c", ("a", 0, ("b", "c"))),
    ("from . import b", ("", 1, ("b",))),
    ("from ..a.b import *", ("a.b", 2, ("*",))),
]


@pytest.mark.parametrize(("statement", "expected"), IMPORTS)
def test_import_statements_are_found_in_code(statement: str, expected: tuple[object, ...]) -> None:
    find_imports = private("dis._find_imports")

    found = [(name, level, names) for name, level, names in find_imports(compile(statement, "", "exec"))]

    assert found == [expected], "dis._find_imports does not tell the name, the level and the names imported"


@pytest.mark.parametrize(("statement", "expected"), IMPORTS)
def test_import_takes_its_level_and_names_from_the_two_instructions_before(
    statement: str, expected: tuple[object, ...]
) -> None:
    instructions = list(dis.get_instructions(statement))
    (place,) = (number for number, each in enumerate(instructions) if each.opname == "IMPORT_NAME")
    level, names = (each.argval for each in instructions[place - 2 : place])

    assert (instructions[place].argval, level, names) == expected, (
        "the two instructions before IMPORT_NAME are not the level and the names"
    )


@pytest.mark.parametrize(
    ("statement", "instruction"), [("X = 1", "STORE_GLOBAL"), ("del X", "DELETE_GLOBAL")]
)
def test_function_sets_a_global_variable_by_an_instruction_of_that_name(
    statement: str, instruction: str
) -> None:
    code = compile(f"def f():\n    global X\n    {statement}", "", "exec")
    (inner,) = (each for each in code.co_consts if hasattr(each, "co_code"))
    found = [(each.opname, each.argval) for each in dis.get_instructions(inner)]

    assert (instruction, "X") in found, f"a function carries out {statement!r} by another instruction"


# Frames and lines


def test_frame_of_the_caller_can_be_had() -> None:
    def ask() -> FrameType:
        frame: FrameType = private("sys._getframe")(1)
        return frame

    code = ask().f_code

    assert code.co_name == "test_frame_of_the_caller_can_be_had", "sys._getframe(1) is not the caller's frame"


def test_gil_is_enabled_in_an_ordinary_build() -> None:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this is a build that can do without the GIL")

    assert getattr(sys, "_is_gil_enabled", lambda: True)() is True, (
        "sys._is_gil_enabled() does not tell that the GIL is enabled"
    )


def test_lines_that_were_read_can_be_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "inkhorn.py"
    file.write_text("X = 1\n", encoding="utf-8")
    assert linecache.getline(str(file), 1) == "X = 1\n"
    file.write_text("X = 2\n", encoding="utf-8")

    found = private("linecache.cache").pop(str(file), None)

    assert found is not None, "linecache.cache does not have a file that was read"
    assert linecache.getline(str(file), 1) == "X = 2\n", "linecache keeps lines elsewhere than in its cache"


def test_lines_of_a_file_are_those_that_its_loader_has() -> None:
    class Source(InspectLoader):
        def get_source(self, fullname: str) -> str:
            return "X = 1\nY = 2\n"

    loader = Source()
    variables = {"__name__": "inkhorn", "__loader__": loader, "__spec__": ModuleSpec("inkhorn", loader)}

    lines = private("linecache.getlines")("inkhorn-without-a-file.py", variables)

    linecache.cache.pop("inkhorn-without-a-file.py", None)
    assert lines == ["X = 1\n", "Y = 2\n"], "linecache.getlines() does not ask the loader of a module"


# Other interpreters


@pytest.mark.parametrize(
    ("option", "arguments"),
    [("-B", ["-B"]), ("-Werror::FutureWarning", ["-Werror::FutureWarning"]), ("-Xutf8", ["-X", "utf8"])],
)
def test_options_of_an_interpreter_can_be_handed_on(option: str, arguments: list[str]) -> None:
    private("subprocess._args_from_interpreter_flags")
    script = "import subprocess; print(*subprocess._args_from_interpreter_flags(), sep='\\n')"
    result = subprocess.run([sys.executable, option, "-c", script], capture_output=True, encoding="utf-8")

    found = result.stdout.split("\n")

    assert any(found[start:][: len(arguments)] == arguments for start in range(len(found))), (
        f"subprocess._args_from_interpreter_flags does not tell of {option}"
    )


# What the observer of import effects reads, in a new interpreter


@pytest.mark.parametrize("name", ["_find_and_load_unlocked", "_find_spec"])
@pytest.mark.parametrize(
    "statement", ["import {}", "importlib.import_module('{}')", "__import__('{}')", "from {} import X"]
)
def test_imports_come_through_a_function_that_can_be_replaced(
    statement: str, name: str, write_modules: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_modules({"inkhorn.py": "X = 1"})
    bootstrap = private("_frozen_importlib")
    original = private(f"_frozen_importlib.{name}")
    seen: list[str] = []

    def replacement(module: str, *arguments: Any, **keywords: Any) -> Any:
        seen.append(module)
        return original(module, *arguments, **keywords)

    monkeypatch.setattr(bootstrap, name, replacement)
    exec(statement.format("inkhorn"), {"importlib": importlib})

    assert seen == ["inkhorn"], f"not all imports come through importlib._bootstrap.{name}"


def test_search_for_a_module_comes_through_a_function_that_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private("importlib.util._find_spec")
    monkeypatch.setattr(importlib.util, "_find_spec", lambda *_: None)

    assert importlib.util.find_spec("inkhorn") is None


LAZY = pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports came with Python 3.15")
POLICY = pytest.mark.skipif(sys.version_info >= (3, 16), reason="Python 3.16 has no event loop policies")
STARTED = """\
import _thread, threading, time
before = _thread._count()
threading.Thread(target=time.sleep, args=[60], daemon=True).start()
"""

# What `atexit` is to forget is compared with all callbacks.
COMPARED = """\
import atexit
compared = []
kind = type("Kind", (), {"__eq__": lambda self, other: compared.append(other)})
atexit.register(int)
atexit.unregister(kind())
"""

STATE = [
    ("import threading; hook = lambda *_: None; threading.settrace(hook)", "threading._trace_hook is hook"),
    (
        "import threading; hook = lambda *_: None; threading.setprofile(hook)",
        "threading._profile_hook is hook",
    ),
    (
        STARTED,
        "_thread._count() == before + 1",
    ),
    ("import threading", "threading.current_thread() in threading._active.values()"),
    ("import threading", "threading._limbo == {}"),
    ("import threading; thread = threading.Thread(name='ink')", "thread._name == 'ink'"),
    ("import threading, _thread", "threading.get_ident is _thread.get_ident"),
    ("import weakref, _weakref", "weakref.ref is _weakref.ref"),
    ("import operator, _operator", "operator.is_ is _operator.is_"),
    (
        "import signal, _signal; signal.signal(signal.SIGINT, signal.default_int_handler)",
        "_signal.getsignal(_signal.SIGINT) is signal.default_int_handler",
    ),
    ("import signal, _signal", "_signal.valid_signals() == signal.valid_signals()"),
    (
        "import locale, _locale; locale.setlocale(locale.LC_ALL, 'C')",
        "_locale.setlocale(_locale.LC_ALL, None) == 'C'",
    ),
    ("import socket, _socket; socket.setdefaulttimeout(5)", "_socket.getdefaulttimeout() == 5"),
    ("import multiprocessing.context", "multiprocessing.context._default_context._actual_context is None"),
    (
        "import multiprocessing.context; multiprocessing.set_start_method('spawn')",
        "multiprocessing.context._default_context._actual_context._name == 'spawn'",
    ),
    pytest.param(
        "import asyncio, warnings; warnings.simplefilter('ignore', DeprecationWarning); "
        "policy = asyncio.DefaultEventLoopPolicy(); asyncio.set_event_loop_policy(policy)",
        "asyncio.events._event_loop_policy is policy",
        marks=POLICY,
    ),
    (
        "import logging; kind = type('Kind', (logging.Logger,), {}); logging.setLoggerClass(kind)",
        "logging._loggerClass is kind",
    ),
    ("import logging; logging.setLogRecordFactory(print)", "logging._logRecordFactory is print"),
    ("import logging; logging.addLevelName(5, 'INK')", "logging._levelToName[5] == 'INK'"),
    ("import logging; logging.disable(10)", "logging.root.manager.disable == 10"),
    (
        "import copyreg; kind = type('Kind', (), {}); copyreg.pickle(kind, print)",
        "copyreg.dispatch_table[kind] is print",
    ),
    (
        "import warnings, _warnings; warnings.simplefilter('ignore', FutureWarning)",
        "_warnings.filters[0][:3:2] == ('ignore', FutureWarning)",
    ),
    ("import tracemalloc, _tracemalloc; tracemalloc.start()", "_tracemalloc.is_tracing()"),
    (
        "import atexit; before = atexit._ncallbacks(); atexit.register(int)",
        "atexit._ncallbacks() == before + 1",
    ),
    (
        COMPARED,
        "int in compared",
    ),
    (
        "import codecs, encodings, gc; codecs.register(int)",
        "any(type(each) is list and int in each for each in gc.get_referrers(encodings.search_function))",
    ),
    (
        "import codecs, gc; codecs.register_error('ink', int)",
        "any(type(each) is dict and 'ink' in each for each in gc.get_referrers(codecs.strict_errors))",
    ),
    (
        "from importlib._bootstrap import _load_unlocked",
        "_load_unlocked.__globals__['__name__'] == 'importlib._bootstrap'",
    ),
    (
        "from importlib.machinery import SourceFileLoader",
        "SourceFileLoader.get_data.__globals__['__name__'] == 'importlib._bootstrap_external'",
    ),
    ("import os, sys", "os.path.samefile(sys._stdlib_dir, os.path.dirname(os.__file__))"),
    ("import os, sys", "os.getcwd is sys.modules['nt' if os.name == 'nt' else 'posix'].getcwd"),
    pytest.param(
        "variables = {}; exec('lazy import inkhorn.part', variables)",
        "repr(dict(variables)['inkhorn']) == \"<lazy_import 'inkhorn.part'>\"",
        marks=LAZY,
    ),
    pytest.param(
        "variables = {}; exec('lazy import inkhorn.part', variables)",
        "type(dict(variables)['inkhorn']).__name__ == 'lazy_import'",
        marks=LAZY,
    ),
]


# One interpreter for all of them: starting one takes longer than they do.
TELL = """
import json, sys
answers = []
for statement, expected in json.loads(sys.argv[1]):
    variables = {}
    try:
        exec(statement, variables)
        answers.append(str(eval(expected, variables)))
    except Exception as exc:
        answers.append(f"{type(exc).__name__}: {exc}")
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What a new interpreter says of the state that it keeps, by what is expected of it."""
    questions = [each.values if hasattr(each, "values") else each for each in STATE]
    asked = json.dumps(questions)
    command = [sys.executable, "-W", "error", "-c", TELL, asked]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    return dict(zip((expected for _, expected in questions), json.loads(result.stdout), strict=True))


@pytest.mark.parametrize(("statement", "expected"), STATE)
def test_interpreter_keeps_its_state_where_it_did(
    statement: str, expected: str, answers: dict[str, str]
) -> None:
    assert answers[expected] == "True", f"after {statement!r}, it is no longer true that {expected}"


# That all of it is here, and nothing of it elsewhere


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(source: str, ours: set[str]) -> set[str]:
    """What a file takes from other packages that is private by its name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import):
            found.update(part for each in node.names for part in each.name.split("."))
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("pytest_importsandbox"):
            found.update((*str(node.module).split("."), *(each.name for each in node.names)))
    return set(filter(is_private, found)) - ours


def names_defined_in(source: str) -> set[str]:
    """The functions, methods, variables and attributes that a file defines."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def sources() -> dict[str, str]:
    """What the files of the package read, but for the observer, which imports nothing of the package."""
    files = (each for each in PACKAGE.rglob("*.py") if each.parent.name != "observer")
    return {each.relative_to(PACKAGE).as_posix(): each.read_text(encoding="utf-8") for each in files}


# Those of pytest: tests/plugin/test_names_of_pytest.py.
OF_PYTEST = {"_pytest", "_fixtureinfo"}


def test_private_names_of_cpython_are_taken_from_one_module() -> None:
    ours = set().union(*map(names_defined_in, sources().values()))
    found = {file: private_names(source, ours | OF_PYTEST) for file, source in sources().items()}

    assert [file for file, names in found.items() if names] == ["_core/cpython.py"], found


def test_every_private_name_of_cpython_is_tested_here() -> None:
    names = private_names(sources()["_core/cpython.py"], set())

    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if name not in here} == set()
