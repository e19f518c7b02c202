"""An import hook.

The hook goes to ``sys.meta_path``, and from there it would serve every later import of the run.
The sandbox takes it away, together with the modules that came through it.
"""

import sys

import pytest

FILES = {"soup.ink": "title: Soup\nneeds:\n  water: 2 l\n  salt: 1 g\n"}


def count_hooks() -> int:
    """Count by name: a fresh import of the hook makes another class."""
    return sum(type(finder).__name__ == "InkFinder" for finder in sys.meta_path)


def test_import_alone_installs_no_hook(fresh_import):
    fresh_import("inkhorn.importhook")

    assert count_hooks() == 0


def test_hook_is_installed_once(fresh_import):
    importhook = fresh_import("inkhorn.importhook")

    importhook.install()
    importhook.install()

    assert count_hooks() == 1


def test_outline_file_becomes_a_module(fresh_import, temp_package):
    temp_package("recipes", FILES)
    fresh_import("inkhorn.importhook").install()

    soup = fresh_import("recipes.soup")

    assert soup.content == {"title": "Soup", "needs": {"water": "2 l", "salt": "1 g"}}


def test_outline_file_is_no_module_without_the_hook(fresh_import, temp_package):
    temp_package("recipes", FILES)

    with pytest.raises(ModuleNotFoundError):
        fresh_import("recipes.soup")


def test_python_module_wins_over_outline_file(fresh_import, temp_package):
    temp_package("recipes", {**FILES, "soup.py": "content = 'Python'"})
    fresh_import("inkhorn.importhook").install()

    soup = fresh_import("recipes.soup")

    assert soup.content == "Python"
