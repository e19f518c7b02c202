"""The old home of :func:`inkhorn.dumps`, kept so that old programs still run."""

import warnings

from inkhorn import dumps as write

__all__ = ["write"]

# The level that blames the line which imports this module, not the module itself.
warnings.warn(
    "inkhorn.writer is deprecated; call inkhorn.dumps instead of inkhorn.writer.write",
    DeprecationWarning,
    stacklevel=2,
)
