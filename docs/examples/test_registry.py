"""A registry that fills on import.

Importing Inkhorn, or a plug-in for it, adds to one global registry. ``fresh_import("inkhorn")``
gives each test a registry of its own, which holds nothing from other tests.
"""

import pytest

SHOUTING = """
    from inkhorn import Format, register

    register(Format("voice", str.upper, str.lower))
"""
WHISPERING = """
    from inkhorn import Format, register

    register(Format("voice", str.lower, str.upper))
"""


def test_import_registers_the_formats_that_everybody_gets(fresh_import):
    inkhorn = fresh_import("inkhorn")

    assert inkhorn.available() == ["json", "outline"]


# The two cases write a package of the same name, which registers a format of the same name.
@pytest.mark.parametrize(
    ("source", "text"),
    [(SHOUTING, "HELLO"), (WHISPERING, "hello")],
    ids=["shouting", "whispering"],
)
def test_importing_a_plugin_registers_its_format(fresh_import, temp_package, source, text):
    temp_package("loud_formats", source)
    inkhorn = fresh_import("inkhorn")

    fresh_import("loud_formats")

    assert inkhorn.dumps("Hello", "voice") == text


def test_plugin_cannot_take_the_name_of_another_format(fresh_import, temp_package):
    temp_package("loud_formats", SHOUTING.replace("voice", "json"))
    inkhorn = fresh_import("inkhorn")

    with pytest.raises(inkhorn.FormatError, match="already a format called 'json'"):
        fresh_import("loud_formats")
