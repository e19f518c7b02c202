"""What packages have under the names of their loaded submodules."""

from __future__ import annotations

import sys
from typing import Any

from pytest_importsandbox._core.attributes import SubmoduleAttributes


class Attributes:
    """What there was when looked at last."""

    def __init__(self) -> None:
        self._known = SubmoduleAttributes()

    def look(self) -> None:
        """Remember what there is now."""
        modules: dict[str, Any] = sys.modules.copy()
        self._known = SubmoduleAttributes()
        self._known.look_at([name for name in modules if type(name) is str], modules)
        # What is absent can come by itself, at its first use: `six.moves`.
        self._known.forget_absent()

    def changes(self) -> list[tuple[str, Any, Any]]:
        """The names with what they stood for at the last look and stand for now; look again."""
        changes = self._known.changes()
        self._known.look_again(name for name, _, _ in changes)
        return changes
