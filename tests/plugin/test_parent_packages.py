"""The attribute of a submodule on a package that stays, after an isolated test imported it again."""

from __future__ import annotations

import pytest

# What `pkg.sub` is when the isolated test begins.
PACKAGES = {
    "the old module": ("from . import sub", ""),
    "a function of the same name": ("from .sub import sub", ""),
    "some other value": ("from . import sub; sub = None", ""),
    "deleted": ("from . import sub; del sub", ""),
    "not imported yet": ("", ""),
    "not imported, with a module __getattr__": ("def __getattr__(name): raise MemoryError(name)", ""),
}

# How the isolated test imports `pkg.sub` again.
IMPORTS = {
    "fresh_import": """
        fresh_import("pkg.sub")
    """,
    "fresh_import of the parent's other child": """
        fresh_import("pkg.other")
    """,
    "evict and import": """
        import_sandbox.evict("pkg.sub")
        import pkg.sub
    """,
    "delete and import": """
        sys.modules.pop("pkg.sub", None)
        import pkg.sub
    """,
    "a finder in front": """
        sys.meta_path.insert(0, Finder)
        fresh_import("pkg.sub")
    """,
    "a finder in front, by hand": """
        sys.meta_path.insert(0, Finder)
        sys.modules.pop("pkg.sub", None)
        import pkg.sub
    """,
    "a finder in front, by hand, both undone": """
        old = sys.modules.pop("pkg.sub", None)
        sys.meta_path.insert(0, Finder)
        import pkg.sub
        sys.meta_path.remove(Finder)
        if old is not None:
            sys.modules["pkg.sub"] = old
    """,
    "the path finder alone": """
        sys.meta_path[:] = [PathFinder]
        fresh_import("pkg.sub")
    """,
    "the path finder alone, by hand": """
        sys.meta_path[:] = [PathFinder]
        sys.modules.pop("pkg.sub", None)
        import pkg.sub
    """,
    "no finder at all": """
        fresh_import("pkg.sub")
        sys.meta_path[:] = []
    """,
    "no finder at all, by hand": """
        sys.meta_path[:] = []
        spec = PathFinder.find_spec("pkg.sub", pkg.__path__)
        sys.modules["pkg.sub"] = vars(pkg)["sub"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["pkg.sub"])
    """,
    "the watcher in place, by hand": """
        spec = PathFinder.find_spec("pkg.sub", pkg.__path__)
        sys.modules["pkg.sub"] = vars(pkg)["sub"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["pkg.sub"])
    """,
    "a fake by hand": """
        sys.modules["pkg.sub"] = vars(pkg)["sub"] = object()
    """,
    "a fake found by a finder": """
        sys.meta_path.insert(0, Finder)
        sys.modules.pop("pkg.sub", None)
        import pkg.sub
        sys.modules["pkg.sub"] = object()
    """,
}


@pytest.mark.parametrize("manner", IMPORTS)
@pytest.mark.parametrize("initially", PACKAGES)
def test_parent_has_the_attribute_that_it_had(pytester: pytest.Pytester, initially: str, manner: str) -> None:
    pytester.makepyfile(
        **{
            "pkg/__init__": PACKAGES[initially][0],
            "pkg/sub": "def sub(): pass",
            "pkg/other": "import pkg.sub",
            "test_it": f"""
    import sys
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    import pkg

    MISSING = object()
    before = vars(pkg).get("sub", MISSING), sys.modules.get("pkg.sub", MISSING)


    class Finder(PathFinder):
        pass


    def test_isolated(fresh_import, import_sandbox):
{IMPORTS[manner]}


    def test_afterwards():
        assert (vars(pkg).get("sub", MISSING), sys.modules.get("pkg.sub", MISSING)) == before
    """,
        }
    )

    result = pytester.runpytest()

    result.assert_outcomes(passed=2)
