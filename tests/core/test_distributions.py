"""Distributions of which nothing can be imported, whatever has become of the standard finder."""

from __future__ import annotations

from importlib.machinery import PathFinder

import pytest

from pytest_importsandbox._core.distributions import HiddenDistributions


def test_method_that_a_backport_has_taken_from_the_standard_finder_stays_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(PathFinder, "find_distributions")
    hidden = HiddenDistributions(lambda name: True)

    hidden.begin()
    during = "find_distributions" in vars(PathFinder)
    hidden.end()

    assert not during
    assert "find_distributions" not in vars(PathFinder)
