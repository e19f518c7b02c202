"""From what an interpreter has recorded to the effects of the import."""

from __future__ import annotations

import dis
import os
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.abc import InspectLoader
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType

from pytest_importsandbox._effects.interpreter import Outcome
from pytest_importsandbox._effects.model import KINDS, Effect, ImportEffects, LoadedModule

# A module, its file and a line, as the observer writes it.
Line = tuple[str, str, int]

# The kinds of which only the outcome counts: what was set and set back is no effect.
_STATE = ("environ", "cwd", "path", "meta_path", "path_hooks", "handlers", "patched")
# How `warnings` shows one: https://docs.python.org/3/library/warnings.html#warnings.formatwarning
_WARNING = re.compile(
    r"^(?P<file>.+?):(?P<line>\d+): (?P<category>\w*Warning\w*): (?P<message>.*)$", re.MULTILINE
)


def effects_of(
    outcome: Outcome, names: Sequence[str], environ: Mapping[str, str], timeout: float
) -> ImportEffects:
    """Read what was recorded.

    :param outcome: What is left of the interpreter.
    :param names: What it was to import.
    :param environ: The environment that it started with.
    :param timeout: How many seconds it had.
    """
    reader = _Reader(environ)
    for kind, *content in outcome.records:
        # One method for each kind of record.
        getattr(reader, f"read_{kind}")(*content)
    return reader.effects(outcome, tuple(names), timeout)


class _Reader:
    """Takes records in, one after the other."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._preloaded: tuple[str, ...] = ()
        self._encoding = "utf-8"
        self._began: list[tuple[str, Line]] = []
        self._modules: dict[str, LoadedModule] = {}
        self._files: dict[str, str] = {}
        self._found: dict[str, list[Effect]] = {kind: [] for kind in KINDS}
        self._written: list[tuple[str, list[int]]] = []
        self._running: list[str] = []
        self._error = ""
        self._seconds: float | None = None

    def read_start(self, preloaded: list[str], encoding: str) -> None:
        self._preloaded, self._encoding = tuple(preloaded), encoding

    def read_begin(self, name: str, line: Line) -> None:
        self._began.append((name, line))

    def read_end(self, name: str, loaded: bool, seconds: float, self_seconds: float, file: str) -> None:
        position = max(number for number, (begun, _) in enumerate(self._began) if begun == name)
        _, line = self._began.pop(position)
        self._files[name] = file
        # A package can be asked for by a module that it imports itself: only one of the two loads it.
        if loaded and name not in self._modules:
            self._modules[name] = LoadedModule(name, seconds, self_seconds, line[0], _short_place(line))

    def read_effect(
        self, kind: str, what: str, how: str, before: str | None, after: str | None, module: str, line: Line
    ) -> None:
        self._found[kind].append(Effect(what, how, before, after, module, _short_place(line)))

    def read_output(self, module: str, written: list[int]) -> None:
        self._written.append((module, written))

    def read_alive(self, numbers: list[int]) -> None:
        threads = self._found["threads"]
        threads[:] = [
            replace(thread, after="alive" if number in numbers else "ended")
            for number, thread in enumerate(threads)
        ]

    def read_running(self, commands: list[str]) -> None:
        processes = self._found["processes"]
        for command in commands:
            for number, process in enumerate(processes):
                if process.what == command and process.after is None:
                    processes[number] = replace(process, after="running")
                    break
            else:
                processes.append(Effect(command, "started", None, "running", "", ""))

    def read_loaded(self, names: list[str]) -> None:
        for name in names:
            if name not in self._preloaded and name not in self._modules:
                self._modules[name] = LoadedModule(name, 0.0, 0.0, "", "")

    def read_missed(self, what: str) -> None:
        """The observer was hindered; what there is to see was seen by then."""

    def read_error(self, error: str) -> None:
        self._error = error

    def read_done(self, seconds: float) -> None:
        self._seconds = seconds

    def effects(self, outcome: Outcome, names: tuple[str, ...], timeout: float) -> ImportEffects:
        """All that was read."""
        self._found["stdout"] = list(self._output(outcome.stdout, 0))
        self._found["stderr"] = list(self._output(outcome.stderr, 1))
        self._read_warnings()
        self._found["environ"] = list(self._variables())
        for kind in _STATE:
            self._found[kind] = list(_outcome_of(self._found[kind]))
        self._found["patched"] = [each for each in self._found["patched"] if not _sets_itself(each.what)]
        found = {kind: tuple(map(self._with_place, _once(effects))) for kind, effects in self._found.items()}
        seconds = self._seconds
        if seconds is None:
            seconds = sum(module.self_seconds for module in self._modules.values())
        return ImportEffects(
            names=names,
            modules=tuple(self._modules.values()),
            preloaded=self._preloaded,
            seconds=seconds,
            error=self._error or self._why_unfinished(outcome, timeout),
            **found,
        )

    def _output(self, content: bytes, stream: int) -> Iterator[Effect]:
        """What was written to standard output (0) or standard error (1), by the module that wrote it."""
        pieces: list[tuple[str, int]] = []
        for module, ends in [*self._written, ("", [len(content)] * 2)]:
            end = ends[stream]
            if pieces and pieces[-1][0] == module:
                pieces[-1] = (module, end)
            elif end > (pieces[-1][1] if pieces else 0):
                # What came last was written by whoever was interrupted.
                pieces.append((module or self._unfinished(), end))
        start = 0
        for module, end in pieces:
            text = content[start:end].decode(self._encoding, "replace").replace("\r\n", "\n")
            yield Effect(text, "written", None, None, module, "")
            start = end

    def _read_warnings(self) -> None:
        """Find the warnings in what was written to standard error."""
        names = {file: name for name, file in self._files.items()}
        shown = set()
        for written in self._found["stderr"]:
            for match in _WARNING.finditer(written.what):
                file, line = match["file"], int(match["line"])
                shown.add(file)
                place = _short_place((names.get(file, ""), file, line))
                self._found["warnings"].append(
                    Effect(match["message"], match["category"], None, None, written.module, place)
                )
        # The line that goes with a warning was read from the file by Python.
        self._found["files_read"] = [each for each in self._found["files_read"] if each.what not in shown]

    def _variables(self) -> Iterator[Effect]:
        """What happened to environment variables, each time with what was there before."""
        values: dict[str, str | None] = dict(self._environ)
        for each in self._found["environ"]:
            yield replace(each, before=values.get(each.what))
            values[each.what] = each.after

    def _with_place(self, effect: Effect) -> Effect:
        """An effect of which no line is known, with the file of the module."""
        file = self._files.get(effect.module)
        return (
            replace(effect, place=_short_place((effect.module, file, 0)))
            if file and not effect.place
            else effect
        )

    def _unfinished(self) -> str:
        """The module that was being loaded in the end."""
        return self._began[-1][0] if self._began else ""

    def _why_unfinished(self, outcome: Outcome, timeout: float) -> str:
        """Why the import did not come to its end, if it did not."""
        if self._seconds is not None and not outcome.timed_out:
            return ""
        while_importing = ""
        if self._began:
            name, line = self._began[-1]
            place = f" ({_short_place(line)})" if line[0] else ""
            while_importing = f" while importing {name}{place}"
        if outcome.timed_out:
            return f"the import was not over after {timeout:g} seconds{while_importing}"
        if not outcome.records:
            return f"the interpreter did not start:\n{_decoded(outcome.stderr)}"
        return f"the interpreter {_ended(outcome.status)}{while_importing}"


def _ended(status: int) -> str:
    """How a process ended, from its exit status."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    # Real-time signals have no name.
    except ValueError:
        return f"was killed by signal {-status}"


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "replace").strip()


def _short_place(line: Line) -> str:
    """A place with as much of the path as tells modules of a package apart."""
    module, file, number = line
    if not module and not file:
        return ""
    parts = re.split(r"[/\\]", file)
    # A module that is in no package has no directory to tell.
    depth = 1 if module and "." not in module and not parts[-1].startswith("__init__.") else 2
    place = "/".join(parts[-depth:]) or module
    return f"{place}:{number}" if number else place


def _outcome_of(effects: Iterable[Effect]) -> Iterator[Effect]:
    """Changes of state without those in between, and without what is in the end as it was."""
    groups: dict[tuple[str, str | None], list[Effect]] = {}
    for number, each in enumerate(effects):
        entry = (each.before or each.after) if each.what in _LISTS else None
        # Of some, nothing is known but that they happened.
        key = str(number) if each.before is None and each.after is None else each.what
        groups.setdefault((key, entry), []).append(each)
    for group in groups.values():
        first, last = group[0], group[-1]
        place = next((each.place for each in reversed(group) if each.place), "")
        if len(group) > 1 and first.before == last.after:
            continue
        how = last.how
        if first.before is None and last.after is not None:
            how = "added"
        elif first.before is not None and last.after is None:
            how = "removed"
        yield replace(last, how=how, before=first.before, place=place)


# What has several entries under one name.
_LISTS = frozenset(
    {"atexit", "codecs", "gc.callbacks", "logging root filters", "logging root handlers", "warnings.filters"}
)


def _once(effects: Iterable[Effect]) -> Iterable[Effect]:
    """Effects without repetitions: a file may be read twice by one line."""
    return dict.fromkeys(effects)


def _sets_itself(what: str) -> bool:
    """Whether an attribute is one that functions of its own module set: its state, and no patch."""
    module, _, attribute = what.rpartition(".")
    return attribute in _globals_set_by(module)


@cache
def _globals_set_by(module: str) -> frozenset[str]:
    """The global variables that functions of a module of the standard library set."""
    *packages, _ = module.split(".")
    directory = str(Path(os.__file__).parent.joinpath(*packages))
    # Not `importlib.util.find_spec()`, which would import the packages.
    spec = PathFinder.find_spec(module, [directory])
    loader = spec and spec.loader
    code = loader.get_code(module) if isinstance(loader, InspectLoader) else None
    return frozenset(_stored_globals(code)) if code is not None else frozenset()


def _stored_globals(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _stored_globals(constant)
