"""Packages written for one test, which every import finds as they are now."""

from __future__ import annotations

import importlib

# `invalidate_caches` needs it: what it imports is not a change that a test made.
import importlib.metadata
import linecache
import os
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from importlib.util import cache_from_source
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import final

from pytest_importsandbox._core.modules import prepend_to_path
from pytest_importsandbox._core.names import as_names


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
            If the path is absolute or empty, leaves the package, or names a directory.
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
        importlib.invalidate_caches()

    def _write_all(self, files: Mapping[str, str | bytes]) -> None:
        """Check all files, then write them."""
        __tracebackhide__ = True
        encoded = _encoded(files, namespace=self._namespace)
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
        importlib.invalidate_caches()

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
class TempPackageFactory:
    """Writes packages into temporary directories; the type of the fixture ``temp_package``."""

    def __init__(self, check_open: Callable[[], object]) -> None:
        self._check_open = check_open
        self._directories: list[Path] = []

    def __call__(
        self,
        name: str,
        files: Mapping[str, str | bytes] | str | None = None,
        *,
        namespace: bool = False,
    ) -> TempPackage:
        """Write a package that can be imported until the sandbox ends.

        It lies in a new temporary directory, which comes first on `sys.path`.

        :param name:
            The name of the package. A dotted name creates the packages on the way to it.
        :param files:
            Contents by path relative to the package (``{"sub/mod.py": "X = 1"}``): text, which is
            dedented and encoded in UTF-8, or bytes. A `str` is the text of ``__init__.py``.
            ``__init__.py`` is created where it is not given.
        :param namespace:
            Whether to make a namespace package, and so no ``__init__.py``. Two namespace packages of the
            same name have two directories (https://docs.python.org/3/reference/import.html#namespace-packages).
        :returns: The package, whose files can be rewritten.
        :raises ValueError:
            If the name is no absolute module name, or a path is absolute or empty, leaves the
            package, or stands for both a file and a directory. Nothing has been written then.
        :raises TypeError: If the name, a path or a content has the wrong type.
        :raises RuntimeError: If the sandbox is not open.
        """
        __tracebackhide__ = True
        self._check_open()
        if not isinstance(name, str):
            raise TypeError(f"the name of a package must be a str, not {type(name).__name__}: {name!r}")
        as_names(name, "name")
        if isinstance(files, str):
            files = {"__init__.py": files}
        files = {} if files is None else files
        if not isinstance(files, Mapping):
            raise TypeError(
                "files must be a mapping of paths to contents, or the text of __init__.py, "
                f"not {type(files).__name__}: {files!r}"
            )
        _encoded(files, namespace=namespace)

        directory = Path(tempfile.mkdtemp(prefix="importsandbox-")).resolve()
        self._directories.append(directory)
        *parents, _ = name.split(".")
        path = directory.joinpath(*name.split("."))
        path.mkdir(parents=True)
        if not namespace:
            for depth in range(len(parents)):
                directory.joinpath(*parents[: depth + 1], "__init__.py").write_bytes(b"")
        package = TempPackage(name, path, namespace=namespace)
        package._write_all(files)
        prepend_to_path(str(directory))
        return package

    def remove_all(self) -> None:
        """Delete all packages, with what Python keeps about their files."""
        while self._directories:
            directory = self._directories.pop()
            for file in list(linecache.cache):
                if file.startswith(f"{directory}{os.sep}"):
                    linecache.cache.pop(file, None)
            cached = Path(cache_from_source(str(directory / "module.py"))).parent
            # A module that is still mapped into memory can't be deleted on Windows.
            shutil.rmtree(directory, ignore_errors=True)
            shutil.rmtree(cached, ignore_errors=True)


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
    return path


def _encoded(files: Mapping[str, str | bytes], *, namespace: bool) -> dict[PurePosixPath, bytes]:
    """The files' contents as bytes, with everything checked that can be wrong with them."""
    __tracebackhide__ = True
    encoded = {}
    for file, content in files.items():
        path = _relative(file)
        if isinstance(content, str):
            content = textwrap.dedent(content).encode("utf-8")
        if not isinstance(content, bytes):
            raise TypeError(
                f"the content of {file!r} must be str or bytes, not {type(content).__name__}: {content!r}"
            )
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


def _forget(path: Path) -> None:
    """Drop what was compiled and read from a file.

    Bytecode is taken for current if size and mtime, in whole seconds, agree: PEP 552.
    """
    linecache.cache.pop(str(path), None)
    if path.suffix == ".py":
        for optimization in ("", 1, 2):
            Path(cache_from_source(str(path), optimization=optimization)).unlink(missing_ok=True)
