"""Preserved modules: which modules must run only once, and the store that can hand them back.

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

Of each module it is the first copy that was imported unhindered: while nothing was evicted or blocked.
Nothing that lies in a temporary package is preserved, unless the user named it.

In the sandbox of a test module all other modules are kept as well, to be *shared* with other test modules:
they are handed back where they would turn out the same, and run again everywhere else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from operator import is_
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any, Final

from pytest_importsandbox._core.cpython import directories, find_imports
from pytest_importsandbox._core.modules import (
    MISSING,
    defining_module,
    is_extension,
    is_extension_spec,
    is_imported_as,
    is_loading,
    is_standard,
    is_standard_spec,
    namespace,
    spec_of,
)
from pytest_importsandbox._core.names import in_tree, parents, top_level

_PYTEST: Final = ("_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments")


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


def _named_after(package: str) -> Iterator[str]:
    """The package itself and those that an extension package is named after."""
    yield package
    stem = package.lstrip("_")
    while "_" in stem:
        stem = stem.rpartition("_")[0]
        yield stem


@dataclass(slots=True)
class Imports:
    """What is known of the imports in some sandboxes, beside the modules that they made."""

    named: tuple[str, ...] = ()
    """What the user named as having to run only once."""
    shares: bool = False
    """Whether what need not run only once is to be shared between test modules."""
    asked: set[str] = field(default_factory=set)
    """All names that finders were asked for."""
    again: set[str] = field(default_factory=set)
    """Those that had been loaded before, so that somebody took them away."""
    hindered: set[str] = field(default_factory=set)
    """Those that were asked for while something was evicted or blocked."""
    fakes: dict[str, frozenset[str]] = field(default_factory=dict)
    """The fakes that were in place when a name was asked for, if there were any."""


@dataclass(slots=True, eq=False)
class Preserved:
    """A preserved or shared module, and what its first import did to the import state."""

    module: Any
    kind: type
    """The class of the module when it was kept: `importlib.util.LazyLoader` changes it."""
    spec: Any
    loader: Any
    asked: set[str]
    """What it asked the finders for while it was loading, found or not."""
    needed: set[str]
    """The modules that it had loaded by then, and those that it holds on to."""
    seen: dict[str, Any]
    """What it got for the names that it asked for, and its packages: modules, or `MISSING`."""
    position: int
    """Its place in the order in which modules were kept."""
    is_shared: bool
    """Whether it may run again elsewhere."""
    imports: set[str] | None = None
    """What it asks for, by its code as well; known when somebody needed to know."""
    bound: Any = MISSING
    """What its package has under its name, if that is to be bound again."""
    finders: list[tuple[str, Any, bool]] = field(default_factory=list)
    """What it put into a list of `sys`: the list's name, the entry, and whether it goes to the front."""


@dataclass(slots=True, eq=False)
class Footprint:
    """All that is back in place once a preserved module is imported."""

    modules: dict[str, Any]
    bound: dict[str, Any]
    """Attributes of packages, by the name of the submodule."""
    finders: list[tuple[str, Any, bool]]
    answers: dict[frozenset[str], bool] = field(default_factory=dict)
    """Whether one of the packages asks for one of certain others, as far as that was needed."""
    environments: list[Environment] = field(default_factory=list)
    """Where all of the shared modules have been found in the same files."""

    def without(self, roots: Iterable[str]) -> Footprint:
        """The same without some packages."""
        modules = {name: module for name, module in self.modules.items() if not in_tree(name, roots)}
        bound = {name: value for name, value in self.bound.items() if name in modules}
        return Footprint(modules, bound, self.finders)

    def within(self, root: str) -> Footprint:
        """A module with those below it alone."""
        modules = {name: module for name, module in self.modules.items() if in_tree(name, (root,))}
        return Footprint(modules, {}, [])


class Store:
    """The preserved modules, and what is needed to hand them back."""

    def __init__(self, extension_packages: ExtensionPackages) -> None:
        self.extension_packages: Final = extension_packages
        self.modules: Final[dict[str, Any]] = {}
        """All preserved modules, by name."""
        self.plugin_packages: Final[set[str]] = set(_PYTEST)
        """Top-level packages of pytest and of the registered plugins."""
        self.late_finders: Final[list[tuple[str, str, Any, bool]]] = []
        """What preserved modules put into a list of `sys`, in order, each with the name of its module."""
        self.temporary_directories: Final[set[str]] = set()
        """The directories of temporary packages."""
        self._preserved: Final[dict[str, Preserved]] = {}
        self._asked: Final[dict[str, set[str]]] = {}
        """What modules asked for while they were loading; emptied when no sandbox is open."""
        self._footprints: Final[dict[str, Footprint]] = {}
        """Those that were asked for, by module; emptied when a module is kept that an older one needs."""
        self._awaited: Final[set[str]] = set()
        """What kept modules need that is not kept."""

    def __contains__(self, name: str) -> bool:
        return name in self._preserved

    def __getitem__(self, name: str) -> Preserved:
        return self._preserved[name]

    def note_asked(self, importer: str, name: str) -> None:
        """Note that a module asks for another one while it is loading."""
        self._asked.setdefault(importer, set()).add(name)

    def forget_asked(self) -> None:
        """Forget who asked for what: the modules are gone or kept."""
        self._asked.clear()

    def keep(self, added: Mapping[str, Any], originals: Mapping[str, Any], imports: Imports) -> list[str]:
        """Keep those of the added modules that must run only once or can be shared; return their names.

        `originals` are the modules of the snapshot. What has an original there or here, or lies in a
        package that has, is a fresh copy and not kept; nor is what was hindered when it was
        imported, or is left of a package that failed, but for compiled code, which cannot be loaded
        twice.
        """
        new = {
            name: module
            for name, module in added.items()
            if type(name) is str
            # First, since it is cheap and all that a fresh copy has to be asked.
            and not self._is_replaced(name, added, originals)
            and is_genuine(name, module)
            and not is_loading(module)
            and (in_tree(name, imports.named) or not self._is_temporary(spec_of(module)))
        }
        if not new:
            return []
        self.extension_packages.look_at(new, new)
        unhindered = {
            name: module
            for name, module in new.items()
            if name not in imports.hindered
            and not any(self._is_replaced(each, added, originals) for each in parents(name))
            # A package that is gone has failed, and runs again with all of its parts.
            and all(each in added or each in originals or each in self.modules for each in parents(name))
        }
        kept = {
            name
            for name, module in unhindered.items()
            if self.must_run_once(name, spec_of(module), imports.named)
        }
        self._add_what_they_need(kept, unhindered)
        kept.update(name for name, module in new.items() if is_extension(module))
        shared = self._shareable(unhindered, kept, added, imports) if imports.shares else set()
        names = [name for name in new if name in kept or name in shared]
        by_identity = {id(module): name for name, module in {**self.modules, **new}.items()}
        for name in names:
            self._keep(name, new[name], by_identity, is_shared=name not in kept)
        modules = {**originals, **self.modules}
        for name in names:
            if name not in imports.asked:
                self._credit_to_package(name)
        closures: dict[str, set[str]] = {}
        for name in names:
            self._note_binding(name, modules, closures)
        return names

    def _shareable(
        self,
        unhindered: Mapping[str, Any],
        kept: Container[str],
        added: Mapping[str, Any],
        imports: Imports,
    ) -> set[str]:
        """Those modules that have nothing to do with fakes, or with copies that only one test module has."""
        by_identity = {id(module): name for name, module in added.items()}
        needs = {
            name: {
                *held(name, module, by_identity),
                *(each for asked in self._asked.get(name, ()) for each in (asked, *parents(asked))),
                *parents(name),
            }
            for name, module in unhindered.items()
            if name not in kept
        }
        touched = {name for name in added if name not in unhindered} | imports.again
        touched |= {
            name
            for name in needs
            if (fakes := imports.fakes.get(name)) and self._asks_for_any(name, unhindered[name], fakes)
        }
        shared = needs.keys() - touched
        while found := {name for name in shared if needs[name] & touched}:
            touched |= found
            shared -= found
        return shared

    def _asks_for_any(self, name: str, module: object, roots: Iterable[str]) -> bool:
        """Whether a module that is not kept asked for certain packages."""
        loader = (namespace(module) or {}).get("__loader__")
        asked = self._asked.get(name, set()) | imports_in_code(name, loader)
        return any(in_tree(each, roots) for each in asked)

    def puts_finders_once(self, name: str, named: Iterable[str]) -> bool:
        """Whether a package that is not preserved puts a finder in place once, and relies on it."""
        return top_level(name) in self.extension_packages or in_tree(name, named)

    def keep_finder(self, name: str, attribute: str, entry: object, *, front: bool) -> None:
        """Keep an entry that a preserved module put into a list of `sys`."""
        if is_standard(self.modules[name]) or top_level(name) in self.plugin_packages:
            # These only lend their classes to tests.
            return
        finders = self._preserved[name].finders
        if not any(each is entry for _, each, _ in finders):
            finders.append((attribute, entry, front))
            self.late_finders.append((name, attribute, entry, front))
            self._footprints.clear()

    def _is_replaced(self, name: str, added: Mapping[str, Any], originals: Mapping[str, Any]) -> bool:
        """Whether a name stands for another object than the first one of that name."""
        if name not in added:
            return False
        original = self.modules.get(name, originals.get(name))
        return original is not None and original is not added[name]

    def _is_temporary(self, spec: Mapping[str, Any]) -> bool:
        """Whether a module with this spec lies in a temporary package."""
        directories = tuple(self.temporary_directories)
        places = [spec.get("origin"), *_locations(spec)]
        return any(type(each) is str and each.startswith(directories) for each in places)

    def must_run_once(self, name: str, spec: Mapping[str, Any], named: Iterable[str]) -> bool:
        """Whether a module with this spec must run only once, for a reason of its own."""
        package = top_level(name)
        return (
            is_standard_spec(spec)
            or package in self.extension_packages
            or package in self.plugin_packages
            or in_tree(name, named)
        )

    def will_run_once(self, name: str, spec: Mapping[str, Any], named: Iterable[str]) -> bool:
        """The same for a module that was found, but not loaded: its directory tells."""
        if self._is_temporary(spec):
            return in_tree(name, named)
        return (
            self.must_run_once(name, spec, named)
            or is_extension_spec(spec)
            or any(_has_extensions(each) for each in _locations(spec))
        )

    def _add_what_they_need(self, kept: set[str], new: Mapping[str, Any]) -> None:
        """Add what the kept modules asked for or hold on to, and the parents of all."""
        by_identity = {id(module): name for name, module in {**self.modules, **new}.items()}
        pending = list(kept)
        while pending:
            name = pending.pop()
            needed = held(name, new[name], by_identity) | self._asked.get(name, set()) | {name}
            found = {each for every in needed for each in (every, *parents(every))}
            for each in found & self._preserved.keys():
                self._share_no_more(each)
            found = {each for each in found if each in new and each not in kept}
            kept |= found
            pending += found

    def _share_no_more(self, name: str) -> None:
        """Let a shared module run only once from now on, with all that it needs."""
        if self._preserved[name].is_shared:
            for each in self._closure(name):
                self._preserved[each].is_shared = False

    def _keep(self, name: str, module: object, by_identity: Mapping[int, str], *, is_shared: bool) -> None:
        attributes = namespace(module) or {}
        asked = self._asked.get(name, set()).copy()
        needed = (asked & sys.modules.keys()) | held(name, module, by_identity)
        self.modules[name] = module
        self._preserved[name] = Preserved(
            module,
            type(module),
            attributes.get("__spec__"),
            attributes.get("__loader__"),
            asked,
            needed - {name},
            {each: sys.modules.get(each, MISSING) for each in (*asked, *parents(name))},
            len(self._preserved),
            is_shared,
        )
        self._awaited.update(needed - self._preserved.keys())
        if name in self._awaited:
            self._awaited.discard(name)
            self._footprints.clear()

    def _credit_to_package(self, name: str) -> None:
        """Let a submodule come back with its package, which has made it: no finder was asked for it."""
        package, _, child = name.rpartition(".")
        if package in self._preserved and child in (namespace(self.modules[package]) or {}):
            self._preserved[package].needed.add(name)
            self._footprints.clear()

    def _note_binding(self, name: str, modules: Mapping[str, Any], closures: dict[str, set[str]]) -> None:
        """Note what a submodule is called by its package, unless it comes back with it."""
        package, _, child = name.rpartition(".")
        attributes = namespace(modules.get(package)) if package else None
        if attributes is None or child not in attributes:
            return
        if package in self._preserved and package not in closures:
            closures[package] = self._closure(package)
        if name not in closures.get(package, ()):
            self._preserved[name].bound = attributes[child]

    def is_separate(self, name: str) -> bool:
        """Whether a submodule was imported on its own, so that its package comes back without it."""
        return self._preserved[name].bound is self.modules[name]

    def footprint(self, name: str) -> Footprint:
        """All that is back in place once a preserved module is imported."""
        if name not in self._footprints:
            found = sorted(self._closure(name), key=lambda each: self._preserved[each].position)
            kept = {each: self._preserved[each] for each in found}
            self._footprints[name] = Footprint(
                {each: self.modules[each] for each in found},
                {each: preserved.bound for each, preserved in kept.items() if preserved.bound is not MISSING},
                [finder for preserved in kept.values() for finder in preserved.finders],
            )
        return self._footprints[name]

    def _closure(self, name: str) -> set[str]:
        """A preserved module with all that it needs."""
        found = {name}
        pending = [name]
        while pending:
            each = pending.pop()
            needed = {*self._preserved[each].needed, *parents(each)}
            new = (needed & self._preserved.keys()) - found
            found |= new
            pending += new
        return found

    def asks_for_any(self, footprint: Footprint, roots: frozenset[str]) -> bool:
        """Whether a module that comes back, or another one of its package, asks for certain packages."""
        if roots not in footprint.answers:
            packages = {top_level(name) for name in footprint.modules}
            footprint.answers[roots] = any(
                in_tree(asked, roots)
                for name, preserved in self._preserved.items()
                if top_level(name) in packages
                for asked in _all_imports(name, preserved)
            )
        return footprint.answers[roots]

    def turns_out_the_same(self, name: str, environment: Environment) -> bool:
        """Whether a shared module, run again here, would get what it got, and come from the same file."""
        footprint = self.footprint(name)
        if any(sys.modules.get(each, module) is not module for each, module in footprint.modules.items()):
            return False
        shared = {
            each: self._preserved[each] for each in footprint.modules if self._preserved[each].is_shared
        }
        if not all(
            self._gets_the_same(asked, seen) for each in shared.values() for asked, seen in each.seen.items()
        ):
            return False
        if environment.is_among(footprint.environments):
            return True
        if not all(self._is_found_again(each, preserved, environment) for each, preserved in shared.items()):
            return False
        footprint.environments.append(environment)
        return True

    def _gets_the_same(self, name: str, seen: object) -> bool:
        """Whether importing a name gives what it gave, as far as that is known without looking for a file."""
        now = sys.modules.get(name, MISSING)
        return now is seen or (now is MISSING and self.modules.get(name) is seen)

    def _is_found_again(self, name: str, preserved: Preserved, environment: Environment) -> bool:
        """Whether a module comes from the same file here, and what it did not find is not found."""
        package, spec = name.rpartition(".")[0], spec_of(preserved.module)
        found = namespace(environment.find(name, package)) if not package else spec
        return (
            found is not None
            and found.get("origin") == spec.get("origin")
            and (spec.get("origin") is not None or _locations(found) == _locations(spec))
            and not any(
                environment.find(each, each.rpartition(".")[0])
                for each, seen in preserved.seen.items()
                if seen is MISSING
            )
        )


class Environment:
    """Where modules are looked for at one moment: the entries of `sys.path` and the finders."""

    def __init__(self, find: Callable[[str, Any], ModuleSpec | None]) -> None:
        self._find = find
        self._path = [each for each in sys.path if type(each) is str]
        self._finders = [*sys.meta_path, *sys.path_hooks]

    def is_among(self, others: Iterable[Environment]) -> bool:
        """Whether one of some environments is the same."""
        return any(
            each is self
            or (
                each._path == self._path
                and len(each._finders) == len(self._finders)
                and all(map(is_, each._finders, self._finders))
            )
            for each in others
        )

    def find(self, name: str, package: str) -> ModuleSpec | None:
        """Where a module would be found, without importing its package."""
        path = (namespace(sys.modules.get(package)) or {}).get("__path__") if package else None
        return None if package and path is None else self._find(name, path)


def _all_imports(name: str, preserved: Preserved) -> set[str]:
    """What a preserved module asks for, by what it asked finders for and by its code."""
    if preserved.imports is None:
        preserved.imports = preserved.asked | imports_in_code(name, preserved.loader)
    return preserved.imports


def is_genuine(name: str, module: object) -> bool:
    """Whether import made a module under its name, or its package has it there: no fake of a test."""
    if is_imported_as(name, module):
        return True
    package, _, child = name.rpartition(".")
    return package != "" and (namespace(sys.modules.get(package)) or {}).get(child, MISSING) is module


def _locations(spec: Mapping[str, Any]) -> list[Any]:
    """Where the submodules of a package are searched."""
    locations = spec.get("submodule_search_locations")
    return locations if type(locations) is list else directories(locations)


def _has_extensions(directory: object) -> bool:
    """Whether there is an extension module anywhere below a directory."""
    return type(directory) is str and any(
        file.endswith(tuple(EXTENSION_SUFFIXES)) for _, _, files in os.walk(directory) for file in files
    )


def held(name: str, module: object, by_identity: Mapping[int, str]) -> set[str]:
    """Names of the modules that a module's namespace refers to, but for its own submodules.

    Import binds these, whoever asks for them; what the module itself asked for is noted elsewhere.
    """
    found: set[str] = set()
    for attribute, value in list((namespace(module) or {}).items()):
        kind = type(value)
        if id(value) in by_identity:
            holder: object = by_identity[id(value)]
            if holder == f"{name}.{attribute}":
                continue
        elif kind is BuiltinFunctionType:
            holder = value.__module__
        elif kind is FunctionType or issubclass(kind, type):
            holder = defining_module(value)
        else:
            continue
        if type(holder) is str:
            found.add(holder)
    return found


def imports_in_code(name: str, loader: Any) -> set[str]:
    """What the import statements in a module's code ask for, those in its functions included."""
    try:
        pending = [loader.get_code(name)]
        package = name if loader.is_package(name) else name.rpartition(".")[0]
    except Exception:
        return set()
    found: set[str] = set()
    while pending:
        code = pending.pop()
        if not isinstance(code, CodeType):
            continue
        pending += [each for each in code.co_consts if isinstance(each, CodeType)]
        for imported, level, attributes in find_imports(code):
            base = package.rsplit(".", level - 1)[0] if level else ""
            asked = ".".join(filter(None, (base, imported)))
            found.update((asked, *(f"{asked}.{each}" for each in attributes or ())))
    return found
