"""Every block of code and every shell session in README and documentation does what the page shows.

A page is read from top to bottom, in an empty directory of its own:

- a block with a caption, or after the comment ``<!-- file: NAME -->``, is written to that file;
- Python without a name is run at once: by pytest if it defines tests, and all of them have to pass unless the
  comment ``<!-- outcome: 1 failed, 1 passed -->`` says otherwise;
- of a ``console`` block each command is run, and has to print what the block shows, times and paths aside;
- of a ``sh`` block each command has to succeed;
- after the comment ``<!-- in: checkout -->`` commands run there;
- the ``pycon`` blocks are one interactive session, run by doctest at the end of the page;
- test files that no command has run are run by pytest at the end of the page.

A block that can't be run says why in ``<!-- not run: REASON -->``, and a page that needs a package which
not every environment has names it in ``<!-- needs: NAME -->``. No pytest plugin but this one is loaded,
unless the page says ``<!-- plugin: NAME -->`` at its first block. No reader sees these comments.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="the commands of a page are processes")

CHECKOUT = Path(__file__).resolve().parents[2]
SITE = sorted(
    page
    for page in (CHECKOUT / "docs").rglob("*.md")
    if not {"_build", "examples"} & set(page.relative_to(CHECKOUT / "docs").parts)
)
# This one speaks of files that are there already.
EXAMPLES = CHECKOUT / "docs" / "examples" / "README.md"
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", EXAMPLES, *SITE]

INFO = re.compile(r"(?P<info>[^\n]*)\n(?P<options>(?::[\w-]+:[^\n]*\n)*)")
COMMENT = re.compile(r"<!-- (file|in|needs|not run|outcome|plugin): ([^\n]+) -->\n\s*\Z")
TEST_FUNCTION = re.compile(r"^\s*(?:async )?def test_", re.MULTILINE)
# What a reader sees as text, not as code.
PROSE = ("text", "{")


@dataclass
class Block:
    """A block of code on a page."""

    language: str
    source: str
    line: int
    comments: dict[str, str]

    @property
    def file(self) -> str | None:
        return self.comments.get("file")


class Page:
    """A page that is being read: its directory, and what is left to do at its end."""

    def __init__(self, directory: Path, temporary: Path) -> None:
        self.directory = directory
        self.temporary = temporary
        self.tests_to_run: set[str] = set()
        self.session: dict[int, str] = {}
        self.plugins: list[str] = []

    def follow(self, block: Block) -> str | None:
        """Do what a reader would do with a block; return what went wrong."""
        if "not run" in block.comments:
            return None
        if "needs" in block.comments:
            pytest.importorskip(block.comments["needs"])
        if "plugin" in block.comments:
            self.plugins.append(block.comments["plugin"])
        if block.file is not None:
            return self._write(block.file, block.source)
        if block.language == "python":
            return self._run_python(block)
        if block.language == "console":
            return self._run_session(block.source, self._directory(block))
        if block.language == "sh":
            return self._run_commands(block.source.splitlines(), self._directory(block))
        if block.language == "pycon":
            self.session[block.line] = block.source
            return None
        return f"nobody knows how to run {block.language!r}"

    def finish(self) -> str | None:
        """Run what no block has run."""
        return self._run_tests(sorted(self.tests_to_run)) or self._run_doctest() or self._look_for_remains()

    def _directory(self, block: Block) -> Path:
        return CHECKOUT if block.comments.get("in") == "checkout" else self.directory

    def _write(self, file: str, source: str) -> None:
        path = self.directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        if path.name.startswith("test_") and path.suffix == ".py":
            self.tests_to_run.add(file)

    def _run_python(self, block: Block) -> str | None:
        if not TEST_FUNCTION.search(block.source):
            return self._run_commands([shlex.join(["python", "-c", block.source])], self.directory)
        file = f"test_line_{block.line}.py"
        self._write(file, block.source)
        failure = self._run_tests([file], block.comments.get("outcome"))
        (self.directory / file).unlink()
        return failure

    def _run_tests(self, files: list[str], outcome: str | None = None) -> str | None:
        if not files:
            return None
        self.tests_to_run.difference_update(files)
        output, status = self._run(["pytest", "-q", *files], self.directory)
        if outcome is None:
            return output if status else None
        return None if f"{outcome} in " in output else output

    def _run_session(self, source: str, directory: Path) -> str | None:
        shown, produced = [], []
        for command, expected in sessions(source):
            output, _ = self._run(shlex.split(command), directory)
            shown += [f"$ {command}", *expected]
            produced += [f"$ {command}", *output.splitlines()]
        shown, produced = self._normalized(shown), self._normalized(produced)
        if shown == produced:
            return None
        return "\n".join(["the page shows", *shown, "", "and this was produced:", *produced])

    def _run_commands(self, commands: Iterable[str], directory: Path) -> str | None:
        for command in commands:
            output, status = self._run(shlex.split(command), directory)
            if status:
                return f"{command}\n{output}"
        return None

    def _run_doctest(self) -> str | None:
        """Run the interactive session, on the lines where the page has it."""
        if not self.session:
            return None
        lines: list[str] = []
        for line, source in self.session.items():
            lines += [""] * (line - len(lines))
            lines += source.splitlines()
        (self.directory / "session.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        output, status = self._run(
            ["python", "-m", "doctest", "-o", "ELLIPSIS", "session.txt"], self.directory
        )
        return output if status else None

    def _look_for_remains(self) -> str | None:
        """Find temporary packages that are still there although all commands have ended."""
        remains = sorted(path.name for path in self.temporary.glob("importsandbox-*"))
        return f"the page leaves temporary packages behind: {remains}" if remains else None

    def _run(self, command: list[str], directory: Path) -> tuple[str, int]:
        """Run one command as a reader would, in a terminal of 80 columns."""
        if command[0] == "pytest" and not self.tests_to_run.isdisjoint(command):
            self.tests_to_run.difference_update(command)
        elif command[0] in ("pytest", "coverage"):
            self.tests_to_run.clear()
        environment = {
            name: value
            for name, value in os.environ.items()
            # pytest prints more under continuous integration, and a page may measure coverage of its own.
            if name not in ("BUILD_NUMBER", "CI") and not name.startswith("COVERAGE_")
        }
        environment.update(
            COLUMNS="80",
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            # What else happens to be installed has no part in what a page shows.
            PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
            PYTEST_ADDOPTS=" ".join(f"-p {plugin}" for plugin in ("importsandbox", *self.plugins)),
            PYTHONIOENCODING="utf-8",
            # Output and errors come in the order in which they were written.
            PYTHONUNBUFFERED="1",
            TMPDIR=str(self.temporary),
        )
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            return f"there is no program {command[0]!r}", 127
        result = subprocess.run(
            [program, *command[1:]],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        return result.stdout, result.returncode

    def _normalized(self, lines: Iterable[str]) -> list[str]:
        """Lines without what differs from run to run."""
        text = "\n".join(line.rstrip() for line in lines)
        text = text.replace(f"{self.directory}{os.sep}", "").replace("\\", "/")
        text = re.sub(r"\d+\.\d+s\b", "0.01s", text)
        text = re.sub(r"0x[0-9a-fA-F]+", "0x0", text)
        # What Python has loaded itself when it starts differs from version to version.
        text = re.sub(r": \d+ modules,", ": 1 modules,", text)
        text = re.sub(r"_+ coverage: platform .+ _+", "coverage: platform", text)
        return text.strip().split("\n")


def sessions(source: str) -> Iterable[tuple[str, list[str]]]:
    """The commands of a shell session, each with the output that is shown."""
    found: list[tuple[str, list[str]]] = []
    for line in source.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def blocks(document: Document) -> Iterable[Region]:
    """The blocks of code on a page."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        info = region.lexemes["info"].strip()
        options = dict(re.findall(r":([\w-]+): *([^\n]*)\n", region.lexemes["options"] or ""))
        comments = dict(COMMENT.findall(document.text[: region.start]))
        if info.startswith("{code-block}"):
            info = info.removeprefix("{code-block}").strip()
            # A caption is Markdown, in which an underscore may need a backslash.
            comments |= {"file": options["caption"].replace("\\", "")} if "caption" in options else {}
        if info.startswith(PROSE):
            continue
        line = document.text.count("\n", 0, region.start) + 1
        region.parsed = Block(info, str(region.lexemes["source"]).lstrip("\n"), line, comments)
        region.evaluator = follow
        yield region


def follow(example: Example) -> str | None:
    """Sybil's way of running a block."""
    page: Page = example.namespace["page"]
    return page.follow(example.parsed)


def read(path: Path, directory: Path, temporary: Path) -> None:
    """Follow a page from top to bottom, with a directory for temporary files."""
    document = Sybil(parsers=[blocks], path=str(path.parent)).parse(path)
    page = document.namespace["page"] = Page(directory, temporary)
    for example in document.examples():
        example.evaluate()
    failure = page.finish()
    assert failure is None, f"{path}, at its end:\n{failure}"


@pytest.mark.parametrize("path", PAGES, ids=[path.relative_to(CHECKOUT).as_posix() for path in PAGES])
def test_page_does_what_it_shows(
    path: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    read(path, CHECKOUT if path == EXAMPLES else tmp_path, tmp_path_factory.mktemp("temporary"))


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        pytest.param("```python\n1 / 0\n```", "ZeroDivisionError", id="script"),
        pytest.param("```python\ndef test_a():\n    assert 0\n```", "1 failed", id="test"),
        pytest.param(
            "<!-- outcome: 1 failed -->\n```python\ndef test_a():\n    pass\n```", "1 passed", id="outcome"
        ),
        pytest.param("```console\n$ python -c 'print(1)'\n2\n```", "and this was produced:", id="output"),
        pytest.param("```sh\npython -c 'raise SystemExit(1)'\n```", "raise SystemExit", id="command"),
        pytest.param("```pycon\n>>> 1 + 1\n3\n```", "Expected:", id="session"),
        pytest.param("```cobol\nSTOP RUN.\n```", "nobody knows how to run 'cobol'", id="language"),
        pytest.param("```\nimport this\n```", "nobody knows how to run ''", id="no language"),
        pytest.param(
            "```{code-block} python\n:caption: test_a.py\ndef test_a():\n    assert 0\n```",
            "1 failed",
            id="file that no command runs",
        ),
        pytest.param(
            "```pycon\n>>> import os\n>>> from pytest_importsandbox import ImportSandbox\n"
            ">>> package = ImportSandbox().__enter__().temp_package('left')\n>>> os._exit(0)\n```",
            "leaves temporary packages behind",
            id="temporary package that stays",
        ),
    ],
)
def test_page_that_shows_what_is_not_so_fails(text: str, failure: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text + "\n", encoding="utf-8")
    directory = tmp_path / "directory"
    temporary = tmp_path / "temporary"
    directory.mkdir()
    temporary.mkdir()

    with pytest.raises((SybilFailure, AssertionError)) as caught:
        read(path, directory, temporary)

    assert failure in str(caught.value)


@pytest.mark.parametrize("path", SITE, ids=[path.relative_to(CHECKOUT).as_posix() for path in SITE])
def test_page_is_in_a_table_of_contents(path: Path) -> None:
    """Sphinx refuses a page that is in none, unless the page says that it is an orphan."""
    assert not re.search(r"^:?orphan:", path.read_text(encoding="utf-8"), re.MULTILINE)
