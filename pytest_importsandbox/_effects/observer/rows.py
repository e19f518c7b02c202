"""What can be looked at before and after: a picture of some state, and how two pictures differ.

The objects are foreign. They are compared by identity, and only numbers, strings and the like by value.
"""

from __future__ import annotations

import sys

from pytest_importsandbox._effects.observer.unseen import identical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What, how, before, after.
Change = tuple[str, str, str | None, str | None]
Named = dict[str, object]
Listed = tuple[object, ...]

_VALUES = frozenset({bool, bytes, complex, float, int, str, type(None)})
_module = type(sys)


def text(value: object) -> str:
    """A short text for an object, made without running code of its own."""
    kind = type(value)
    if kind in _VALUES:
        return repr(value)
    if kind is tuple or kind is frozenset:
        return ", ".join([text(each) for each in value])  # type: ignore[attr-defined]
    if issubclass(kind, type):
        return _qualified(value)
    if issubclass(kind, _module):
        return f"module {own(value, '__name__')}"
    owner = own(value, "__self__")
    if owner is not None and type(owner) is not _module:
        owner = owner if issubclass(type(owner), type) else type(owner)
        # A method of a class in C has no function.
        function = own(value, "__func__") or value
        return f"{_qualified(owner)}.{own(function, '__name__')}"
    if own(value, "__qualname__") is not None:
        return _qualified(value)
    return f"<{_qualified(kind)} object>"


def shown(value: object) -> str | None:
    """A text for a value that is shown under a name; `None` stands for nothing."""
    return None if value is None else str.__str__(value) if isinstance(value, str) else text(value)


def module_of(value: object) -> str:
    """The name of the module that an object, or its class, was defined in."""
    name = own(value, "__module__")
    if type(name) is not str:
        name = own(type(value), "__module__")
    return name if type(name) is str else ""


def _qualified(value: object) -> str:
    """The name of a class or function with its module."""
    name, module = own(value, "__qualname__"), own(value, "__module__")
    return f"{name}" if module in (None, "builtins") else f"{module}.{name}"


def own(value: object, name: str) -> object:
    """An attribute that the object's own code has no say in."""
    try:
        look_up = type.__getattribute__ if issubclass(type(value), type) else object.__getattribute__
        return look_up(value, name)
    except Exception:
        return None


def _same(before: object, after: object) -> bool:
    return before is after or (type(before) is type(after) and type(before) in _VALUES and before == after)


class NamedRow:
    """Named values: handlers by signal, settings by name."""

    def __init__(self, kind: str, take: Callable[[], Named | None]) -> None:
        self.kind = kind
        self._take = take
        self._last = take()

    def changes(self) -> Iterator[Change]:
        """What is different from the last time, which is now forgotten."""
        before, after = self._last, self._take()
        self._last = after
        # Nothing can have been changed before it was there.
        if before is None or after is None:
            return
        if (
            len(before) == len(after)
            and identical(before, after)
            and identical(before.values(), after.values())
        ):
            return
        for what in [*before, *[new for new in after if new not in before]]:
            if what not in after:
                yield what, "removed", shown(before[what]), None
            elif what not in before:
                yield what, "added", None, shown(after[what])
            elif not _same(before[what], after[what]):
                yield what, "changed", shown(before[what]), shown(after[what])


class ListedRow:
    """Entries of a list, in which several can be alike.

    :param name: What the list is called; if there is none, an entry is called by its own text.
    """

    def __init__(self, kind: str, name: str, take: Callable[[], Listed | None]) -> None:
        self.kind = kind
        self._name = name
        self._take = take
        self._last = take()

    def changes(self) -> Iterator[Change]:
        """What is different from the last time, which is now forgotten."""
        before, after = self._last, self._take()
        self._last = after
        if before is None or after is None:
            return
        if len(before) == len(after) and identical(before, after):
            return
        kept: dict[int, int] = {}
        left = dict(enumerate(after))
        for old, entry in enumerate(before):
            new = next((new for new, other in left.items() if _same(entry, other)), None)
            if new is None:
                yield self._change("removed", entry, old, None)
            else:
                del left[new]
                kept[new] = old
        for new, entry in left.items():
            yield self._change("added", entry, None, new)
        stayed = _longest_rise(list(kept))
        for new, old in kept.items():
            if new not in stayed:
                yield self._change("moved", after[new], old, new)

    def _change(self, how: str, entry: object, old: int | None, new: int | None) -> Change:
        if self._name:
            name = text(entry)
            return self._name, how, None if old is None else name, None if new is None else name
        what = str(shown(entry))
        return what, how, None if old is None else str(old), None if new is None else str(new)


def _longest_rise(numbers: list[int]) -> list[int]:
    """As many of the numbers as can be taken, in this order, so that each is larger than the one before."""
    rises: list[list[int]] = [[]]
    for number in numbers:
        shorter = [rise for rise in rises if not rise or rise[-1] < number]
        rises.append([*max(shorter, key=len), number])
    return max(rises, key=len)
