"""Run the suites of real projects with and without the plugin, and tell which outcomes it changes.

The suites come from the sdists of the releases that are installed: `tox run -e suites` installs them and runs
this script for three of them, or for what it is given. Without names it runs all; the options are those of
`alone_or_together.py`:

    tox run -e suites
    tox run -e suites -- --reference=alone --flag=--isolated-modules
    tox run -e suites -- six wrapt --reference=alone --flag=--isolated-modules

The exit status is 1 if an outcome changes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from alone_or_together import ALONE, TOGETHER, Suite, compare

WITHOUT_ASYNCIO = ("-p", "no:asyncio")


@dataclass(frozen=True)
class Project:
    """What of an sdist is run, and with which options of pytest."""

    paths: Sequence[str] = ("tests",)
    options: Sequence[str] = WITHOUT_ASYNCIO


PROJECTS = {
    # These three work on the import system themselves.
    "six": Project(["test_six.py"]),
    "wrapt": Project(["tests/core"]),
    "pyfakefs": Project(["pyfakefs"]),
    "attrs": Project(),
    "click": Project(),
    "freezegun": Project(),
    "importlib_metadata": Project(["tests", "importlib_metadata"]),
    "importlib_resources": Project(["importlib_resources"]),
    "itsdangerous": Project(),
    "jinja2": Project(),
    # The names of these tests tell the time.
    "marshmallow": Project(
        options=[
            *WITHOUT_ASYNCIO,
            "--deselect",
            "tests/test_deserialization.py::TestFieldDeserialization::test_invalid_datetime_deserialization",
        ]
    ),
    "pytest-mock": Project(options=()),
    "structlog": Project(options=()),
    "tomlkit": Project(),
    "werkzeug": Project(options=[*WITHOUT_ASYNCIO, "-m", "not dev_server"]),
}


def main(arguments: Sequence[str]) -> int:
    """Run the suites that the command line names, one after the other; returns 1 if an outcome changes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help=f"any of {', '.join(PROJECTS)} (default: all)")
    parser.add_argument(
        "--flag", action="append", help="as of alone_or_together.py (default: --isolated-imports)"
    )
    parser.add_argument("--reference", choices=(ALONE, TOGETHER), default=TOGETHER, help="as there")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.name) - PROJECTS.keys():
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    changes = [
        run(name, chosen.reference, chosen.flag or ["--isolated-imports"]) for name in chosen.name or PROJECTS
    ]
    return int(any(changes))


def run(name: str, reference: str, flags: Sequence[str]) -> bool:
    """Run the suite of one project, print its report, and return whether a flag changes an outcome."""
    print(f"\n{name} {version(name)}", flush=True)
    # Not below the checkout: a suite without settings of its own would be run with ours.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        sdist = unpacked_sdist(name, Path(directory))
        project = PROJECTS[name]
        return compare(Suite(sdist, project.paths, project.options), reference, flags)


def unpacked_sdist(name: str, directory: Path) -> Path:
    """The folder with the sdist of the installed release, downloaded and unpacked there."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--no-binary={name}"]
    subprocess.run([*download, f"--dest={directory}", f"{name}=={version(name)}"], check=True)
    (archive,) = directory.iterdir()
    shutil.unpack_archive(archive, directory, filter="data")
    (folder,) = (each for each in directory.iterdir() if each.is_dir())
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
