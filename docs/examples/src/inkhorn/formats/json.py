"""JSON on one line."""

from inkhorn import backend
from inkhorn.registry import Format, register

register(Format("json", backend.encode, backend.decode))
