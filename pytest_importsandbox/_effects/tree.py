"""Who imported whom: the loaded modules as a tree, and the tree as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_importsandbox._effects.model import ImportEffects, LoadedModule
from pytest_importsandbox._effects.text import Painter, share

_BAR: Final = 20


@dataclass
class Node:
    """A module with those that were loaded because of it."""

    module: LoadedModule
    children: list[Node] = field(default_factory=list)
    seconds: float = 0.0
    """The time of all of these, each counted once: that of a package and of its submodule do not overlap."""

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """This node and all below it, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def tree(effects: ImportEffects, *, by_time: bool = False) -> list[Node]:
    """The modules that nobody else's import has loaded, with all others below them.

    :param by_time: Whether the slowest come first; otherwise, they come in the order of their loads.
    """
    nodes = {module.name: Node(module) for module in effects.modules}
    parents: dict[str, Node] = {}
    for node in nodes.values():
        importer = nodes.get(node.module.importer)
        # One that failed and was tried again can have been asked for by what it had asked for itself.
        if importer is not None and node.module.name not in _way_up(importer, parents):
            importer.children.append(node)
            parents[node.module.name] = importer
    roots = [node for node in nodes.values() if node.module.name not in parents]
    for root in roots:
        _add_up(root, by_time)
    if by_time:
        roots.sort(key=_seconds, reverse=True)
    return roots


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
            bar = paint(_bar(node.seconds, total), "green")
            lines.append(f"{share(node.seconds, total)}  {bar}  {'  ' * depth}{node.module.name}{place}")
    return "\n".join(lines)


def _way_up(node: Node, parents: Mapping[str, Node]) -> list[str]:
    """The name of a node, and those of all above it."""
    way = [node.module.name]
    while way[-1] in parents:
        way.append(parents[way[-1]].module.name)
    return way


def _add_up(root: Node, by_time: bool) -> None:
    """Sum up the times below a node."""
    # From the leaves to the root.
    for _, node in reversed(list(root.walk())):
        node.seconds = node.module.self_seconds + sum(map(_seconds, node.children))
        if by_time:
            node.children.sort(key=_seconds, reverse=True)


def _seconds(node: Node) -> float:
    return node.seconds


def _bar(seconds: float, total: float) -> str:
    return ("#" * round(_BAR * seconds / (total or 1))).ljust(_BAR)
