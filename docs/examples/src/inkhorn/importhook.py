"""Import outline files: after :func:`install`, ``from recipes import soup`` finds ``soup.ink``."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from inkhorn.formats import outline


class InkLoader(Loader):
    """Turns an outline file into a module whose ``content`` is what the file says."""

    def exec_module(self, module: ModuleType) -> None:
        """Read the file into the new module."""
        text = Path(module.__spec__.origin).read_text(encoding="utf-8")
        module.content = outline.loads(text)


class InkFinder(MetaPathFinder):
    """Looks for ``name.ink`` wherever ``name.py`` may lie."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load the outline file of this name, if there is one."""
        filename = fullname.rpartition(".")[2] + ".ink"
        for directory in sys.path if path is None else path:
            file = Path(directory, filename)
            if file.is_file():
                return spec_from_file_location(fullname, file, loader=InkLoader())
        return None


def install() -> None:
    """Put the finder behind all others, so that a Python module of the same name wins."""
    if not any(isinstance(finder, InkFinder) for finder in sys.meta_path):
        sys.meta_path.append(InkFinder())
