"""An optional dependency with a fallback.

``inkhorn.backend`` chooses orjson if it can be imported. Both branches are tested here, whether
orjson is installed or not: one test makes it look missing, another writes a stand-in for it.
"""

import importlib.util

import pytest

FAKE_ORJSON = """
    def dumps(value):
        return b"written by orjson"
"""


def test_standard_library_is_used_without_orjson(fresh_import):
    backend = fresh_import("inkhorn.backend", blocked=("orjson",))

    assert backend.NAME == "json"


def test_orjson_is_used_where_it_is_installed(fresh_import, temp_package):
    temp_package("orjson", FAKE_ORJSON)

    # Should the real orjson be loaded already, ``fresh`` makes it give way to the stand-in.
    backend = fresh_import("inkhorn.backend", fresh=("orjson",))

    assert backend.NAME == "orjson"
    assert backend.encode(["any value"]) == "written by orjson"


# The marker blocks a package for the whole test, whatever the test imports and however it asks.
@pytest.mark.isolated_imports(blocked=("orjson",))
def test_everything_works_without_orjson(fresh_import):
    inkhorn = fresh_import("inkhorn")

    assert importlib.util.find_spec("orjson") is None
    assert inkhorn.loads(inkhorn.dumps({"crème": 1})) == {"crème": 1}
