r"""Inkhorn writes plain values as text and reads them back; each text format is a plug-in.

>>> import inkhorn
>>> inkhorn.dumps({"soup": {"salt": "1"}}, "outline")
'soup:\n  salt: 1\n'
"""

import importlib

from inkhorn import formats as formats
from inkhorn.discovery import discover
from inkhorn.registry import Format, FormatError, available, find, register
from inkhorn.settings import DEFAULT_FORMAT

__all__ = [
    "Format",
    "FormatError",
    "available",
    "discover",
    "dumps",
    "loads",
    "register",
]


def dumps(value: object, name: str = DEFAULT_FORMAT) -> str:
    """Write ``value`` in the format called ``name``."""
    return find(name).dumps(value)


def loads(text: str, name: str = DEFAULT_FORMAT) -> object:
    """Read back what :func:`dumps` wrote in the format called ``name``."""
    return find(name).loads(text)


def __getattr__(name: str) -> object:
    # Few programs show a preview, so the others need not wait for the modules behind it.
    if name == "preview":
        return importlib.import_module("inkhorn.preview")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "preview"]
