"""What packages have under the names of their loaded submodules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from operator import call, is_, itemgetter
from typing import Any

from pytest_importsandbox._core.modules import MISSING, namespace


class Attributes:
    """What packages have under the names of their loaded submodules, as it was when looked at last."""

    def __init__(self) -> None:
        self._children: dict[str, list[str]] = {}
        self._namespaces: list[dict[str, Any]] = []
        self._getters: list[Callable[[dict[str, Any]], tuple[Any, ...]]] = []
        self._values: list[Any] = []

    def look(self) -> None:
        """Remember what there is now."""
        modules: dict[str, Any] = sys.modules.copy()
        found: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for name in modules:
            package, _, child = name.rpartition(".") if type(name) is str else ("", "", "")
            attributes = namespace(modules.get(package)) if package else None
            if attributes is not None and child in attributes:
                found.setdefault(package, (attributes, []))[1].append(child)
        self._children = {package: children for package, (_, children) in found.items()}
        self._namespaces = [attributes for attributes, _ in found.values()]
        # With a single name it would be no tuple.
        self._getters = [itemgetter(children[0], *children) for _, children in found.values()]
        self._values = list(chain.from_iterable(map(call, self._getters, self._namespaces)))

    def changes(self) -> list[tuple[str, Any, Any]]:
        """The names with what they stood for at the last look and stand for now; look again."""
        # In C, and name by name only where something has changed: it is done for every test.
        with suppress(KeyError):
            now = chain.from_iterable(map(call, self._getters, self._namespaces))
            if all(map(is_, now, self._values)):
                return []
        return list(self._compare())

    def _compare(self) -> Iterator[tuple[str, Any, Any]]:
        values: list[Any] = []
        old = iter(self._values)
        for (package, children), attributes in zip(self._children.items(), self._namespaces, strict=True):
            for child, number in zip((children[0], *children), range(len(children) + 1), strict=True):
                was, now = next(old), attributes.get(child, MISSING)
                values.append(now)
                if was is not now and number:
                    yield f"{package}.{child}", was, now
        self._values = values
