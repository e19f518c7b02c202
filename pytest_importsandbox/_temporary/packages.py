"""Packages and modules written for one test, which every import finds as they are now."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
import textwrap
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, Final, final

from pytest_importsandbox._core.cpython import NamespacePath, line_cache, metadata_finder
from pytest_importsandbox._core.modules import namespace as namespace_of
from pytest_importsandbox._core.modules import prepend_to_path
from pytest_importsandbox._core.names import as_names, parents, top_level
from pytest_importsandbox._temporary import dist_info

# Loaded here, since a test may block `importlib.metadata`.
_METADATA_FINDER: Final = metadata_finder()
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file#naming-conventions
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{device}{number}" for device in ("COM", "LPT") for number in "123456789\xb9\xb2\xb3"]
)
_RESERVED_CHARACTERS = frozenset('"*:<>?|') | frozenset(map(chr, range(32)))


@final
class TempPackage:
    """A package in a temporary directory, made by `temp_package`.

    Its files can be rewritten any number of times: a fresh import, its tracebacks and
    `inspect.getsource` see the newest text.
    """

    name: str
    """The absolute name of the package."""
    path: Path
    """The directory of the package."""

    def __init__(self, name: str, path: Path, *, namespace: bool) -> None:
        self.name = name
        self.path = path
        self._namespace = namespace

    def __repr__(self) -> str:
        return f"<TempPackage {self.name!r} at {str(self.path)!r}>"

    def write(self, file: str, content: str | bytes) -> None:
        """Write a file, which may exist, and make imports see it.

        :param file:
            The path relative to the package, with forward slashes: ``"sub/mod.py"``.
            Packages on the way to a Python file get an ``__init__.py`` if they have none, unless
            this is a namespace package.
        :param content:
            Text, which is dedented and encoded in UTF-8, or bytes, which are written as they are.
        :raises ValueError:
            If the path is absolute or empty, leaves the package, names a directory, or cannot be written
            on every system: two paths that differ in case alone, or a name that Windows reserves.
        :raises TypeError:
            If the path is not a `str`, or the content neither `str` nor `bytes`.
        """
        __tracebackhide__ = True
        self._write_all({file: content})

    def remove(self, file: str) -> None:
        """Delete a file, and make imports see that it is gone.

        :param file: The path relative to the package, with forward slashes.
        :raises ValueError: If the path is absolute or empty, or leaves the package.
        :raises FileNotFoundError: If there is no such file.
        """
        __tracebackhide__ = True
        path = self.path / _relative(file)
        path.unlink()
        _forget(path)
        _invalidate_caches()

    def add_distribution(
        self,
        version: str = "1.0",
        *,
        name: str | None = None,
        entry_points: Mapping[str, Mapping[str, str]] = _NOTHING,
        metadata: Mapping[str, str | list[str] | tuple[str, ...]] = _NOTHING,
    ) -> None:
        """Make the package look as if it had been installed with a distribution.

        `importlib.metadata` and `importlib_metadata` find the distribution, with its entry points, until
        the sandbox ends. Adding another one of the same name takes the place of the first.

        :param version: The version of the distribution.
        :param name:
            The name of the distribution, by default that of the package.
        :param entry_points:
            By group, the entry points by name: ``{"shop.payments": {"card": "shop_card:pay"}}``.
        :param metadata:
            Further fields of the metadata: ``{"Summary": "Pay by card"}``. For a field that repeats, such
            as ``Requires-Dist``, the value is a list.
        :raises ValueError:
            If a name is not one that the `specification <https://packaging.python.org/en/latest/specifications/>`_
            allows, or an entry point not ``module:attribute``. Nothing has been written then.
        :raises TypeError: If an argument has the wrong type.
        """
        __tracebackhide__ = True
        name = self.name if name is None else name
        files = dist_info.files(name, version, entry_points, metadata, top_level(self.name))
        directory = self.path.parents[self.name.count(".")]
        for earlier in directory.glob(f"{dist_info.directory_prefix(name)}*.dist-info"):
            shutil.rmtree(earlier)
        installed = directory / dist_info.directory_name(name, version)
        installed.mkdir()
        for file, content in files.items():
            (installed / file).write_bytes(content)
        _invalidate_caches()

    def _write_all(self, files: Mapping[str, str | bytes]) -> None:
        """Check all files, then write them."""
        __tracebackhide__ = True
        encoded = _encoded(files, namespace=self._namespace)
        there = (path.relative_to(self.path) for path in self.path.rglob("*"))
        _refuse_case_collisions(encoded, map(PurePosixPath, there))
        paths = {self.path / relative: content for relative, content in encoded.items()}
        for path in paths:
            if path.is_dir():
                raise ValueError(f"{path.relative_to(self.path).as_posix()!r} is a directory")
            for parent in path.relative_to(self.path).parents:
                if (self.path / parent).is_file():
                    raise ValueError(
                        f"{parent.as_posix()!r} is a file, so that there can be no "
                        f"{path.relative_to(self.path).as_posix()!r}"
                    )
        if not self._namespace:
            paths = {**self._missing_inits(paths), **paths}
        for path, content in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            _forget(path)
        _invalidate_caches()

    def _missing_inits(self, paths: Mapping[Path, bytes]) -> dict[Path, bytes]:
        """The `__init__.py` of the packages on the way to Python files, where there is none."""
        packages = {self.path} | {
            self.path / parent
            for path in paths
            if path.suffix == ".py"
            for parent in path.relative_to(self.path).parents
        }
        inits = {package / "__init__.py" for package in packages}
        return {init: b"" for init in inits if not init.exists()}


@final
class TempModule:
    """A single-file module in a temporary directory, made by `temp_package.module`.

    It can be rewritten any number of times: a fresh import, its tracebacks and `inspect.getsource` see
    the newest text.
    """

    name: str
    """The name of the module."""
    path: Path
    """The file of the module."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path

    def __repr__(self) -> str:
        return f"<TempModule {self.name!r} at {str(self.path)!r}>"

    def write(self, source: str | bytes) -> None:
        """Write the module anew, and make imports see it.

        :param source: Text, which is dedented and encoded in UTF-8, or bytes, which are written as they are.
        :raises TypeError: If the source is neither `str` nor `bytes`.
        """
        __tracebackhide__ = True
        self.path.write_bytes(_as_bytes(self.path.name, source))
        _forget(self.path)
        _invalidate_caches()


@final
class TempPackageFactory:
    """Writes packages into temporary directories; the type of the fixture ``temp_package``."""

    def __init__(
        self, check: Callable[..., None], evict: Callable[[str], None], temporary_directories: set[str]
    ) -> None:
        self._check = check
        """Raises if the sandbox is not open, or if no file can take the place of the module of a name."""
        self._evict = evict
        self._temporary_directories = temporary_directories
        """Where all directories are entered, each with a separator at its end, as long as they exist."""
        self._directories: dict[str, weakref.finalize[..., TempPackageFactory]] = {}
        """They are deleted at the exit of the process if they have not been before."""
        self._made: list[TempPackage | TempModule] = []

    @property
    def names(self) -> list[str]:
        """The names of the packages and modules that have been written."""
        return [each.name for each in self._made]

    def __call__(
        self,
        name: str,
        files: Mapping[str, str | bytes] | str | None = None,
        *,
        namespace: bool = False,
    ) -> TempPackage:
        """Write a package that can be imported until the sandbox ends.

        It lies in a new temporary directory, which comes first on `sys.path`. What was loaded under its
        name before is evicted, so that the next import finds the package that was just written.

        :param name:
            The name of the package. A dotted name creates the packages on the way to it.
        :param files:
            Contents by path relative to the package (``{"sub/mod.py": "X = 1"}``): text, which is
            dedented and encoded in UTF-8, or bytes. A `str` is the text of ``__init__.py``.
            ``__init__.py`` is created where it is not given.
        :param namespace:
            Whether to make a namespace package, and so no ``__init__.py``. Two namespace packages of the
            same name have two directories (https://docs.python.org/3/reference/import.html#namespace-packages),
            and one that is loaded already stays and has one more.
        :returns: The package, whose files can be rewritten.
        :raises ValueError:
            If the name is no absolute module name, or that of a module that the run itself stands on or
            that stays in place (built-in, frozen and extension modules of the standard library), or if a
            path is absolute or empty, leaves the package, stands for both a file and a directory, or cannot
            be written on every system. Nothing has been written then.
        :raises TypeError: If the name, a path or a content has the wrong type.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._check()
        if not isinstance(name, str):
            raise TypeError(f"the name of a package must be a str, not {type(name).__name__}: {name!r}")
        as_names(name, "name")
        _refuse_reserved(name, name.split("."))
        if isinstance(files, str):
            files = {"__init__.py": files}
        files = {} if files is None else files
        if not isinstance(files, Mapping):
            raise TypeError(
                "files must be a mapping of paths to contents, or the text of __init__.py, "
                f"not {type(files).__name__}: {files!r}"
            )
        _refuse_case_collisions(_encoded(files, namespace=namespace), ())
        shadowed = _loaded_instead_of_portion(name) if namespace else (top_level(name),)
        self._check(*shadowed)

        directory = self._new_directory()
        *parents, _ = name.split(".")
        path = directory.joinpath(*name.split("."))
        path.mkdir(parents=True)
        if not namespace:
            for depth in range(len(parents)):
                directory.joinpath(*parents[: depth + 1], "__init__.py").write_bytes(b"")
        package = TempPackage(name, path, namespace=namespace)
        package._write_all(files)
        prepend_to_path(str(directory))
        self._made.append(package)
        for each in shadowed:
            self._evict(each)
        return package

    def module(self, name: str, source: str | bytes) -> TempModule:
        """Write a module of a single file that can be imported until the sandbox ends.

        Its file lies in a new temporary directory, which comes first on `sys.path`. What was loaded under
        its name before is evicted.

        :param name: The name of the module, without dots: a module in a package is a file of the package.
        :param source: Text, which is dedented and encoded in UTF-8, or bytes, which are written as they are.
        :returns: The module, which can be rewritten.
        :raises ValueError:
            If the name is no module name, has dots, cannot be that of a file on every system, or is that of
            a module that the run itself stands on or that stays in place. Nothing has been written then.
        :raises TypeError: If the name is not a `str`, or the source neither `str` nor `bytes`.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._check()
        if not isinstance(name, str):
            raise TypeError(f"the name of a module must be a str, not {type(name).__name__}: {name!r}")
        as_names(name, "name")
        if "." in name:
            raise ValueError(
                f"{name!r} has dots; give the name of a top-level module without a suffix, "
                "and write a module of a package with temp_package(package, files)"
            )
        _refuse_reserved(name, [name])
        content = _as_bytes(f"{name}.py", source)
        self._check(name)

        directory = self._new_directory()
        module = TempModule(name, directory / f"{name}.py")
        module.write(content)
        prepend_to_path(str(directory))
        self._made.append(module)
        self._evict(name)
        return module

    def hint_at_missing(self, name: str) -> str | None:
        """What may be wrong with the files of a package if a module of it is not found."""
        for package in self._made:
            file = _written_as(name, package) if isinstance(package, TempPackage) else None
            if file is not None:
                return (
                    f"the temporary package {package.name!r} has a file {file!r}, which is no module; "
                    f"the file of the module {name!r} is {file.replace('.', '/') + '.py'!r}"
                )
        return None

    def _new_directory(self) -> Path:
        directory = Path(tempfile.gettempdir(), f"importsandbox-{os.urandom(8).hex()}").resolve()
        below = f"{directory}{os.sep}"
        # Before it is made: an interrupt must not leave a directory that nobody deletes.
        self._directories[below] = weakref.finalize(self, _delete, directory)
        self._temporary_directories.add(below)
        directory.mkdir(mode=0o700)
        return directory

    def remove_all(self) -> None:
        """Delete all packages and modules, with what Python keeps about their files."""
        self._made.clear()
        for below, at_exit in list(self._directories.items()):
            # Each is forgotten when it is gone, and not before: after an interrupt, this runs again.
            _delete(Path(below))
            at_exit.detach()
            self._temporary_directories.discard(below)
            del self._directories[below]
            _invalidate_caches()


def _written_as(name: str, package: TempPackage) -> str | None:
    """The file that a module of a package seems to have been written to, although it has no suffix."""
    below = name.removeprefix(f"{package.name}.")
    if below != name:
        for file in (below, below.replace(".", "/")):
            if (package.path / file).is_file():
                return file
    return None


def _loaded_instead_of_portion(name: str) -> tuple[str, ...]:
    """The loaded module that keeps import from finding a portion of a namespace package."""
    for each in (*reversed([*parents(name)]), name):
        module = sys.modules.get(each)
        if module is not None and type((namespace_of(module) or {}).get("__path__")) is not NamespacePath:
            return (each,)
    return ()


def _relative(file: object) -> PurePosixPath:
    """The path of a file inside its package, checked."""
    __tracebackhide__ = True
    if not isinstance(file, str):
        raise TypeError(f"the path of a file must be a str, not {type(file).__name__}: {file!r}")
    path = PurePosixPath(file)
    if not path.parts or file.endswith("/") or "\0" in file:
        raise ValueError(f"{file!r} is not the path of a file")
    if path.is_absolute() or PureWindowsPath(file).anchor or "\\" in file:
        raise ValueError(
            f"{file!r} is not a path inside the package; give a relative one with forward slashes, "
            "such as 'sub/mod.py'"
        )
    if ".." in path.parts:
        raise ValueError(f"{file!r} leaves the package")
    _refuse_reserved(file, path.parts)
    return path


def _refuse_reserved(given: str, parts: Iterable[str]) -> None:
    """Refuse names that Windows cannot write."""
    __tracebackhide__ = True
    for part in parts:
        if part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            problem = f"on Windows, {part!r} is the name of a device"
        elif part.endswith((".", " ")):
            problem = f"on Windows, no name can end with {part[-1]!r}"
        elif reserved := _RESERVED_CHARACTERS.intersection(part):
            problem = f"on Windows, no name can have the character {min(reserved)!r}"
        else:
            continue
        raise ValueError(f"{given!r} cannot be written on every system: {problem}")


def _refuse_case_collisions(new: Iterable[PurePosixPath], there: Iterable[PurePosixPath]) -> None:
    """Refuse paths that are the same where case makes no difference: Windows and macOS."""
    __tracebackhide__ = True
    spelled = {str(path).casefold(): path for path in there}
    for path in new:
        for each in (path, *path.parents):
            other = spelled.setdefault(str(each).casefold(), each)
            if other != each:
                raise ValueError(
                    f"{str(each)!r} cannot be written on every system: it differs from {str(other)!r} "
                    "in case alone"
                )


def _encoded(files: Mapping[str, str | bytes], *, namespace: bool) -> dict[PurePosixPath, bytes]:
    """The files' contents as bytes, with everything checked that can be wrong with them."""
    __tracebackhide__ = True
    encoded = {}
    for file, content in files.items():
        path = _relative(file)
        content = _as_bytes(file, content)
        if namespace and path == PurePosixPath("__init__.py"):
            raise ValueError("a namespace package has no '__init__.py'")
        encoded[path] = content
    for path in encoded:
        for parent in path.parents:
            if parent in encoded:
                raise ValueError(
                    f"{parent.as_posix()!r} is given as a file, so that there can be no {path.as_posix()!r}"
                )
    return encoded


def _as_bytes(file: str, content: object) -> bytes:
    """What is written to a file."""
    __tracebackhide__ = True
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return textwrap.dedent(content).encode("utf-8")
    message = f"the content of {file!r} must be str or bytes, not {type(content).__name__}: {content!r}"
    if isinstance(content, Mapping):
        path = f"{file}/{next(iter(content), 'mod.py')}"
        message += f"; give the files of a directory by their paths, such as {path!r}"
    raise TypeError(message)


def _delete(directory: Path) -> None:
    """Delete a temporary directory, with what Python keeps about its files."""
    for file in list(line_cache()):
        # A foreign key can be anything.
        if type(file) is str and file.startswith(f"{directory}{os.sep}"):
            line_cache().pop(file, None)
    cached = Path(cache_from_source(str(directory / "module.py"))).parent
    # A module that is still mapped into memory can't be deleted on Windows.
    shutil.rmtree(directory, ignore_errors=True)
    shutil.rmtree(cached, ignore_errors=True)


def _invalidate_caches() -> None:
    """Make all finders look at their directories anew, as `importlib.invalidate_caches` does."""
    # Before Python 3.13, `PathFinder` does not pass it on to the finder of metadata.
    finders: list[Any] = [*sys.meta_path, _METADATA_FINDER]
    for finder in finders:
        # `PathFinder` comes to its end without importlib.metadata, which a test may have blocked.
        with suppress(Exception):
            finder.invalidate_caches()


def _forget(path: Path) -> None:
    """Drop what was compiled and read from a file.

    Bytecode is taken for current if size and mtime, in whole seconds, agree: PEP 552.
    """
    line_cache().pop(str(path), None)
    if path.suffix == ".py":
        # Of every optimization, and of pytest, which adds its name where it rewrites assertions.
        cached = Path(cache_from_source(str(path))).parent
        for bytecode in cached.glob(f"{glob.escape(path.stem)}.*.pyc"):
            bytecode.unlink(missing_ok=True)
