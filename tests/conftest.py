"""What the tests of the project share."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import pytest_importsandbox

pytest_plugins = ["pytester"]

if hasattr(sys, "set_lazy_imports"):
    # The tests are written for this mode. What is loaded by now is as `-X lazy_imports=all` has left it.
    sys.set_lazy_imports("normal")

REGISTRIES = ("modules", "path", "meta_path", "path_hooks", "path_importer_cache")
INSTALLED = (
    *(sysconfig.get_path(each) + os.sep for each in ("stdlib", "platstdlib", "purelib", "platlib")),
    # Where they really are: the standard library can be a zip archive, too.
    str(Path(os.__file__).parent) + os.sep,
    str(Path(pytest.__file__).parents[1]) + os.sep,
    # An editable installation has it elsewhere.
    str(Path(pytest_importsandbox.__file__).parent) + os.sep,
)


class Picture:
    """The import state at one moment, taken and compared without the code under test.

    `roots` names the packages whose modules are looked into as well: their namespaces, and the search
    paths of those that are namespace packages.
    """

    def __init__(self, *roots: str) -> None:
        self.roots = roots
        self.containers = {name: getattr(sys, name) for name in REGISTRIES}
        self.modules = list(sys.modules.items())
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            # There the order is not put back.
            self.modules.sort(key=lambda item: str(item[0]))
        self.lists = {name: list(getattr(sys, name)) for name in ("path", "meta_path", "path_hooks")}
        self.cached_entries = set(sys.path_importer_cache)
        self.namespaces = {
            name: dict(object.__getattribute__(module, "__dict__"))
            for name, module in self.modules
            if isinstance(name, str)
            and name.partition(".")[0] in roots
            and issubclass(type(module), ModuleType)
        }
        self.search_paths = {
            name: list(attributes["__path__"].__dict__["_path"])
            for name, attributes in self.namespaces.items()
            if type(attributes.get("__path__")).__name__ == "_NamespacePath"
        }

    def differences(self) -> list[str]:
        """What is different now, one line each; objects are compared by identity."""
        now = Picture(*self.roots)
        found = [
            f"sys.{name} is another object"
            for name in REGISTRIES
            if now.containers[name] is not self.containers[name]
        ]
        names, before = [name for name, _ in now.modules], [name for name, _ in self.modules]
        if not same_names(names, before):
            came = [repr(name) for name in names if not contains(before, name)]
            went = [repr(name) for name in before if not contains(names, name)]
            found.append(f"sys.modules: {came or 'nothing'} came, {went or 'nothing'} went, or the order")
        elif not same_objects([module for _, module in now.modules], [module for _, module in self.modules]):
            found.append("sys.modules has other modules under the same names")
        found.extend(
            f"sys.{name} was {self.lists[name]} and is {now.lists[name]}"
            for name in self.lists
            if not same_objects(now.lists[name], self.lists[name])
        )
        if new_entries := now.cached_entries - self.cached_entries:
            found.append(f"sys.path_importer_cache has new entries: {sorted(new_entries)}")
        for name in self.namespaces.keys() & now.namespaces.keys():
            found.extend(
                f"{name}.{attribute} is not what it was"
                for attribute in self.namespaces[name].keys() | now.namespaces[name].keys()
                if self.namespaces[name].get(attribute, Picture)
                is not now.namespaces[name].get(attribute, Picture)
            )
        if now.search_paths != self.search_paths:
            found.append(f"the search paths were {self.search_paths} and are {now.search_paths}")
        return found


def same_objects(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(map(lambda left, right: left is right, one, other))


def same_names(one: list[Any], other: list[Any]) -> bool:
    """The same names, or the same objects where somebody used other keys."""
    return len(one) == len(other) and all(
        left is right or (type(left) is type(right) is str and left == right)
        for left, right in zip(one, other, strict=True)
    )


def contains(entries: list[Any], entry: object) -> bool:
    return any(each is entry for each in entries)


def pytest_configure(config: pytest.Config) -> None:
    """Have the finders in place from the beginning, and not from the first test that opens a sandbox."""
    from pytest_importsandbox._plugin.imports import take_part

    take_part(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    return (yield from _skip_what_the_platform_lacks())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    return (yield from _skip_what_the_platform_lacks())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Give each reason to skip tests one line; pytest has one for each place that skips."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"SKIPPED [{number}] {reason.removeprefix('Skipped: ')}")


def _skip_what_the_platform_lacks() -> Iterator[None]:
    """Skip a test that tries to start a process or a thread where there is no such thing: WebAssembly."""
    try:
        return (yield)
    except (OSError, RuntimeError) as exc:
        if sys.platform == "emscripten" and "does not support processes" in str(exc):
            pytest.skip("needs processes, which this platform does not have")
        if sys.platform == "emscripten" and "can't start new thread" in str(exc):
            pytest.skip("needs threads, which this platform does not have")
        raise


@pytest.fixture
def picture() -> type[Picture]:
    """Take pictures of the import state; `differences()` compares one with what is there now."""
    return Picture


@pytest.fixture(autouse=True)
def _import_state_stays() -> Iterator[None]:
    """Fail a test that leaves the import state changed, and put it back for the next one."""
    containers = {name: getattr(sys, name) for name in REGISTRIES}
    lists = {name: list(getattr(sys, name)) for name in ("path", "meta_path", "path_hooks")}
    modules = sys.modules.copy()

    yield

    found = [f"sys.{name}" for name in REGISTRIES if getattr(sys, name, None) is not containers[name]]
    for name, container in containers.items():
        setattr(sys, name, container)
    for name, entries in lists.items():
        if not same_objects(getattr(sys, name), entries):
            found.append(f"the entries of sys.{name}")
            getattr(sys, name)[:] = entries
    for module_name in list(sys.modules):
        if module_name not in modules and not _comes_late(sys.modules[module_name]):
            found.append(f"sys.modules has the new module {module_name!r}")
            del sys.modules[module_name]
    for module_name, module in modules.items():
        if sys.modules.get(module_name, Picture) is not module:
            found.append(f"sys.modules has lost the module {module_name!r}")
            sys.modules[module_name] = module
    assert not found, "the test left its mark on: " + ", ".join(found)


def _comes_late(module: object) -> bool:
    """Whether it is a library's module: many import parts of themselves when these are first used."""
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    return origin in ("built-in", "frozen") or origin.startswith(INSTALLED)


@pytest.fixture
def write_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Mapping[str, str]], Path]]:
    """Write modules, by their paths, into a directory on `sys.path`, and forget them after the test."""
    directory = tmp_path / "modules"
    directory.mkdir()
    monkeypatch.syspath_prepend(directory)
    written: set[str] = set()

    def write(files: Mapping[str, str]) -> Path:
        for file, source in files.items():
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")
            written.add(path.relative_to(directory).parts[0].removesuffix(".py"))
        importlib.invalidate_caches()
        return directory

    yield write
    for name in list(sys.modules):
        if isinstance(name, str) and name.partition(".")[0] in written:
            del sys.modules[name]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which temporary directories are made during the test."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., str]:
    """Run a script in an interpreter of its own, and return what it printed; warnings are errors."""

    def run(
        source: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> str:
        for file, content in {**(files or {}), "script.py": source}.items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            encoded = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
            path.write_bytes(encoded)
        variables = {**os.environ, **(environment or {})}
        result = subprocess.run(
            [sys.executable, "-X", "utf8", "-W", "error", "script.py"],
            cwd=tmp_path,
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            encoding="utf-8",
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return result.stdout

    return run
