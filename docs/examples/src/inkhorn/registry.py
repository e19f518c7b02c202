"""The formats that can be used by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_formats: dict[str, "Format"] = {}


class FormatError(Exception):
    """A format is missing, or its name is taken."""


@dataclass(frozen=True)
class Format:
    """A way to write a value as text and to read it back."""

    name: str
    dumps: Callable[[Any], str]
    loads: Callable[[str], Any]


def register(new: Format) -> None:
    """Make a format available under its name."""
    if new.name in _formats:
        raise FormatError(f"there is already a format called {new.name!r}")
    _formats[new.name] = new


def find(name: str) -> Format:
    """Return the format called ``name``."""
    if name not in _formats:
        raise FormatError(f"no format is called {name!r}; there are {', '.join(available())}")
    return _formats[name]


def available() -> list[str]:
    """Return the names of all formats."""
    return sorted(_formats)
