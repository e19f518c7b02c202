"""Settings that are read from the environment at import.

``monkeypatch`` sets the environment, ``fresh_import`` has it read. The whole package is imported
afresh, because its modules keep copies of the settings (``from inkhorn.settings import INDENT``).
"""

import pytest


@pytest.mark.parametrize(
    ("indent", "text"),
    [("1", "a:\n b: c\n"), ("4", "a:\n    b: c\n")],
    ids=["one", "four"],
)
def test_indent_comes_from_the_environment(monkeypatch, fresh_import, indent, text):
    monkeypatch.setenv("INKHORN_INDENT", indent)

    inkhorn = fresh_import("inkhorn")

    assert inkhorn.dumps({"a": {"b": "c"}}, "outline") == text


def test_default_format_comes_from_the_environment(monkeypatch, fresh_import):
    monkeypatch.setenv("INKHORN_FORMAT", "outline")

    inkhorn = fresh_import("inkhorn")

    assert inkhorn.dumps({"a": "b"}) == "a: b\n"


def test_bad_indent_is_an_error_that_names_the_variable(monkeypatch, fresh_import):
    monkeypatch.setenv("INKHORN_INDENT", "two")

    with pytest.raises(ValueError, match="INKHORN_INDENT must be a whole number, not 'two'"):
        fresh_import("inkhorn.settings")
