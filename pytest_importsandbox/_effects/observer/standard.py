"""Attributes of modules of the standard library that are other objects than before."""

from __future__ import annotations

import sys

from pytest_importsandbox._effects.observer.places import is_standard
from pytest_importsandbox._effects.observer.rows import module_of, text
from pytest_importsandbox._effects.observer.unseen import identical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_module = type(sys)
# What has a row of its own, and what the interpreter itself sets.
_ELSEWHERE = {
    "builtins": None,
    "sys": {
        "breakpointhook",
        "displayhook",
        "excepthook",
        "last_exc",
        "last_traceback",
        "last_type",
        "last_value",
        "meta_path",
        "modules",
        "path",
        "path_hooks",
        "unraisablehook",
    },
}


class StandardLibrary:
    """The loaded modules of the standard library, each with the namespace that it had when it was ready."""

    def __init__(self) -> None:
        self.loaded: dict[str, ModuleType] = {}
        self._before: dict[str, dict[str, object]] = {}

    def add_loaded(self) -> None:
        """Take in all modules that are ready."""
        for name in list(sys.modules):
            self.add(name)

    def add(self, name: str) -> None:
        """Take in a module that is ready, if it is one of the standard library."""
        module = sys.modules.get(name)
        if type(module) is not _module or name in self.loaded:
            return
        namespace = vars(module)
        file = namespace.get("__file__")
        if is_standard(name, file if type(file) is str else ""):
            self.loaded[name] = module
            self._before[name] = namespace.copy()

    def changes(self) -> Iterator[tuple[str, str, str | None, str]]:
        """What was replaced since the last time: what, before, after, and where the new object comes from."""
        for name, before in self._before.items():
            now = vars(self.loaded[name])
            if len(before) == len(now) and identical(before.values(), now.values()):
                continue
            for attribute, old in list(before.items()):
                if attribute not in now:
                    del before[attribute]
                    new, after = None, None
                elif now[attribute] is not old:
                    before[attribute] = new = now[attribute]
                    after = text(new)
                else:
                    continue
                if _is_patch(name, attribute, old, new):
                    yield f"{name}.{attribute}", text(old), after, module_of(new)
            # What is new there was not replaced.
            before.update({attribute: now[attribute] for attribute in now if attribute not in before})


def _is_patch(module: str, attribute: str, old: object, new: object) -> bool:
    """Whether it was not Python itself that put another object there."""
    elsewhere = _ELSEWHERE.get(module, ())
    if elsewhere is None or attribute in elsewhere or attribute.startswith("__"):
        return False
    # A submodule takes the place of a variable of the same name; a lazy import that of its placeholder.
    is_submodule = new is not None and new is sys.modules.get(f"{module}.{attribute}")
    return not is_submodule and type(old).__name__ != "lazy_import"
