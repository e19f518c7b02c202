"""A module that fails to import halfway.

``inkhorn.formats.ledger`` loads a helper module and registers its format, and only then finds that
it cannot work. Python drops the module, but not what it did until then, so that the next attempt
fails for another reason: "there is already a format called 'ledger'".

``fresh=("inkhorn",)`` lets the import fail in a copy of the whole package, which has a registry of
its own. After the failure the copy is gone, and the package is the one that was there before.
"""

import sys

import inkhorn
import pytest


@pytest.fixture
def rates(tmp_path):
    path = tmp_path / "rates.txt"
    path.write_text("EUR 1\nGBP 1.2\n", encoding="utf-8")
    return path


def test_ledger_without_rates_is_an_error(monkeypatch, fresh_import):
    monkeypatch.delenv("INKHORN_RATES", raising=False)

    with pytest.raises(RuntimeError, match="needs INKHORN_RATES"):
        fresh_import("inkhorn.formats.ledger", fresh=("inkhorn",))


def test_failed_import_leaves_nothing_behind(monkeypatch, fresh_import):
    monkeypatch.delenv("INKHORN_RATES", raising=False)

    with pytest.raises(RuntimeError):
        fresh_import("inkhorn.formats.ledger", fresh=("inkhorn",))

    assert sys.modules["inkhorn"] is inkhorn
    assert "ledger" not in inkhorn.available()
    assert "inkhorn.formats.rates" not in sys.modules


def test_ledger_can_be_imported_after_a_failure(monkeypatch, fresh_import, rates):
    monkeypatch.delenv("INKHORN_RATES", raising=False)
    with pytest.raises(RuntimeError):
        fresh_import("inkhorn.formats.ledger", fresh=("inkhorn",))
    monkeypatch.setenv("INKHORN_RATES", str(rates))

    ledger = fresh_import("inkhorn.formats.ledger", fresh=("inkhorn",))

    assert ledger.dumps({"EUR": 2, "GBP": 10}) == "EUR 2\nGBP 10\ntotal 14.0\n"
