"""What is installed, and what the wheel and the sdist contain."""

from __future__ import annotations

import email
import importlib.metadata
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

import pytest_importsandbox

# What the package itself loads only when somebody asks for it.
import pytest_importsandbox._effects.effects

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def distribution() -> importlib.metadata.Distribution:
    return importlib.metadata.distribution("pytest-importsandbox")


def test_public_names_are_listed_before_they_are_loaded() -> None:
    assert set(pytest_importsandbox.__all__) <= set(dir(pytest_importsandbox))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a wheel and an sdist, built from the checkout."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", directory],
        cwd=CHECKOUT,
        check=True,
    )
    return directory


@pytest.fixture(scope="module")
def wheel_names(dist: Path) -> set[str]:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist_names(dist: Path) -> set[str]:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def wheel_metadata(dist: Path) -> email.message.Message:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def package_files() -> set[str]:
    return {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "pytest_importsandbox").rglob("*")
        if path.suffix in {".py", ".typed"}
    }


@pytest.mark.skipif(
    sys.platform == "emscripten", reason="needs an installation: there are no environments here"
)
def test_package_under_test_is_the_installed_one(
    distribution: importlib.metadata.Distribution,
) -> None:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable", False):
        home = Path(url2pathname(urlsplit(origin["url"]).path))
    else:
        home = Path(str(distribution.locate_file("")))

    assert pytest_importsandbox.__file__ is not None
    assert Path(pytest_importsandbox.__file__).samefile(home / "pytest_importsandbox" / "__init__.py")


def test_version_is_that_of_the_distribution(
    distribution: importlib.metadata.Distribution,
) -> None:
    assert pytest_importsandbox.__version__ == distribution.version


def test_every_public_name_can_be_imported() -> None:
    namespace: dict[str, object] = {}

    exec("from pytest_importsandbox import *", namespace)

    assert namespace.keys() - {"__builtins__"} == set(pytest_importsandbox.__all__)


def test_entry_point_loads_the_plugin_module(
    distribution: importlib.metadata.Distribution,
) -> None:
    (entry_point,) = distribution.entry_points.select(group="pytest11")

    plugin = entry_point.load()

    assert (entry_point.name, plugin.__name__) == ("importsandbox", "pytest_importsandbox.plugin")


def test_pytest_registers_the_plugin_under_its_short_name(pytestconfig: pytest.Config) -> None:
    plugin = pytestconfig.pluginmanager.get_plugin("importsandbox")

    assert plugin is sys.modules["pytest_importsandbox.plugin"]


def test_wheel_contains_the_whole_package_and_nothing_else(wheel_names: set[str]) -> None:
    outside_of_metadata = {name for name in wheel_names if ".dist-info/" not in name}

    assert outside_of_metadata == package_files()


def test_wheel_is_marked_as_typed(wheel_names: set[str]) -> None:
    assert "pytest_importsandbox/py.typed" in wheel_names


def test_wheel_carries_the_licence(wheel_names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names)


def test_wheel_requires_pytest_alone(wheel_metadata: email.message.Message) -> None:
    assert wheel_metadata.get_all("Requires-Dist") == ["pytest>=8"]


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        ".github/workflows/ci.yml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "tox.ini",
        "tests/test_packaging.py",
    ],
)
def test_sdist_contains(name: str, sdist_names: set[str]) -> None:
    assert name in sdist_names


@pytest.mark.parametrize("directory", ["docs", "pytest_importsandbox", "tests"])
def test_sdist_contains_every_python_file_of(directory: str, sdist_names: set[str]) -> None:
    in_checkout = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / directory).rglob("*.py")}

    assert in_checkout
    assert in_checkout <= sdist_names


def test_sdist_is_marked_as_typed(sdist_names: set[str]) -> None:
    assert "pytest_importsandbox/py.typed" in sdist_names
