"""Nested dictionaries of strings, one ``key: value`` to a line, depth shown by indentation."""

from inkhorn.registry import Format, register
from inkhorn.settings import INDENT

Outline = dict[str, "str | Outline"]


def dumps(value: Outline, depth: int = 0) -> str:
    """Write a dictionary as an outline."""
    margin = " " * INDENT * depth
    lines = []
    for key, content in value.items():
        if isinstance(content, dict):
            lines.append(f"{margin}{key}:\n{dumps(content, depth + 1)}")
        else:
            lines.append(f"{margin}{key}: {content}\n")
    return "".join(lines)


def loads(text: str) -> Outline:
    """Read an outline, however deep its lines are indented."""
    top: Outline = {}
    open_levels = [(-1, top)]
    for line in filter(str.strip, text.splitlines()):
        key, _, content = line.partition(":")
        margin = len(key) - len(key.lstrip())
        while open_levels[-1][0] >= margin:
            open_levels.pop()
        level = open_levels[-1][1]
        if content.strip():
            level[key.strip()] = content.strip()
        else:
            inner: Outline = {}
            level[key.strip()] = inner
            open_levels.append((margin, inner))
    return top


register(Format("outline", dumps, loads))
