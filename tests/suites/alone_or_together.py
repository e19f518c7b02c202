"""Tell which tests of a suite have another outcome alone than together, without and with the plugin.

Each test file is run alone, in a process of its own and without the plugin; then all files together, without
the plugin and with the given flags. Every test whose outcome is not the one that it has alone is printed with
both outcomes, and a table of all runs at the end:

    python tests/suites/alone_or_together.py ../click tests
    python tests/suites/alone_or_together.py ../click tests --flag=--isolated-imports -- -n 2

pytest and this plugin have to be installed for the interpreter that runs the suite. The exit status is 1 if a
test has another outcome with one of the flags.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ALONE = "alone"
TOGETHER = "together"
NO_OUTCOME = "not run"

# An error in one file would keep all others from being run.
ALWAYS = ("--continue-on-collection-errors", "--rootdir=.")
WITHOUT_PLUGIN = ("-p", "no:importsandbox")
# All passed, some failed, or there were none: what is not here has kept pytest from running all tests.
RAN_ALL_TESTS = (0, 1, 5)


@dataclass(frozen=True)
class Suite:
    """A suite, and how it is run: in which directory, what of it, with which interpreter and options."""

    directory: Path
    paths: Sequence[str] = ()
    options: Sequence[str] = ()
    python: str = sys.executable
    jobs: int = 1


@dataclass(frozen=True)
class Run:
    """One way to run a suite, the outcome of each of its tests, and how long it took."""

    label: str
    outcomes: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0


def main(arguments: Sequence[str]) -> int:
    """Compare the runs of the suite that the command line names; returns 1 if a flag changes an outcome."""
    suite, reference, flags = parsed(arguments)
    return int(compare(suite, reference, flags))


def compare(suite: Suite, reference: str, flags: Sequence[str]) -> bool:
    """Run a suite in every way, print what differs, and return whether a flag changes an outcome."""
    together = run_together(suite, TOGETHER, WITHOUT_PLUGIN)
    without_plugin = (
        [run_alone(suite, files_of(together.outcomes)), together] if reference == ALONE else [together]
    )
    flagged = [run_together(suite, f"with {flag or 'the plugin'}", shlex.split(flag)) for flag in flags]
    print("\n".join(report([*without_plugin, *flagged])), flush=True)
    return any(differences(without_plugin[0].outcomes, run.outcomes) for run in flagged)


def parsed(arguments: Sequence[str]) -> tuple[Suite, str, list[str]]:
    """What the command line says: the suite, what it is compared with, and the flags to run it with."""
    ours, options = split_at_dashes(arguments)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, help="the directory to run pytest in")
    parser.add_argument("path", nargs="*", help="what to run there; by default what the suite's settings say")
    parser.add_argument(
        "--flag",
        action="append",
        help="one or several options of the plugin, separated by spaces; repeat it for more runs; with an "
        "empty one the plugin is loaded and does nothing (default: --isolated-modules)",
    )
    parser.add_argument(
        "--reference",
        choices=(ALONE, TOGETHER),
        default=ALONE,
        help="what all other runs are compared with: each file alone (default), or all together without the "
        "plugin, where nothing is run alone",
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="how many files to run alone at the same time")
    parser.epilog = "What follows after -- goes to pytest in every run; options only, no paths."
    chosen = parser.parse_args(ours)
    suite = Suite(chosen.directory, chosen.path, options, chosen.python, chosen.jobs)
    return suite, chosen.reference, chosen.flag or ["--isolated-modules"]


def split_at_dashes(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What stands before and after the first "--"."""
    if "--" not in arguments:
        return arguments, ()
    position = arguments.index("--")
    return arguments[:position], arguments[position + 1 :]


def run_alone(suite: Suite, files: Sequence[str]) -> Run:
    """Run each file in a process of its own, without the plugin."""
    start = time.perf_counter()
    outcomes: dict[str, str] = {}
    with ThreadPoolExecutor(suite.jobs) as executor:
        for of_file in executor.map(lambda file: run_pytest(suite, [file], WITHOUT_PLUGIN), files):
            outcomes.update(of_file)
    return Run(ALONE, outcomes, time.perf_counter() - start)


def run_together(suite: Suite, label: str, options: Sequence[str]) -> Run:
    """Run the whole suite in one process."""
    start = time.perf_counter()
    outcomes = run_pytest(suite, suite.paths, options)
    return Run(label, outcomes, time.perf_counter() - start)


def run_pytest(suite: Suite, paths: Sequence[str], options: Sequence[str]) -> dict[str, str]:
    """Run pytest and return the outcome of each test; where not all were run, of the paths as well."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "outcomes.json")
        pytest = [suite.python, "-m", "pytest", "-p", "record_outcomes", "--outcomes", str(file)]
        result = subprocess.run(
            [*pytest, *ALWAYS, *options, *suite.options, *paths],
            cwd=suite.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        outcomes: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if result.returncode not in RAN_ALL_TESTS:
        print(result.stdout[-2000:], result.stderr[-2000:], sep="\n", file=sys.stderr)
        outcomes[" ".join(paths) or "."] = f"ended with status {result.returncode}"
    return outcomes


def environment() -> dict[str, str]:
    """The environment of a run: the recording plugin can be imported, and sets always have the same order."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONHASHSEED": "0"}


def files_of(outcomes: Iterable[str]) -> list[str]:
    """The files that these tests are in, in the order in which they were run."""
    return list(dict.fromkeys(test.partition("::")[0] for test in outcomes))


def differences(reference: Mapping[str, str], other: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Both outcomes of each test that has not the same one in both runs."""
    pairs = {
        test: (reference.get(test, NO_OUTCOME), other.get(test, NO_OUTCOME))
        for test in dict.fromkeys([*reference, *other])
    }
    return {test: (expected, found) for test, (expected, found) in pairs.items() if expected != found}


def report(runs: Sequence[Run]) -> list[str]:
    """Every test whose outcome is not that of the first run, and a table of all runs."""
    reference, *others = runs
    found = [differences(reference.outcomes, run.outcomes) for run in others]
    return [
        *(
            f"{test}: {expected} {reference.label}, {outcome} {run.label}"
            for run, tests in zip(others, found, strict=True)
            for test, (expected, outcome) in tests.items()
        ),
        f"| run | outcomes | other than {reference.label} | seconds |",
        "| --- | --- | ---: | ---: |",
        f"| {reference.label} | {counted(reference.outcomes)} | | {reference.seconds:.1f} |",
        *(
            f"| {run.label} | {counted(run.outcomes)} | {len(tests)} | {run.seconds:.1f} |"
            for run, tests in zip(others, found, strict=True)
        ),
    ]


def counted(outcomes: Mapping[str, str]) -> str:
    """How many tests there are of each outcome."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes.values()).items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
