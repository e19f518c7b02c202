"""Turn what the benchmarks measured into a table of ratios, a plot and the page of the documentation.

Run with the path of the JSON file of pytest-benchmark. The page is written only if every benchmark ran.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "benchmarks.md"
PLOT = DOCS / "benchmarks.svg"
BEGIN = "<!-- What follows is written by `tox run -e benchmark`. -->\n"
END = "<!-- What `tox run -e benchmark` writes ends here. -->\n"
PACKAGES = (
    "pytest-importsandbox",
    "pytest",
    "pandas",
    "pytest-forked",
    "pytest-isolated",
    "pytest-benchmark",
)

SIZES = (400, 1_000, 2_500, 5_000, 10_000, 20_000)
COUNTS = (1, 25, 50, 100, 200, 400)


class Figures:
    """What was measured."""

    def __init__(self, benchmarks: list[dict[str, Any]]) -> None:
        self.benchmarks = benchmarks

    def of(self, test: str, /, **params: Any) -> list[dict[str, Any]]:
        """All repeats of a benchmark."""
        return [
            each
            for each in self.benchmarks
            if each["name"].startswith(f"{test}[")
            and all(each["params"][name] == value for name, value in params.items())
        ]

    def seconds(self, test: str, /, **params: Any) -> list[float]:
        """The time of each repeat: of a whole pytest run its processor time, else the best of the rounds."""
        return [each["extra_info"].get("processor", each["stats"]["min"]) for each in self.of(test, **params)]


@dataclass
class Row:
    """One line of the table: something that was measured, against something else of the same run."""

    what: str
    measured: list[float]
    against: str
    reference: list[float]
    unit: str = "s"

    @property
    def cells(self) -> tuple[str, ...]:
        """The best of all repeats, and the ratio of the best and of the medians."""
        return (
            self.what,
            shown(min(self.measured), self.unit),
            self.against,
            shown(min(self.reference), self.unit),
            f"{min(self.measured) / min(self.reference):.2f}",
            f"{median(self.measured) / median(self.reference):.2f}",
        )


HEADINGS = ("What", "Takes", "Against", "Takes", "Ratio", "Medians")


def shown(value: float, unit: str) -> str:
    """A figure with its unit, of three digits or so."""
    if unit == "s":
        for factor, small in ((1e6, "µs"), (1e3, "ms")):
            if value * factor < 1_000:
                return f"{value * factor:.3g} {small}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def rows_of(figures: Figures) -> Iterator[Row]:
    """All lines of the table."""
    for size in SIZES:
        for way, what in (
            ("importsandbox", "enter and leave a sandbox"),
            ("floor", "floor: dict.copy and dict.update"),
        ):
            yield Row(
                f"{what}, {size:,} modules",
                figures.seconds("test_enter_and_leave", way=way, size=size),
                "pytester's snapshots",
                figures.seconds("test_enter_and_leave", way="pytester", size=size),
            )

    for size in (400, 1_000, 5_000, 20_000):
        in_script = figures.of("test_enter_and_leave_in_script", size=size)
        for against, what in (("floor", "dict.copy and dict.update"), ("pytester", "pytester's snapshots")):
            yield Row(
                f"enter and leave a sandbox in a script, {size:,} modules",
                [each["extra_info"]["importsandbox"] for each in in_script],
                what,
                [each["extra_info"][against] for each in in_script],
            )

    yield Row(
        "5,000 empty tests, plugin installed",
        figures.seconds("test_empty_tests", way="installed"),
        "not installed",
        figures.seconds("test_empty_tests", way="without"),
    )
    yield Row(
        "5,000 empty tests, all isolated",
        figures.seconds("test_empty_tests", way="isolated"),
        "installed, not isolated",
        figures.seconds("test_empty_tests", way="installed"),
    )
    for size in SIZES:
        yield Row(
            f"look for leaks, as for each test, {size:,} modules",
            figures.seconds("test_enter_and_leave", way="leaks", size=size),
            "enter and leave a sandbox",
            figures.seconds("test_enter_and_leave", way="importsandbox", size=size),
        )
    yield Row(
        "5,000 empty tests, looking for leaks",
        figures.seconds("test_empty_tests", way="leaks"),
        "all isolated",
        figures.seconds("test_empty_tests", way="isolated"),
    )
    yield Row(
        "import of the plugin",
        [each["extra_info"]["seconds"] for each in figures.of("test_import_of_plugin")],
        "a run of one test",
        figures.seconds("test_import_of_plugin"),
    )
    for bytecode, how in ((True, ""), (False, ", no bytecode")):
        yield Row(
            f"a run of one test, plugin installed and not used{how}",
            figures.seconds("test_run_that_does_not_use_it", way="installed", bytecode=bytecode),
            "without it",
            figures.seconds("test_run_that_does_not_use_it", way="without", bytecode=bytecode),
        )
    for count in (1, 10, 100):
        yield Row(
            f"fresh import of {count} module{'s' * (count > 1)}",
            figures.seconds("test_fresh_import", way="fresh_import", count=count),
            "pop and import by hand",
            figures.seconds("test_fresh_import", way="by hand", count=count),
        )
    for count in (25, 100, 400):
        for way, what in (("in a sandbox", "import"), ("preserved", "preserved, import")):
            yield Row(
                f"{what} of {count} modules in a sandbox",
                figures.seconds("test_import_in_sandbox", way=way, count=count),
                "import and removal by hand",
                figures.seconds("test_import_in_sandbox", way="by hand", count=count),
            )
    yield Row(
        "import_effects of an empty package",
        figures.seconds("test_empty_import", way="import_effects"),
        'python -c ""',
        figures.seconds("test_empty_import", way="plain"),
    )
    for way in ("not isolated", "mock.patch.dict", "pytester", "pytest-forked", "pytest-isolated"):
        yield Row(
            "1,000 isolated tests",
            figures.seconds("test_isolated_tests", way="importsandbox"),
            {"pytester": "pytester's snapshots"}.get(way, way),
            [
                each["extra_info"]["processor"] * 1_000 / each["extra_info"]["tests"]
                for each in figures.of("test_isolated_tests", way=way)
            ],
        )
    yield Row(
        "200 isolated tests with pandas",
        figures.seconds("test_pandas_tests", way="isolated"),
        "not isolated",
        figures.seconds("test_pandas_tests", way="not isolated"),
    )
    yield Row(
        "200 isolated tests with pandas",
        figures.seconds("test_pandas_tests", way="isolated"),
        "one process for each",
        [200 * each for each in figures.seconds("test_pandas_tests", way="one process")],
    )
    for way, against in (("by hand", "the same by hand"), ("empty", "empty tests, not isolated")):
        yield Row(
            "growth of the process, tests 200 to 2,000",
            growth(figures, "isolated"),
            against,
            growth(figures, way),
            unit="KiB",
        )
    for size in (1_000, 5_000):
        for way in ("put aside", "take up"):
            yield Row(
                f"{way} the sandbox of a test module, {size:,} modules",
                figures.seconds("test_change_of_module", way=way, size=size),
                "dict.copy and dict.update",
                figures.seconds("test_change_of_module", way="floor", size=size),
            )
    for suite, what in (
        ("pandas", "import pandas"),
        ("library", "import a library of 100 modules"),
    ):
        isolated, together, process = (
            figures.seconds("test_files", suite=suite, way=way)
            for way in ("isolated", "together", "one process")
        )
        yield Row(f"200 test files that {what}, each isolated", isolated, "not isolated", together)
        yield Row(
            f"200 test files that {what}, each isolated",
            isolated,
            "one process for each",
            [200 * each for each in process],
        )
    yield Row(
        "kept of a test module that is put aside, 5,000 modules",
        [each["extra_info"]["kibibytes"] for each in figures.of("test_memory_of_modules")],
        "a copy of sys.modules",
        [sys.getsizeof(dict.fromkeys(range(5_000))) / 1024],
        unit="KiB",
    )


def growth(figures: Figures, way: str) -> list[float]:
    """By how many KiB the process grew in each repeat."""
    memory = [each["extra_info"]["memory"] for each in figures.of("test_memory", way=way)]
    return [(each["2000"] - each["200"]) / 1024 for each in memory]


def remarks(figures: Figures) -> Iterator[str]:
    """What the ratios do not say."""
    isolated, installed, without = (
        figures.seconds("test_empty_tests", way=way) for way in ("isolated", "installed", "without")
    )
    added = (min(isolated) - min(installed)) / 5_000
    yield f"A test that is isolated and does nothing takes {shown(added, 's')} more than one that is not."
    ratio = median(installed) / median(without)
    yield (
        f"5,000 empty tests that are not isolated take {ratio:.2f} times as long "
        "where the plugin is installed, by the medians."
    )
    first, middle, third = quantiles(without, n=4)
    noise = (third - first) / middle
    yield (
        "The noise of whole test runs: half of the runs of the empty tests without the plugin lie within "
        f"{noise:.1%} of each other."
    )
    others = sorted(
        {name for each in figures.of("test_import_of_plugin") for name in each["extra_info"]["others"]}
    )
    yield f"Modules that the plugin's import brings along beside its own: {', '.join(others) or 'none'}."


def as_text(rows: list[Row]) -> str:
    """The table for a terminal."""
    table = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    )


def as_markdown(rows: list[Row]) -> str:
    """The table for the page."""
    table = [HEADINGS, ("---", "--:", "---", "--:", "--:", "--:"), *(row.cells for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in table)


def machine(info: dict[str, Any]) -> str:
    """What the benchmarks ran on."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = f"{platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = ", ".join(installed(PACKAGES))
    cores = os.cpu_count()
    return f"{info['cpu']['brand_raw']}, {cores} cores, {system}; {python}, {packages}."


def installed(names: Iterable[str]) -> Iterator[str]:
    """The packages that are there, with their versions."""
    for name in names:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def draw(figures: Figures) -> None:
    """Draw how the cost grows."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9})
    figure = Figure(figsize=(5.5, 7.5), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    for way, label, style in (
        ("pytester", "pytester's snapshots", "C1o-"),
        ("importsandbox", "sandbox", "C0s-"),
        ("floor", "dict.copy and dict.update", "k:"),
    ):
        times = [1e6 * min(figures.seconds("test_enter_and_leave", way=way, size=size)) for size in SIZES]
        upper.loglog(SIZES, times, style, label=label, markersize=4)
    upper.set(title="Enter and leave", xlabel="entries in sys.modules", ylabel="µs")
    upper.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    upper.minorticks_off()
    for way, label, style in (
        ("in a sandbox", "in a sandbox", "C0s-"),
        ("by hand", "imported and removed by hand", "C1o-"),
        ("preserved", "in a sandbox, preserved", "C2^-"),
    ):
        times = [
            1e3 * min(figures.seconds("test_import_in_sandbox", way=way, count=count)) for count in COUNTS
        ]
        lower.plot(COUNTS, times, style, label=label, markersize=4)
    lower.set(title="Import, with 1,000 entries", xlabel="modules that the test imports", ylabel="ms")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(PLOT, transparent=True, metadata={"Date": None})


def main() -> None:
    [path] = sys.argv[1:]
    run = json.loads(Path(path).read_text(encoding="utf-8"))
    figures = Figures(run["benchmarks"])
    rows = list(rows_of(figures))
    complete = [row for row in rows if row.measured and row.reference]
    print(as_text(complete))
    if len(complete) < len(rows):
        print("\nNot every benchmark ran: the page and the plot stay as they are.")
        return

    draw(figures)
    repeats = len(figures.of("test_import_of_plugin"))
    written = "\n".join(
        [
            *(f"- {remark}" for remark in remarks(figures)),
            "",
            f"![How the cost grows with the number of modules]({PLOT.name})\n",
            f"Best of {repeats} repeats. {machine(run['machine_info'])}\n",
            as_markdown(rows),
        ]
    )
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{written}\n{END}{after}", encoding="utf-8")
    print(f"\nWritten: {PAGE.name} and {PLOT.name}")


if __name__ == "__main__":
    main()
