"""The import state: what the interpreter keeps about imports, its snapshot and its restore.

One row for each registry. A row takes its snapshot when it is made and puts it back, in place, with
`restore()`; running `restore()` twice does no harm. This module and `_lazy`, which
adds rows from Python 3.15 on, are the only ones that write to `sys`.

Foreign objects are compared by identity and read through `object.__getattribute__` alone: an entry of
`sys.modules` can be a lazy module that loads when it is touched, a mock, or an object that raises
from every special method.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from importlib._bootstrap_external import _NamespacePath  # type: ignore[attr-defined]
from itertools import compress, filterfalse, repeat
from operator import is_, is_not
from types import FunctionType, ModuleType
from typing import Any, ClassVar, Final, Protocol

from pytest_importsandbox._names import parents

MISSING: Final = object()
_INTERPRETER_MODULES: Final = sys.modules


@dataclass(frozen=True)
class ImportChanges:
    """What differs between the import state and the snapshot of a sandbox.

    The values are strings, so that a report keeps no module alive. ``str()`` gives one line for
    each kind of change, and ``bool()`` tells whether there is any.
    """

    added: tuple[str, ...] = ()
    """Names that `sys.modules` did not have."""
    removed: tuple[str, ...] = ()
    """Names that `sys.modules` had and that are gone; blocked modules are among them."""
    replaced: tuple[str, ...] = ()
    """Names of `sys.modules` that stand for another object now."""
    reloaded: tuple[str, ...] = ()
    """Names of the modules that `importlib.reload` ran again."""
    path: tuple[str, ...] = ()
    """Entries that `sys.path` gained (``+``) and lost (``-``), or ``reordered``."""
    meta_path: tuple[str, ...] = ()
    """The same for the finders of `sys.meta_path`."""
    path_hooks: tuple[str, ...] = ()
    """The same for the hooks of `sys.path_hooks`."""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        lines = [
            f"{each.name}: {', '.join(getattr(self, each.name))}"
            for each in fields(self)
            if getattr(self, each.name)
        ]
        return "\n".join(lines) or "no changes"


def namespace(module: object) -> dict[str, Any] | None:
    """The attributes of a module as they are, or None for an object that keeps none in a dict."""
    try:
        attributes = object.__getattribute__(module, "__dict__")
    except Exception:
        return None
    return attributes if type(attributes) is dict else None


def is_module(value: object) -> bool:
    """Whether a value is a module, asked of its type alone: `isinstance` reads `__class__`."""
    return issubclass(type(value), ModuleType)


def spec_of(module: object) -> dict[str, Any]:
    """The attributes of a module's spec; empty where there is none."""
    return namespace((namespace(module) or {}).get("__spec__")) or {}


def is_imported_as(name: str, module: object) -> bool:
    """Whether import made a module under this name: it is no fake and no alias."""
    found = spec_of(module).get("name")
    return type(found) is str and found == name


def put_back(table: dict[str, Any], saved: dict[str, Any]) -> list[Any]:
    """Give a dict the contents and the order of the saved one, and return the values it lost.

    A name that belongs is never absent, not even for a moment: other threads look it up meanwhile.
    So it is `update()` and then the deletion of what is new, never `clear()`.
    """
    try:
        table.update(saved)
    except Exception:
        # A key that is no str stands in the way of a name, and raises when it is compared.
        for key in [key for key in table if type(key) is not str]:
            table.pop(key)
        table.update(saved)
    order, wanted = list(table), list(saved)
    first = _first_difference(order, wanted)
    lost = list(map(table.pop, filterfalse(saved.__contains__, order[first:]), repeat(None)))
    moved = wanted[first:]
    if moved and _gil_enabled():
        # One call into C, during which no other thread runs.
        deque(map(table.__setitem__, moved, map(table.pop, moved)), maxlen=0)
    return lost


def _first_difference(one: list[Any], other: list[Any]) -> int:
    """Where two lists begin to hold different objects."""
    agree = list(map(is_, one, other))
    return agree.index(False) if False in agree else len(agree)


def _gil_enabled() -> bool:
    """Whether a call into C keeps other threads from running."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Row(Protocol):
    """One registry of the import state, as it was when the row was made."""

    def restore(self) -> None:
        """Put it back."""


class ModulesRow:
    """`sys.modules`."""

    def __init__(self) -> None:
        self.table = sys.modules
        self.saved = sys.modules.copy()
        self.lost: list[Any] = []
        """Modules that left at the restore, kept until it is over: a finalizer can run any code."""

    def current(self) -> dict[str, Any]:
        """All modules that can be found now, those of a dict that the test bound included."""
        bound = getattr(sys, "modules", self.table)
        return self.table if bound is self.table else {**self.table, **bound}

    def changed(self) -> bool:
        """Whether anything differs from the snapshot, the order included."""
        table, saved = self.table, self.saved
        try:
            return (
                getattr(sys, "modules", None) is not table
                or list(table) != list(saved)
                or not all(map(is_, table.values(), saved.values()))
            )
        except Exception:
            # A key that is no str can raise, and without the GIL another thread may import meanwhile.
            return True

    def added(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """What was imported since: names that are new, or that stand for other objects now.

        Those that are `kept` already are left out: after `import pandas` there are hundreds of them.
        """
        current = self.current().copy()
        names, modules = list(current), list(current.values())
        first = _first_difference(modules, list(self.saved.values()))
        names, modules = names[first:], modules[first:]
        unknown = compress(zip(names, modules, strict=True), map(is_not, map(kept.get, names), modules))
        return {name: module for name, module in unknown if self.saved.get(name, MISSING) is not module}

    def restore(self) -> None:
        try:
            self.lost += put_back(self.table, self.saved)
        finally:
            if getattr(sys, "modules", None) is not self.table:
                sys.modules = self.table


class ListRow:
    """One of the lists `sys.path`, `sys.meta_path` and `sys.path_hooks`."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        self.table: list[Any] = getattr(sys, attribute)
        self.saved = self.table.copy()

    def changes(self, ignored: object = MISSING) -> tuple[str, ...]:
        """The entries that came and went; objects are named by their type, never printed."""
        current = [entry for entry in getattr(sys, self.attribute, ()) if entry is not ignored]
        saved = [entry for entry in self.saved if entry is not ignored]
        came = [entry for entry in current if not _contains(saved, entry)]
        went = [entry for entry in saved if not _contains(current, entry)]
        if not came and not went and not _same(current, saved):
            return ("reordered",)
        return (*(f"+{_shown(each)}" for each in came), *(f"-{_shown(each)}" for each in went))

    def merge(self, before: list[Any], after: list[Any]) -> None:
        """Carry over into the saved list what changed elsewhere from one list to another."""
        kept = [each for each in self.saved if _contains(after, each) or not _contains(before, each)]
        new = [each for each in after if not _contains(before, each) and not _contains(kept, each)]
        old = [position for position, each in enumerate(after) if _contains(before, each)]
        front = [each for each in new if old and _position(after, each) < old[0]]
        back = [each for each in new if not _contains(front, each)]
        self.saved = front + kept + back

    def restore(self) -> None:
        self.table[:] = self.saved
        if getattr(sys, self.attribute, None) is not self.table:
            setattr(sys, self.attribute, self.table)


def _same(one: list[Any], other: list[Any]) -> bool:
    """Whether two lists hold the same objects in the same order."""
    return len(one) == len(other) and all(map(is_, one, other))


def _contains(entries: Iterable[Any], entry: object) -> bool:
    """Whether the object itself is among the entries."""
    return any(each is entry for each in entries)


def _position(entries: list[Any], entry: object) -> int:
    """Where the object itself stands among the entries."""
    return next(index for index, each in enumerate(entries) if each is entry)


def _shown(entry: object) -> str:
    """A text for a foreign object that calls none of its code."""
    if type(entry) is str:
        return entry
    if issubclass(type(entry), FunctionType):
        return str(object.__getattribute__(entry, "__qualname__"))
    shown = entry if issubclass(type(entry), type) else type(entry)
    return str(type.__getattribute__(shown, "__qualname__"))


class ImporterCacheRow:
    """`sys.path_importer_cache`: the entries that appear go again."""

    def __init__(self) -> None:
        self.table = sys.path_importer_cache
        self.saved = self.table.copy()

    def restore(self) -> None:
        if list(self.table) != list(self.saved):
            for entry in list(self.table):
                if entry not in self.saved:
                    self.table.pop(entry, None)
        if getattr(sys, "path_importer_cache", None) is not self.table:
            sys.path_importer_cache = self.table


@dataclass(slots=True)
class _Binding:
    """An attribute of a parent package before an import set it."""

    attributes: dict[str, Any]
    child: str
    value: Any

    def restore(self) -> None:
        if self.value is MISSING:
            self.attributes.pop(self.child, None)
        else:
            self.attributes[self.child] = self.value


class BindingsRow:
    """The attributes on parent packages that outlive the sandbox, as noted before import set them."""

    _shadowing: ClassVar[dict[str, _Binding]] = {}
    """Attributes that are not the submodule of their name: `from .run import run`."""

    @classmethod
    def look_at(cls, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember for some modules what their packages have under their names instead of them."""
        for name in names:
            cls._shadowing.pop(name, None)
            package, _, child = name.rpartition(".")
            attributes = namespace(modules.get(package)) if name in modules else None
            if attributes is not None and attributes.get(child, MISSING) is not modules[name]:
                cls._shadowing[name] = _Binding(attributes, child, attributes.get(child, MISSING))

    def __init__(self, modules: dict[str, Any], kept: Mapping[str, Any], reloads: ReloadsRow) -> None:
        self.modules = modules
        self.kept = kept
        self.reloads = reloads
        self.noted: dict[str, _Binding] = {}

    def note(self, name: str) -> None:
        """Note the attribute for a submodule; the first note counts."""
        package, _, child = name.rpartition(".")
        if not package or name in self.noted:
            return
        attributes = namespace(self._lasting(package))
        if attributes is not None:
            value = attributes.get(child, MISSING)
            # Whoever takes a module out of the cache may have deleted the attribute as well.
            before = self._value_before(name, attributes) if value is MISSING else value
            self._note(name, attributes, child, before)

    def _note(self, name: str, attributes: dict[str, Any], child: str, value: Any) -> None:
        # A namespace that was noted as a whole is put back as a whole.
        if not self.reloads.has(attributes):
            self.noted[name] = _Binding(attributes, child, value)

    def _value_before(self, name: str, attributes: dict[str, Any]) -> Any:
        """What the package had under the name of a submodule, as far as the snapshot tells."""
        shadowing = self._shadowing.get(name)
        if shadowing is not None and shadowing.attributes is attributes:
            return shadowing.value
        # Only import sets the attribute: not for a fake, and not on one.
        package, module = name.rpartition(".")[0], self.modules.get(name)
        bound = is_imported_as(name, module) and is_imported_as(package, self._lasting(package))
        return module if bound else MISSING

    def _lasting(self, name: str) -> Any:
        """The module that outlives the sandbox: one of the snapshot, or a preserved one."""
        return self.modules.get(name, self.kept.get(name, MISSING))

    def note_unseen(self, added: Mapping[str, Any]) -> None:
        """Note what imports that went past the watcher bound, from the snapshot alone."""
        for name, module in added.items():
            package, _, child = name.rpartition(".") if type(name) is str else ("", "", "")
            parent = self._lasting(package)
            # Most of what is added lies in packages that are new as well.
            attributes = None if parent is MISSING else namespace(parent)
            if attributes is not None and attributes.get(child, MISSING) is module:
                self._note_bound(name, attributes, child)

    def note_everywhere(self) -> None:
        """The same for every package of the snapshot, also for modules that are gone again."""
        for package, module in self.modules.items():
            attributes = namespace(module)
            if type(package) is not str or attributes is None or "__path__" not in attributes:
                continue
            for child, value in attributes.copy().items():
                name = f"{package}.{child}"
                if is_module(value) and is_imported_as(name, value):
                    self._note_bound(name, attributes, child)

    def _note_bound(self, name: str, attributes: dict[str, Any], child: str) -> None:
        before = self._value_before(name, attributes)
        if name not in self.noted and attributes[child] is not before:
            self._note(name, attributes, child, before)

    def note_again(self, other: BindingsRow) -> None:
        """Note the same places as another row did, with the values of now."""
        for name, binding in other.noted.items():
            value = binding.attributes.get(binding.child, MISSING)
            self.noted.setdefault(name, _Binding(binding.attributes, binding.child, value))

    def restore(self) -> None:
        _run_each([binding.restore for binding in self.noted.values()])


class ReloadsRow:
    """The namespaces of modules that were reloaded, as noted before they ran again."""

    def __init__(self) -> None:
        self.noted: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def has(self, attributes: dict[str, Any]) -> bool:
        """Whether a namespace has been noted."""
        return any(noted is attributes for noted, _ in self.noted.values())

    def note(self, name: str, module: object) -> None:
        """Note a namespace; the first note counts."""
        attributes = namespace(module)
        if attributes is not None and name not in self.noted:
            self.noted[name] = (attributes, attributes.copy())

    def note_again(self, other: ReloadsRow) -> None:
        """Note the same namespaces as another row did, with the values of now."""
        for name, (attributes, _) in other.noted.items():
            self.noted.setdefault(name, (attributes, attributes.copy()))

    def restore(self) -> None:
        _run_each([partial(put_back, *noted) for noted in self.noted.values()])


class NamespacePathsRow:
    """The search paths of namespace packages, which import extends and recomputes."""

    _known: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def look_at(cls, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember which of some modules are namespace packages."""
        for name in names:
            attributes = namespace(modules.get(name)) or {}
            if type(attributes.get("__path__")) is _NamespacePath:
                cls._known[name] = attributes
            else:
                cls._known.pop(name, None)

    def __init__(self) -> None:
        self.saved = []
        for name, attributes in list(self._known.items()):
            path: Any = attributes.get("__path__")
            if name in sys.modules and type(path) is _NamespacePath:
                self.saved.append((attributes, path, path.__dict__.copy(), path._path.copy()))
            else:
                self._known.pop(name, None)

    def restore(self) -> None:
        for attributes, path, saved, locations in self.saved:
            attributes["__path__"] = path
            path.__dict__.update(saved)
            path._path[:] = locations


class ImportState:
    """A snapshot of the import state, section by section, and its restore.

    `kept` are modules that outlive a sandbox without being in its snapshot.
    """

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.modules = ModulesRow()
        self.path = ListRow("path")
        self.meta_path = ListRow("meta_path")
        self.path_hooks = ListRow("path_hooks")
        self.importer_cache = ImporterCacheRow()
        self.namespace_paths = NamespacePathsRow()
        self.reloads = ReloadsRow()
        self.bindings = BindingsRow(self.modules.saved, kept, self.reloads)
        self.lists = (self.path, self.meta_path, self.path_hooks)
        self.rows: tuple[Row, ...] = (
            self.modules,
            # The reverse of how they were noted: what a reload set may have been bound before.
            self.reloads,
            self.bindings,
            *self.lists,
            self.importer_cache,
            self.namespace_paths,
        )

    def note_again(self, other: ImportState) -> None:
        """Note the bindings and namespaces that another state noted, with the values of now."""
        self.bindings.note_again(other.bindings)
        self.reloads.note_again(other.reloads)

    def adopt(self, names: Iterable[str]) -> None:
        """Make modules that were imported in the meantime part of the snapshot, parents included."""
        current = self.modules.current()
        for each in names:
            for name in (each, *parents(each)):
                if name in self.modules.saved:
                    continue
                # The attribute stays, even if the module was taken out of the cache again.
                self.bindings.noted.pop(name, None)
                if name in current:
                    self.modules.saved[name] = current[name]
                    self.modules.table.setdefault(name, current[name])

    def take_over(self, before: ImportState, after: ImportState) -> None:
        """Carry over into this snapshot what changed from one snapshot to another."""
        for name, module in after.modules.saved.items():
            if before.modules.saved.get(name, MISSING) is module:
                continue
            # A blocked module stays blocked.
            if self.modules.saved.get(name, MISSING) is not None:
                self.modules.saved[name] = module
                self.bindings.noted.pop(name, None)
        for row, old, new in zip(self.lists, before.lists, after.lists, strict=True):
            row.merge(old.saved, new.saved)

    def changes(self, blocked: Callable[[str], bool], watcher: object) -> ImportChanges:
        """How the import state of now differs from the snapshot."""
        saved, current = self.modules.saved, self.modules.current().copy()

        def gone(name: str) -> bool:
            return name not in current or (current[name] is None and blocked(name))

        names = [name for name in current if type(name) is str and not gone(name)]
        return ImportChanges(
            added=tuple(name for name in names if name not in saved),
            removed=tuple(name for name in saved if type(name) is str and gone(name)),
            replaced=tuple(name for name in names if name in saved and saved[name] is not current[name]),
            reloaded=tuple(self.reloads.noted),
            path=self.path.changes(),
            meta_path=self.meta_path.changes(ignored=watcher),
            path_hooks=self.path_hooks.changes(),
        )

    def restore(self, *, modules_changed: bool = True) -> None:
        """Put everything back, whatever part of it fails.

        An interrupt (Ctrl-C, a time limit) that strikes here is raised when all is back in place.
        """
        rows = self.rows if modules_changed else self.rows[1:]
        try:
            for row in rows:
                row.restore()
        except BaseException as exc:
            _run_each([row.restore for row in rows])
            if not isinstance(exc, Exception):
                raise

    def free(self) -> None:
        """Let go of the modules that left."""
        self.modules.lost.clear()


def _run_each(steps: Iterable[Callable[[], object]]) -> None:
    """Run all steps, whichever fail; an interrupt is raised when all have been run."""
    interrupt = None
    for step in steps:
        try:
            step()
        except Exception:
            continue
        except BaseException as exc:
            interrupt = exc
            with suppress(BaseException):
                step()
    if interrupt is not None:
        raise interrupt


def remove_modules(names: Iterable[str]) -> None:
    """Take modules out of `sys.modules`."""
    for name in names:
        sys.modules.pop(name, None)
        # An import statement looks there, whatever `sys.modules` is bound to.
        _INTERPRETER_MODULES.pop(name, None)


def put_modules(modules: Mapping[str, Any]) -> None:
    """Put modules into `sys.modules`."""
    sys.modules.update(modules)


def unbind(name: str, module: object) -> None:
    """Delete the attribute on the parent package if it is this module."""
    package, _, child = name.rpartition(".")
    attributes = namespace(sys.modules.get(package)) if package else None
    if attributes is not None and attributes.get(child, MISSING) is module:
        del attributes[child]


def bind(name: str, value: object) -> None:
    """Set the attribute on the parent package."""
    package, _, child = name.rpartition(".")
    attributes = namespace(sys.modules.get(package))
    if attributes is not None:
        attributes[child] = value


def prepend_to_path(directory: str) -> None:
    """Make a directory the first that is searched."""
    sys.path.insert(0, directory)


def put_first(finder: Any) -> None:
    """Make a finder the first that import asks."""
    remove_finder(finder)
    sys.meta_path.insert(0, finder)


def remove_finder(finder: Any) -> None:
    """Take a finder out of `sys.meta_path`."""
    sys.meta_path[:] = [each for each in sys.meta_path if each is not finder]
