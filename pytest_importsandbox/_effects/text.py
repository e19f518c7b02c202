"""Pieces of text that fit on a line of a terminal."""

from __future__ import annotations

from typing import Final

# What would end the line, or do something to a terminal.
_CONTROLS: Final = {number: repr(chr(number))[1:-1] for number in (*range(32), 127)}
# https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
_STYLES: Final = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}


class Painter:
    """Colours text, or leaves it as it is."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and text else text


def shortened(text: str, width: int = 60) -> str:
    """A text that fits on a line, without its middle if it is too long: the end of a path tells most."""
    if len(text) > width:
        text = f"{text[: width // 3]}...{text[3 + width // 3 - width :]}"
    return text.translate(_CONTROLS)


def milliseconds(seconds: float) -> str:
    """A time, in milliseconds."""
    return f"{seconds * 1000:.1f} ms"


def share(seconds: float, total: float) -> str:
    """A time and its share of the whole, as columns of a table."""
    return f"{milliseconds(seconds):>11} {seconds / (total or 1):4.0%}"
