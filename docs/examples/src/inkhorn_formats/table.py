"""Rows of cells as tab-separated lines.

There is no ``__init__.py`` beside this file, so that other distributions can add to the package.
"""

from inkhorn import Format, register


def dumps(rows: list[list[str]]) -> str:
    """Write each row as a line."""
    return "".join("\t".join(row) + "\n" for row in rows)


def loads(text: str) -> list[list[str]]:
    """Read each line as a row."""
    return [line.split("\t") for line in text.splitlines()]


register(Format("table", dumps, loads))
