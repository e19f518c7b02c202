"""Random sequences of what a test can do to the import state; whatever it was, all is as it was before.

`IMPORTSANDBOX_SEQUENCES` makes it more of them by hand.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import sys
from collections import Counter
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.process import process

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

SEQUENCES = int(os.environ.get("IMPORTSANDBOX_SEQUENCES", "150"))
SETTINGS = settings(
    max_examples=SEQUENCES,
    stateful_step_count=15,
    # The same sequences in every run of the same tests: a failure is then one of the change that is being
    # tested. Hypothesis takes numbers from the modules that are loaded, so this file alone has other ones.
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    # Each step reads and writes files.
    suppress_health_check=list(HealthCheck),
)

# Nothing else may come of an import here. The code under test raises none of them but ImportError.
TOLERATED = (
    # Of modules that are missing, blocked or faked.
    ImportError,
    # Of the modules that raise; nobody else raises the first.
    FloatingPointError,
    KeyboardInterrupt,
    # Of `zip` as a path hook, whose products are no finders, and of hostile objects.
    AttributeError,
    ZeroDivisionError,
    # Of `sys.path_hooks` without entries.
    ImportWarning,
)
SUCCESSES = 5
"""How often each kind of import must work at least, in all sequences together."""

# The names get a prefix of their own in each sequence: preserved modules would come back in the next one.
FILES = {
    "{0}pkg/__init__.py": "from .same import same\nfrom . import twice\ntwice = 5",
    "{0}pkg/same.py": "def same(): pass",
    "{0}pkg/twice.py": "",
    "{0}pkg/sub.py": "X = []",
    "{0}pkg/inner/__init__.py": "",
    "{0}pkg/inner/deep.py": "from .. import sub\nimport {0}settings",
    "{0}pkg/failing.py": "from . import sub\nimport {0}spread.one\nraise FloatingPointError",
    "{0}kept/__init__.py": "from .same import same",
    "{0}kept/same.py": "def same(): pass",
    "{0}kept/sub.py": "import {0}along",
    "{0}kept/late.py": "try:\n    import {0}settings\nexcept ImportError:\n    pass",
    "{0}along.py": "",
    "{0}settings.py": "X = []\nY = [X]",
    "{0}interrupting.py": "import {0}settings\nraise KeyboardInterrupt",
    "{0}fiddling.py": """
import importlib, sys
import {0}settings
from pytest_importsandbox._core.process import process
if sys.meta_path[:1] == [process.watcher] and type({0}settings) is type(sys):
    importlib.reload({0}settings)
sys.path = [*sys.path, "/fiddled"]
sys.modules["{0}fake"] = None
raise FloatingPointError
""",
    "{0}spread/one.py": "",
    "second/{0}spread/two.py": "",
}
MODULES = (
    "pkg",
    "pkg.same",
    "pkg.twice",
    "pkg.sub",
    "pkg.inner",
    "pkg.inner.deep",
    "pkg.failing",
    "kept",
    "kept.same",
    "kept.sub",
    "kept.late",
    "along",
    "settings",
    "interrupting",
    "fiddling",
    "spread",
    "spread.one",
    "spread.two",
    "written",
    "written.mod",
    "missing",
)
names = st.sampled_from(MODULES)
# This one changes the import state by itself.
harmless = st.sampled_from([name for name in MODULES if name != "fiddling"])
few_names = st.lists(names, max_size=2, unique=True)
registries = st.sampled_from(["path", "meta_path", "path_hooks"])
registries_without_watcher = st.sampled_from(["path", "path_hooks"])


class Hostile:
    def _raise(self, *args: object) -> Any:
        raise ZeroDivisionError("nobody may ask me")

    __eq__ = __bool__ = __len__ = __repr__ = __str__ = __iter__ = _raise
    __hash__ = None  # type: ignore[assignment]

    def __getattribute__(self, name: str) -> Any:
        # Hypothesis and `inspect` ask all that is in `sys.modules` for a file, as does nobody else here.
        raise AttributeError(name)


class FinderInFront:
    """Finds what there is, so that no finder behind it is asked."""

    @staticmethod
    def find_spec(*args: Any) -> Any:
        return PathFinder.find_spec(*args)


class Isolation(RuleBasedStateMachine):
    """A stack of open sandboxes, each with a picture of what was there before it."""

    directory: ClassVar[Path]
    picture: ClassVar[Callable[..., Any]]
    count: ClassVar[itertools.count[int]]
    successes: ClassVar[Counter[str]]
    """How often each kind of import worked."""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"toy{next(self.count)}_"
        self.roots = tuple({self.prefix + name.partition(".")[0] for name in MODULES})
        self.home = self.directory / self.prefix
        for file, source in FILES.items():
            path = self.home / file.format(self.prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source.format(self.prefix), encoding="utf-8")
        sys.path.insert(0, str(self.home))
        importlib.invalidate_caches()
        self.open: list[tuple[ImportSandbox, Any]] = []
        # Without the watcher, an attribute that does not agree with `sys.modules` is taken for a new one.
        self.without_watcher = self.by_hand = False

    # Before the first sandbox

    @initialize(loaded=st.lists(harmless, max_size=6, unique=True))
    def begin(self, loaded: list[str]) -> None:
        for name in loaded:
            self.attempt("import_module", importlib.import_module, self.prefix + name)
        self.enter(preserve=False)

    # Entering and leaving

    @property
    def innermost(self) -> ImportSandbox:
        return self.open[-1][0]

    @precondition(lambda self: len(self.open) < 4)
    @rule(preserve=st.booleans())
    def enter(self, preserve: bool) -> None:
        # What the machinery of the tests imports late must not run twice.
        named = ["hypothesis", f"{self.prefix}kept"] if preserve else ["hypothesis"]
        sandbox = ImportSandbox(preserve=named)
        before = self.picture(*self.roots)
        sandbox.__enter__()
        self.open.append((sandbox, before))

    @precondition(lambda self: len(self.open) > 1)
    @rule(failing=st.booleans())
    def leave(self, failing: bool) -> None:
        sandbox, before = self.open.pop()
        arguments = (ValueError, ValueError("of the test"), None) if failing else (None, None, None)
        sandbox.__exit__(*arguments)
        assert before.differences() == []

    @precondition(lambda self: len(self.open) > 2)
    @rule()
    def leave_the_outer_one_first(self) -> None:
        inner, _ = self.open.pop()
        outer, before = self.open.pop()
        outer.__exit__(None, None, None)
        assert before.differences() == []
        inner.__exit__(None, None, None)
        assert before.differences() == []

    @precondition(lambda self: len(self.open) > 1)
    @rule(registry=st.sampled_from(["modules", "path", "meta_path", "path_hooks", "path_importer_cache"]))
    def leave_after_clearing(self, registry: str) -> None:
        sandbox, before = self.open.pop()
        ambiguous = {"meta_path": self.by_hand, "modules": self.without_watcher}
        if not ambiguous.get(registry, False):
            getattr(sys, registry).clear()
        sandbox.__exit__(None, None, None)
        assert before.differences() == []

    # What a test does

    def attempt(self, kind: str, act: Callable[..., object], *arguments: Any) -> None:
        """Import something in a way that may fail: imports of failing, blocked and faked modules do."""
        try:
            act(*arguments)
        except TOLERATED:
            return
        self.successes[kind] += 1

    @rule(name=names)
    def import_module(self, name: str) -> None:
        self.attempt("import_module", importlib.import_module, self.prefix + name)

    @rule(name=names)
    def import_with_a_statement(self, name: str) -> None:
        package, _, child = (self.prefix + name).rpartition(".")
        statement = f"from {package} import {child}" if package else f"import {child}"
        self.attempt("statement", exec, statement, {})

    @rule(name=names, fresh=few_names, blocked=few_names)
    def fresh_import(self, name: str, fresh: list[str], blocked: list[str]) -> None:
        before = self.picture(*self.roots)
        try:
            module = self.innermost.fresh_import(
                self.prefix + name,
                fresh=[self.prefix + each for each in fresh],
                blocked=[self.prefix + each for each in blocked],
            )
        # A name can be refused: that of a module whose package is blocked.
        except (*TOLERATED, ValueError):
            assert before.differences() == []
        else:
            assert sys.modules[self.prefix + name] is module
            self.successes["fresh_import"] += 1

    @rule(name=names)
    def evict(self, name: str) -> None:
        self.innermost.evict(self.prefix + name)

    @rule(name=names)
    def block(self, name: str) -> None:
        self.innermost.block(self.prefix + name)
        assert importlib.util.find_spec(self.prefix + name) is None

    @rule(name=names)
    def reload(self, name: str) -> None:
        self.attempt("import_module", importlib.import_module, self.prefix + name)
        module = sys.modules.get(self.prefix + name)
        # A reload that the watcher is not asked about can't be undone.
        if type(module) is ModuleType and sys.meta_path[:1] == [process.watcher]:
            self.by_hand = True
            self.attempt("reload", importlib.reload, module)

    @rule(name=names)
    def remove_by_hand(self, name: str) -> None:
        if self.may_change_by_hand(name):
            sys.modules.pop(self.prefix + name, None)

    def may_change_by_hand(self, name: str) -> bool:
        if "." in name:
            if self.without_watcher:
                return False
            self.by_hand = True
        return True

    @rule(name=names)
    def exchange_by_hand(self, name: str) -> None:
        if self.may_change_by_hand(name):
            module = sys.modules.pop(self.prefix + name, None)
            sys.modules[f"{self.prefix}exchanged"] = module  # type: ignore[assignment]

    @rule(name=names, value=st.sampled_from([Hostile, lambda: None, lambda: ModuleType("fake"), object]))
    def fake(self, name: str, value: Callable[[], Any]) -> None:
        if self.may_change_by_hand(name):
            sys.modules[self.prefix + name] = value()

    @rule()
    def move_to_the_end(self) -> None:
        name = next(iter(sys.modules))
        sys.modules[name] = sys.modules.pop(name)

    @rule(registry=registries, position=st.sampled_from([1, 100]))
    def add_an_entry(self, registry: str, position: int) -> None:
        entries = {"path": "/added", "meta_path": FinderInFront, "path_hooks": zip}
        getattr(sys, registry).insert(position, entries[registry])

    # coverage looks up each entry of the path as a directory.
    @precondition(lambda self: "coverage" not in sys.modules)
    @rule(position=st.sampled_from([0, 100]))
    def add_a_hostile_entry(self, position: int) -> None:
        sys.path.insert(position, Hostile())  # type: ignore[arg-type]

    @rule(registry=registries_without_watcher)
    def remove_an_entry(self, registry: str) -> None:
        del getattr(sys, registry)[:1]

    @rule(registry=registries_without_watcher)
    def reverse(self, registry: str) -> None:
        getattr(sys, registry).reverse()

    @precondition(lambda self: not self.by_hand)
    @rule()
    def put_a_finder_in_front(self) -> None:
        self.without_watcher = True
        sys.meta_path.insert(0, FinderInFront)  # type: ignore[arg-type]

    @precondition(lambda self: not self.by_hand)
    @rule()
    def take_the_watcher_away(self) -> None:
        self.without_watcher = True
        sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]

    @rule(registry=st.sampled_from(["modules", "path", "meta_path", "path_hooks", "path_importer_cache"]))
    def bind_a_copy(self, registry: str) -> None:
        setattr(sys, registry, getattr(sys, registry).copy())

    @rule()
    def add_a_portion(self) -> None:
        sys.path.append(str(self.home / "second"))
        self.attempt("portion", importlib.import_module, f"{self.prefix}spread.two")

    @rule(namespace=st.booleans(), text=st.sampled_from(["X = 1", "X = 2", "raise FloatingPointError"]))
    def write_a_package(self, namespace: bool, text: str) -> None:
        package = self.innermost.temp_package(f"{self.prefix}written", {"mod.py": text}, namespace=namespace)
        package.write("mod.py", text.replace("1", "3"))
        self.attempt("written", self.innermost.fresh_import, f"{self.prefix}written.mod")

    @rule()
    def hide_a_package_by_a_written_one(self) -> None:
        self.innermost.temp_package(f"{self.prefix}pkg", {"sub.py": "Y = 1"})

    @rule()
    def look_at_the_changes(self) -> None:
        changes = self.innermost.changes()
        assert bool(changes) == (str(changes) != "no changes")

    # In the end

    def teardown(self) -> None:
        try:
            while self.open:
                sandbox, before = self.open.pop()
                sandbox.__exit__(None, None, None)
                assert before.differences() == []
            self.preserved_modules_are_whole()
        finally:
            for sandbox, _ in self.open[:1]:
                sandbox.__exit__(None, None, None)
            for name in list(sys.modules):
                if name.startswith(self.prefix):
                    del sys.modules[name]
            sys.path.remove(str(self.home))

    def preserved_modules_are_whole(self) -> None:
        name = f"{self.prefix}kept"
        for module in [name, f"{name}.same", f"{name}.sub", f"{name}.late"]:
            importlib.import_module(module)
        kept = sys.modules[name]
        function = sys.modules[f"{name}.same"].same
        assert kept.sub is sys.modules[f"{name}.sub"]
        assert kept.late is sys.modules[f"{name}.late"]
        assert kept.same in (function, sys.modules[f"{name}.same"])


def test_import_state_is_what_it_was_after_any_sequence(
    tmp_path: Path, picture: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    Isolation.directory = tmp_path
    Isolation.picture = staticmethod(picture)
    Isolation.count = itertools.count()
    Isolation.successes = Counter()

    run_state_machine_as_test(Isolation, settings=SETTINGS)

    assert next(Isolation.count) >= SEQUENCES
    kinds = ("import_module", "statement", "reload", "portion", "written", "fresh_import")
    assert {kind: Isolation.successes[kind] for kind in kinds if Isolation.successes[kind] < SUCCESSES} == {}
