"""Amounts of money, one ``currency amount`` to a line, written with what they are worth together.

The module registers its format first and reads the exchange rates afterwards.
If they are missing, the import fails when half of its work is done.
"""

import os
from decimal import Decimal
from pathlib import Path

from inkhorn.formats.rates import read_rates
from inkhorn.registry import Format, register


def dumps(amounts: dict[str, Decimal]) -> str:
    """Write the amounts and their total."""
    total = sum(amount * RATES[currency] for currency, amount in amounts.items())
    lines = [f"{currency} {amount}\n" for currency, amount in amounts.items()]
    return "".join([*lines, f"total {total}\n"])


def loads(text: str) -> dict[str, Decimal]:
    """Read the amounts; the total is worked out again when they are written."""
    pairs = [line.split() for line in text.splitlines()]
    return {currency: Decimal(amount) for currency, amount in pairs if currency != "total"}


register(Format("ledger", dumps, loads))

if "INKHORN_RATES" not in os.environ:
    raise RuntimeError("the ledger format needs INKHORN_RATES, the path of a file with rates")
RATES = read_rates(Path(os.environ["INKHORN_RATES"]))
