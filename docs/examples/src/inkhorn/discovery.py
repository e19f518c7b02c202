"""Find the formats that are installed beside Inkhorn.

Every distribution may add modules to the namespace package ``inkhorn_formats``.
A module of it registers its format when it is imported.
"""

import importlib
import pkgutil


def discover() -> list[str]:
    """Import every module of ``inkhorn_formats`` and return their names."""
    try:
        import inkhorn_formats
    except ModuleNotFoundError:
        return []
    names = sorted(module.name for module in pkgutil.iter_modules(inkhorn_formats.__path__))
    for name in names:
        importlib.import_module(f"inkhorn_formats.{name}")
    return names
