"""Lazy imports (PEP 810): the rows of the import state that exist from Python 3.15 on.

`lazy import a.b` binds a placeholder and loads nothing. The first read of the name in its module, or
of the attribute from outside, imports what it stands for *then* and binds the result instead. So a test
can change a module that it neither imports nor touches otherwise, and putting `sys.modules` back does
not undo it: the module would keep an object that nobody else can import any more, or a fake.

Looking at a placeholder must not resolve it. Namespaces are read as dicts, and a placeholder is
compared by identity and asked for its `repr()`, nothing else. One that is kept in a global variable is
resolved by reading it *there*, so the ones here are in lists.

Beside the placeholders, CPython keeps a table of pending submodules: `lazy import a.b`, wherever it
stands, makes `b` an attribute of every module named `a`, which is imported when it is asked for.
"""

from __future__ import annotations

import builtins
import gc
import sys
import types
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import compress, repeat
from operator import is_
from typing import Any, Final, Literal, Self

from pytest_importsandbox._core.attributes import Binding, SubmoduleAttributes
from pytest_importsandbox._core.modules import MISSING, is_module, namespace
from pytest_importsandbox._core.names import in_tree, parents, top_level
from pytest_importsandbox._core.state import (
    ImportState,
    Index,
    NamespacePackages,
    PlainRow,
    Value,
    ValuesRow,
    attribute_of,
)

AVAILABLE: Final = hasattr(sys, "lazy_modules")

NOT_FOUND: Final = (
    "pytest-importsandbox: {0!r} is imported lazily, and lazy imports of submodules are not isolated: "
    "Python {1} does not keep them where Python 3.15.2 does. Import them eagerly, or use a newer version of "
    "pytest-importsandbox."
)

LazyMode = Literal["all", "normal"]

# Type checkers know these from 3.15 on.
_sys: Any = sys
_Placeholder: Any = getattr(types, "LazyImportType", None)


def check_available(what: str) -> None:
    """Refuse what needs lazy imports where there are none."""
    __tracebackhide__ = True
    if AVAILABLE:  # from 3.15
        return
    raise RuntimeError(
        f"{what} needs lazy imports, which Python has from 3.15 on; this is Python "
        f"{'.'.join(map(str, sys.version_info[:3]))}. "
        "Skip the test there: skipif(not hasattr(sys, 'lazy_modules'), reason=...)"
    )


def check_mode(mode: object) -> None:
    """Refuse a mode that there is not, or not in this version of Python."""
    __tracebackhide__ = True
    if mode is None:
        return
    if not isinstance(mode, str) or mode not in ("all", "normal"):
        raise ValueError(f"lazy must be 'all', 'normal' or None, not {mode!r}")
    check_available(f"lazy={mode!r}")


@contextmanager
def in_mode(mode: LazyMode) -> Iterator[None]:  # from 3.15
    """Let imports run in a mode for a while."""
    before = _sys.get_lazy_imports()
    _sys.set_lazy_imports(mode)
    try:
        yield
    finally:
        _sys.set_lazy_imports(before)


def pending() -> tuple[str, ...]:  # from 3.15
    """Names that are declared lazily and not loaded yet."""
    modules = sys.modules.copy()
    return tuple(
        sorted(
            name for name in _sys.lazy_modules.copy() if type(name) is str and not _is_loaded(name, modules)
        )
    )


def _is_loaded(name: str, modules: Mapping[str, Any]) -> bool:  # from 3.15
    """Whether a module, or an attribute of a module, is there."""
    if modules.get(name) is not None:
        return True
    parent, _, child = name.rpartition(".")
    value = (namespace(modules.get(parent)) or {}).get(child, MISSING)
    return value is not MISSING and type(value) is not _Placeholder


def _placeholders(module: object) -> list[tuple[str, Any]]:  # from 3.15
    """The unresolved names of a module, with their placeholders."""
    attributes = (namespace(module) or {}).copy()
    found = map(is_, map(type, attributes.values()), repeat(_Placeholder))
    return [(name, value) for name, value in compress(attributes.items(), found) if type(name) is str]


def _target(placeholder: object) -> str:  # from 3.15
    """What a placeholder stands for: the name of a module, or of an attribute of one."""
    # The only way to know. It reads <lazy_import 'a.b'> for `import a.b` and `from a import b` alike,
    # and <lazy_import 'a...'> where the hook was called by hand.
    return repr(placeholder).partition("'")[2].partition("'")[0].rstrip(".")


def _with_parents(names: Iterable[str]) -> set[str]:  # from 3.15
    """The names, and the packages that contain them."""
    return {each for name in names for each in (name, *parents(name))}


class Placeholders:  # from 3.15
    """An index of all placeholders that modules have, or had when they were looked at first."""

    def __init__(self) -> None:
        # By identity, and without keeping a module or its namespace alive: a namespace usually leads
        # back to its module.
        self._known: dict[int, tuple[weakref.ref[Any], list[tuple[str, Any]]]] = {}
        self.version = 0
        """Another number after each look, and when a module has died."""

    def look_at(self, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember the placeholders of some modules; those of an earlier look stay known."""
        self.look_at_modules(map(modules.get, names))

    def look_at_modules(self, modules: Iterable[object]) -> None:
        """The same for modules that `sys.modules` need not have."""
        self.version += 1
        for module in modules:
            if not is_module(module):
                continue
            found = _placeholders(module)
            if found and id(module) not in self._known:
                self._known[id(module)] = (weakref.ref(module, partial(self._forget, id(module))), [])
            for name, value in found:
                known = self._known[id(module)][1]
                if not any(value is each for _, each in known):
                    known.append((name, value))

    def _forget(self, key: int, _: object) -> None:
        self.version += 1
        self._known.pop(key, None)

    def unresolved(self) -> Iterator[Binding]:
        """Where there is a placeholder now."""
        for reference, known in list(self._known.values()):
            attributes = namespace(reference())
            if attributes is not None:
                for name, value in known:
                    if attributes.get(name) is value:
                        yield Binding(attributes, name, value)

    def targets(self, modules: Iterable[object]) -> set[str]:
        """What some modules declared lazily, resolved in the meantime or not."""
        return {
            _target(value)
            for module in modules
            if id(module) in self._known
            for _, value in self._known[id(module)][1]
        }


class PendingSubmodules:  # from 3.15
    """The interpreter's table of pending submodules, by their full names.

    There is no name for it in Python, but it is an ordinary dict of dicts, by package and submodule, and
    the garbage collector knows them all. A declaration that nobody else makes tells it apart. The value is
    the placeholder of `import a.b`, which carries out the import, or None for `from a import b`, where
    nobody knows yet whether `b` is a submodule.
    """

    _PROBE: Final = ("__importsandbox_probe__", "child")

    def __init__(self) -> None:
        self._table: dict[str, dict[str, Any]] | None = None
        self._copied: dict[str, dict[str, Any]] = {}
        """The table at the last look, and what was read from it."""
        self._names: dict[str, Any] = {}
        self.is_found = True
        """Whether this interpreter keeps its table where it is looked for."""

    @property
    def _submodules(self) -> dict[str, dict[str, Any]]:
        """The table itself; one of our own where an interpreter keeps it elsewhere."""
        if self._table is None:
            found = self._find()
            self.is_found = found is not None
            self._table = found or {}
            self._table.pop(self._PROBE[0], None)
        return self._table

    def _find(self) -> dict[str, dict[str, Any]] | None:
        package, child = self._PROBE
        frozen = gc.get_freeze_count()
        asked = _sys.get_lazy_imports_filter()
        _sys.set_lazy_imports_filter(None)
        try:
            exec(f"lazy import {package}.{child}", {"__builtins__": {"__lazy_import__": _lazy_import}})
            # What was frozen, as servers do before they fork, is on no list of the collector.
            if frozen:
                gc.unfreeze()
            tables = (
                each for each in gc.get_objects() if type(each) is dict and type(each.get(package)) is dict
            )
            return next((each for each in tables if list(each[package]) == [child]), None)
        finally:
            if frozen:
                gc.freeze()
            _sys.set_lazy_imports_filter(asked)
            _sys.lazy_modules.discard(f"{package}.{child}")

    def names(self) -> dict[str, Any]:
        """What is pending, by full name; the same dict while nothing changes."""
        if self._submodules != self._copied:
            # Copies: another thread may be about to add a name.
            self._copied = {package: children.copy() for package, children in self._submodules.copy().items()}
            self._names = {
                f"{package}.{child}": value
                for package, children in self._copied.items()
                for child, value in children.items()
            }
        return self._names

    def add(self, names: Mapping[str, Any]) -> None:
        """Let submodules be pending that are not."""
        for name, value in names.items():
            package, _, child = name.rpartition(".")
            self._submodules.setdefault(package, {}).setdefault(child, value)

    def discard(self, names: Iterable[str]) -> None:
        """Let submodules be pending no more."""
        for name in names:
            package, _, child = name.rpartition(".")
            self._submodules.get(package, {}).pop(child, None)

    def put_back(self, saved: Mapping[str, Any]) -> None:
        """Let the same be pending as in the saved names; what belongs is never absent.

        Only what the table has had goes back into it: the interpreter takes any other object for a
        placeholder, and crashes.
        """
        now = self.names()
        if now is saved:
            return
        for name, value in saved.items():
            if now.get(name, MISSING) is not value:
                package, _, child = name.rpartition(".")
                self._submodules.setdefault(package, {})[child] = value
        self.discard(now.keys() - saved.keys())

    def unbound(self, modules: Mapping[str, Any]) -> dict[tuple[int, str], Binding]:
        """Where some packages have no attribute yet for a pending submodule."""
        found: dict[tuple[int, str], Binding] = {}
        for name in self.names():
            package, _, child = name.rpartition(".")
            attributes = namespace(modules.get(package))
            if attributes is not None and child not in attributes:
                found[id(attributes), child] = Binding(attributes, child, MISSING)
        return found


_lazy_import: Any = getattr(builtins, "__lazy_import__", None)


class NamesRow(PlainRow):  # from 3.15
    """The names that are bound by reading them: unresolved ones, and submodules that are pending."""

    def __init__(
        self,
        modules: Mapping[str, Any],
        noted: dict[tuple[int, str], Binding],
        pending: PendingSubmodules,
    ) -> None:
        self.modules = modules
        self.noted = noted
        """By identity of the namespace, and name; shared with other rows, so never changed in place."""
        self.pending = pending

    def note_pending(self) -> None:
        """Note what packages that stay do not have yet; the first note counts."""
        self.noted = {**self.pending.unbound(self.modules), **self.noted}

    def note_again(self, other: Self) -> None:
        self.noted = {**{place: each.now() for place, each in other.noted.items()}, **self.noted}

    def adopt(self, names: Iterable[str]) -> None:
        self.noted = self.noted.copy()
        for name in names:
            package, _, child = name.rpartition(".")
            self.noted.pop((id(namespace(self.modules.get(package))), child), None)

    def merge(self, before: Self, after: Self) -> None:
        changed = {
            place: after.noted[place]
            for place in before.noted.keys() & after.noted.keys() & self.noted.keys()
            if after.noted[place].value is not before.noted[place].value
        }
        self.noted = {**self.noted, **changed}

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        found = {
            place: (binding, before)
            for place, binding in self.noted.items()
            if (before := outside.noted.get(place)) is not None and before.value is not binding.value
        }
        return partial(self._bind, found) if found else None

    @staticmethod
    def _bind(found: Mapping[tuple[int, str], tuple[Binding, Binding]], outside: NamesRow) -> None:
        """Bind names as they were, but for those that have been resolved outside since."""
        for place, (binding, before) in found.items():
            if before.is_current():
                outside.noted = {place: before, **outside.noted}
                binding.restore()

    def restore(self) -> None:
        for binding in self.noted.values():
            if not binding.is_current():
                binding.restore()


class DeclaredRow(PlainRow):  # from 3.15
    """The names that were declared lazily: `sys.lazy_modules` and the table of pending submodules."""

    def __init__(self, modules: Mapping[str, Any], hooks: LazyHooks) -> None:
        self.modules = modules
        self.hooks = hooks
        self.table: set[str] = _sys.lazy_modules
        self.saved, self.pending = hooks.declared()

    def adopt(self, names: Iterable[str]) -> None:
        modules = [self.modules.get(name) for name in names]
        self.hooks.placeholders.look_at_modules(modules)
        declared = self.hooks.placeholders.targets(modules)
        self.saved = self.saved | self.table.intersection(declared)
        self.pending = {**_as_pending(declared), **self.pending}

    def merge(self, before: Self, after: Self) -> None:
        self.saved = (self.saved | (after.saved - before.saved)) - (before.saved - after.saved)
        new = {name: value for name, value in after.pending.items() if name not in before.pending}
        self.pending = {**new, **self.pending}

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        new, gone = self.saved - outside.saved, outside.saved - self.saved
        pending = {name: value for name, value in self.pending.items() if name not in outside.pending}
        return partial(self._declare, new, gone, pending) if new or gone or pending else None

    @staticmethod
    def _declare(new: set[str], gone: set[str], pending: dict[str, Any], outside: DeclaredRow) -> None:
        """Declare names again, and take back what was taken back."""
        outside.table.update(new)
        outside.table.difference_update(gone)
        outside.hooks.pending.add(pending)

    def restore(self) -> None:
        if self.table != self.saved:
            # What belongs is never absent.
            self.table |= self.saved
            self.table &= self.saved
        if getattr(sys, "lazy_modules", None) is not self.table:
            _sys.lazy_modules = self.table
        self.hooks.pending.put_back(self.pending)


# The mode, the filter, and the functions that carry out import statements.
_SETTINGS: Final[list[Value]] = (
    [
        # Interned, since values are compared by identity.
        (lambda: sys.intern(_sys.get_lazy_imports()), _sys.set_lazy_imports),
        (_sys.get_lazy_imports_filter, _sys.set_lazy_imports_filter),
        attribute_of(builtins, "__import__"),
        attribute_of(builtins, "__lazy_import__"),
    ]
    if AVAILABLE
    else []
)


def _as_pending(names: Iterable[str]) -> dict[str, Any]:  # from 3.15
    """The submodules that a declaration of some names makes pending, the packages in between included."""
    return dict.fromkeys(each for each in _with_parents(names) if "." in each)


class LazyImportState(ImportState):  # from 3.15
    """A snapshot of the import state with the rows that belong to lazy imports."""

    def __init__(
        self,
        preserved: Mapping[str, Any],
        attributes: SubmoduleAttributes,
        namespace_packages: NamespacePackages,
        hooks: LazyHooks,
    ) -> None:
        super().__init__(preserved, attributes, namespace_packages)
        declared = DeclaredRow(self.modules.saved, hooks)
        noted = hooks.unresolved(self.modules.saved, declared.pending)
        self.names = NamesRow(self.modules.saved, noted, hooks.pending)
        self.settings, self.declared = ValuesRow(_SETTINGS), declared
        # Declared names come first: between the attribute of a submodule that goes and its declaration that
        # comes back, another thread would find neither. They come last as well: as long as the submodule is
        # in `sys.modules`, another thread that imports it uses up the declaration again.
        # The names after all others: what runs before them may resolve one.
        self.rows = (self.declared, *self.rows, self.settings, self.names, self.declared)


class Hooks:
    """What lazy imports add to the life of a sandbox: nothing where Python has none."""

    indexes: tuple[Index, ...] = ()
    """What is to be known of loaded modules."""

    def snapshot(
        self,
        preserved: Mapping[str, Any],
        attributes: SubmoduleAttributes,
        namespace_packages: NamespacePackages,
    ) -> ImportState:
        """Take a snapshot of the import state."""
        return ImportState(preserved, attributes, namespace_packages)

    def before_first(self) -> None:
        """The watcher is about to be asked before all other finders."""

    def kept(self, name: str, module: object) -> None:
        """A module has been preserved."""

    def evicted(self, modules: Mapping[str, object]) -> None:
        """Modules have been taken out of the import state."""

    def handed_back(self, names: Iterable[str]) -> None:
        """Preserved modules are back in the import state."""

    def committed(self, states: Iterable[ImportState]) -> None:
        """An import is over whose effects stay until these sandboxes end."""

    def ended(self) -> None:
        """No sandbox is open any more."""


class LazyHooks(Hooks):  # from 3.15
    """What lazy imports add to the life of a sandbox."""

    def __init__(self) -> None:
        self.placeholders: Final = Placeholders()
        self.pending: Final = PendingSubmodules()
        self.indexes = (self.placeholders,)
        self._has_warned = False
        self._declarations: dict[str, set[str]] = {}
        """What preserved modules declared lazily, by module."""
        self._declared: tuple[set[str], dict[str, Any]] = (set(), {})
        """The newest copies of the declared names and of the pending submodules."""
        self._noted: tuple[int, object, dict[tuple[int, str], Binding]] = (-1, None, {})
        """The newest notes of unresolved names, and what was known when they were made."""

    def declared(self) -> tuple[set[str], dict[str, Any]]:
        """Copies of the declared names and of the pending submodules; the same while these are."""
        saved, pending = self._declared
        if _sys.lazy_modules != saved or self.pending.names() is not pending:
            self._declared = (_sys.lazy_modules.copy(), self.pending.names())
            self._warn_if_not_found()
        return self._declared

    def _warn_if_not_found(self) -> None:
        """Say once that lazy submodules are not isolated, where anybody has some of his own."""
        if not self.pending.is_found and not self._has_warned:
            names = (each for each in self._declared[0] if type(each) is str and "." in each)
            own = sorted(each for each in names if top_level(each) not in sys.stdlib_module_names)
            if own:
                self._has_warned = True
                warnings.warn(NOT_FOUND.format(own[0], sys.version.partition(" ")[0]), stacklevel=2)

    def unresolved(self, modules: Mapping[str, Any], pending: object) -> dict[tuple[int, str], Binding]:
        """The names that are bound by reading them; the same dict while nothing changes."""
        version, known_for, noted = self._noted
        if (
            version != self.placeholders.version
            or known_for is not pending
            or not all(binding.is_current() for binding in noted.values())
        ):
            unresolved = {(id(each.attributes), each.name): each for each in self.placeholders.unresolved()}
            noted = {**self.pending.unbound(modules), **unresolved}
            self._noted = (self.placeholders.version, pending, noted)
        return noted

    def snapshot(
        self,
        preserved: Mapping[str, Any],
        attributes: SubmoduleAttributes,
        namespace_packages: NamespacePackages,
    ) -> ImportState:
        return LazyImportState(preserved, attributes, namespace_packages, self)

    def before_first(self) -> None:
        """Load what this package itself imports lazily, as in the mode "all".

        A finder that loads something by reading a global variable is asked for that in turn.
        """
        looked_at: set[str] = set()
        # Again and again: it is loading that makes more of these.
        while (
            names := {
                name
                for name in sys.modules.copy()
                if type(name) is str and in_tree(name, ("pytest_importsandbox",))
            }
            - looked_at
        ):
            for name in names:
                for attribute, _ in _placeholders(sys.modules[name]):
                    getattr(sys.modules[name], attribute)
            looked_at |= names

    def kept(self, name: str, module: object) -> None:
        """Remember what a module declared, and which of its submodules are pending."""
        self.placeholders.look_at_modules([module])
        names = self._declarations.setdefault(name, set())
        names.update(each for each in self.pending.names() if each.rpartition(".")[0] == name)
        names.update(_with_parents(self.placeholders.targets([module])) & _sys.lazy_modules)

    def evicted(self, modules: Mapping[str, object]) -> None:
        """Take back what evicted modules declared, unless a module that stays needs it as well."""
        self.placeholders.look_at_modules(modules.values())
        needed = _with_parents(self.placeholders.targets(sys.modules.copy().values()))
        declared = _with_parents(self.placeholders.targets(modules.values()))
        _sys.lazy_modules.difference_update(declared - needed)
        self.pending.discard(declared - needed)

    def handed_back(self, names: Iterable[str]) -> None:
        """Declare again what the modules had declared."""
        modules = sys.modules.copy()
        for name in names:
            for declared in self._declarations.get(name, ()):
                if not _is_loaded(declared, modules):
                    _sys.lazy_modules.add(declared)
                    self.pending.add(_as_pending([declared]))

    def committed(self, states: Iterable[ImportState]) -> None:
        """Note in some states what is pending in packages that stay."""
        for state in states:
            assert isinstance(state, LazyImportState)
            state.names.note_pending()

    def ended(self) -> None:
        # The notes lead to modules, which nobody else may want to keep.
        self._noted = (-1, None, {})


def hooks() -> Hooks:
    """What lazy imports add, in this version of Python."""
    return LazyHooks() if AVAILABLE else Hooks()
