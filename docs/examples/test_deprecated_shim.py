"""A deprecated module that warns when it is imported.

The warning comes with the first import only. Each test makes its own import the first.
"""

import pytest


def test_importing_the_old_module_warns(fresh_import):
    with pytest.warns(DeprecationWarning, match="call inkhorn.dumps"):
        fresh_import("inkhorn.writer")


def test_old_name_is_the_new_function(fresh_import):
    with pytest.warns(DeprecationWarning, match="call inkhorn.dumps"):
        writer = fresh_import("inkhorn.writer")

    # ``fresh_import`` leaves the parent package alone, so this is the one that all others use.
    import inkhorn

    assert writer.write is inkhorn.dumps


def test_warning_blames_the_line_that_imports(import_sandbox):
    # A plain import statement, since the place that it stands in is what matters.
    import_sandbox.evict("inkhorn.writer")

    with pytest.warns(DeprecationWarning, match="call inkhorn.dumps") as caught:
        import inkhorn.writer  # noqa: F401

    assert caught[0].filename == __file__


def test_importing_inkhorn_does_not_warn(fresh_import, recwarn):
    fresh_import("inkhorn")

    assert not recwarn.list
