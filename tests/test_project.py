"""What the files of the project say about each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
SITE = "https://pytest-importsandbox.readthedocs.io/en/latest/"
PAGES = [page for page in DOCS.rglob("*.md") if "_build" not in page.parts]


def read(file: str) -> str:
    return (CHECKOUT / file).read_text(encoding="utf-8")


@pytest.fixture
def excluded_lines(run_script: Callable[..., str]) -> Callable[[str | None], str]:
    """The lines of a module that coverage leaves out, depending on what has not run."""

    def ask(not_run: str | None) -> str:
        return run_script(
            f"""
            import coverage

            measured = coverage.Coverage(data_file=None, config_file={str(CHECKOUT / "pyproject.toml")!r})
            _, _, excluded, _, _ = measured.analysis2("module.py")
            measured.get_data().close(force=True)
            print(excluded)
            """,
            files={"module.py": "if AVAILABLE:  # from 3.15\n    first = 1\nsecond = 2\n"},
            environment={"COVERAGE_NOT_RUN": not_run},
        )

    return ask


def test_all_checks_are_the_command_that_the_readme_gives() -> None:
    command = read(".ci/run").splitlines()[-1]

    assert command.endswith("tox run")
    assert command in read("README.md").splitlines()


WORKFLOWS = sorted(CHECKOUT.joinpath(".github", "workflows").glob("*.yml"))


def test_actions_of_others_are_pinned_by_hash_and_the_same_in_all_workflows() -> None:
    uses = {each for file in WORKFLOWS for each in re.findall(r"uses: (?!\./)(.+)", file.read_text("utf-8"))}

    assert [each for each in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", each)] == []
    assert len({each.partition("@")[0] for each in uses}) == len(uses)


@pytest.mark.parametrize("file", WORKFLOWS, ids=[file.name for file in WORKFLOWS])
def test_workflow_has_no_more_permissions_than_its_jobs_ask_for(file: Path) -> None:
    assert "\npermissions: {}\n" in file.read_text(encoding="utf-8")


def test_weekly_environments_have_names_that_tox_knows() -> None:
    environments = re.findall(r"env: ([\w-]+) }", read(".github/workflows/weekly.yml"))

    assert environments
    factors = {factor for each in environments for factor in each.split("-")}
    assert factors <= set(re.findall(r"\w+", read("tox.ini")))


def test_weekly_python_is_the_one_after_the_newest_supported() -> None:
    newest = max(
        map(int, re.findall(r'"Programming Language :: Python :: 3\.(\d+)"', read("pyproject.toml")))
    )

    assert f'{{ python: "3.{newest + 1}", env: py3{newest + 1} }}' in read(".github/workflows/weekly.yml")
    assert f"py3{newest + 1},pytestmain: python" in read("tox.ini")


def test_files_that_tox_names_are_there() -> None:
    files = re.findall(r"tests/[\w/]+\.py", read("tox.ini"))

    assert files
    assert [file for file in files if not CHECKOUT.joinpath(file).is_file()] == []


def test_coverage_leaves_out_what_waits_for_a_newer_python(
    excluded_lines: Callable[[str | None], str],
) -> None:
    assert excluded_lines(None) == "[1, 2]\n"


def test_coverage_counts_all_lines_where_tox_joins_a_run_with_that_python(
    excluded_lines: Callable[[str | None], str],
) -> None:
    (pattern,) = re.findall(r"^ *py315: COVERAGE_NOT_RUN = (.+)$", read("tox.ini"), re.MULTILINE)

    assert excluded_lines(pattern) == "[]\n"


def table_of_uses(file: str) -> list[str]:
    """The lines of the table "Which one do I need?"."""
    _, _, section = read(file).partition("## Which one do I need?\n")
    return [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("|")]


def test_readme_and_front_page_have_the_same_table_of_uses() -> None:
    lines = [re.sub(rf"{SITE}(.+?)\.html", r"\1.md", line) for line in table_of_uses("README.md")]

    assert len(lines) > 2
    assert lines == table_of_uses("docs/index.md")


def test_links_of_the_readme_to_the_site_lead_to_pages() -> None:
    pages = re.findall(rf"{SITE}(.+?)\.html", read("README.md"))

    assert pages
    assert [page for page in pages if not DOCS.joinpath(f"{page}.md").is_file()] == []


def test_list_of_the_documentation_has_every_page() -> None:
    links = re.findall(r"\]\(([^):]+\.md)\)", read("docs/README.md"))

    assert {DOCS / link for link in links} == set(PAGES) - {DOCS / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(DOCS).as_posix() for page in PAGES])
def test_every_link_has_a_text(page: Path) -> None:
    """Sphinx puts the title of the page in the place of a missing text; other readers show nothing."""
    assert "[](" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(DOCS).as_posix() for page in PAGES])
def test_file_names_keep_their_underscores(page: Path) -> None:
    """A caption or a heading is Markdown: two underscores without backslashes make the name bold."""
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"^(?::caption:|#+) [^`\n]*(?<!\\)__.*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("page", ["README.md", "docs/explanation/sandbox.md"])
def test_what_a_test_costs_that_is_not_isolated_is_what_the_benchmarks_say(page: str) -> None:
    figure = re.compile(r"5,000 empty tests .*?take ([\d.]+) times as long")

    assert figure.findall(read(page)) == figure.findall(read("docs/benchmarks.md")) != []
