"""Texts that fit on a line."""

from __future__ import annotations

from typing import Final

# What would end the line, or do something to a terminal.
_CONTROLS: Final = {number: repr(chr(number))[1:-1] for number in (*range(32), 127)}


def shortened(text: str, width: int = 60) -> str:
    """A text that fits on a line, without its middle if it is too long: the end of a path tells most."""
    if len(text) > width:
        text = f"{text[: width // 3]}...{text[3 + width // 3 - width :]}"
    return text.translate(_CONTROLS)
