"""Words in Morse code: what somebody else's distribution adds to ``inkhorn_formats``."""

from inkhorn import Format, register

_CODES = {"E": ".", "I": "..", "K": "-.-", "N": "-.", "S": "...", "O": "---", "T": "-"}
_LETTERS = {code: letter for letter, code in _CODES.items()}


def dumps(word: str) -> str:
    """Write the letters of a word."""
    return " ".join(_CODES[letter] for letter in word.upper())


def loads(text: str) -> str:
    """Read the letters of a word."""
    return "".join(_LETTERS[code] for code in text.split())


register(Format("morse", dumps, loads))
