"""The metadata of an installed distribution, as files of a ``.dist-info`` directory.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

# https://packaging.python.org/en/latest/specifications/name-normalization/
_NAME = re.compile(r"[A-Z0-9]([A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
# https://packaging.python.org/en/latest/specifications/entry-points/
_GROUP = re.compile(r"\w+(\.\w+)*")
_ENTRY_POINT_NAME = re.compile(r"[^\s=\[#;]([^=\r\n]*[^\s=])?")
_METADATA_FIELD = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*", re.IGNORECASE | re.ASCII)


def directory_name(name: str, version: str) -> str:
    """The name of the directory: just one dash in it, between the normalized name and the version."""
    return f"{directory_prefix(name)}{re.sub(r'[^A-Za-z0-9.!+]+', '_', version)}.dist-info"


def directory_prefix(name: str) -> str:
    """What the names of the directories of all versions of a distribution begin with."""
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-"


def files(
    name: object,
    version: object,
    entry_points: Mapping[str, Mapping[str, str]],
    metadata: Mapping[str, str | Iterable[str]],
    package: str,
) -> dict[str, bytes]:
    """The contents of the files in the directory, with everything checked that goes into them."""
    __tracebackhide__ = True
    if not isinstance(name, str):
        raise TypeError(f"the name of a distribution must be a str, not {type(name).__name__}: {name!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not the name of a distribution: letters, digits, '.', '_' and '-', "
            "with a letter or a digit at both ends; give one with name="
        )
    if not isinstance(version, str):
        raise TypeError(f"version must be a str, not {type(version).__name__}: {version!r}")
    if not re.fullmatch(r"\S+", version):
        raise ValueError(f"{version!r} is not a version; give one such as '1.0'")
    fields = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *_fields(metadata)]
    texts = {"METADATA": fields, "top_level.txt": [package]}
    if sections := list(_sections(entry_points)):
        texts["entry_points.txt"] = sections
    return {file: "".join(f"{line}\n" for line in lines).encode("utf-8") for file, lines in texts.items()}


def _fields(metadata: object) -> Iterator[str]:
    """The lines of METADATA that the caller asks for."""
    __tracebackhide__ = True
    for field, value in _items(metadata, "metadata", "of fields to values"):
        if not _METADATA_FIELD.fullmatch(field):
            raise ValueError(f"{field!r} is not a field of metadata; give one such as 'Requires-Dist'")
        if field.lower() in ("metadata-version", "name", "version"):
            raise ValueError(f"the field {field!r} cannot be given as metadata; see name= and version=")
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        for each in values:
            if not isinstance(each, str):
                raise TypeError(
                    f"the metadata field {field!r} must be a str or a list of str, "
                    f"not {type(each).__name__}: {each!r}"
                )
            # Lines that go on are indented; importlib.metadata takes the eight spaces away again.
            yield f"{field}: " + "\n        ".join(each.splitlines())


def _sections(entry_points: object) -> Iterator[str]:
    """The lines of entry_points.txt."""
    __tracebackhide__ = True
    for group, members in _items(entry_points, "entry_points", "of groups to entry points"):
        if not _GROUP.fullmatch(group):
            raise ValueError(
                f"{group!r} is not the name of a group of entry points; give one such as 'package.plugins'"
            )
        yield f"[{group}]"
        for name, value in _items(members, f"entry_points[{group!r}]", "of names to 'module:attribute'"):
            if not _ENTRY_POINT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of an entry point in the group {group!r}")
            if not isinstance(value, str):
                raise TypeError(
                    f"the entry point {name!r} must be a str, not {type(value).__name__}: {value!r}"
                )
            module, _, attribute = value.partition(":")
            if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
                raise ValueError(
                    f"the entry point {name!r} must be 'module:attribute', "
                    f"such as 'package.module:function', not {value!r}"
                )
            yield f"{name} = {value}"


def _items(mapping: object, argument: str, contents: str) -> Iterator[tuple[str, object]]:
    """The items of a mapping whose keys are `str`."""
    __tracebackhide__ = True
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{argument} must be a mapping {contents}, not {type(mapping).__name__}: {mapping!r}")
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise TypeError(f"the keys of {argument} must be str, not {type(key).__name__}: {key!r}")
        yield key, value
