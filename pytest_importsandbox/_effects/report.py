"""Import effects as text: the report, and the tree of who imported whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_importsandbox._effects.text import shortened
from pytest_importsandbox._effects.tree import tree

if TYPE_CHECKING:
    from pytest_importsandbox._effects.model import Effect, ImportEffects, LoadedModule

_BAR: Final = 20
_PACKAGES: Final = 10
_WIDTH: Final = 100
# https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
_STYLES: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}


class Painter:
    """Colours text, or leaves it as it is."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and text else text


def report(effects: ImportEffects, *, colour: bool = False) -> str:
    """What an import did, kind by kind, and which packages it loaded.

    :param colour: Whether to colour it, for a terminal.
    """
    paint = Painter(colour)
    return "\n".join(_report(effects, paint))


def _report(effects: ImportEffects, paint: Painter) -> Iterator[str]:
    count = len(effects.modules)
    title = f"import {', '.join(effects.names)}"
    modules = "1 module" if count == 1 else f"{count} modules"
    yield f"{paint(title, 'bold')}: {modules} in {_milliseconds(effects.seconds).strip()}"
    if effects.error:
        yield ""
        yield paint("error", "red")
        yield from (f"  {line}" for line in effects.error.splitlines())
    for kind, found in effects.by_kind():
        if found:
            yield ""
            yield paint(kind.replace("_", " "), "dim" if kind == "shared_libraries" else "yellow")
            yield from (_line(effect, paint) for effect in found)
    if effects.modules:
        yield ""
        yield paint("packages", "dim")
        yield from _packages(effects, paint)


def _line(effect: Effect, paint: Painter) -> str:
    place = effect.place or effect.module
    return f"  {effect}{paint(f'  ({place})', 'dim') if place else ''}"


def _packages(effects: ImportEffects, paint: Painter) -> Iterator[str]:
    """The packages that took most of the time, each with the statement that asked for it first."""
    packages: dict[str, list[LoadedModule]] = {}
    for module in effects.modules:
        packages.setdefault(module.name.partition(".")[0], []).append(module)
    times = {name: sum(module.self_seconds for module in modules) for name, modules in packages.items()}
    slowest = sorted(times, key=times.__getitem__, reverse=True)
    total = sum(times.values())
    for name in slowest[:_PACKAGES]:
        chain = effects.chain(name)
        way = shortened(chain, _WIDTH) if " -> " in chain else ""
        count = len(packages[name])
        modules = f"  {count} modules" if count > 1 else ""
        aside = paint(f"  {way}" if way else "", "dim")
        yield f"  {_share(times[name], total)}  {paint(name, 'bold')}{modules}{aside}"
    if len(slowest) > _PACKAGES:
        rest = slowest[_PACKAGES:]
        others = "1 other" if len(rest) == 1 else f"{len(rest)} others"
        yield f"  {_share(sum(map(times.__getitem__, rest)), total)}  {others}"


def tree_report(effects: ImportEffects, *, by_time: bool = False, colour: bool = False) -> str:
    """Who imported whom, with times and bars.

    :param by_time: Whether the slowest come first; otherwise, they come in the order of their loads.
    :param colour: Whether to colour it, for a terminal.
    """
    paint = Painter(colour)
    roots = tree(effects, by_time=by_time)
    total = sum(root.seconds for root in roots)
    lines = []
    for root in roots:
        for depth, node in root.walk():
            place = paint(f"  ({node.module.place})", "dim") if node.module.place else ""
            share = _share(node.seconds, total)
            bar = paint(_bar(node.seconds, total), "green")
            lines.append(f"{share}  {bar}  {'  ' * depth}{node.module.name}{place}")
    return "\n".join(lines)


def _share(seconds: float, total: float) -> str:
    return f"{_milliseconds(seconds)} {seconds / (total or 1):4.0%}"


def _bar(seconds: float, total: float) -> str:
    return ("#" * round(_BAR * seconds / (total or 1))).ljust(_BAR)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:8.1f} ms"
