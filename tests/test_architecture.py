"""The map of the code in docs/CONTRIBUTING.md, as far as imports tell it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "pytest_importsandbox"
FILES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
# A module may import from the rows below its own, and in its own row from its own room.
ROWS = [
    ["plugin", "__main__", ""],
    ["_plugin", "_leaks", "_effects"],
    ["_sandbox"],
    ["_temporary"],
    ["_core.process"],
    ["_core.watcher", "_core.preserved"],
    ["_core.state", "_core.lazy", "_core.distributions", "_core.refusal"],
    ["_core.attributes"],
    ["_core.threads"],
    ["_core.modules", "_core.names"],
    ["_core.cpython"],
]


def imports_of(file: Path) -> set[str]:
    """The modules that a file imports, in functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in FILES else node.module for name in names}
    return found


IMPORTS = {module: imports_of(file) for module, file in FILES.items()}
OURS = {module: imported & FILES.keys() for module, imported in IMPORTS.items()}


def place(module: str) -> tuple[int, str]:
    """The row and the room of a module."""
    name = module.removeprefix(PACKAGE.name).removeprefix(".")
    for number, parts in enumerate(ROWS):
        if any(name == part or (part and name.startswith(f"{part}.")) for part in parts):
            return number, name.partition(".")[0]
    raise AssertionError(f"{module} has no row")


def points_down(module: str, imported: str) -> bool:
    (row, room), (other_row, other_room) = place(module), place(imported)
    return row < other_row or (row == other_row and room == other_room)


def test_imports_point_down() -> None:
    others = {
        (module, name) for module, names in OURS.items() for name in names if not points_down(module, name)
    }

    assert others == {("pytest_importsandbox._leaks.observer", "pytest_importsandbox._plugin.imports")}


def test_import_effects_know_nothing_of_sandboxes() -> None:
    room = "pytest_importsandbox._effects"
    known = {name for module in OURS if module.startswith(room) for name in OURS[module]}

    assert {name for name in known if not name.startswith(room)} == {
        "pytest_importsandbox._core.cpython",
        "pytest_importsandbox._core.names",
    }


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(OURS).prepare()


def test_only_the_files_for_pytest_import_it() -> None:
    importers = {
        module
        for module, imported in IMPORTS.items()
        if any(name.partition(".")[0] in ("pytest", "_pytest") for name in imported)
    }

    assert {module for module in importers if "._plugin." not in module} == {
        "pytest_importsandbox._leaks.observer",
        "pytest_importsandbox.plugin",
    }
