"""What packages have under the names of their submodules: import sets it, and `sys.modules` does not show it.

One index knows it of all loaded modules. The row of a snapshot notes what import is about to set, and takes
from the index what has been set unseen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, repeat
from operator import attrgetter, is_, is_not
from typing import Any, Self

from pytest_importsandbox._core.modules import (
    MISSING,
    changed_names,
    class_defines,
    is_imported_as,
    is_loading,
    is_module,
    namespace,
)
from pytest_importsandbox._core.threads import run_each


@dataclass(slots=True)
class Binding:
    """A name in the namespace of a module, and what it was bound to."""

    attributes: dict[str, Any]
    name: str
    value: Any
    former: Any = None
    """What it was bound to when it was put back: a finalizer can run any code."""

    def now(self) -> Binding:
        """The same name with its value of now."""
        return Binding(self.attributes, self.name, self.attributes.get(self.name, MISSING))

    def is_current(self) -> bool:
        """Whether the name is still bound to this value."""
        return self.attributes.get(self.name, MISSING) is self.value

    def restore(self) -> None:
        """Bind the name to this value again."""
        if self.is_current():
            return
        self.former = self.attributes.get(self.name)
        if self.value is MISSING:
            self.attributes.pop(self.name, None)
        else:
            self.attributes[self.name] = self.value


class SubmoduleAttributes:
    """What packages have under the names of their submodules, as it was when these were looked at last."""

    def __init__(self) -> None:
        self._known: dict[str, Binding] = {}
        """By the name of the submodule."""
        self._shadowed: set[str] = set()
        """The submodules whose packages have something else than them: `from .run import run`."""
        self._columns: tuple[list[Any], ...] = ()
        """Namespaces, names in them and values, in the order of what is known; empty while out of date."""

    def look_at(self, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember for some modules what their packages have under their names."""
        for name in names:
            package, _, child = name.rpartition(".")
            module = modules.get(name, MISSING)
            attributes = namespace(modules.get(package)) if package and module is not MISSING else None
            value = MISSING if attributes is None else attributes.get(child, MISSING)
            # What is loading is not bound yet, and import binds it whatever happens to a sandbox meanwhile.
            if attributes is None or (value is not module and is_loading(module)):
                if self._known.pop(name, None) is not None:
                    self._columns = ()
            else:
                self._remember(name, Binding(attributes, child, value))
            if name in self._known and value is not module:
                self._shadowed.add(name)
            else:
                self._shadowed.discard(name)

    def forget_absent(self) -> None:
        """Forget where packages have nothing under the name of a submodule."""
        self._known = {name: each for name, each in self._known.items() if each.value is not MISSING}
        self._columns = ()

    def look_again(self, names: Iterable[str]) -> None:
        """Remember what packages have under some names now, also of modules that are gone."""
        for name in names:
            self._remember(name, self._known[name].now())

    def _remember(self, name: str, binding: Binding) -> None:
        known = self._known.get(name)
        # Most of what is looked at again is as it was.
        if known is None or known.attributes is not binding.attributes or known.value is not binding.value:
            self._known[name] = binding
            self._columns = ()

    def find_instead(self, name: str, attributes: dict[str, Any]) -> Binding | None:
        """What a package with these attributes has in place of a submodule."""
        binding = self._known[name] if name in self._shadowed else None
        return binding if binding is not None and binding.attributes is attributes else None

    def has_changed(self, name: str) -> bool:
        """Whether a package has something else under a name now."""
        return name in self._known and not self._known[name].is_current()

    def changes(self) -> list[tuple[str, Any, Any]]:
        """The names under which packages have something else now, what it was and what it is."""
        if not self._columns:
            known = self._known.values()
            columns = map(attrgetter, ("attributes", "name", "value"))
            self._columns = tuple(list(map(column, known)) for column in columns)
        attributes, children, values = self._columns
        # In C: there can be thousands, nearly all of them as they were.
        now = map(dict.get, attributes, children, repeat(MISSING))
        changed = list(compress(self._known, map(is_not, now, values)))
        return [(name, self._known[name].value, self._known[name].now().value) for name in changed]


class BindingsRow:
    """The attributes on parent packages that outlive the sandbox, as noted before import set them."""

    def __init__(
        self,
        modules: dict[str, Any],
        preserved: Mapping[str, Any],
        known: SubmoduleAttributes,
        is_noted_whole: Callable[[dict[str, Any]], bool],
    ) -> None:
        self.modules = modules
        """The modules of the snapshot."""
        self.preserved = preserved
        """Modules that outlive the sandbox without being in its snapshot."""
        self.known = known
        self.is_noted_whole = is_noted_whole
        self.noted: dict[tuple[int, str], Binding] = {}
        """By identity of the namespace, and name."""
        self.of_classes: set[tuple[int, str]] = set()
        """Where the class of a package defined an attribute, and import was about to set it."""
        self.former: list[Any] = []
        """What was replaced, kept as long as this row: a finalizer can run any code."""

    def note(self, name: str) -> None:
        """Note the attribute for a submodule; the first note counts."""
        package, _, child = name.rpartition(".")
        if not package:
            return
        for parent in (self._outliving(package), self._aliased(package)):
            attributes = namespace(parent)
            if attributes is None or (id(attributes), child) in self.noted:
                continue
            value = attributes.get(child, MISSING)
            # Whoever takes a module out of the cache may have deleted the attribute as well.
            before = self._value_before(name, attributes) if value is MISSING else value
            if before is MISSING and class_defines(parent, child):
                self.of_classes.add((id(attributes), child))
            else:
                self._add(Binding(attributes, child, before))

    def note_unseen(self, names: Iterable[Any]) -> None:
        """Note the attributes for submodules that import has set without asking the watcher."""
        for name in names:
            attributes, child = self._place(name)
            if attributes is None or not self._has_been_bound(name, attributes.get(child, MISSING)):
                continue
            place, before = (id(attributes), child), self._value_before(name, attributes)
            # Where a class defined the attribute, it does no more: `six.moves` deletes what it has replaced.
            if place not in self.noted and place not in self.of_classes:
                # Also if it is what it was: an inner span, which has not seen that, may take it away.
                self._add(Binding(attributes, child, before))

    def _has_been_bound(self, name: str, value: Any) -> bool:
        """Whether a package has an attribute from import; what else was put there is the test's business."""
        # An alias, such as `os.path`, is not imported under its name: it is new, or it was there before.
        is_new = value is sys.modules.get(name) is not self.modules.get(name)
        # A preserved package that the snapshot has not is whole: another copy of it may be in its place.
        is_of_snapshot = name.rpartition(".")[0] in self.modules
        return is_new or (is_of_snapshot and is_module(value) and is_imported_as(name, value))

    def _place(self, name: Any) -> tuple[dict[str, Any] | None, str]:
        """The attributes of the package that a submodule has, and its name there."""
        package, _, child = name.rpartition(".") if type(name) is str else ("", "", "")
        parent = self._outliving(package)
        # Most of what is imported lies in packages that are new as well.
        return None if parent is MISSING else namespace(parent), child

    def _add(self, binding: Binding) -> None:
        # A namespace that was noted as a whole is put back as a whole.
        if not self.is_noted_whole(binding.attributes):
            # The first note counts: what an interrupt has left half done runs again.
            self.noted.setdefault((id(binding.attributes), binding.name), binding)

    def _value_before(self, name: str, attributes: dict[str, Any]) -> Any:
        """What the package had under the name of a submodule, as far as the snapshot tells."""
        instead = self.known.find_instead(name, attributes)
        # What a preserved module found in another sandbox was not there before this one.
        if instead is not None and (name in self.modules or name not in self.preserved):
            return instead.value
        # Only import sets the attribute: not for a fake, and not on one.
        package, module = name.rpartition(".")[0], self.modules.get(name)
        bound = is_imported_as(name, module) and is_imported_as(package, self._outliving(package))
        return module if bound else MISSING

    def _outliving(self, name: str) -> Any:
        """The module that outlives the sandbox: one of the snapshot, or a preserved one."""
        return self.modules.get(name, self.preserved.get(name, MISSING))

    def _aliased(self, name: str) -> Any:
        """The module that outlives the sandbox under another name, and can be found under this one now."""
        module = sys.modules.get(name, MISSING)
        # What was imported under the name is new; the rest is too rare for an index.
        if module is self._outliving(name) or is_imported_as(name, module):
            return MISSING
        outliving = chain(self.modules.values(), self.preserved.values())
        return module if any(map(is_, outliving, repeat(module))) else MISSING

    def note_again(self, other: Self) -> None:
        for place, binding in other.noted.items():
            self.noted.setdefault(place, binding.now())
        self.of_classes |= other.of_classes

    def merge(self, before: Self, after: Self) -> None:
        for name in changed_names(before.modules, after.modules):
            package, _, child = name.rpartition(".")
            module, parent = self.modules.get(name), self._outliving(package)
            if module is after.modules[name]:
                self._forget(after._outliving(package), child)
                self._let_go(name, parent, is_bound=parent is after._outliving(package))

    def difference(self, outside: Self) -> Callable[[Self], None] | None:
        found = {
            place: (binding, before)
            for place, binding in self.noted.items()
            if (before := outside.noted.get(place)) is not None and before.value is not binding.value
        }
        return partial(self._bind, found) if found else None

    @staticmethod
    def _bind(found: Mapping[tuple[int, str], tuple[Binding, Binding]], outside: BindingsRow) -> None:
        """Bind names as they were, but for submodules that were absent and are there now."""
        for binding, before in found.values():
            now = before.now()
            if binding.value is MISSING and now.value is not before.value:
                continue
            outside._add(now)
            binding.restore()

    def adopt(self, names: Iterable[str]) -> None:
        # The snapshot has these modules by now: what other threads bind is not noted as unseen either.
        for name in names:
            parent = self._outliving(name.rpartition(".")[0])
            self._let_go(name, parent, is_bound=sys.modules.get(name.rpartition(".")[0]) is parent)

    def _let_go(self, name: str, parent: Any, is_bound: bool) -> None:
        """Leave the attribute for a submodule as it is; bind it where import did so on another copy."""
        child = name.rpartition(".")[2]
        # It stays even if the module was taken out of the cache again.
        self._forget(parent, child)
        attributes, module = namespace(parent), self.modules.get(name)
        if attributes is not None and module is not None and not is_bound:
            self.noted[id(attributes), child] = Binding(attributes, child, module)

    def _forget(self, parent: Any, child: str) -> None:
        self.former.append(self.noted.pop((id(namespace(parent)), child), None))

    def restore(self) -> None:
        if self.noted:
            run_each([binding.restore for binding in self.noted.values()])
