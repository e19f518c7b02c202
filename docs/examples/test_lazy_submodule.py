"""A submodule that is loaded at first use (PEP 562).

Such a test can only see the first use if nothing else has used the submodule before.
"""

import sys

import inkhorn
import pytest


def test_import_does_not_load_the_preview(fresh_import):
    fresh_import("inkhorn")

    assert "inkhorn.preview" not in sys.modules


def test_first_use_loads_the_preview(fresh_import):
    inkhorn = fresh_import("inkhorn")

    page = inkhorn.preview.page("a < b")

    assert "inkhorn.preview" in sys.modules
    assert "a &lt; b" in page


# The strictest test of laziness: where the submodule cannot be imported, only a lazy import works.
def test_inkhorn_works_without_the_preview(fresh_import):
    inkhorn = fresh_import("inkhorn", blocked=("inkhorn.preview",))

    assert inkhorn.dumps([1]) == "[1]"
    with pytest.raises(ModuleNotFoundError):
        _ = inkhorn.preview


# Loading a submodule also sets an attribute on its parent, here on the ``inkhorn`` from the top of
# this file. After each test the attribute is gone, so that the second case passes as well.
@pytest.mark.isolated_imports
@pytest.mark.parametrize("use", ["first", "second"])
def test_first_use_binds_the_preview(use):
    assert "preview" not in vars(inkhorn)

    preview = inkhorn.preview

    assert vars(inkhorn)["preview"] is preview
