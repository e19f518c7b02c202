"""Show a value as a web page."""

import html

from inkhorn import dumps


def page(value: object) -> str:
    """Return a page that shows ``value`` as text in the default format."""
    return f"<!doctype html>\n<title>Preview</title>\n<pre>{html.escape(dumps(value))}</pre>\n"
