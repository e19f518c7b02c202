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
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import compress, repeat
from operator import is_
from typing import Any, ClassVar, Final, Literal

from pytest_importsandbox._names import in_tree, parents
from pytest_importsandbox._state import MISSING, ImportState, is_module, namespace

AVAILABLE: Final = hasattr(sys, "lazy_modules")

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


def resolve_own_imports() -> None:  # from 3.15
    """Load what this package itself imports lazily, as in the mode "all".

    To be called before its finder is asked for the first time: a finder that loads something by
    reading a global variable is asked for that in turn.
    """
    for name, module in sys.modules.copy().items():
        if type(name) is str and in_tree(name, ("pytest_importsandbox",)):
            for attribute, _ in _placeholders(module):
                getattr(module, attribute)


# The namespace of a module, a name in it, and what is bound to it.
_Place = tuple[dict[str, Any], str, Any]


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
    """All placeholders that modules have, or had when they were looked at first."""

    def __init__(self) -> None:
        # By identity, and without keeping a module or its namespace alive: a namespace usually leads
        # back to its module.
        self._known: dict[int, tuple[weakref.ref[Any], list[tuple[str, Any]]]] = {}

    def look_at(self, modules: Iterable[object]) -> None:
        """Remember the placeholders of some modules; those of an earlier look stay known."""
        NamesRow.look_again()
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
        NamesRow.look_again()
        self._known.pop(key, None)

    def unresolved(self) -> Iterator[_Place]:
        """Where there is a placeholder now."""
        for reference, known in list(self._known.values()):
            attributes = namespace(reference())
            if attributes is not None:
                for name, value in known:
                    if attributes.get(name) is value:
                        yield attributes, name, value

    def targets(self, modules: Iterable[object]) -> set[str]:
        """What some modules declared lazily, resolved in the meantime or not."""
        return {
            _target(value)
            for module in modules
            if id(module) in self._known
            for _, value in self._known[id(module)][1]
        }


placeholders: Final = Placeholders()


class Declarations:  # from 3.15
    """What preserved modules declared lazily, so that it is declared again when they are handed back."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def remember(self, name: str, module: object) -> None:
        """Remember what a module declared, and which of its submodules are pending."""
        placeholders.look_at([module])
        names = self._names.setdefault(name, set())
        names.update(f"{name}.{child}" for child in _pending_submodules().get(name, set()).copy())
        names.update(_with_parents(placeholders.targets([module])) & _sys.lazy_modules)

    def declare_again(self, names: Iterable[str]) -> None:
        """Declare what some modules declared that are back."""
        modules = sys.modules.copy()
        for name in names:
            for declared in self._names.get(name, ()):
                if not _is_loaded(declared, modules):
                    _sys.lazy_modules.add(declared)
                    _register(_pending_submodules(), declared)


declarations: Final = Declarations()


def forget_declarations(evicted: Mapping[str, object]) -> None:  # from 3.15
    """Take back what evicted modules declared, unless a module that stays needs it as well."""
    placeholders.look_at(evicted.values())
    needed = _with_parents(placeholders.targets(sys.modules.copy().values()))
    declared = _with_parents(placeholders.targets(evicted.values()))
    for name in declared - needed:
        package, _, child = name.rpartition(".")
        _sys.lazy_modules.discard(name)
        _pending_submodules().get(package, set()).discard(child)


class NamesRow:  # from 3.15
    """The names that are bound by reading them: unresolved ones, and submodules that are pending."""

    _last: ClassVar[tuple[object, dict[tuple[int, str], _Place]]] = (None, {})
    """What the last row noted, and for which table of pending submodules."""

    @classmethod
    def look_again(cls) -> None:
        """Do not rely on what the last row noted, nor keep it alive."""
        cls._last = (None, {})

    def __init__(self, modules: Mapping[str, Any], pending: object) -> None:
        self.modules = modules
        known_for, self.noted = self._last
        if known_for is not pending or any(
            attributes.get(name, MISSING) is not value for attributes, name, value in self.noted.values()
        ):
            self.noted = {(id(each[0]), each[1]): each for each in placeholders.unresolved()}
            self.note_pending()
            type(self)._last = (pending, self.noted)

    def note_pending(self) -> None:
        """Note what packages that stay do not have yet; the first note counts."""
        self.noted = {**_unbound_submodules(self.modules), **self.noted}

    def note_again(self, other: NamesRow) -> None:
        """Note the same names as another row did, with the values of now."""
        now = {
            place: (attributes, name, attributes.get(name, MISSING))
            for place, (attributes, name, _) in other.noted.items()
        }
        self.noted = {**now, **self.noted}

    def forget(self, name: str) -> None:
        """Leave the attribute for a submodule as it is."""
        package, _, child = name.rpartition(".")
        self.noted = self.noted.copy()
        self.noted.pop((id(namespace(self.modules.get(package))), child), None)

    def merge(self, before: NamesRow, after: NamesRow) -> None:
        """Carry over what changed from one row to another."""
        changed = {
            place: after.noted[place]
            for place in before.noted.keys() & after.noted.keys() & self.noted.keys()
            if after.noted[place][2] is not before.noted[place][2]
        }
        self.noted = {**self.noted, **changed}

    def restore(self) -> None:
        for attributes, name, value in self.noted.values():
            if attributes.get(name, MISSING) is not value:
                if value is MISSING:
                    attributes.pop(name, None)
                else:
                    attributes[name] = value


def _unbound_submodules(modules: Mapping[str, Any]) -> dict[tuple[int, str], _Place]:  # from 3.15
    """Where some packages have no attribute yet for a pending submodule."""
    found: dict[tuple[int, str], _Place] = {}
    for package, children in _pending_submodules().copy().items():
        attributes = namespace(modules.get(package)) if children else None
        if attributes is not None:
            for child in children.copy():
                if child not in attributes:
                    found[id(attributes), child] = (attributes, child, MISSING)
    return found


class DeclaredRow:  # from 3.15
    """The names that were declared lazily: `sys.lazy_modules` and the table of pending submodules."""

    _last: ClassVar[tuple[set[str], dict[str, set[str]]]] = (set(), {})

    def __init__(self) -> None:
        self.table: set[str] = _sys.lazy_modules
        self.saved, self.pending = self._last
        if self.table != self.saved or _pending_submodules() != self.pending:
            self.saved = self.table.copy()
            self.pending = _copied(_pending_submodules())
            type(self)._last = (self.saved, self.pending)

    def declare(self, names: Iterable[str]) -> None:
        """Make names that were declared in the meantime part of the snapshot."""
        self.saved = self.saved | self.table.intersection(names)
        self.pending = _copied(self.pending)
        for name in names:
            _register(self.pending, name)

    def merge(self, before: DeclaredRow, after: DeclaredRow) -> None:
        """Carry over what changed from one row to another."""
        self.saved = (self.saved | (after.saved - before.saved)) - (before.saved - after.saved)
        self.pending = _copied(self.pending)
        for package, children in after.pending.items():
            new = children - before.pending.get(package, set())
            self.pending[package] = self.pending.get(package, set()) | new

    def restore(self) -> None:
        _fill(self.table, self.saved)
        if getattr(sys, "lazy_modules", None) is not self.table:
            _sys.lazy_modules = self.table
        table = _pending_submodules()
        if table != self.pending:
            for package, children in self.pending.items():
                _fill(table.setdefault(package, set()), children)
            for package in table.keys() - self.pending.keys():
                table.pop(package, None)


def _fill(table: set[str], wanted: set[str]) -> None:  # from 3.15
    """Give a set the contents of another one; what belongs is never absent."""
    if table != wanted:
        table |= wanted
        table &= wanted


def _copied(table: dict[str, set[str]]) -> dict[str, set[str]]:  # from 3.15
    """A table of pending submodules, copied with its sets."""
    return {package: children.copy() for package, children in table.copy().items()}


def _register(table: dict[str, set[str]], name: str) -> None:  # from 3.15
    """Enter a name, and the packages that contain it, into a table of pending submodules."""
    for each in (name, *parents(name)):
        package, _, child = each.rpartition(".")
        if package:
            table.setdefault(package, set()).add(child)


_tables: list[dict[str, set[str]]] = []


def _pending_submodules() -> dict[str, set[str]]:  # from 3.15
    """The interpreter's table of pending submodules, by package.

    There is no name for it in Python, but it is an ordinary dict of sets, and the garbage collector
    knows them all. A declaration that nobody else makes tells it apart.
    """
    if not _tables:
        package, child = "__importsandbox_probe__", "child"
        frozen = gc.get_freeze_count()
        asked = _sys.get_lazy_imports_filter()
        _sys.set_lazy_imports_filter(None)
        try:
            exec(f"lazy import {package}.{child}", {"__builtins__": {"__lazy_import__": _lazy_import}})
            if frozen:
                gc.unfreeze()
            _tables.extend(
                each for each in gc.get_objects() if type(each) is dict and each.get(package) == {child}
            )
        finally:
            if frozen:
                gc.freeze()
            _sys.set_lazy_imports_filter(asked)
            _sys.lazy_modules.discard(f"{package}.{child}")
        # An interpreter that keeps it elsewhere: then there is nothing to put back.
        _tables.append({})
        _tables[0].pop(package, None)
    return _tables[0]


_lazy_import: Any = getattr(builtins, "__lazy_import__", None)


class SettingsRow:  # from 3.15
    """The mode, the filter, and the functions that carry out import statements."""

    def __init__(self) -> None:
        self.mode = _sys.get_lazy_imports()
        self.filter = _sys.get_lazy_imports_filter()
        self.hooks = {name: vars(builtins).get(name, MISSING) for name in ("__import__", "__lazy_import__")}

    def merge(self, before: SettingsRow, after: SettingsRow) -> None:
        """Carry over what changed from one row to another."""
        if after.mode != before.mode:
            self.mode = after.mode
        if after.filter is not before.filter:
            self.filter = after.filter
        for name, hook in after.hooks.items():
            if hook is not before.hooks[name]:
                self.hooks[name] = hook

    def restore(self) -> None:
        if _sys.get_lazy_imports() != self.mode:
            _sys.set_lazy_imports(self.mode)
        if _sys.get_lazy_imports_filter() is not self.filter:
            _sys.set_lazy_imports_filter(self.filter)
        for name, hook in self.hooks.items():
            if vars(builtins).get(name, MISSING) is not hook:
                vars(builtins)[name] = hook


class LazyImportState(ImportState):  # from 3.15
    """A snapshot of the import state with all that belongs to lazy imports."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        super().__init__(kept)
        self.settings = SettingsRow()
        self.declared = DeclaredRow()
        self.names = NamesRow(self.modules.saved, self.declared.pending)
        # The names last: what runs before them may resolve one.
        self.rows += (self.settings, self.declared, self.names)

    def free(self) -> None:
        if self.modules.lost:
            NamesRow.look_again()
        super().free()

    def note_again(self, other: ImportState) -> None:
        super().note_again(other)
        assert isinstance(other, LazyImportState)
        self.names.note_again(other.names)

    def adopt(self, names: Iterable[str]) -> None:
        names = set(names)
        super().adopt(names)
        for name in names:
            self.names.forget(name)
        modules = [self.modules.saved.get(name) for name in names]
        placeholders.look_at(modules)
        self.declared.declare(placeholders.targets(modules))

    def take_over(self, before: ImportState, after: ImportState) -> None:
        super().take_over(before, after)
        assert isinstance(before, LazyImportState)
        assert isinstance(after, LazyImportState)
        self.settings.merge(before.settings, after.settings)
        self.declared.merge(before.declared, after.declared)
        self.names.merge(before.names, after.names)


def note_pending(states: Iterable[ImportState]) -> None:  # from 3.15
    """Note in some states what is pending in packages that stay."""
    for state in states:
        assert isinstance(state, LazyImportState)
        state.names.note_pending()


State: type[ImportState] = LazyImportState if AVAILABLE else ImportState
