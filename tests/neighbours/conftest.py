"""What the tests with neighbouring plugins share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _named_plugins_alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let inner runs load what they name; `pytester` comes first, since it clears the variable."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p importsandbox -W error")
