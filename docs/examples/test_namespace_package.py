"""A namespace package with two portions.

``inkhorn_formats`` has no ``__init__.py``: it is all directories of that name on ``sys.path``
together. Inkhorn brings one of them, other distributions bring more.
A portion that a test adds is gone after it, also from the package that is loaded already.
"""

import sys
from pathlib import Path

import inkhorn_formats
import pytest

THIRD_PARTY = Path(__file__).with_name("third_party")


def test_one_portion_comes_with_inkhorn(fresh_import):
    inkhorn = fresh_import("inkhorn", fresh=("inkhorn_formats",))

    assert inkhorn.discover() == ["table"]


def test_installed_portion_is_discovered(fresh_import):
    sys.path.append(str(THIRD_PARTY))  # The sandbox takes it off again.
    inkhorn = fresh_import("inkhorn", fresh=("inkhorn_formats",))

    assert inkhorn.discover() == ["morse", "table"]
    assert inkhorn.dumps("sos", "morse") == "... --- ..."


# A portion that is written for the test; without ``namespace=True`` it would hide the others.
def test_written_portion_is_discovered(fresh_import, temp_package):
    source = "from inkhorn import Format, register; register(Format('rot', str, str))"
    temp_package("inkhorn_formats", {"rot.py": source}, namespace=True)
    inkhorn = fresh_import("inkhorn", fresh=("inkhorn_formats",))

    assert inkhorn.discover() == ["rot", "table"]
    assert inkhorn.available() == ["json", "outline", "rot", "table"]


def test_no_portion_at_all_is_no_error(fresh_import):
    inkhorn = fresh_import("inkhorn", blocked=("inkhorn_formats",))

    assert inkhorn.discover() == []


# This time the package is not imported afresh: the one from the top of this file grows, and shrinks
# again after the test.
@pytest.mark.isolated_imports
@pytest.mark.parametrize("installation", ["first", "second"])
def test_portion_is_added_to_the_package_that_is_loaded(installation):
    assert len(inkhorn_formats.__path__) == 1

    sys.path.append(str(THIRD_PARTY))

    assert len(inkhorn_formats.__path__) == 2
