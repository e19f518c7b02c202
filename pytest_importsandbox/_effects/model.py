"""What an import does, as values: `ImportEffects`, what it consists of, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, Final, final

from pytest_importsandbox._effects.text import Painter, milliseconds, share, shortened

# The format of the files; a later version may have to write another one.
_FORMAT: Final = 1
_PACKAGES: Final = 10
_WIDTH: Final = 100


@final
@dataclass(frozen=True, slots=True, repr=False)
class LoadedModule:
    """A module that an import has loaded."""

    name: str
    """The absolute name."""
    seconds: float
    """How long it took to load, with all that was loaded meanwhile."""
    self_seconds: float
    """How long it took without these."""
    importer: str
    """The module whose statement asked for it; empty if that is not known."""
    place: str
    """That statement, such as ``formats/__init__.py:3``; empty if that is not known."""

    def __repr__(self) -> str:
        return f"<{self.name} {milliseconds(self.seconds)}{_aside(self.place)}>"


@final
@dataclass(frozen=True, slots=True, repr=False)
class Effect:
    """One thing that an import has done beside loading modules."""

    what: str
    """What it was done to: a path, an address, a command, a name."""
    how: str
    """What was done: ``read``, ``removed``, ``started``, ``changed`` and so on; the category of a warning."""
    before: str | None
    """What was there before; `None` if nothing was, or if there is no such thing."""
    after: str | None
    """What was there afterwards; `None` if nothing was, or if there is no such thing."""
    module: str
    """The module at whose import it happened, the innermost; empty if that is not known."""
    place: str
    """The innermost line that is not the standard library's, such as ``formats/__init__.py:3``.

    Without a number where the line is not known, and empty where the file is not known either.
    """

    def __str__(self) -> str:
        """What, how, and what was there before and afterwards, in one line."""
        values = " -> ".join(shortened(value) for value in (self.before, self.after) if value is not None)
        return f"{shortened(self.what)} {self.how}{': ' if values else ''}{values}"

    def __repr__(self) -> str:
        return f"<{self}{_aside(self.place or self.module)}>"


@final
@dataclass(frozen=True, repr=False)
class ImportEffects:
    """All that an import does to a new interpreter; made by `import_effects`.

    It is true if there is any effect beside `modules` and `shared_libraries`, and `str()` of it is a report.
    """

    names: tuple[str, ...]
    """What was imported."""
    modules: tuple[LoadedModule, ...] = ()
    """The modules that were loaded, in the order in which their loads were complete.

    Those that were put into `sys.modules` in another way than by import come last, without times.
    """
    preloaded: tuple[str, ...] = ()
    """The modules that were loaded before, by the interpreter and by `.pth` files."""
    seconds: float = 0.0
    """How long the import took, in seconds."""
    error: str = ""
    """The exception with its traceback, or what else went wrong; empty if nothing did."""
    files_read: tuple[Effect, ...] = ()
    """Files that were read, beside those that import itself reads."""
    files_written: tuple[Effect, ...] = ()
    """Files that were opened for writing, removed, renamed or changed otherwise."""
    directories: tuple[Effect, ...] = ()
    """Directories that were listed, made or removed."""
    network: tuple[Effect, ...] = ()
    """Connections, and names that were looked up."""
    processes: tuple[Effect, ...] = ()
    """Commands that were started; `after` is ``running`` if they had not ended with the import."""
    threads: tuple[Effect, ...] = ()
    """Threads that were started; `after` is ``alive`` or ``ended``."""
    environ: tuple[Effect, ...] = ()
    """Environment variables that have another value now."""
    cwd: tuple[Effect, ...] = ()
    """The working directory, if it is another one."""
    path: tuple[Effect, ...] = ()
    """Entries of `sys.path` that came, went or moved; `before` and `after` are positions."""
    meta_path: tuple[Effect, ...] = ()
    """The same of `sys.meta_path`."""
    path_hooks: tuple[Effect, ...] = ()
    """The same of `sys.path_hooks`."""
    warnings: tuple[Effect, ...] = ()
    """Warnings that were shown: `what` is the message and `how` the category."""
    stdout: tuple[Effect, ...] = ()
    """What was written to standard output: `what` is the text."""
    stderr: tuple[Effect, ...] = ()
    """What was written to standard error: `what` is the text."""
    handlers: tuple[Effect, ...] = ()
    """Handlers, hooks and settings of the interpreter and the standard library that are others now."""
    patched: tuple[Effect, ...] = ()
    """Attributes of modules of the standard library that are other objects now."""
    shared_libraries: tuple[Effect, ...] = ()
    """Extension modules, and libraries that were loaded by `ctypes`."""

    def __bool__(self) -> bool:
        return bool(self.error) or any(
            effects for kind, effects in self.by_kind() if kind != "shared_libraries"
        )

    def __repr__(self) -> str:
        counts = [f"{len(effects)} {kind}" for kind, effects in self.by_kind() if effects]
        failed = ["failed"] if self.error else []
        summary = ", ".join([f"{len(self.modules)} modules", *counts, *failed])
        return f"<ImportEffects of {', '.join(self.names)}: {summary}>"

    def __str__(self) -> str:
        return report(self)

    def by_kind(self) -> Iterator[tuple[str, tuple[Effect, ...]]]:
        """The effects other than loaded modules, by the name of the attribute."""
        for kind in KINDS:
            yield kind, getattr(self, kind)

    def chain(self, name: str) -> str:
        """Tell how a module came to be loaded.

        :param name: The name of a module or package.
        :returns:
            The way to the module, or to the first of its submodules if it was not loaded itself, such as
            ``inkhorn -> inkhorn.formats (formats/__init__.py:3) -> numpy``: each imported the next, the last
            one by the line in brackets. Empty if neither was loaded, or if they had been loaded before.
        """
        loaded = {module.name: module for module in self.modules}
        module = loaded.get(name) or next(
            (each for each in self.modules if each.name.startswith(f"{name}.")), None
        )
        if module is None:
            return ""
        way = [module.name]
        place = module.place
        while module is not None and module.importer and module.importer not in way:
            way.append(module.importer)
            module = loaded.get(module.importer)
        way.reverse()
        if place and len(way) > 1:
            way[-2] += f" ({place})"
        return " -> ".join(way)

    def dump(self, path: str | PathLike[str]) -> None:
        """Write all of it to a file, as JSON.

        :param path: The file, which is overwritten if it exists.
        """
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    def to_json(self) -> str:
        """All of it as JSON: an object with a key for each attribute."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ImportEffects:
        """Read what `dump` has written.

        :param path: The file.
        :raises ValueError: If the file holds anything else.
        :raises OSError: If it can't be read.
        """
        __tracebackhide__ = True
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError("it was written by another version")
            return cls(**{name: _value(name, value) for name, value in content.items()})
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise ValueError(
                f"{str(path)!r} does not hold import effects ({exc}); write it with ImportEffects.dump() "
                "or with --json"
            ) from None


KINDS: Final = tuple(field.name for field in fields(ImportEffects) if field.type == "tuple[Effect, ...]")
"""The attributes that hold effects."""


def report(effects: ImportEffects, *, colour: bool = False) -> str:
    """What an import did, kind by kind, and which packages it loaded.

    :param colour: Whether to colour it, for a terminal.
    """
    paint = Painter(colour)
    return "\n".join(_report(effects, paint))


def _report(effects: ImportEffects, paint: Painter) -> Iterator[str]:
    count = len(effects.modules)
    title = f"import {', '.join(effects.names)}"
    modules = "1 module" if count == 1 else f"{count} modules"
    yield f"{paint(title, 'bold')}: {modules} in {milliseconds(effects.seconds)}"
    if effects.error:
        yield ""
        yield paint("error", "red")
        yield from (f"  {line}" for line in effects.error.splitlines())
    for kind, found in effects.by_kind():
        if found:
            yield ""
            yield paint(kind.replace("_", " "), "dim" if kind == "shared_libraries" else "yellow")
            yield from (_line(effect, paint) for effect in found)
    if effects.modules:
        yield ""
        yield paint("packages", "dim")
        yield from _packages(effects, paint)


def _line(effect: Effect, paint: Painter) -> str:
    place = effect.place or effect.module
    return f"  {effect}{paint(f'  ({place})', 'dim') if place else ''}"


def _packages(effects: ImportEffects, paint: Painter) -> Iterator[str]:
    """The packages that took most of the time, each with the statement that asked for it first."""
    packages: dict[str, list[LoadedModule]] = {}
    for module in effects.modules:
        packages.setdefault(module.name.partition(".")[0], []).append(module)
    times = {name: sum(module.self_seconds for module in modules) for name, modules in packages.items()}
    slowest = sorted(times, key=times.__getitem__, reverse=True)
    total = sum(times.values())
    for name in slowest[:_PACKAGES]:
        chain = effects.chain(name)
        way = shortened(chain, _WIDTH) if " -> " in chain else ""
        count = len(packages[name])
        modules = f"  {count} modules" if count > 1 else ""
        aside = paint(f"  {way}" if way else "", "dim")
        yield f"  {share(times[name], total)}  {paint(name, 'bold')}{modules}{aside}"
    if len(slowest) > _PACKAGES:
        rest = slowest[_PACKAGES:]
        others = "1 other" if len(rest) == 1 else f"{len(rest)} others"
        yield f"  {share(sum(map(times.__getitem__, rest)), total)}  {others}"


def _aside(text: str) -> str:
    return f" ({text})" if text else ""


def _value(name: str, value: Any) -> Any:
    """The value of an attribute, from what JSON has made of it."""
    if name in KINDS:
        return tuple(Effect(**each) for each in value)
    if name == "modules":
        return tuple(LoadedModule(**each) for each in value)
    return tuple(value) if isinstance(value, list) else value
