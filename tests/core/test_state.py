"""The import state: what is put back, in place, whatever was done to it."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportChanges, ImportSandbox
from pytest_importsandbox._core.state import ModulesRow, put_back
from pytest_importsandbox._sandbox.sandbox import suspended

Write = Callable[[Mapping[str, str]], Path]
Run = Callable[..., str]

TOO_LONG = 10
"""Seconds after which a thread is taken to wait for ever."""

LISTS = ("path", "meta_path", "path_hooks")


class Hostile:
    """An object that raises from whatever can be asked of it, and counts that it was asked."""

    asked: list[str] = []  # noqa: RUF012

    def _raise(self, *args: object) -> Any:
        Hostile.asked.append("asked")
        raise ZeroDivisionError("nobody may ask me")

    __eq__ = __ne__ = __bool__ = __len__ = __repr__ = __str__ = __format__ = _raise
    __getattr__ = __getattribute__ = __setattr__ = __delattr__ = __dir__ = __iter__ = __call__ = _raise
    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def hostile() -> Hostile:
    Hostile.asked.clear()
    return Hostile()


def lazy_module(name: str) -> ModuleType:
    """Import a module so that it is loaded when it is used first."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def is_unloaded(module: ModuleType) -> bool:
    return type(module) is not ModuleType


# The lists


def append(entries: list[Any]) -> None:
    entries.append("/appended")


def insert(entries: list[Any]) -> None:
    entries.insert(0, "/inserted")


def remove(entries: list[Any]) -> None:
    del entries[0]


def replace(entries: list[Any]) -> None:
    entries[-1] = "/replaced"


def reverse(entries: list[Any]) -> None:
    entries.reverse()


def repeat(entries: list[Any]) -> None:
    entries.append(entries[0])


def clear(entries: list[Any]) -> None:
    entries.clear()


@pytest.mark.parametrize("registry", LISTS)
@pytest.mark.parametrize("change", [append, insert, remove, replace, reverse, repeat, clear])
def test_list_is_put_back_in_place(registry: str, change: Callable[[list[Any]], None], picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        change(getattr(sys, registry))

    assert before.differences() == []


@pytest.mark.parametrize("registry", LISTS)
def test_list_that_was_bound_to_another_object_is_the_same_object_again(registry: str, picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        original = getattr(sys, registry)
        setattr(sys, registry, [*original, "/added"])
        original.clear()

    assert before.differences() == []


@pytest.mark.parametrize("registry", LISTS)
def test_list_that_was_deleted_is_the_same_object_again(registry: str, picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        delattr(sys, registry)

    assert before.differences() == []


@pytest.mark.parametrize("registry", LISTS)
def test_list_that_was_bound_to_none_is_the_same_object_again(registry: str, picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        setattr(sys, registry, None)

    assert before.differences() == []


@pytest.mark.parametrize("registry", LISTS)
def test_entries_of_a_list_are_never_asked_anything(registry: str, picture: Any, hostile: Hostile) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        getattr(sys, registry).append(hostile)
        sandbox.changes()

    assert (before.differences(), Hostile.asked) == ([], [])


# sys.modules


def test_new_module_is_gone(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": "X = 1"})
    before = picture()

    with ImportSandbox():
        import plain  # type: ignore[import-not-found]

        assert plain.X == 1

    assert before.differences() == []


def test_removed_module_is_back_at_its_place(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        del sys.modules["textwrap"]
        del sys.modules["pytest"]

    assert before.differences() == []


def test_replaced_module_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        sys.modules["textwrap"] = ModuleType("textwrap")

    assert before.differences() == []


def test_order_of_modules_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        for name in ("sys", "textwrap", "os"):
            sys.modules[name] = sys.modules.pop(name)

    assert before.differences() == []


def test_one_module_exchanged_for_another_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        sys.modules.popitem()
        sys.modules["exchanged"] = ModuleType("exchanged")

    assert before.differences() == []


def test_module_that_was_imported_anew_is_the_old_one_again(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "class C: pass"})
    pkg_sub = importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox():
        del sys.modules["pkg.sub"]
        again = importlib.import_module("pkg.sub")

        assert again is not pkg_sub

    assert before.differences() == []


def test_bound_dict_of_modules_gives_way_to_the_old_one(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    before = picture()

    with ImportSandbox():
        sys.modules = {**sys.modules, "fake": ModuleType("fake")}
        importlib.import_module("plain")

    assert before.differences() == []


def test_deleted_dict_of_modules_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        del sys.modules

    assert before.differences() == []


def test_cleared_dict_of_modules_is_full_again(run_script: Run) -> None:
    output = run_script(
        """
        import sys

        from pytest_importsandbox import ImportSandbox

        modules, before = sys.modules, list(sys.modules.items())
        sandbox = ImportSandbox()
        sandbox.__enter__()
        sys.modules.clear()
        sandbox.__exit__(None, None, None)
        after = list(modules.items())
        import colorsys

        print(sys.modules is modules)
        print(after == before)
        """
    )

    assert output.split() == ["True", "True"]


@pytest.mark.parametrize(
    "value", [None, 5, "text", object(), [], Exception("x"), type], ids=lambda value: type(value).__name__
)
def test_value_that_is_no_module_does_no_harm(value: object, picture: Any) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules["value"] = value  # type: ignore[assignment]
        sys.modules["value.sub"] = value  # type: ignore[assignment]
        sandbox.evict("value")
        sys.modules["value"] = value  # type: ignore[assignment]
        sandbox.changes()

    assert before.differences() == []


@pytest.mark.parametrize("value", [None, 5, object()], ids=lambda value: type(value).__name__)
def test_value_that_is_no_module_is_put_back_like_a_module(value: object, picture: Any) -> None:
    with ImportSandbox():
        sys.modules["value"] = value  # type: ignore[assignment]
        before = picture()
        with ImportSandbox() as sandbox:
            sandbox.evict("value")

        assert before.differences() == []


def test_hostile_module_is_never_asked_anything(hostile: Hostile, write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules["hostile"] = hostile  # type: ignore[assignment]
        sys.modules["textwrap"] = hostile  # type: ignore[assignment]
        importlib.import_module("plain")
        with ImportSandbox() as inner:
            inner.evict("hostile")
        sandbox.fresh_import("plain")
        sandbox.changes()
        sys.meta_path.insert(0, hostile)  # type: ignore[arg-type]

    assert (before.differences(), Hostile.asked) == ([], [])


def test_hostile_attribute_of_a_package_is_never_asked_anything(
    hostile: Hostile, write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    pkg = importlib.import_module("pkg")
    vars(pkg)["sub"] = hostile
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("pkg.sub")
        sys.meta_path.pop(0)

    assert (before.differences(), Hostile.asked) == ([], [])


def test_namespace_that_cannot_be_read_does_no_harm(picture: Any) -> None:
    class Unreadable:
        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise ZeroDivisionError

    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules["unreadable"] = Unreadable()  # type: ignore[assignment]
        with ImportSandbox():
            sandbox.evict("unreadable")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("unreadable.sub")
        sys.meta_path.pop(0)

    assert before.differences() == []


def test_property_by_which_a_module_answers_for_its_namespace_is_not_called(
    run_script: Callable[..., str],
) -> None:
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox

        for _ in range(2):
            with ImportSandbox(preserve="lazypkg") as sandbox:
                import lazypkg.sub
                assert lazypkg.asked == []
                sandbox.evict("lazypkg")
                import lazypkg
        with ImportSandbox():
            import lazypkg.sub
            print(lazypkg.asked)
        """,
        files={
            "lazypkg/__init__.py": """
                import sys, types

                asked = []

                class Lazy(types.ModuleType):
                    @property
                    def __dict__(self):
                        asked.append("asked")
                        return types.ModuleType.__dict__["__dict__"].__get__(self)

                sys.modules[__name__].__class__ = Lazy
                """,
            "lazypkg/sub.py": "",
        },
    )

    assert output == "[]\n"


def test_namespace_that_is_no_dict_does_no_harm(picture: Any) -> None:
    class Odd:
        __dict__ = Hostile()  # type: ignore[assignment]

    Hostile.asked.clear()
    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules["odd"] = Odd()  # type: ignore[assignment]
        sandbox.evict("odd")
        sys.meta_path.pop(0)

    assert (before.differences(), Hostile.asked) == ([], [])


def test_namespace_that_is_a_hostile_dict_is_never_asked_anything(write_modules: Write, picture: Any) -> None:
    asked: list[str] = []

    class Asking(dict[str, Any]):
        def _raise(self, *args: object) -> Any:
            asked.append("asked")
            raise ZeroDivisionError

        get = pop = items = values = keys = copy = update = __iter__ = __len__ = __bool__ = _raise
        __getitem__ = __setitem__ = __delitem__ = __contains__ = _raise

    class Odd:
        pass

    write_modules({"plain.py": ""})
    before = picture()

    with ImportSandbox() as sandbox:
        odd = Odd()
        odd.__dict__ = Asking(__path__=[])
        sys.modules["odd"] = odd  # type: ignore[assignment]
        sandbox.fresh_import("plain")
        sandbox.evict("odd")
        sys.modules["odd"] = odd  # type: ignore[assignment]
        with ImportSandbox():
            sys.meta_path.pop(0)
            importlib.import_module("plain")
        sandbox.changes()

    assert (before.differences(), asked) == ([], [])


@pytest.mark.parametrize(
    "key", [None, 5, ("pkg", "sub"), b"pkg.sub", object()], ids=lambda key: type(key).__name__
)
def test_key_that_is_no_name_goes_again(key: Any, write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    before = picture()

    with ImportSandbox() as sandbox:
        sys.modules[key] = ModuleType("pkg.sub")
        sandbox.fresh_import("pkg.sub")
        sandbox.evict("pkg")
        sandbox.block("pkg")
        sandbox.changes()

    assert before.differences() == []


def test_key_that_is_no_name_is_put_back(picture: Any) -> None:
    key: Any = ("pkg", "sub")
    with ImportSandbox():
        sys.modules[key] = ModuleType("pkg.sub")
        before = picture()
        with ImportSandbox():
            del sys.modules[key]

        assert before.differences() == []


class HostileKey:
    """A key that cannot be compared or printed."""

    def __hash__(self) -> int:
        return 1

    def _raise(self, *args: object) -> Any:
        raise ZeroDivisionError("nobody may ask me")

    __eq__ = __repr__ = __str__ = __format__ = _raise


def test_key_that_cannot_be_compared_goes_again(write_modules: Write, picture: Any) -> None:
    write_modules({"plain.py": ""})
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("plain")
        sandbox.evict("plain")
        sys.modules.popitem()
        sys.modules[HostileKey()] = ModuleType("key")  # type: ignore[index]
        sandbox.changes()

    assert before.differences() == []


def test_key_that_cannot_be_printed_stays(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    with ImportSandbox():
        pkg = importlib.import_module("pkg.sub")
        sys.modules[HostileKey()] = sys.modules["pkg"]  # type: ignore[index]
        before = picture("pkg")
        with ImportSandbox() as sandbox:
            sandbox.fresh_import("pkg.sub")
            sys.meta_path.pop(0)

        assert before.differences() == []
        assert sys.modules["pkg.sub"] is pkg


def put_in_the_way(table: dict[str, Any], name: str) -> None:
    """Replace a name by a key that has its hash and raises when it is compared."""

    class Colliding:
        def __hash__(self) -> int:
            return hash(name)

        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

    del table[name]
    table[Colliding()] = None  # type: ignore[index]


def test_key_that_stands_in_the_way_of_a_name_goes_again(run_script: Run) -> None:
    output = run_script(
        """
        import sys
        import textwrap

        from pytest_importsandbox import ImportSandbox

        class Colliding:
            def __hash__(self):
                return hash("textwrap")

            def __eq__(self, other):
                raise ZeroDivisionError

        before = list(sys.modules)
        with ImportSandbox():
            del sys.modules["textwrap"]
            sys.modules[Colliding()] = None
            sys.modules["fake"] = None
        print([type(name).__name__ for name in sys.modules] == ["str"] * len(before))
        print([str(name) for name in sys.modules] == before)
        """
    )

    assert output.split() == ["True", "True"]


def test_lazy_module_stays_unloaded(write_modules: Write, picture: Any) -> None:
    write_modules({"lazy.py": "X = 1", "pkg/__init__.py": "", "pkg/lazy.py": "X = 1"})
    pkg = importlib.import_module("pkg")
    modules = [lazy_module("lazy"), lazy_module("pkg.lazy")]
    vars(pkg)["lazy"] = modules[1]
    before = picture("pkg")

    for _ in range(100):
        with ImportSandbox() as sandbox:
            sandbox.evict("lazy", "pkg")
            with ImportSandbox() as inner:
                inner.block("pkg.lazy")
            sys.meta_path.pop(0)
            sandbox.changes()

    assert (before.differences(), [is_unloaded(module) for module in modules]) == ([], [True, True])


def test_lazy_module_of_the_sandbox_stays_unloaded(write_modules: Write) -> None:
    write_modules({"lazy.py": "X = 1"})

    with ImportSandbox() as sandbox:
        module = lazy_module("lazy")
        sandbox.changes()

    assert is_unloaded(module)


def test_getattr_of_a_module_is_never_called(write_modules: Write) -> None:
    write_modules(
        {
            "pkg/__init__.py": """
                asked = []

                def __getattr__(name):
                    asked.append(name)
                    raise AttributeError(name)
                """,
            "pkg/sub.py": "",
        }
    )
    pkg = importlib.import_module("pkg")
    pkg.asked.clear()

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("pkg.sub")
        sandbox.evict("pkg.sub")
        sandbox.block("pkg.other")
        with ImportSandbox() as inner:
            inner.evict("pkg")
        sandbox.changes()
        sys.meta_path.pop(0)

    # The import system itself asks for the search path of the parent.
    assert set(pkg.asked) <= {"__path__"}


def test_name_that_belongs_is_never_absent(write_modules: Write) -> None:
    write_modules({"plain.py": ""})
    names = list(sys.modules)
    absent: list[str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            absent.extend(name for name in names if name not in sys.modules)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=look)
    thread.start()
    try:
        sys.setswitchinterval(1e-6)
        for _ in range(300):
            with ImportSandbox():
                importlib.import_module("plain")
                sys.modules["fake"] = ModuleType("fake")
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()

    assert absent == []


# sys.path_importer_cache


def test_new_entry_of_the_importer_cache_goes(tmp_path: Path, picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        sys.path.append(str(tmp_path))
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("there_is_no_such_module")
        assert str(tmp_path) in sys.path_importer_cache

    assert before.differences() == []


def test_entry_of_the_importer_cache_goes_when_another_has_left(tmp_path: Path, picture: Any) -> None:
    sys.path_importer_cache["/left"] = None
    before = picture()

    with ImportSandbox():
        del sys.path_importer_cache["/left"]
        sys.path_importer_cache["/came"] = None

    assert before.differences() == []
    sys.path_importer_cache.pop("/left", None)


def test_finder_that_took_the_place_of_another_in_the_importer_cache_goes(write_modules: Write) -> None:
    directory = str(write_modules({"one.py": "", "two.py": ""}))
    importlib.import_module("one")

    with ImportSandbox():
        sys.path_importer_cache[directory] = None

    assert sys.path_importer_cache.get(directory, "") is not None
    assert importlib.import_module("two")


def test_importer_cache_that_was_bound_to_another_object_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        sys.path_importer_cache = {}

    assert before.differences() == []


def test_importer_cache_that_was_deleted_is_back(picture: Any) -> None:
    before = picture()

    with ImportSandbox():
        del sys.path_importer_cache

    assert before.differences() == []


# Attributes on parent packages


def first_finder_is_another() -> None:
    class Finder:
        @staticmethod
        def find_spec(*args: Any) -> None:
            return None

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]


def first_finder_finds_everything() -> None:
    class Finder:
        @staticmethod
        def find_spec(*args: Any) -> Any:
            return importlib.machinery.PathFinder.find_spec(*args)

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]


def watcher_is_taken_away() -> None:
    sys.meta_path[:] = [importlib.machinery.PathFinder]


def watcher_is_asked() -> None:
    pass


@pytest.fixture(
    params=[watcher_is_asked, first_finder_is_another, first_finder_finds_everything, watcher_is_taken_away],
    ids=lambda param: param.__name__,
)
def finders(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Changes `sys.meta_path`, so that the watcher is or is not asked."""
    change: Callable[[], None] = request.param
    return change


def test_attribute_for_a_new_submodule_goes(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        finders()
        importlib.import_module("pkg.sub")

    assert before.differences() == []


def test_attribute_is_the_old_module_again(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        finders()
        sandbox.fresh_import("pkg.sub")

    assert before.differences() == []


def test_attribute_is_the_old_module_again_after_a_removal_by_hand(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox():
        finders()
        del sys.modules["pkg.sub"]
        importlib.import_module("pkg.sub")
        del sys.modules["pkg.sub"]

    assert before.differences() == []


def test_attribute_is_the_function_of_the_same_name_again(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "from .sub import sub", "pkg/sub.py": "def sub(): pass"})
    importlib.import_module("pkg")
    before = picture("pkg")
    with ImportSandbox():
        pass

    with ImportSandbox() as sandbox:
        finders()
        sandbox.fresh_import("pkg.sub")

    assert before.differences() == []


def test_attribute_that_was_deleted_before_stays_away(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "from . import sub\ndel sub", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        finders()
        sandbox.fresh_import("pkg.sub")

    assert before.differences() == []


def test_attribute_of_a_package_that_failed_to_load_goes(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/sub/__init__.py": "from . import deep\nfrom .. import other\nraise ValueError",
            "pkg/sub/deep.py": "",
            "pkg/other.py": "",
        }
    )
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        finders()
        with pytest.raises(ValueError, match=r"^$"):
            importlib.import_module("pkg.sub")

    assert before.differences() == []


def test_attribute_put_back_by_hand_stays(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    pkg = importlib.import_module("pkg")
    old = importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox():
        del sys.modules["pkg.sub"]
        del pkg.sub
        importlib.import_module("pkg.sub")
        sys.modules["pkg.sub"] = pkg.sub = old

    assert before.differences() == []


def test_attribute_bound_unseen_goes_although_its_package_is_evicted_later(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        finders()
        sandbox.fresh_import("pkg.sub")
        sandbox.fresh_import("pkg")

    assert before.differences() == []


def test_attribute_bound_unseen_goes_although_the_watcher_is_the_first_again(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        first_finder_finds_everything()
        importlib.import_module("pkg.sub")
        del sys.meta_path[0]

    assert before.differences() == []


def test_attribute_bound_unseen_is_the_old_module_again_although_it_is_blocked_later(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        finders()
        del sys.modules["pkg.sub"]
        importlib.import_module("pkg.sub")
        sandbox.block("pkg.sub")

    assert before.differences() == []


def test_function_of_a_preserved_package_is_put_back_by_a_sandbox_inside(run_script: Run) -> None:
    output = run_script(
        """
        import importlib
        import sys

        from pytest_importsandbox import ImportSandbox

        class Finder:
            @staticmethod
            def find_spec(*args):
                return importlib.machinery.PathFinder.find_spec(*args)

        with ImportSandbox(preserve="pkg"):
            import pkg
            function = pkg.same
        with ImportSandbox():
            import pkg
            with ImportSandbox():
                sys.meta_path.insert(0, Finder)
                del sys.modules["pkg.same"]
                importlib.import_module("pkg.same")
            print(pkg.same is function)
        """,
        files={"pkg/__init__.py": "from .same import same", "pkg/same.py": "def same(): pass"},
    )

    assert output.split() == ["True"]


def test_function_is_put_back_after_a_sandbox_had_a_fresh_copy_of_its_package(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "from .same import same", "pkg/same.py": "def same(): pass"})
    importlib.import_module("pkg")
    with ImportSandbox() as sandbox:
        sandbox.fresh_import("pkg")
        with ImportSandbox():
            pass
    before = picture("pkg")

    with ImportSandbox():
        first_finder_finds_everything()
        del sys.modules["pkg.same"]
        importlib.import_module("pkg.same")

    assert before.differences() == []


def test_blocked_submodule_is_no_attribute(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})

    with ImportSandbox() as outer:
        outer.fresh_import("pkg", blocked="pkg.sub")
        before = picture("pkg")
        with ImportSandbox() as inner:
            inner.block("pkg")

        assert before.differences() == []


def test_fake_package_gets_no_attribute_that_it_never_had(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")

    with ImportSandbox():
        sys.modules["pkg"] = ModuleType("pkg")
        before = picture("pkg")
        with ImportSandbox() as inner:
            inner.evict("pkg")

        assert before.differences() == []


def test_fake_submodule_does_not_become_an_attribute(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")

    with ImportSandbox():
        sys.modules["pkg.sub"] = ModuleType("pkg.sub")
        before = picture("pkg")
        with ImportSandbox() as inner:
            inner.evict("pkg")

        assert before.differences() == []


def test_function_of_an_evicted_submodule_is_put_back(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "from .same import same", "pkg/same.py": "def same(): pass"})
    importlib.import_module("pkg")

    with ImportSandbox() as outer:
        outer.evict("pkg.same")
        finders()
        before = picture("pkg")
        with ImportSandbox() as inner:
            importlib.import_module("pkg.same")
            inner.fresh_import("pkg")

        assert before.differences() == []


def test_attributes_on_packages_of_the_sandbox_are_left_alone(write_modules: Write) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})

    with ImportSandbox():
        pkg = importlib.import_module("pkg")
        sub = importlib.import_module("pkg.sub")

    assert pkg.sub is sub


def test_every_open_sandbox_puts_its_own_attribute_back(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox() as outer:
        outer.fresh_import("pkg.sub")
        between = picture("pkg")
        with ImportSandbox() as inner:
            inner.fresh_import("pkg.sub")

        assert between.differences() == []

    assert before.differences() == []


def test_attributes_bound_below_an_alias_of_a_package_are_put_back(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"base/__init__.py": "", "base/part.py": "", "base/extra.py": ""})
    base = importlib.import_module("base")
    importlib.import_module("base.part")
    before = picture("base")

    with ImportSandbox():
        sys.modules["app"] = ModuleType("app")
        sys.modules["app.vendored"] = base
        importlib.import_module("app.vendored.part")
        importlib.import_module("app.vendored.extra")

    assert before.differences() == []


def test_attribute_on_a_fake_package_of_the_sandbox_is_left_alone(write_modules: Write) -> None:
    directory = write_modules({"pkg/sub.py": ""})

    with ImportSandbox():
        fake = sys.modules["pkg"] = ModuleType("pkg")
        fake.__path__ = [str(directory / "pkg")]
        sub = importlib.import_module("pkg.sub")

    assert fake.sub is sub


def test_attribute_of_a_module_that_was_removed_before_stays(
    finders: Callable[[], None], write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": ""})
    importlib.import_module("pkg.sub")
    del sys.modules["pkg.sub"]
    before = picture("pkg")

    with ImportSandbox():
        finders()

    assert before.differences() == []


def test_attribute_that_takes_the_place_of_one_of_the_class_stays(write_modules: Write) -> None:
    write_modules(
        {
            "lib/__init__.py": """
                import importlib
                import sys
                import types

                class Lazy:
                    def __get__(self, module, owner):
                        module.parse = importlib.import_module("lib.moves.parse")
                        del owner.parse
                        return module.parse

                class Moves(types.ModuleType):
                    parse = Lazy()

                moves = sys.modules["lib.moves"] = Moves("lib.moves")
                moves.__path__ = [f"{__path__[0]}/moves"]
                """,
            "lib/moves/parse.py": "X = 1",
        }
    )
    lib = importlib.import_module("lib")

    with ImportSandbox():
        assert lib.moves.parse.X == 1

    assert lib.moves.parse.X == 1


def test_attribute_of_a_module_with_a_class_of_its_own_goes(write_modules: Write, picture: Any) -> None:
    write_modules(
        {
            "pkg/__init__.py": """
                import sys
                import types

                class Package(types.ModuleType):
                    pass

                sys.modules[__name__].__class__ = Package
                """,
            "pkg/sub.py": "",
        }
    )
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        importlib.import_module("pkg.sub")

    assert before.differences() == []


def test_binding_that_cannot_be_put_back_does_not_keep_the_others(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "first/__init__.py": "", "first/sub.py": ""})
    first = importlib.import_module("first")
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        importlib.import_module("first.sub")
        importlib.import_module("pkg.sub")
        put_in_the_way(vars(first), "sub")

    assert before.differences() == []


# Reloaded modules


def test_reload_leaves_no_trace_in_the_module(write_modules: Write, picture: Any) -> None:
    directory = write_modules({"settings.py": "KEPT = 1\nCHANGED = [1]\nDELETED = 3"})
    settings = importlib.import_module("settings")
    before = picture("settings")

    with ImportSandbox():
        (directory / "settings.py").write_text("del DELETED\nCHANGED = []\nADDED = 2 + 2", encoding="utf-8")
        importlib.reload(settings)

        assert (settings.CHANGED, settings.ADDED, hasattr(settings, "DELETED")) == ([], 4, False)

    assert before.differences() == []


def test_order_of_names_in_a_reloaded_module_is_back(write_modules: Write) -> None:
    write_modules({"settings.py": "A = 1\nB = 2\nC = 3"})
    settings = importlib.import_module("settings")
    order = list(vars(settings))

    with ImportSandbox():
        importlib.reload(settings)
        settings.A = vars(settings).pop("A")

    assert list(vars(settings)) == order


def test_reload_of_a_module_of_the_sandbox_is_not_undone(write_modules: Write) -> None:
    directory = write_modules({"settings.py": "X = 1"})

    with ImportSandbox():
        settings = importlib.import_module("settings")
        (directory / "settings.py").write_text("X = 1 + 1", encoding="utf-8")
        importlib.reload(settings)

    assert settings.X == 2


def test_module_that_is_reloaded_where_it_was_imported_first_is_preserved_as_it_became(
    run_script: Run,
) -> None:
    output = run_script(
        """
        import importlib
        import struct
        import sys

        from pytest_importsandbox import ImportSandbox

        with ImportSandbox():
            sys.modules["struct"] = object()
            import wave

            sys.modules["struct"] = struct
            importlib.reload(wave)
        with ImportSandbox():
            import wave

            print(wave.struct is struct)
        """
    )

    assert output.split() == ["True"]


def test_first_of_two_reloads_counts(write_modules: Write, picture: Any) -> None:
    write_modules({"settings.py": "X = []"})
    settings = importlib.import_module("settings")
    before = picture("settings")

    with ImportSandbox():
        importlib.reload(settings)
        importlib.reload(settings)

    assert before.differences() == []


def test_reload_in_an_inner_sandbox_is_undone_there(write_modules: Write, picture: Any) -> None:
    write_modules({"settings.py": "X = []"})
    settings = importlib.import_module("settings")
    before = picture("settings")

    with ImportSandbox():
        importlib.reload(settings)
        between = picture("settings")
        with ImportSandbox():
            importlib.reload(settings)

        assert between.differences() == []

    assert before.differences() == []


def test_reload_of_a_submodule_is_undone(write_modules: Write, picture: Any) -> None:
    write_modules({"pkg/__init__.py": "from .sub import X", "pkg/sub.py": "X = []"})
    importlib.import_module("pkg")
    before = picture("pkg")

    with ImportSandbox():
        importlib.reload(sys.modules["pkg.sub"])

    assert before.differences() == []


def test_reload_that_fails_is_undone(write_modules: Write, picture: Any) -> None:
    directory = write_modules({"settings.py": "X = []"})
    settings = importlib.import_module("settings")
    before = picture("settings")

    with ImportSandbox():
        (directory / "settings.py").write_text("X = 5 + 5\nraise ValueError", encoding="utf-8")
        with pytest.raises(ValueError, match=r"^$"):
            importlib.reload(settings)

    assert before.differences() == []


def act_evict(sandbox: ImportSandbox) -> None:
    sandbox.evict("pkg.sub")


def act_block(sandbox: ImportSandbox) -> None:
    sandbox.block("pkg.sub")


def act_fresh_import(sandbox: ImportSandbox) -> None:
    sandbox.fresh_import("pkg.sub")


def act_reload(sandbox: ImportSandbox) -> None:
    importlib.reload(sys.modules["pkg"])


@pytest.mark.parametrize(
    "act", [act_evict, act_block, act_fresh_import], ids=["evict", "block", "fresh_import"]
)
@pytest.mark.parametrize("reload_is", ["first", "last"])
@pytest.mark.parametrize("source", ["", "sub = 5", "from .sub import sub"])
def test_attribute_of_a_reloaded_package_is_put_back(
    act: Callable[[ImportSandbox], None], reload_is: str, source: str, write_modules: Write, picture: Any
) -> None:
    write_modules({"pkg/__init__.py": source, "pkg/sub.py": "def sub(): pass"})
    importlib.import_module("pkg.sub")
    before = picture("pkg")

    with ImportSandbox() as sandbox:
        for each in [act_reload, act] if reload_is == "first" else [act, act_reload]:
            with suppress(ModuleNotFoundError):
                each(sandbox)

    assert before.differences() == []


def test_namespace_that_cannot_be_put_back_does_not_keep_the_others(
    write_modules: Write, picture: Any
) -> None:
    write_modules({"first.py": "X = []", "settings.py": "X = []"})
    first, settings = importlib.import_module("first"), importlib.import_module("settings")
    before = picture("settings")

    with ImportSandbox():
        importlib.reload(first)
        importlib.reload(settings)
        put_in_the_way(vars(first), "X")

    assert before.differences() == []


# Namespace packages


def test_second_portion_of_a_namespace_package_goes(
    write_modules: Write, tmp_path: Path, picture: Any
) -> None:
    write_modules({"spread/one.py": ""})
    (tmp_path / "second" / "spread").mkdir(parents=True)
    (tmp_path / "second" / "spread" / "two.py").touch()
    spread = importlib.import_module("spread")
    importlib.import_module("spread.one")
    before = picture("spread")

    with ImportSandbox():
        sys.path.append(str(tmp_path / "second"))
        importlib.import_module("spread.two")

        assert len(spread.__path__) == 2

    assert before.differences() == []
    assert len(spread.__path__) == 1


def test_portion_that_left_the_path_is_back(
    write_modules: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Any
) -> None:
    write_modules({"spread/one.py": ""})
    (tmp_path / "second" / "spread").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "second")
    spread = importlib.import_module("spread")
    before = picture("spread")

    with ImportSandbox():
        sys.path.remove(str(tmp_path / "second"))

        assert len(spread.__path__) == 1

    assert before.differences() == []
    assert len(spread.__path__) == 2


def test_namespace_package_inside_another_is_put_back(
    write_modules: Write, tmp_path: Path, picture: Any
) -> None:
    write_modules({"spread/inner/one.py": ""})
    (tmp_path / "second" / "spread" / "inner").mkdir(parents=True)
    (tmp_path / "second" / "spread" / "inner" / "two.py").touch()
    importlib.import_module("spread.inner.one")
    before = picture("spread")

    with ImportSandbox():
        sys.path.append(str(tmp_path / "second"))
        importlib.import_module("spread.inner.two")

    assert before.differences() == []


def test_namespace_package_that_the_watcher_did_not_see_is_put_back(
    finders: Callable[[], None], write_modules: Write, tmp_path: Path, picture: Any
) -> None:
    write_modules({"spread/one.py": ""})
    (tmp_path / "second" / "spread").mkdir(parents=True)
    (tmp_path / "second" / "spread" / "two.py").touch()

    with ImportSandbox():
        finders()
        importlib.import_module("spread")
        before = picture("spread")
        with ImportSandbox():
            sys.path.append(str(tmp_path / "second"))
            importlib.import_module("spread.two")

        assert before.differences() == []


def test_namespace_package_that_is_no_longer_loaded_is_left_alone(write_modules: Write) -> None:
    write_modules({"spread/one.py": ""})
    spread = importlib.import_module("spread")
    with ImportSandbox():
        pass
    del sys.modules["spread"]

    with ImportSandbox():
        spread.__path__ = ["/elsewhere"]

    assert spread.__path__ == ["/elsewhere"]


def test_namespace_package_that_became_a_regular_one_is_left_alone(
    write_modules: Write, picture: Any
) -> None:
    directory = write_modules({"spread/one.py": ""})
    importlib.import_module("spread")
    with ImportSandbox():
        pass
    del sys.modules["spread"]
    write_modules({"spread/__init__.py": ""})
    spread = importlib.import_module("spread")

    with ImportSandbox():
        spread.__path__ = [str(directory / "spread"), "/elsewhere"]

    assert spread.__path__ == [str(directory / "spread"), "/elsewhere"]


# The standard finders


@pytest.fixture
def finder_methods() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Tells what the standard finders can do, and puts it back after the test."""
    finders = (
        importlib.machinery.BuiltinImporter,
        importlib.machinery.FrozenImporter,
        importlib.machinery.PathFinder,
        importlib.machinery.FileFinder,
    )

    def now() -> list[dict[str, Any]]:
        return [dict(vars(finder)) for finder in finders]

    before = now()
    yield now
    for finder, methods in zip(finders, before, strict=True):
        for name in set(vars(finder)) - set(methods):
            delattr(finder, name)
        for name, method in methods.items():
            if vars(finder).get(name) is not method:
                setattr(finder, name, method)


def delete_a_method() -> None:
    del importlib.machinery.PathFinder.find_distributions


def replace_a_method() -> None:
    importlib.machinery.FileFinder.invalidate_caches = len  # type: ignore[method-assign,assignment]


def add_a_method() -> None:
    importlib.machinery.BuiltinImporter.find_distributions = len  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", [delete_a_method, replace_a_method, add_a_method])
def test_methods_of_the_standard_finders_are_put_back(
    change: Callable[[], None], finder_methods: Callable[[], list[dict[str, Any]]]
) -> None:
    before = finder_methods()

    with ImportSandbox():
        change()
        assert finder_methods() != before

    assert finder_methods() == before


@pytest.mark.parametrize("change", [delete_a_method, replace_a_method, add_a_method])
def test_methods_of_the_standard_finders_that_change_while_suspended_stay_so(
    change: Callable[[], None], finder_methods: Callable[[], list[dict[str, Any]]]
) -> None:
    with ImportSandbox() as sandbox:
        with suspended(sandbox):
            change()
            after = finder_methods()
        assert finder_methods() == after

    assert finder_methods() == after


def test_distributions_are_found_after_a_backport_of_importlib_metadata(run_script: Run) -> None:
    output = run_script(
        """
        import importlib.metadata

        from pytest_importsandbox import ImportSandbox

        for _ in range(2):
            with ImportSandbox():
                import backport

                importlib.metadata.version("pytest")
            print(bool(importlib.metadata.version("pytest")))
        """,
        files={
            "backport.py": """
                import sys
                from importlib.machinery import PathFinder
                from importlib.metadata import MetadataPathFinder

                class Finder(MetadataPathFinder):
                    @staticmethod
                    def find_spec(name, path=None, target=None):
                        return None

                del PathFinder.find_distributions
                sys.meta_path.append(Finder())
                """
        },
    )

    assert output.split() == ["True"] * 2


# A restore that meets trouble

STEPS = (
    "modules",
    "bindings",
    "reloads",
    "path",
    "meta_path",
    "path_hooks",
    "importer_cache",
    "finder_methods",
    "namespace_paths",
    *(("settings", "declared", "names") if hasattr(sys, "lazy_modules") else ()),
)


def change_everything(directory: Path) -> None:
    importlib.import_module("pkg.sub")
    importlib.reload(sys.modules["settings"])
    sys.modules["fake"] = ModuleType("fake")
    sys.path.append(str(directory / "second"))
    importlib.import_module("spread.two")
    sys.meta_path.append(ModuleType("finder"))  # type: ignore[arg-type]
    sys.path_hooks.append(ModuleType)
    sys.path_importer_cache["/entry"] = None


@pytest.fixture
def changing(write_modules: Write) -> Callable[[], None]:
    """Changes everything that belongs to the import state."""
    directory = write_modules(
        {
            "pkg/__init__.py": "",
            "pkg/sub.py": "",
            "settings.py": "X = []",
            "spread/one.py": "",
            "second/spread/two.py": "",
        }
    )
    for name in ("pkg", "settings", "spread.one"):
        importlib.import_module(name)
    return lambda: change_everything(directory)


def test_all_steps_are_known() -> None:
    with ImportSandbox() as sandbox:
        state = sandbox._opened().state

    assert {id(getattr(state, step)) for step in STEPS} == {id(row) for row in state.rows}


@pytest.mark.parametrize("step", STEPS)
def test_step_that_raises_does_not_keep_the_others(
    step: str, changing: Callable[[], None], picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture("pkg", "settings", "spread")

    with ImportSandbox():
        with ImportSandbox() as sandbox:
            row = getattr(sandbox._opened().state, step)
            restore = row.restore
            changing()
            monkeypatch.setattr(row, "restore", lambda: 1 / 0)
        restore()

        assert before.differences() == []


@pytest.mark.parametrize(
    "interrupt", [KeyboardInterrupt("stop"), SystemExit(3)], ids=lambda interrupt: type(interrupt).__name__
)
@pytest.mark.parametrize("step", STEPS)
def test_interrupt_is_raised_when_all_is_back(
    step: str,
    interrupt: BaseException,
    changing: Callable[[], None],
    picture: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = picture("pkg", "settings", "spread")
    sandbox = ImportSandbox().__enter__()
    row = getattr(sandbox._opened().state, step)
    restore, strikes = row.restore, [interrupt]

    def strike() -> object:
        if strikes:
            raise strikes.pop()
        return restore()

    monkeypatch.setattr(row, "restore", strike)
    changing()

    with pytest.raises(type(interrupt)) as raised:
        sandbox.__exit__(None, None, None)

    assert raised.value is interrupt
    assert before.differences() == []


def test_interrupt_that_strikes_twice_does_not_keep_the_other_steps(
    changing: Callable[[], None], picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = picture("pkg", "settings", "spread")
    sandbox = ImportSandbox().__enter__()
    row = sandbox._opened().state.path
    restore = row.restore
    monkeypatch.setattr(row, "restore", interrupt)
    changing()

    with pytest.raises(KeyboardInterrupt):
        sandbox.__exit__(None, None, None)
    restore()

    assert before.differences() == []


def test_restore_twice_does_no_harm(changing: Callable[[], None], picture: Any) -> None:
    before = picture("pkg", "settings", "spread")
    with ImportSandbox() as sandbox:
        state = sandbox._opened().state
        changing()

    state.restore()

    assert before.differences() == []


def test_finalizer_of_a_module_that_leaves_may_import(write_modules: Write) -> None:
    write_modules(
        {
            "dying.py": """
                from plain import Last

                last = Last()
                """,
            "plain.py": """
                seen = []

                class Last:
                    def __del__(self):
                        import late
                        seen.append(late.X)
                """,
            "late.py": "X = 1",
        }
    )
    plain = importlib.import_module("plain")

    with ImportSandbox():
        importlib.import_module("dying")

    assert (plain.seen, "dying" in sys.modules, "late" in sys.modules) == ([1], False, True)


@pytest.mark.parametrize(
    "change",
    [
        "sys.modules['dying'] = dying",
        "sys.modules = {**sys.modules, 'dying': dying}",
        "sys.path.append(dying)",
        "sys.path = [dying]",
        "sys.meta_path.append(dying)",
        "sys.path_hooks.append(dying)",
        "sys.path_importer_cache['/dying'] = dying",
        "sys.path_importer_cache = {'dying': dying}",
        "importlib.machinery.FileFinder.find_spec = dying",
        "import pkg.sub; pkg.sub = dying",
        "importlib.reload(pkg); pkg.dying = dying",
        "import space; space.__path__ = dying",
    ],
)
def test_nothing_is_freed_under_the_import_lock(run_script: Run, change: str) -> None:
    output = run_script(
        f"""
        import importlib.machinery
        import sys
        import threading

        from pytest_importsandbox import ImportSandbox
        import pkg, space

        class Dying:
            def __del__(self):
                thread = threading.Thread(target=__import__, args=["late"], daemon=True)
                thread.start()
                thread.join({TOO_LONG})
                print(thread.is_alive())

        with ImportSandbox():
            dying = Dying()
            {change}
            del dying
        print("end")
        """,
        files={"pkg/__init__.py": "", "pkg/sub.py": "", "space/part.py": "", "late.py": ""},
    )

    assert output.split() == ["False", "end"]


# Tables


def test_table_is_put_back_in_order() -> None:
    saved = {"a": 1, "b": 2, "c": 3}
    table = {"c": 3, "x": 10, "b": 20, "y": 11}

    put_back(table, saved)

    assert list(table.items()) == list(saved.items())


def test_table_that_lost_its_last_names_is_put_back_in_order() -> None:
    saved = {"a": 1, "b": 2, "c": 3}
    table = {"a": 1}

    put_back(table, saved)

    assert list(table.items()) == list(saved.items())


def test_table_with_a_key_that_cannot_be_compared_is_put_back_at_once() -> None:
    saved = {"a": 1, "b": 2, "c": 3}
    table = saved.copy()
    put_in_the_way(table, "b")
    del table["c"]

    put_back(table, saved)

    assert list(table.items()) == list(saved.items())


def test_order_is_left_alone_where_threads_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    saved = {"a": 1, "b": 2}
    table = {"b": 2, "x": 3, "a": 1}

    put_back(table, saved)

    assert list(table.items()) == [("b", 2), ("a", 1)]


# What has changed


def test_key_that_cannot_be_compared_in_place_of_the_last_name_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "last_name", sys)
    names = list(sys.modules)

    with ImportSandbox():
        del sys.modules["last_name"]
        sys.modules[HostileKey()] = sys  # type: ignore[index]

    assert list(sys.modules) == names


def test_nothing_has_changed_in_a_new_sandbox() -> None:
    with ImportSandbox() as sandbox:
        changes = sandbox.changes()

    assert (changes, bool(changes), str(changes)) == (ImportChanges(), False, "no changes")


def test_added_removed_replaced_and_reloaded_modules_are_named(write_modules: Write) -> None:
    write_modules({"pkg/__init__.py": "", "pkg/sub.py": "", "settings.py": "", "plain.py": ""})
    for name in ("pkg", "settings"):
        importlib.import_module(name)

    with ImportSandbox() as sandbox:
        importlib.import_module("plain")
        importlib.import_module("pkg.sub")
        importlib.reload(sys.modules["settings"])
        del sys.modules["textwrap"]
        sys.modules["pkg"] = ModuleType("pkg")
        changes = sandbox.changes()

    assert changes == ImportChanges(
        added=("plain", "pkg.sub"), removed=("textwrap",), replaced=("pkg",), reloaded=("settings",)
    )


@pytest.mark.parametrize("registry", LISTS)
def test_entries_that_came_and_went_are_named(registry: str) -> None:
    class Finder:
        pass

    with ImportSandbox() as sandbox:
        entries = getattr(sys, registry)
        gone = entries.pop()
        entries[:0] = [Finder, Finder()]
        changes = sandbox.changes()

    name = gone if isinstance(gone, str) else getattr(gone, "__qualname__", type(gone).__qualname__)
    finder = f"+{Finder.__qualname__}"
    assert getattr(changes, registry) == (finder, finder, f"-{name}")
    assert bool(changes)


@pytest.mark.parametrize("registry", LISTS)
def test_entries_in_another_order_are_said_to_be_reordered(registry: str) -> None:
    with ImportSandbox() as sandbox:
        getattr(sys, registry).reverse()
        if registry != "path":
            getattr(sys, registry).append(getattr(sys, registry)[0])
        changes = sandbox.changes()

    assert getattr(changes, registry) == ("reordered",)


@pytest.mark.parametrize("registry", LISTS)
def test_changes_of_a_list_that_was_deleted_are_all_its_entries(registry: str) -> None:
    with ImportSandbox() as sandbox:
        count = len(
            [entry for entry in getattr(sys, registry) if "importsandbox" not in type(entry).__module__]
        )
        delattr(sys, registry)
        changes = sandbox.changes()

    assert [entry[0] for entry in getattr(changes, registry)] == ["-"] * count


def test_functions_among_the_finders_are_named() -> None:
    def hook(entry: str) -> None:
        raise ImportError

    with ImportSandbox() as sandbox:
        sys.path_hooks.append(hook)
        changes = sandbox.changes()

    assert changes.path_hooks == (f"+{hook.__qualname__}",)


def test_path_that_is_no_str_is_named_by_its_type(tmp_path: Path) -> None:
    with ImportSandbox() as sandbox:
        sys.path.append(tmp_path)  # type: ignore[arg-type]
        changes = sandbox.changes()

    assert changes.path == (f"+{type(tmp_path).__name__}",)


def test_hostile_objects_are_never_printed(hostile: Hostile) -> None:
    with ImportSandbox() as sandbox:
        sys.modules["hostile"] = hostile  # type: ignore[assignment]
        sys.path.append(hostile)  # type: ignore[arg-type]
        sys.meta_path.append(hostile)  # type: ignore[arg-type]
        sys.path_hooks.append(hostile)
        sys.modules[HostileKey()] = hostile  # type: ignore[index, assignment]
        changes = sandbox.changes()

    assert (changes.added, Hostile.asked) == (("hostile",), [])
    assert changes.path == changes.meta_path == changes.path_hooks == ("+Hostile",)


def test_watcher_is_not_shown() -> None:
    with ImportSandbox() as sandbox:
        sys.meta_path.pop(0)
        changes = sandbox.changes()

    assert changes == ImportChanges()


def test_blocked_module_counts_as_removed() -> None:
    with ImportSandbox() as sandbox:
        sandbox.block("textwrap", "there_is_no_such_module")
        changes = sandbox.changes()

    assert changes == ImportChanges(removed=("textwrap",))


def test_none_that_was_put_in_place_of_a_module_counts_as_replaced() -> None:
    with ImportSandbox() as sandbox:
        sys.modules["textwrap"] = None  # type: ignore[assignment]
        changes = sandbox.changes()

    assert changes == ImportChanges(replaced=("textwrap",))


def test_modules_in_a_bound_dict_count() -> None:
    with ImportSandbox() as sandbox:
        sys.modules = {**sys.modules, "fake": ModuleType("fake")}
        changes = sandbox.changes()

    assert changes == ImportChanges(added=("fake",))


def test_changes_are_printed_one_kind_a_line() -> None:
    changes = ImportChanges(
        added=("a", "a.b"), removed=("c",), path=("+/x", "-/y"), path_hooks=("reordered",)
    )

    assert str(changes) == "added: a, a.b\nremoved: c\npath: +/x, -/y\npath_hooks: reordered"


def test_changes_cannot_be_changed() -> None:
    changes = ImportChanges(added=("pkg",))

    with pytest.raises(FrozenInstanceError, match=r"'added'"):
        changes.added = ()  # type: ignore[misc]


def test_changes_keep_no_module_alive(write_modules: Write) -> None:
    import gc
    import weakref

    write_modules({"plain.py": ""})

    with ImportSandbox() as sandbox:
        reference = weakref.ref(importlib.import_module("plain"))
        changes = sandbox.changes()
    gc.collect()

    assert (changes.added, reference()) == (("plain",), None)


def test_modules_that_are_kept_already_are_not_among_the_added_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, other = ModuleType("kept_already"), ModuleType("other")
    row = ModulesRow({"kept_already": kept, "other": ModuleType("other")})
    monkeypatch.setitem(sys.modules, "kept_already", kept)
    monkeypatch.setitem(sys.modules, "other", other)

    assert row.added() == {"other": other}
