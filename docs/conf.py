"""How Sphinx builds the documentation."""

from importlib.metadata import version as version_of

project = "pytest-importsandbox"
author = "The pytest-importsandbox contributors"
copyright = "The pytest-importsandbox contributors"
version = release = version_of("pytest-importsandbox")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxcontrib.svgbob"]
# The examples are a suite of their own, from which pages include files; README.md is for the repository.
exclude_patterns = ["README.md", "_build", "examples"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# In docstrings, single backticks are code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Everything that is public is imported from the package itself.
add_module_names = False
python_display_short_literal_types = True

# The build works without the network, so it has no inventory of the standard library's documentation.
nitpick_ignore = [
    ("py:class", "collections.abc.Iterable"),
    ("py:class", "collections.abc.Mapping"),
    ("py:class", "collections.abc.Sequence"),
    ("py:class", "os.PathLike"),
    ("py:class", "pathlib.Path"),
    ("py:class", "types.ModuleType"),
]

# Links to other sites are not followed, for the same reason.
linkcheck_ignore = [r"https?://"]

html_theme = "furo"
html_title = f"{project} {version}"
html_theme_options = {
    # Each page links to its own source.
    "source_repository": "https://github.com/pytest-importsandbox/pytest-importsandbox/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_static_path = ["_static"]
html_css_files = ["importsandbox.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
