"""The same with ``unittest``: no fixture, no marker, no pytest.

``ImportSandbox`` is a context manager. These tests also run with
``PYTHONPATH=docs/examples/src python -m unittest docs/examples/test_with_unittest.py``.
"""

# ruff: noqa: PT009, PT027 - unittest's own assertions are the point here.

import os
import sys
import unittest
from pathlib import Path
from unittest import mock

from pytest_importsandbox import ImportSandbox

PLUGIN = "from inkhorn import Format, register; register(Format('voice', str.upper, str.lower))"
RECIPES = {"soup.ink": "title: Soup\n"}
THIRD_PARTY = Path(__file__).with_name("third_party")


class ImportTimeTest(unittest.TestCase):
    def setUp(self):
        # A context that is entered here is left when the test ends, however it ends.
        self.sandbox = self.enterContext(ImportSandbox())

    def test_registry_holds_the_own_formats(self):
        inkhorn = self.sandbox.fresh_import("inkhorn")

        self.assertEqual(inkhorn.available(), ["json", "outline"])

    def test_plugin_registers_its_format(self):
        self.sandbox.temp_package("loud_formats", PLUGIN)
        inkhorn = self.sandbox.fresh_import("inkhorn")

        self.sandbox.fresh_import("loud_formats")

        self.assertEqual(inkhorn.dumps("Hello", "voice"), "HELLO")

    def test_standard_library_is_used_without_orjson(self):
        self.sandbox.block("orjson")

        backend = self.sandbox.fresh_import("inkhorn.backend")

        self.assertEqual(backend.NAME, "json")

    def test_orjson_is_used_where_it_is_installed(self):
        self.sandbox.temp_package("orjson", "def dumps(value): return b'written by orjson'")

        backend = self.sandbox.fresh_import("inkhorn.backend", fresh=("orjson",))

        self.assertEqual(backend.encode(["any value"]), "written by orjson")

    def test_importing_the_old_module_warns(self):
        self.sandbox.evict("inkhorn.writer")

        with self.assertWarns(DeprecationWarning) as caught:
            import inkhorn.writer  # noqa: F401

        self.assertEqual(caught.filename, __file__)

    def test_preview_is_loaded_at_first_use(self):
        inkhorn = self.sandbox.fresh_import("inkhorn")
        self.assertNotIn("inkhorn.preview", sys.modules)

        inkhorn.preview.page("a < b")

        self.assertIn("inkhorn.preview", sys.modules)

    def test_indent_comes_from_the_environment(self):
        self.enterContext(mock.patch.dict(os.environ, INKHORN_INDENT="4"))

        inkhorn = self.sandbox.fresh_import("inkhorn")

        self.assertEqual(inkhorn.dumps({"a": {"b": "c"}}, "outline"), "a:\n    b: c\n")

    def test_outline_file_becomes_a_module(self):
        self.sandbox.temp_package("recipes", RECIPES)
        self.sandbox.fresh_import("inkhorn.importhook").install()

        soup = self.sandbox.fresh_import("recipes.soup")

        self.assertEqual(soup.content, {"title": "Soup"})

    def test_outline_file_is_no_module_without_the_hook(self):
        self.sandbox.temp_package("recipes", RECIPES)

        with self.assertRaises(ModuleNotFoundError):
            self.sandbox.fresh_import("recipes.soup")

    def test_one_portion_comes_with_inkhorn(self):
        inkhorn = self.sandbox.fresh_import("inkhorn", fresh=("inkhorn_formats",))

        self.assertEqual(inkhorn.discover(), ["table"])

    def test_installed_portion_is_discovered(self):
        sys.path.append(str(THIRD_PARTY))
        inkhorn = self.sandbox.fresh_import("inkhorn", fresh=("inkhorn_formats",))

        self.assertEqual(inkhorn.discover(), ["morse", "table"])

    def test_failed_import_leaves_nothing_behind(self):
        inkhorn = self.sandbox.fresh_import("inkhorn")
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop("INKHORN_RATES", None)

        with self.assertRaisesRegex(RuntimeError, "needs INKHORN_RATES"):
            self.sandbox.fresh_import("inkhorn.formats.ledger", fresh=("inkhorn",))

        self.assertIs(sys.modules["inkhorn"], inkhorn)
        self.assertEqual(inkhorn.available(), ["json", "outline"])
        self.assertNotIn("inkhorn.formats.rates", sys.modules)


if __name__ == "__main__":
    unittest.main()
