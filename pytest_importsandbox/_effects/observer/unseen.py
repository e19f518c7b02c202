"""What the observer stands on: built-in modules, which the import must not find loaded."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

# What `os` is made of; it may not be loaded yet.
system: Any = sys.modules["nt" if sys.platform == "win32" else "posix"]


def builtin(name: str) -> ModuleType:
    """A built-in module, without its being loaded as far as the import can see."""
    modules = sys.modules
    was_loaded = name in modules
    module: ModuleType = __import__(name)
    if not was_loaded:
        del modules[name]
    return module


_is = builtin("_operator").is_


def identical(before: Iterable[object], after: Iterable[object]) -> bool:
    """Whether these are the very same objects, as many of them as there are in the shorter one.

    This is asked of all that there is to look at, again and again.
    """
    return all(map(_is, before, after))
