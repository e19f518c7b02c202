"""Lazy imports (PEP 810): what an isolated test resolves, declares or changes is gone after it."""

from __future__ import annotations

import builtins
import gc
import importlib
import inspect
import re
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core import lazy
from pytest_importsandbox._core.process import process

HAS_LAZY_IMPORTS = hasattr(sys, "lazy_modules")
REASON = "lazy imports came with Python 3.15"

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "lazy-import-statement.md"
CODE_BLOCK = re.compile(r"^```\{code-block\} python\n:caption: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_sys: Any = sys
Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(write_modules: Write) -> Write:
    """Write modules, with `lazy` statements in them, that can be imported."""
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)
    return write_modules


@pytest.fixture
def importer(write: Write) -> Callable[..., ModuleType]:
    """Write modules and import the one named first, which so survives the sandboxes of the test."""

    def load(name: str, source: str, others: Mapping[str, str] | None = None) -> ModuleType:
        write({f"{name}.py": source, **(others or {})})
        return importlib.import_module(name)

    return load


def is_unresolved(module: ModuleType, name: str) -> bool:
    kind: Any = types.LazyImportType  # type: ignore[attr-defined,unused-ignore]
    return type(vars(module)[name]) is kind


# -- What an isolated test resolves


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda module: module.use(), id="in a function"),
        pytest.param(lambda module: module.target, id="attribute"),
        pytest.param(lambda module: getattr(module, "target"), id="getattr"),  # noqa: B009
        pytest.param(lambda module: hasattr(module, "target"), id="hasattr"),
        pytest.param(inspect.getmembers, id="getmembers"),
        pytest.param(lambda module: exec("target", vars(module)), id="module code"),
        pytest.param(lambda module: exec("from reads_it import target"), id="from import"),
    ],
)
def test_name_that_was_resolved_is_unresolved_again(
    use: Callable[[ModuleType], object], importer: Callable[..., ModuleType]
) -> None:
    module = importer("reads_it", "lazy import target\ndef use(): return target", {"target.py": "VALUE = 1"})

    with ImportSandbox():
        use(module)
        resolved = vars(module)["target"] is sys.modules["target"]

    assert resolved
    assert is_unresolved(module, "target")


@pytest.mark.parametrize(
    ("statement", "name", "target"),
    [
        ("lazy import one_object", "one_object", "one_object"),
        ("lazy import one_object as alias", "alias", "one_object"),
        ("lazy import one_package.sub", "one_package", "one_package"),
        ("lazy import one_package.sub as alias", "alias", "one_package.sub"),
        ("lazy from one_package import sub", "sub", "one_package.sub"),
        ("lazy from one_package import sub as alias", "alias", "one_package.sub"),
        ("__lazy_modules__ = {'one_object'}; import one_object", "one_object", "one_object"),
    ],
)
def test_module_resolved_in_a_test_is_the_one_that_a_later_test_imports(
    statement: str, name: str, target: str, importer: Callable[..., ModuleType]
) -> None:
    module = importer(
        "one_importer",
        statement,
        {"one_object.py": "", "one_package/__init__.py": "", "one_package/sub.py": ""},
    )
    with ImportSandbox():
        first = getattr(module, name)

    with ImportSandbox():
        second = importlib.import_module(target)
        through_the_name = getattr(module, name)

    assert through_the_name is second
    assert second is not first


def test_attribute_resolved_in_a_test_belongs_to_the_module_that_a_later_test_imports(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer(
        "wants_class", "lazy from has_class import Thing", {"has_class.py": "class Thing: pass"}
    )
    with ImportSandbox():
        module.Thing  # noqa: B018

    with ImportSandbox():
        thing = importlib.import_module("has_class").Thing
        through_the_name = module.Thing

    assert through_the_name is thing


def test_function_that_was_called_often_sees_the_module_of_the_next_test(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer("hot", "lazy import cold\ndef use(): return cold", {"cold.py": ""})
    with ImportSandbox():
        for _ in range(1000):
            module.use()

    with ImportSandbox():
        cold = importlib.import_module("cold")
        used = module.use()

    assert used is cold


def test_name_can_be_resolved_in_any_number_of_tests(importer: Callable[..., ModuleType]) -> None:
    module = importer("many_times", "lazy import each_time", {"each_time.py": ""})
    found = []

    for _ in range(3):
        with ImportSandbox():
            found.append(module.each_time is sys.modules["each_time"])

    assert found == [True, True, True]
    assert is_unresolved(module, "each_time")


def test_name_resolved_before_the_sandbox_stays_resolved(importer: Callable[..., ModuleType]) -> None:
    module = importer("resolved_early", "lazy import early", {"early.py": ""})
    early = module.early

    with ImportSandbox() as sandbox:
        sandbox.evict("early")
        importlib.import_module("early")

    assert vars(module)["early"] is early is sys.modules["early"]


def test_name_resolved_between_two_sandboxes_stays_resolved(importer: Callable[..., ModuleType]) -> None:
    module = importer("resolved_between", "lazy import between", {"between.py": ""})
    with ImportSandbox():
        pass
    importlib.import_module("between")
    with ImportSandbox():
        pass
    between = module.between

    with ImportSandbox():
        pass

    assert vars(module)["between"] is between


def test_name_deleted_or_bound_by_a_test_is_unresolved_again(importer: Callable[..., ModuleType]) -> None:
    module = importer("bound_by_hand", "lazy import one; lazy import two", {"one.py": "", "two.py": ""})

    with ImportSandbox():
        del vars(module)["one"]
        vars(module)["two"] = 2

    assert is_unresolved(module, "one")
    assert is_unresolved(module, "two")


def test_name_resolved_in_an_inner_sandbox_stays_resolved_in_the_outer_one_if_it_was(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer(
        "nested_importer", "lazy import nested; lazy import inner", {"nested.py": "", "inner.py": ""}
    )

    with ImportSandbox():
        nested = module.nested
        with ImportSandbox():
            module.inner  # noqa: B018
        in_outer = vars(module)["nested"]
        inner_unresolved = is_unresolved(module, "inner")

    assert in_outer is nested
    assert inner_unresolved
    assert is_unresolved(module, "nested")


def test_fresh_import_that_fails_leaves_names_as_they_were(importer: Callable[..., ModuleType]) -> None:
    module = importer(
        "bystander",
        "lazy import helper",
        {"helper.py": "", "fails.py": "import bystander; bystander.helper; 1 / 0"},
    )

    with ImportSandbox() as sandbox:
        with pytest.raises(ZeroDivisionError):
            sandbox.fresh_import("fails")
        unresolved = is_unresolved(module, "helper")

    assert unresolved


# -- Nothing is resolved by looking


def test_no_part_of_a_sandbox_resolves_a_name(importer: Callable[..., ModuleType]) -> None:
    module = importer(
        "looked_at",
        """
        lazy import never
        lazy import never_package.sub
        lazy from never_package import other
        """,
        {
            "never.py": "1 / 0",
            "never_package/__init__.py": "1 / 0",
            "beside.py": "lazy import never",
            "broken.py": "lazy import never\n1 / 0",
        },
    )

    for _ in range(100):
        with ImportSandbox(preserve="beside") as sandbox:
            sandbox.fresh_import("beside")
            sandbox.block("never.sub")
            sandbox.changes()
            sandbox.pending()
            importlib.import_module("looked_at")
            with pytest.raises(ZeroDivisionError):
                sandbox.fresh_import("broken")
            with ImportSandbox() as inner:
                inner.evict("looked_at", "beside")
            sys.meta_path.reverse()

    assert [is_unresolved(module, name) for name in ("never", "never_package", "other")] == [True] * 3


def test_sandbox_works_in_the_mode_all(write: Write) -> None:
    write(
        {"lazy_all.py": "import lazy_all_target\ndef use(): return lazy_all_target", "lazy_all_target.py": ""}
    )

    with ImportSandbox() as sandbox:
        _sys.set_lazy_imports("all")
        module = sandbox.fresh_import("lazy_all")
        unresolved = is_unresolved(module, "lazy_all_target")
        used = module.use() is sys.modules["lazy_all_target"]

    assert (unresolved, used) == (True, True)
    assert "lazy_all" not in sys.modules
    assert "lazy_all_target" not in sys.modules


def test_plugin_that_is_imported_in_the_mode_all_has_resolved_its_own_imports(
    run_script: Callable[..., str],
) -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)

    output = run_script(
        """
        import sys
        from types import LazyImportType

        sys.set_lazy_imports("all")
        from pytest_importsandbox import ImportSandbox

        sandbox = ImportSandbox()
        with sandbox:
            import colorsys
        for name, module in sys.modules.copy().items():
            if name.startswith("pytest_importsandbox"):
                print(*[each for each, value in list(vars(module).items()) if type(value) is LazyImportType])
        print("colorsys" in sys.modules)
        """
    )

    assert output.split() == ["False"]


def test_own_imports_are_resolved_before_the_watcher_is_asked(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"own_import.py": ""})
    monkeypatch.setitem(vars(lazy), "own_import", None)
    exec("lazy import own_import", vars(lazy))
    del sys.meta_path[0]

    with ImportSandbox():
        unresolved = is_unresolved(lazy, "own_import")

    assert not unresolved


# -- Fakes, blocks, failures, evictions, reloads


def test_fake_in_sys_modules_cannot_be_reached_after_the_test(importer: Callable[..., ModuleType]) -> None:
    module = importer("meets_fake", "lazy import real\ndef use(): return real", {"real.py": ""})

    with ImportSandbox():
        sys.modules["real"] = fake = ModuleType("real")
        met = module.use()

    assert met is fake
    assert module.use() is importlib.import_module("real")


# Not `real_package.sub`: as with an eager import, only a module that import finds becomes an attribute.
@pytest.mark.parametrize(
    "statement", ["lazy import real_package.sub as sub", "lazy from real_package import sub"]
)
@pytest.mark.parametrize("removed", [False, True], ids=["left", "taken away"])
def test_fake_submodule_in_sys_modules_cannot_be_reached_after_the_test(
    removed: bool, statement: str, importer: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    use = f"def use(): return {statement.rpartition(' ')[2]}"
    module = importer(
        "meets_fake_sub", f"{statement}\n{use}", {"real_package/__init__.py": "", "real_package/sub.py": ""}
    )
    package = importlib.import_module("real_package")
    fake = ModuleType("real_package.sub")

    with ImportSandbox(), monkeypatch.context() as patch:
        if removed:
            patch.setitem(sys.modules, "real_package.sub", fake)
        else:
            sys.modules["real_package.sub"] = fake
        met = module.use()

    assert met is fake
    assert "sub" not in vars(package)
    assert module.use() is importlib.import_module("real_package.sub") is not fake


def test_fake_submodule_met_by_a_fresh_module_cannot_be_reached_after_the_test(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"stable/__init__.py": "", "fresh_user.py": "lazy from stable import sub\ndef use(): return sub"})
    package = importlib.import_module("stable")
    fake = ModuleType("stable.sub")

    with ImportSandbox() as sandbox, monkeypatch.context() as patch:
        module = sandbox.fresh_import("fresh_user")
        patch.setitem(sys.modules, "stable.sub", fake)
        met = module.use()

    assert met is fake
    assert "sub" not in vars(package)


@pytest.mark.parametrize("how", ["block", "None in sys.modules"])
def test_blocked_module_can_be_used_after_the_test(how: str, importer: Callable[..., ModuleType]) -> None:
    module = importer(
        "wants_blocked", "lazy import blocked_one\ndef use(): return blocked_one", {"blocked_one.py": ""}
    )

    with ImportSandbox() as sandbox:
        if how == "block":
            sandbox.block("blocked_one")
        else:
            sys.modules["blocked_one"] = None  # type: ignore[assignment]
        with pytest.raises(ModuleNotFoundError, match="blocked_one"):
            module.use()

    assert module.use() is sys.modules["blocked_one"]


def test_blocked_submodule_can_be_used_after_the_test(importer: Callable[..., ModuleType]) -> None:
    module = importer(
        "wants_sub",
        "lazy import half.sub\ndef use(): return half.sub",
        {"half/__init__.py": "", "half/sub.py": ""},
    )

    with ImportSandbox() as sandbox:
        sandbox.block("half.sub")
        with pytest.raises((ModuleNotFoundError, AttributeError)):
            module.use()

    assert module.use() is sys.modules["half.sub"]


def test_import_that_failed_at_its_use_is_tried_again_after_the_test(
    importer: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importer(
        "tries_again",
        "lazy import moody",
        {"moody.py": "import os\nif os.environ.get('MOOD') == 'bad': raise OSError('moody')"},
    )
    monkeypatch.setenv("MOOD", "bad")

    with ImportSandbox(), pytest.raises(OSError, match="moody"):
        module.moody  # noqa: B018
    monkeypatch.setenv("MOOD", "good")

    assert module.moody is sys.modules["moody"]


def test_module_on_a_path_of_the_test_cannot_be_reached_after_it(
    importer: Callable[..., ModuleType], tmp_path: Path
) -> None:
    module = importer("wants_elsewhere", "lazy import elsewhere")
    tmp_path.joinpath("elsewhere.py").touch()

    with ImportSandbox():
        sys.path.insert(0, str(tmp_path))
        module.elsewhere  # noqa: B018

    with pytest.raises(ModuleNotFoundError, match="elsewhere"):
        module.elsewhere  # noqa: B018


def test_evicted_target_is_imported_afresh_and_the_old_one_is_back_afterwards(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer("wants_evicted", "lazy import evicted_one", {"evicted_one.py": ""})
    old = importlib.import_module("evicted_one")

    with ImportSandbox() as sandbox:
        sandbox.evict("evicted_one")
        inside = module.evicted_one

    assert inside is not old
    assert module.evicted_one is old


def test_value_from_a_loaded_module_is_that_of_the_old_module_again(
    importer: Callable[..., ModuleType],
) -> None:
    importer("loaded_one", "class Thing: pass", {"wants_thing.py": "lazy from loaded_one import Thing"})
    module = importlib.import_module("wants_thing")

    with ImportSandbox() as sandbox:
        sandbox.fresh_import("loaded_one")
        module.Thing  # noqa: B018

    assert module.Thing is sys.modules["loaded_one"].Thing


def test_evicted_child_is_imported_afresh_through_its_package(importer: Callable[..., ModuleType]) -> None:
    module = importer(
        "wants_child", "lazy from family import child", {"family/__init__.py": "", "family/child.py": ""}
    )
    old = importlib.import_module("family.child")

    with ImportSandbox() as sandbox:
        sandbox.evict("family.child")
        inside = module.child
        loaded = sys.modules["family.child"]

    assert inside is loaded is not old
    assert module.child is old is sys.modules["family.child"]


def test_evicted_importer_has_its_names_unresolved_when_it_is_back(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer("comes_back", "lazy import its_target", {"its_target.py": ""})

    with ImportSandbox() as sandbox:
        fresh = sandbox.fresh_import("comes_back")
        same = fresh.its_target is module.its_target

    assert same
    assert is_unresolved(module, "its_target")
    assert module.its_target is importlib.import_module("its_target")


def test_code_of_an_evicted_package_finds_its_old_siblings_after_the_test(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer(
        "package_user",
        "import generation.code\nuse = generation.code.use",
        {
            "generation/__init__.py": "",
            "generation/code.py": "lazy from . import sibling\ndef use(): return sibling",
            "generation/sibling.py": "",
        },
    )
    old = importlib.import_module("generation.sibling")

    with ImportSandbox() as sandbox:
        sandbox.evict("generation")
        inside = module.use()

    assert inside is not old
    assert module.use() is old is sys.modules["generation.sibling"]


def test_reloaded_importer_has_the_names_that_it_had(importer: Callable[..., ModuleType]) -> None:
    module = importer("runs_again", "lazy import once_more", {"once_more.py": ""})
    before = vars(module).copy()

    with ImportSandbox():
        module.once_more  # noqa: B018
        importlib.reload(module)
        module.once_more  # noqa: B018

    assert vars(module).keys() == before.keys()
    assert list(map(id, vars(module).values())) == list(map(id, before.values()))


def test_name_of_a_module_that_an_outer_sandbox_reloaded_is_unresolved_in_later_sandboxes(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer("reloaded_outside", "lazy import later", {"later.py": ""})
    with ImportSandbox():
        importlib.reload(module)
        with ImportSandbox():
            pass

    with ImportSandbox():
        module.later  # noqa: B018

    assert is_unresolved(module, "later")


def test_names_declared_after_a_sandbox_in_the_middle_of_an_import_are_unresolved_again(
    importer: Callable[..., ModuleType],
) -> None:
    module = importer(
        "opens_one",
        """
        from pytest_importsandbox import ImportSandbox
        with ImportSandbox(): pass
        lazy import declared_later
        """,
        {"declared_later.py": ""},
    )

    with ImportSandbox():
        module.declared_later  # noqa: B018

    assert is_unresolved(module, "declared_later")


def test_names_resolved_in_another_dict_of_modules_are_unresolved_again(
    importer: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importer("meets_copy", "lazy import in_a_copy", {"in_a_copy.py": ""})
    modules = sys.modules

    with ImportSandbox():
        sys.modules = modules.copy()
        module.in_a_copy  # noqa: B018

    assert sys.modules is modules
    assert module.in_a_copy is sys.modules["in_a_copy"]


# -- Submodules that are pending


@pytest.mark.parametrize(
    "statement",
    [
        "lazy import hidden.sub",
        "lazy import hidden.sub as alias",
        "lazy from hidden import sub",
        "lazy from hidden.sub import VALUE",
        "lazy import hidden.sub.deep",
    ],
)
@pytest.mark.parametrize("used", [False, True], ids=["not used", "used"])
def test_package_does_not_show_what_a_test_declared(statement: str, used: bool, write: Write) -> None:
    write(
        {
            "hidden/__init__.py": "",
            "hidden/sub/__init__.py": "VALUE = 1",
            "hidden/sub/deep.py": "",
            "declares.py": statement,
        }
    )
    with ImportSandbox():
        module = importlib.import_module("declares")
        if used:
            inspect.getmembers(module)

    with ImportSandbox():
        package = importlib.import_module("hidden")
        found = hasattr(package, "sub")

    assert not found


def test_name_of_a_module_that_was_imported_between_two_sandboxes_is_unresolved_again(
    importer: Callable[..., ModuleType],
) -> None:
    with ImportSandbox():
        pass
    module = importer("came_between", "lazy import goes_between", {"goes_between.py": ""})

    with ImportSandbox():
        module.goes_between  # noqa: B018

    assert is_unresolved(module, "goes_between")


def test_submodule_of_a_surviving_package_is_not_found_because_of_an_earlier_test(
    write: Write,
) -> None:
    write({"stays/__init__.py": "", "stays/sub.py": "", "declares_stays.py": "lazy import stays.sub"})
    package = importlib.import_module("stays")

    with ImportSandbox():
        importlib.import_module("declares_stays")

    assert not hasattr(package, "sub")


@pytest.fixture
def forgotten_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next sandbox look for the table of pending submodules as the first one does."""
    monkeypatch.setattr(process.hooks, "pending", lazy.PendingSubmodules())


def test_first_sandbox_leaves_no_declaration_of_its_own(write: Write, forgotten_table: None) -> None:
    before = _sys.lazy_modules.copy()

    with ImportSandbox():
        pass

    assert _sys.lazy_modules == before
    assert not hasattr(ModuleType("__importsandbox_probe__"), "child")


def test_objects_that_are_frozen_stay_frozen(write: Write, forgotten_table: None) -> None:
    write({"frozen/__init__.py": "", "frozen/sub.py": "", "thaws.py": "lazy import frozen.sub"})
    package = importlib.import_module("frozen")
    gc.freeze()

    try:
        with ImportSandbox():
            importlib.import_module("thaws")
        still_frozen = gc.get_freeze_count()
    finally:
        gc.unfreeze()

    assert not hasattr(package, "sub")
    assert still_frozen


def test_sandbox_works_where_the_table_of_pending_submodules_is_not_found(
    importer: Callable[..., ModuleType], forgotten_table: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importer("unaware", "lazy import out_of_sight", {"out_of_sight.py": ""})
    monkeypatch.setattr(gc, "get_objects", list)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ImportSandbox():
            module.out_of_sight  # noqa: B018

    assert is_unresolved(module, "out_of_sight")


def test_run_with_lazy_submodules_says_once_that_they_are_not_isolated_where_their_table_is_not_found(
    run_script: Callable[..., str], write: Write
) -> None:
    output = run_script(
        """
        import gc, warnings
        from pytest_importsandbox import ImportSandbox

        gc.get_objects = list
        with warnings.catch_warnings(record=True) as before:
            warnings.simplefilter("always")
            with ImportSandbox():
                pass
        exec("lazy import shop.tax")
        with warnings.catch_warnings(record=True) as after:
            warnings.simplefilter("always")
            for _ in range(2):
                with ImportSandbox():
                    pass
        print(len(before), *(each.message for each in after))
        """
    )

    assert output.startswith(
        "0 pytest-importsandbox: 'shop.tax' is imported lazily, and lazy imports of submod"
    )
    assert len(output.splitlines()) == 1


def test_this_python_keeps_pending_submodules_where_they_are_looked_for(write: Write) -> None:
    pending = lazy.PendingSubmodules()

    exec("lazy import looked_for.imported, looked_for.deep.er\nlazy from looked_for import named", {})

    names = pending.names()
    pending.discard([name for name in names if name.startswith("looked_for.")])
    assert pending.is_found, "the table of pending submodules is not a dict of dicts any more"
    assert {name for name in names if name.startswith("looked_for.")} == {
        "looked_for.imported",
        "looked_for.deep",
        "looked_for.deep.er",
        "looked_for.named",
    }
    assert names["looked_for.named"] is None, "`from a import b` has a placeholder now: see NamesRow"


@pytest.mark.parametrize("how", ["attribute", "eager import"])
def test_submodule_that_a_surviving_module_declared_is_pending_again(
    how: str, importer: Callable[..., ModuleType]
) -> None:
    module = importer(
        "declared_it", "lazy import dotted.sub", {"dotted/__init__.py": "", "dotted/sub.py": ""}
    )

    with ImportSandbox():
        if how == "attribute":
            module.dotted.sub  # noqa: B018
        else:
            importlib.import_module("dotted.sub")

    assert module.dotted.sub is sys.modules["dotted.sub"]


def test_submodule_pending_on_a_loaded_package_is_pending_again(
    importer: Callable[..., ModuleType],
) -> None:
    importer("half_used", "lazy import partly.sub", {"partly/__init__.py": "", "partly/sub.py": ""})
    package = importlib.import_module("partly")

    with ImportSandbox():
        package.sub  # noqa: B018
    loaded = "partly.sub" in sys.modules

    assert not loaded
    assert hasattr(package, "sub")
    assert package.sub is sys.modules["partly.sub"]


def test_fresh_package_does_not_show_what_its_earlier_version_declared(write: Write) -> None:
    write({"versions/sub.py": "", "versions/__init__.py": "lazy import versions.sub"})
    with ImportSandbox() as sandbox:
        sandbox.fresh_import("versions")
        write({"versions/__init__.py": "# Nothing is declared in this one."})

        package = sandbox.fresh_import("versions")
        pending = sandbox.pending()
        found = hasattr(package, "sub")

    assert "versions.sub" not in pending
    assert not found


@pytest.mark.parametrize("inside", [False, True], ids=["before the sandbox", "in the sandbox"])
def test_evicting_a_package_leaves_what_other_modules_declared(inside: bool, write: Write) -> None:
    write(
        {
            "needs_it.py": "lazy import needed.sub",
            "needed/__init__.py": "lazy import needed.sub",
            "needed/sub.py": "",
        }
    )
    if not inside:
        importlib.import_module("needs_it")

    with ImportSandbox() as sandbox:
        module = importlib.import_module("needs_it")
        importlib.import_module("needed")
        sandbox.evict("needed")
        pending = sandbox.pending()
        found = module.needed.sub is sys.modules["needed.sub"]

    assert "needed.sub" in pending
    assert found


# -- Settings


def test_mode_is_what_it_was() -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)

    with ImportSandbox():
        _sys.set_lazy_imports("all")

    assert _sys.get_lazy_imports() == "normal"


def test_filter_is_what_it_was() -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)

    with ImportSandbox():
        _sys.set_lazy_imports_filter(lambda *_: False)

    assert _sys.get_lazy_imports_filter() is None


def test_filter_of_the_user_is_not_asked_by_the_first_sandbox(write: Write, forgotten_table: None) -> None:
    asked = []
    _sys.set_lazy_imports_filter(lambda *arguments: asked.append(arguments))

    try:
        with ImportSandbox() as sandbox:
            sandbox.pending()
            still_there = _sys.get_lazy_imports_filter() is not None
    finally:
        _sys.set_lazy_imports_filter(None)

    assert asked == []
    assert still_there


@pytest.mark.parametrize("name", ["__import__", "__lazy_import__"])
def test_import_functions_are_what_they_were(name: str) -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)
    before = vars(builtins)[name]

    with ImportSandbox():
        setattr(builtins, name, lambda *_: None)

    assert vars(builtins)[name] is before


@pytest.mark.parametrize("rebound", [False, True], ids=["in place", "rebound"])
def test_names_that_are_declared_lazily_are_what_they_were(rebound: bool, write: Write) -> None:
    table = _sys.lazy_modules
    before = table.copy()
    write({"declares_more.py": "lazy import anything.at.all"})

    with ImportSandbox():
        if rebound:
            _sys.lazy_modules = {"something else"}
        importlib.import_module("declares_more")
        table.discard(next(iter(before)))
        table.add("by hand")

    assert _sys.lazy_modules is table
    assert table == before


# -- Preserved modules


def test_standard_library_keeps_its_classes_and_leaves_no_trace(pytester: pytest.Pytester) -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)
    pytester.makeconftest(
        """
        import builtins
        import sys
        from types import ModuleType

        import pytest


        def state():
            yield "modules", list(map(id, sys.modules.values()))
            yield "lazy modules", sorted(sys.lazy_modules)
            yield "settings", [sys.get_lazy_imports(), sys.get_lazy_imports_filter()]
            yield "hooks", [id(vars(builtins)[name]) for name in ("__import__", "__lazy_import__")]
            for name, module in sys.modules.items():
                if isinstance(module, ModuleType) and not name.startswith(("_pytest", "test_", "conftest")):
                    yield name, [(key, id(value)) for key, value in vars(module).items()]


        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(item):
            before = dict(state())
            try:
                return (yield)
            finally:
                after = dict(state())
                print("DIFFERENT:", [name for name in before | after if before.get(name) != after.get(name)])
        """
    )
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.isolated_imports
        found = []


        @pytest.mark.parametrize("number", range(3))
        def test_classes(number):
            import argparse
            import concurrent.futures
            import dataclasses
            import difflib
            import doctest
            import http
            import inspect
            import tokenize
            import traceback
            import typing
            import unittest.runner

            @dataclasses.dataclass
            class Point:
                x: int
                y: typing.ClassVar[int] = 0

            inspect.signature(Point), inspect.getsource(dataclasses.dataclass), typing.get_type_hints(Point)
            argparse.ArgumentParser().format_help(), traceback.format_stack()
            inspect.getmembers(concurrent.futures)
            found.append(
                (
                    concurrent.futures.ThreadPoolExecutor,
                    concurrent.futures.Future,
                    dataclasses.Field,
                    difflib.SequenceMatcher,
                    doctest.DocTestFinder,
                    http.HTTPStatus,
                    inspect.Signature,
                    tokenize.TokenInfo,
                    typing.Generic,
                    argparse.ArgumentParser,
                    unittest.runner.TextTestRunner,
                )
            )
            assert found[number] == found[0]
            assert concurrent.futures.thread.ThreadPoolExecutor is concurrent.futures.ThreadPoolExecutor
        """
    )

    result = pytester.runpytest_inprocess("-s", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=3)
    assert result.stdout.str().count("DIFFERENT: []") == 3


def test_preserved_module_and_a_later_test_have_one_object(write: Write) -> None:
    write({"kept.py": "lazy import not_kept\ndef use(): return not_kept", "not_kept.py": ""})
    with ImportSandbox(preserve="kept"):
        module = importlib.import_module("kept")
    with ImportSandbox(preserve="kept"):
        importlib.import_module("kept").use()

    with ImportSandbox(preserve="kept"):
        same_importer = importlib.import_module("kept") is module
        imported = importlib.import_module("not_kept")
        used = module.use()

    assert same_importer
    assert used is imported


def test_what_a_preserved_module_resolved_while_it_was_new_is_preserved_with_it(write: Write) -> None:
    write({"kept_user.py": "lazy import kept_along\ndef use(): return kept_along", "kept_along.py": ""})
    with ImportSandbox(preserve="kept_user"):
        used = importlib.import_module("kept_user").use()

    with ImportSandbox(preserve="kept_user"):
        again = importlib.import_module("kept_user").use()
        imported = importlib.import_module("kept_along")

    assert again is used is imported


def test_submodule_that_a_preserved_module_declared_is_pending_when_it_is_handed_back(write: Write) -> None:
    write(
        {
            "kept_package/__init__.py": "",
            "kept_package/user.py": "lazy import kept_package.sub\ndef use(): return kept_package.sub",
            "kept_package/sub.py": "",
        }
    )
    with ImportSandbox(preserve="kept_package") as sandbox:
        importlib.import_module("kept_package.user")
    declared = set(_sys.lazy_modules)

    with sandbox:
        user = importlib.import_module("kept_package.user")
        pending = sandbox.pending()
        found = user.use() is sys.modules["kept_package.sub"]

    assert "kept_package.sub" not in declared
    assert "kept_package.sub" in pending
    assert found


def test_loaded_submodule_of_a_preserved_package_is_not_declared_again(write: Write) -> None:
    write(
        {
            "kept_loaded/__init__.py": "",
            "kept_loaded/user.py": "lazy import kept_loaded.sub as sub\ndef use(): return sub",
            "kept_loaded/sub.py": "",
        }
    )
    with ImportSandbox(preserve="kept_loaded") as sandbox:
        importlib.import_module("kept_loaded.user")

    with sandbox:
        importlib.import_module("kept_loaded.sub")
        importlib.import_module("kept_loaded.user")
        loaded = "kept_loaded.sub" in sys.modules
        declared = "kept_loaded.sub" in _sys.lazy_modules

    assert (loaded, declared) == (True, False)


def test_preserved_module_finds_the_submodule_of_a_package_that_is_not_preserved(write: Write) -> None:
    write(
        {
            "kept_alone.py": "lazy import passing.sub\ndef use(): return passing.sub",
            "passing/__init__.py": "",
            "passing/sub.py": "",
        }
    )
    with ImportSandbox(preserve="kept_alone") as sandbox:
        importlib.import_module("kept_alone")

    with sandbox:
        found = importlib.import_module("kept_alone").use() is sys.modules["passing.sub"]

    assert found


def test_preserved_module_finds_the_submodule_of_a_package_that_it_has_resolved(write: Write) -> None:
    write(
        {
            "kept_half/__init__.py": "",
            "kept_half/user.py": "lazy import kept_half.sub\ndef use(): return kept_half",
            "kept_half/sub.py": "",
        }
    )
    with ImportSandbox(preserve="kept_half") as sandbox:
        importlib.import_module("kept_half.user").use()

    with sandbox:
        user = importlib.import_module("kept_half.user")
        found = user.use().sub is sys.modules["kept_half.sub"]

    assert found


def test_wider_fixture_resolves_a_name_for_good(pytester: pytest.Pytester, write: Write) -> None:
    write(
        {
            "wide_importer.py": "lazy import wide_target, other_target, wide_dots.sub",
            "wide_target.py": "class Thing: pass",
            "other_target.py": "",
            "declared/__init__.py": "",
            "declared/sub.py": "",
            "wide_dots/__init__.py": "",
            "wide_dots/sub.py": "",
        }
    )
    pytester.makepyfile(
        """
        import sys, types

        import pytest

        import wide_importer as importer

        pytestmark = pytest.mark.isolated_imports


        @pytest.fixture(scope="module")
        def thing():
            import declared_by_fixture

            sys.set_lazy_imports("all")
            sys.set_lazy_imports_filter(never)
            sys.lazy_modules.discard("wide_dots.sub")
            yield importer.wide_target.Thing()
            sys.set_lazy_imports("normal")
            sys.set_lazy_imports_filter(None)


        def never(*_):
            return False


        def test_that_requests_it_late(request):
            importer.wide_target, importer.other_target
            resolved = vars(importer)["other_target"]
            thing = request.getfixturevalue("thing")
            assert vars(importer)["other_target"] is resolved
            assert isinstance(thing, importer.wide_target.Thing)
            assert vars(importer)["wide_target"] is sys.modules["wide_target"]
            assert {"declared.sub", "wide_dots.sub"} & sys.lazy_modules == {"declared.sub"}
            assert (sys.get_lazy_imports(), sys.get_lazy_imports_filter()) == ("all", never)
            import declared

            assert declared.sub is sys.modules["declared.sub"]


        def test_after_it(thing):
            import wide_target

            assert isinstance(thing, wide_target.Thing)
            assert vars(importer)["wide_target"] is wide_target
            assert type(vars(importer)["other_target"]) is types.LazyImportType
            assert importer.wide_dots.sub is sys.modules["wide_dots.sub"]
            assert "declared.sub" in sys.lazy_modules
            assert (sys.get_lazy_imports(), sys.get_lazy_imports_filter()) == ("all", never)
        """,
        declared_by_fixture="lazy import declared.sub",
    )

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ("sys.set_lazy_imports('all')", "sys.get_lazy_imports()"),
        ("sys.set_lazy_imports_filter(print)", "sys.get_lazy_imports_filter()"),
        ("builtins.__import__ = partial(builtins.__import__)", "builtins.__import__"),
    ],
)
def test_setting_that_a_wider_fixture_changes_stays_changed(
    change: str, setting: str, pytester: pytest.Pytester
) -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)
    pytester.makepyfile(
        f"""
        import builtins
        import sys
        from functools import partial

        import pytest

        pytestmark = pytest.mark.isolated_imports
        before = {setting}
        changed = []


        @pytest.fixture(scope="module")
        def change():
            {change}
            changed.append({setting})


        def test_that_requests_it_late(request):
            request.getfixturevalue("change")
            assert {setting} == changed[0] != before


        def test_after_it(change):
            assert {setting} == changed[0]
        """
    )

    with ImportSandbox():
        result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=2)


def test_what_another_thread_declares_belongs_to_the_outer_state(
    write: Write,
    importer: Callable[..., ModuleType],
) -> None:
    write(
        {
            "shared/__init__.py": "",
            "shared/sub.py": "",
            "in_thread.py": "lazy import shared.other",
            "shared/other.py": "",
        }
    )
    package = importlib.import_module("shared")
    importer("waits_for_shared", "lazy import shared.sub")
    state = process.hooks.snapshot({}, process.attributes, process.namespace_packages)
    module = importlib.import_module("in_thread")
    submodule = importlib.import_module("shared.sub")

    state.adopt({"in_thread", "shared.sub"})
    state.restore()

    assert vars(package)["sub"] is submodule
    assert "shared.other" in _sys.lazy_modules
    assert module.shared.other is sys.modules["shared.other"]


def test_forgotten_modules_are_freed(write: Write) -> None:
    write({"short_lived.py": "lazy import not_at_all\nimport short_lived"})

    for _ in range(2):  # Only the second time, nothing else is looked at for the first time.
        with ImportSandbox(), ImportSandbox():
            reference = weakref.ref(importlib.import_module("short_lived"))
            with ImportSandbox():
                pass
    gc.collect()

    assert reference() is None


def test_module_that_no_sandbox_forgot_is_freed(write: Write) -> None:
    write({"left_alone.py": "lazy import not_used\ndef function(): pass"})
    reference = weakref.ref(importlib.import_module("left_alone").function)
    with ImportSandbox():
        pass

    del sys.modules["left_alone"]
    gc.collect()

    assert reference() is None


# -- The page about them


def test_examples_of_the_documentation_do_what_they_show(pytester: pytest.Pytester) -> None:
    """On older versions, tests/docs runs the page, but nearly all of its tests are skipped there."""
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)
    files = dict(CODE_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    for name, source in files.items():
        pytester.path.joinpath(name.replace("\\", "")).write_text(source, encoding="utf-8")

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=sum(source.count("\ndef test_") for source in files.values()))


# -- pending()


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("lazy import awaited", ("awaited",)),
        ("lazy import awaited.sub", ("awaited.sub",)),
        ("lazy import awaited.sub as alias", ("awaited.sub",)),
        ("lazy from awaited import sub", ("awaited", "awaited.sub")),
        ("lazy from awaited import VALUE", ("awaited", "awaited.VALUE")),
        ("__lazy_modules__ = ['awaited']; import awaited", ("awaited",)),
        ("import awaited.sub", ()),
    ],
)
def test_pending_names_are_those_that_were_declared(
    statement: str, names: tuple[str, ...], write: Write
) -> None:
    write({"awaits.py": statement, "awaited/__init__.py": "VALUE = 1", "awaited/sub.py": ""})

    with ImportSandbox() as sandbox:
        importlib.import_module("awaits")
        pending = sandbox.pending()

    assert tuple(name for name in pending if name.startswith("awaited")) == names
    assert list(pending) == sorted(pending)


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        ("lazy import used_up", "used_up"),
        ("lazy import used_up.sub", "used_up.sub"),
        ("lazy import used_up.sub as alias", "alias"),
        ("lazy from used_up import sub", "sub"),
        ("lazy from used_up import VALUE", "VALUE"),
    ],
)
def test_name_that_was_used_is_not_pending(statement: str, use: str, write: Write) -> None:
    write({"uses_up.py": statement, "used_up/__init__.py": "VALUE = 1", "used_up/sub.py": ""})

    with ImportSandbox() as sandbox:
        module = importlib.import_module("uses_up")
        eval(use, vars(module))
        pending = sandbox.pending()

    assert [name for name in pending if name.startswith("used_up")] == []


def test_module_that_was_loaded_by_other_means_is_not_pending(write: Write) -> None:
    write({"asks_late.py": "lazy import loaded_late", "loaded_late.py": ""})

    with ImportSandbox() as sandbox:
        importlib.import_module("asks_late")
        importlib.import_module("loaded_late")
        pending = sandbox.pending()

    assert "loaded_late" not in pending


def test_loaded_module_that_python_still_lists_is_not_pending() -> None:
    if not HAS_LAZY_IMPORTS:
        pytest.skip(REASON)

    with ImportSandbox() as sandbox:
        _sys.lazy_modules.add("json")
        importlib.import_module("json")
        pending = sandbox.pending()

    assert "json" not in pending


def test_submodule_that_its_own_package_declared_is_pending(write: Write) -> None:
    write({"own/__init__.py": "lazy from . import sub", "own/sub.py": ""})

    with ImportSandbox() as sandbox:
        importlib.import_module("own")
        pending = sandbox.pending()

    assert [name for name in pending if name.startswith("own")] == ["own.sub"]


def test_submodule_of_a_loaded_package_is_pending(write: Write) -> None:
    write({"asks_for_sub.py": "lazy import front.back", "front/__init__.py": "", "front/back.py": ""})

    with ImportSandbox() as sandbox:
        importlib.import_module("asks_for_sub")
        importlib.import_module("front")
        pending = sandbox.pending()

    assert "front.back" in pending


def test_pending_needs_an_open_sandbox() -> None:
    with pytest.raises(RuntimeError, match="this sandbox is not open"):
        ImportSandbox().pending()


@pytest.mark.skipif(HAS_LAZY_IMPORTS, reason="this Python has lazy imports")
def test_pending_says_which_python_it_needs() -> None:
    with (
        ImportSandbox() as sandbox,
        pytest.raises(RuntimeError, match=r"pending\(\) needs lazy imports.* 3\.15"),
    ):
        sandbox.pending()


# -- fresh_import(..., lazy=...)


def test_fresh_import_runs_every_import_lazily(write: Write) -> None:
    write(
        {
            "eager.py": "import eager_target\nclass Here: import eager_too",
            "eager_target.py": "",
            "eager_too.py": "",
        }
    )

    with ImportSandbox() as sandbox:
        module = sandbox.fresh_import("eager", lazy="all")
        pending = sandbox.pending()
        unresolved = is_unresolved(module, "eager_target")
        mode = _sys.get_lazy_imports()

    assert "eager_target" in pending
    assert "eager_too" not in pending
    assert unresolved
    assert mode == "normal"


def test_fresh_import_runs_imports_as_they_are_written(write: Write) -> None:
    write({"mixed.py": "import now\nlazy import then", "now.py": "", "then.py": ""})

    with ImportSandbox() as sandbox:
        _sys.set_lazy_imports("all")
        module = sandbox.fresh_import("mixed", lazy="normal")
        mode = _sys.get_lazy_imports()
        unresolved = [is_unresolved(module, name) for name in ("now", "then")]

    assert unresolved == [False, True]
    assert mode == "all"


def test_fresh_import_leaves_the_mode_as_it_is_when_none_is_given(write: Write) -> None:
    write({"as_it_is.py": "import sys\nMODE = sys.get_lazy_imports()"})

    with ImportSandbox() as sandbox:
        _sys.set_lazy_imports("all")
        module = sandbox.fresh_import("as_it_is", lazy=None)

    assert module.MODE == "all"


def test_fresh_import_that_fails_leaves_the_mode_as_it_was(write: Write) -> None:
    write({"fails_lazily.py": "1 / 0"})

    with ImportSandbox() as sandbox:
        with pytest.raises(ZeroDivisionError):
            sandbox.fresh_import("fails_lazily", lazy="all")
        mode = _sys.get_lazy_imports()

    assert mode == "normal"


@pytest.mark.parametrize("mode", ["none", "ALL", "", True, 1, ("all",)])
def test_fresh_import_refuses_a_mode_that_there_is_not(mode: Any) -> None:
    with ImportSandbox() as sandbox:
        json = importlib.import_module("json")
        with pytest.raises(ValueError, match="lazy must be 'all', 'normal' or None, not"):
            sandbox.fresh_import("json", lazy=mode)
        untouched = sys.modules["json"] is json

    assert untouched


@pytest.mark.skipif(HAS_LAZY_IMPORTS, reason="this Python has lazy imports")
@pytest.mark.parametrize("mode", ["all", "normal"])
def test_fresh_import_says_which_python_a_mode_needs(mode: Any) -> None:
    with ImportSandbox() as sandbox:
        json = importlib.import_module("json")
        with pytest.raises(RuntimeError, match=rf"lazy='{mode}' needs lazy imports.* 3\.15"):
            sandbox.fresh_import("json", lazy=mode)
        untouched = sys.modules["json"] is json

    assert untouched
