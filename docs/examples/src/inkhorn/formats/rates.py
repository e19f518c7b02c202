"""Exchange rates for the ledger, from a file of lines such as ``EUR 1.08``."""

from decimal import Decimal
from pathlib import Path


def read_rates(path: Path) -> dict[str, Decimal]:
    """Return what one unit of each currency is worth."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {currency: Decimal(rate) for currency, rate in map(str.split, lines)}
