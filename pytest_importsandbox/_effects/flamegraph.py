"""The flame graph of an import: an SVG picture that any browser opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape
from zlib import crc32

from pytest_importsandbox._effects.model import ImportEffects
from pytest_importsandbox._effects.text import milliseconds
from pytest_importsandbox._effects.tree import Node, tree

_WIDTH: Final = 1200
_ROW: Final = 18
_LETTER: Final = 6.5


def flame_graph(effects: ImportEffects) -> str:
    """Draw who imported whom: the wider, the longer it took; the title of a box has the name and the time."""
    roots = tree(effects)
    total = sum(root.seconds for root in roots) or 1.0
    boxes = list(_boxes(roots, 0.0, 0, _WIDTH / total))
    height = (2 + max((depth for _, depth, _ in boxes), default=0)) * _ROW
    time = milliseconds(effects.seconds)
    title = f"import {', '.join(effects.names)}: {len(effects.modules)} modules in {time}"
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<text x="3" y="13">{escape(title)}</text>',
        *(_box(x, depth, node, _WIDTH / total) for x, depth, node in boxes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _boxes(nodes: list[Node], x: float, depth: int, scale: float) -> Iterator[tuple[float, int, Node]]:
    """Where each module goes: below the one that imported it, from left to right."""
    for node in nodes:
        yield x, depth, node
        yield from _boxes(node.children, x, depth + 1, scale)
        x += node.seconds * scale


def _box(x: float, depth: int, node: Node, scale: float) -> str:
    name, width = node.module.name, node.seconds * scale
    times = f"{milliseconds(node.seconds)}, {milliseconds(node.module.self_seconds)} of it by itself"
    place = f"\n{node.module.place}" if node.module.place else ""
    letters = int((width - 4) / _LETTER)
    label = name if len(name) <= letters else f"{name[: letters - 2]}.." if letters > 4 else ""
    y = (depth + 1) * _ROW
    size = f'x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_ROW - 1}"'
    text = f'<text x="{x + 3:.2f}" y="{y + 13}">{escape(label)}</text>' if label else ""
    title = f"<title>{escape(f'{name}: {times}{place}')}</title>"
    return f'<g>{title}<rect {size} fill="{_colour(name)}"/>{text}</g>'


def _colour(name: str) -> str:
    """The same colour for all modules of a package."""
    return f"hsl({crc32(name.partition('.')[0].encode()) % 360}, 60%, 75%)"
