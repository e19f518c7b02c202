"""Preserved modules: which modules must run only once in a process and why, and the store of them.

What is preserved, among the modules that a sandbox added:

- the standard library: a second `enum` or `numbers` splits `isinstance`, a second `logging` doubles
  handlers;
- top-level packages with an extension module loaded, whole: compiled code keeps references to the
  Python classes of its package, and some can be initialized only once in a process
  (https://docs.python.org/3/howto/isolating-extensions.html, section "Opt-Out: Limiting to One
  Module Object per Process"). Keeping the extension alone leaves such a package half initialized.
  An extension package goes with the package that it is named after: `pydantic_core` with
  `pydantic`, `_cffi_backend` with `cffi`;
- pytest's own packages and those of the registered plugins: pytest imports parts of itself only
  when a test fails;
- what the user named;
- and what all of these brought along while they were loading or hold on to.

A module is an extension if its spec says so: built into the interpreter, or found by the loader for
shared libraries (https://docs.python.org/3/library/importlib.html#importlib.machinery.ExtensionFileLoader).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, KeysView, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final

from pytest_importsandbox._core.modules import (
    MISSING,
    bind,
    is_extension,
    is_imported_as,
    is_standard,
    namespace,
)
from pytest_importsandbox._core.names import in_tree, parents, top_level, tree

_PYTEST: Final = ("_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments")


def _is_genuine(name: str, module: object) -> bool:
    """Whether import made a module under its name, or its package has it there: no fake of a test."""
    if is_imported_as(name, module):
        return True
    package, _, child = name.rpartition(".")
    return package != "" and (namespace(sys.modules.get(package)) or {}).get(child, MISSING) is module


def _named_after(package: str) -> Iterable[str]:
    """The package itself and those that an extension package is named after."""
    yield package
    stem = package.lstrip("_")
    while "_" in stem:
        stem = stem.rpartition("_")[0]
        yield stem


class ExtensionPackages:
    """The top-level packages that have an extension module loaded, or had one in this process."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def look_at(self, names: Iterable[str], modules: Mapping[str, Any]) -> None:
        """Remember which packages have extensions among some modules.

        None is forgotten: what was loaded once per process stays so when its module is gone.
        """
        for name in names:
            module = modules.get(name)
            if is_extension(module) and not is_standard(module):
                self._names.update(_named_after(top_level(name)))


class Store:
    """The preserved modules, and what is needed to hand them back."""

    def __init__(self, extension_packages: ExtensionPackages) -> None:
        self.modules: dict[str, Any] = {}
        """All preserved modules, by name."""
        self.plugin_packages: set[str] = set(_PYTEST)
        """Top-level packages of pytest and of the registered plugins."""
        self.extension_packages = extension_packages
        self._brought_along: dict[str, list[str]] = {}
        """What was loaded while a module was loading; emptied when the outermost sandbox ends."""
        self._needed: dict[str, set[str]] = {}
        """By preserved module: what it brought along or holds on to."""
        self._bound: dict[str, Any] = {}
        """By preserved submodule: what its package, if that is not preserved, has under its name."""
        self._groups: dict[str, dict[str, Any]] = {}
        """By preserved module: all that comes back with it; emptied when another module is kept."""

    def note_brought_along(self, importer: str, name: str) -> None:
        """Note that a module is loaded while another one is loading."""
        self._brought_along.setdefault(importer, []).append(name)

    def keep(
        self,
        added: Mapping[str, Any],
        originals: Mapping[str, Any],
        named: Iterable[str],
        temporary: Iterable[str],
    ) -> None:
        """Keep those of the added modules that must run only once.

        `originals` are the modules of the snapshot. A module that has an original there or here, or
        whose package has, is a fresh copy and temporary. `temporary` names packages of which nothing
        but compiled code is kept.
        """
        new = {
            name: module
            for name, module in added.items()
            if type(name) is str
            and _is_genuine(name, module)
            and not any(self._is_copy(each, added, originals) for each in (name, *parents(name)))
        }
        if not new:
            return
        self.extension_packages.look_at(new, new)
        kept = {
            name
            for name, module in new.items()
            if self.reason(name, module, named) is not None
            and (is_extension(module) or not in_tree(name, temporary))
        }
        self._add_what_they_need(kept, new)
        lasting = {**self.modules, **originals}
        for name in new:
            if name in kept:
                self._keep(name, new[name], lasting)
        self._groups.clear()

    def _is_copy(self, name: str, added: Mapping[str, Any], originals: Mapping[str, Any]) -> bool:
        """Whether a name stands for another object than the first one of that name."""
        if name not in added:
            return False
        original = self.modules.get(name, originals.get(name))
        return original is not None and original is not added[name]

    def reason(self, name: str, module: object, named: Iterable[str]) -> str | None:
        """Why a module must run only once, or None."""
        package = top_level(name)
        if is_standard(module):
            return "it belongs to the standard library"
        if package in self.extension_packages:
            return f"{package!r} has extension modules"
        if package in self.plugin_packages:
            return f"{package!r} belongs to pytest or a plugin"
        if in_tree(name, named):
            return "it is named in the settings"
        return None

    def _add_what_they_need(self, kept: set[str], new: Mapping[str, Any]) -> None:
        """Add what the kept modules brought along or hold on to, and the parents of all."""
        by_identity = {id(module): name for name, module in new.items()}
        pending = list(kept)
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            needed = self._needed[name] = _held(new[name], by_identity)
            needed.update(self._brought_along.get(name, ()))
            unseen = {name, *needed} - seen
            seen |= unseen
            found = {each for every in unseen for each in (every, *parents(every))}
            found = {each for each in found if each in new and each not in kept}
            kept |= found
            pending += found

    def _keep(self, name: str, module: object, lasting: Mapping[str, Any]) -> None:
        """Keep a module, and what it is called by its package, if that is older and forgets it."""
        self.modules[name] = module
        package, _, child = name.rpartition(".")
        attributes = namespace(lasting.get(package)) if package else None
        if attributes is not None and child in attributes:
            self._bound[name] = attributes[child]

    def forget_notes(self) -> None:
        """Forget who loaded what: the modules are gone or kept."""
        self._brought_along.clear()

    def group(self, name: str) -> dict[str, Any]:
        """All modules that are back in place once a preserved module is imported."""
        if name not in self._groups:
            self._groups[name] = self._gather(name)
        return self._groups[name]

    def _gather(self, name: str) -> dict[str, Any]:
        found = {name}
        pending = [name]
        whole: set[str] = set()
        while pending:
            each = pending.pop()
            needed = {*self._needed.get(each, ()), *parents(each)}
            package = top_level(each)
            if package not in whole and not is_standard(self.modules[each]):
                whole.add(package)
                needed.update(tree(self.modules, package))
            for another in (needed & self.modules.keys()) - found:
                found.add(another)
                pending.append(another)
        return {each: module for each, module in self.modules.items() if each in found}

    def bind(self, names: KeysView[str], note: Callable[[str], None]) -> None:
        """Set the attributes on parent packages that were there before."""
        for name in names & self._bound.keys():
            note(name)
            bind(name, self._bound[name])


def _held(module: object, by_identity: Mapping[int, str]) -> set[str]:
    """Names of the modules that a module's namespace refers to."""
    values = list((namespace(module) or {}).values())
    found: set[Any] = set(filter(None, map(by_identity.get, map(id, values))))
    for value in values:
        kind = type(value)
        if kind is FunctionType or kind is BuiltinFunctionType:
            name = value.__module__
        elif issubclass(kind, type):
            name = _module_of_class(value)
        else:
            continue
        if type(name) is str:
            found.add(name)
    return found


def _module_of_class(value: type) -> object:
    """The `__module__` of a class, read without running code of its metaclass."""
    try:
        return type.__getattribute__(value, "__module__")
    except Exception:
        return None
