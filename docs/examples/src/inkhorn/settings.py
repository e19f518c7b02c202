"""Settings, read from the environment once, when this module is imported."""

import os


def _read_number(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise ValueError(f"{variable} must be a whole number, not {text!r}")
    return int(text)


DEFAULT_FORMAT = os.environ.get("INKHORN_FORMAT", "json")
INDENT = _read_number("INKHORN_INDENT", default=2)
