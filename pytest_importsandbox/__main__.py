"""The command line of import effects: ``python -m pytest_importsandbox NAME``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_importsandbox._core.names import as_names
from pytest_importsandbox._effects.comparison import growth_since, new_since
from pytest_importsandbox._effects.effects import observed
from pytest_importsandbox._effects.flamegraph import flame_graph
from pytest_importsandbox._effects.model import KINDS, ImportEffects, report
from pytest_importsandbox._effects.tree import tree_report

_EPILOG = """\
exit status: 0 if all is well, 1 if the import fails or a check does (--fail-on, --not, --max-seconds,
--against, --max-growth), 2 if the command line is wrong.

checks that run in continuous integration:
  python -m pytest_importsandbox mylib --not numpy --fail-on threads,network,files_written
  python -m pytest_importsandbox mylib --json > before.json
  python -m pytest_importsandbox mylib --against before.json
"""
# So many percentage points and more: the share of a small package varies from run to run.
_WORTH_TELLING = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status.

    :param arguments: What stands after ``python -m pytest_importsandbox``; by default that of this process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        names = _names(options.names)
        blocked = [name for each in options.blocked for name in as_names(each.split(","), "--blocked")]
        forbidden = [name for each in options.forbidden for name in as_names(each.split(","), "--not")]
        before = None if options.against is None else ImportEffects.load(options.against)
    except (OSError, ValueError) as exc:
        parser.error(str(exc))
    effects = observed(names, blocked=blocked, args=(), env={}, timeout=options.timeout, check=False)

    _show(effects, options, before)
    if options.svg is not None:
        Path(options.svg).write_text(flame_graph(effects), encoding="utf-8")
    failures = list(_failures(effects, options, forbidden, before))
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pytest_importsandbox",
        description="Import modules in a new interpreter, and tell all that this does there: which modules "
        "it loads, who asks for them and how long they take, and which other effects it has.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="the absolute name of a module, or the path of a script, which is imported like a module: "
        "what it does under 'if __name__ == \"__main__\"' is left out; several are imported in turn",
    )
    parser.add_argument(
        "--blocked",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="packages that are to look as if they were not installed; can be repeated",
    )
    parser.add_argument(
        "--timeout",
        type=_positive,
        default=60.0,
        metavar="SECONDS",
        help="kill the import after so many seconds, with all that it started (default: 60)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--tree", action="store_true", help="show who imported whom, with times and bars")
    output.add_argument(
        "--sort",
        choices=["load", "time"],
        default="load",
        help="the order of the tree: as the modules were loaded (default), or the slowest first",
    )
    output.add_argument(
        "--json", action="store_true", help="write JSON to standard output instead of a report"
    )
    output.add_argument("--svg", metavar="FILE", help="draw the import as a flame graph, for a browser")
    checks = parser.add_argument_group("checks")
    checks.add_argument(
        "--fail-on",
        type=_kinds,
        action="extend",
        default=[],
        metavar="KIND[,KIND]",
        help=f"fail if there is any effect of these kinds: {', '.join(KINDS)}; can be repeated",
    )
    checks.add_argument(
        "--not",
        dest="forbidden",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="fail if one of these packages is loaded, and tell by whom; can be repeated",
    )
    checks.add_argument(
        "--max-seconds",
        type=_positive,
        metavar="S",
        help="fail if the import takes more than so many seconds",
    )
    checks.add_argument(
        "--against",
        metavar="FILE",
        help="show only what is new since the JSON file was written, and fail if anything is; times count as "
        "shares of the whole, which are shown",
    )
    checks.add_argument(
        "--max-growth",
        type=_positive,
        metavar="POINTS",
        help="with --against, fail if the share of a package in the time has grown by more percentage points",
    )
    return parser


def _names(arguments: Sequence[str]) -> list[str]:
    """The modules to import; the directory of a script is searched first, as if it were run."""
    names = []
    for argument in arguments:
        path = Path(argument)
        if path.suffix == ".py" or path.name != argument:
            if path.suffix != ".py" or not path.is_file():
                raise ValueError(
                    f"there is no script {argument!r}; give the path of a .py file or the name of a module"
                )
            sys.path.insert(0, str(path.parent.resolve()))
            names.append(path.stem)
        else:
            names += as_names(argument, "NAME")
    return names


def _kinds(argument: str) -> list[str]:
    kinds = argument.split(",")
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"{kind!r} is none of {', '.join(KINDS)}")
    return kinds


def _positive(argument: str) -> float:
    try:
        value = float(argument)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{argument!r} is not a positive number")
    return value


def _show(effects: ImportEffects, options: argparse.Namespace, before: ImportEffects | None) -> None:
    """Print what was asked for."""
    if options.json:
        print(effects.to_json())
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shown = effects
    if before is not None:
        shown = new_since(effects, before)
        print(f"new since {options.against}:")
    print(report(shown, colour=colour))
    if before is not None:
        for growth in growth_since(effects, before):
            if growth.points >= _WORTH_TELLING:
                print(f"  {growth}")
    if options.tree:
        print()
        print(tree_report(shown, by_time=options.sort == "time", colour=colour))


def _failures(
    effects: ImportEffects,
    options: argparse.Namespace,
    forbidden: Sequence[str],
    before: ImportEffects | None,
) -> Iterator[str]:
    """Which checks fail, each in a line."""
    if effects.error:
        yield f"the import failed: {effects.error.splitlines()[-1]}"
    for kind, found in effects.by_kind():
        if kind in options.fail_on and found:
            yield f"{kind}: {', '.join(map(repr, found))}"
    for name in forbidden:
        if chain := effects.chain(name):
            yield f"{name} is loaded: {chain}"
    if options.max_seconds is not None and effects.seconds > options.max_seconds:
        yield f"the import took {effects.seconds:.3f} seconds, more than {options.max_seconds:g}"
    if before is None:
        return
    new = new_since(effects, before)
    if new.modules or any(found for _, found in new.by_kind()):
        yield f"there is something new since {options.against}: {new!r}"
    for growth in growth_since(effects, before):
        if options.max_growth is not None and growth.points > options.max_growth:
            yield str(growth)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        # A path or an output may have characters that the terminal has not.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
