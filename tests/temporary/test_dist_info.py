"""Distributions of temporary packages: what is found of them, what is refused, and that nothing stays."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_importsandbox import ImportSandbox, TempPackage

Run = Callable[..., str]


@pytest.fixture
def sandbox(temporary: Path) -> Iterator[ImportSandbox]:
    with ImportSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def package(sandbox: ImportSandbox) -> TempPackage:
    return sandbox.temp_package("shop_card", "def pay(amount): return f'{amount} by card'")


def dist_infos(package: TempPackage) -> list[str]:
    return sorted(path.name for path in package.path.parent.glob("*.dist-info"))


# What is found


def test_distribution_has_the_name_of_the_package_and_version_1_0(package: TempPackage) -> None:
    package.add_distribution()

    found = importlib.metadata.distribution("shop_card")

    assert (found.metadata["Name"], found.version, list(found.entry_points)) == ("shop_card", "1.0", [])


@pytest.mark.parametrize("asked", ["Shop.Card", "shop-card", "SHOP_CARD"])
def test_distribution_is_found_under_every_spelling_of_its_name(asked: str, package: TempPackage) -> None:
    package.add_distribution(name="Shop.Card")

    found = importlib.metadata.distribution(asked)

    assert (found.metadata["Name"], dist_infos(package)) == ("Shop.Card", ["shop_card-1.0.dist-info"])


@pytest.mark.parametrize(
    ("version", "directory"),
    [
        ("2!1.0rc1.post2.dev3+local.7", "shop_card-2!1.0rc1.post2.dev3+local.7.dist-info"),
        ("1.0-1", "shop_card-1.0_1.dist-info"),
        ("../etc", "shop_card-.._etc.dist-info"),
    ],
)
def test_version_is_what_was_given_and_its_directory_has_one_dash(
    version: str, directory: str, package: TempPackage
) -> None:
    package.add_distribution(version)

    assert (importlib.metadata.version("shop-card"), dist_infos(package)) == (version, [directory])


def test_entry_points_are_found_and_loaded(package: TempPackage) -> None:
    package.add_distribution(
        entry_points={
            "shop.payments": {"card": "shop_card:pay", "upper": "shop_card:pay.__name__.upper"},
            "console_scripts": {"pay-by-card": "shop_card:pay"},
        }
    )

    (card,) = importlib.metadata.entry_points(group="shop.payments", name="card")
    (upper,) = importlib.metadata.entry_points(group="shop.payments", name="upper")
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="pay-by-card")
    assert (card.load()(5), upper.load()(), script.value) == ("5 by card", "PAY", "shop_card:pay")
    assert card.dist is not None
    assert card.dist.version == "1.0"


def test_fields_of_metadata_are_found(package: TempPackage) -> None:
    description = "# Card\n\nPays by card.\n\n    indented\nnaïve ✓"
    package.add_distribution(
        metadata={
            "Summary": "Pay by card",
            "Requires-Dist": ["shop>=2", "requests; extra == 'http'"],
            "Provides-Extra": ("http",),
            "Description": description,
        }
    )

    found = importlib.metadata.metadata("shop_card")
    assert found["Summary"] == "Pay by card"
    assert found.get_all("Requires-Dist") == ["shop>=2", "requests; extra == 'http'"]
    assert importlib.metadata.requires("shop_card") == ["shop>=2", "requests; extra == 'http'"]
    assert found.get_all("Provides-Extra") == ["http"]
    assert found["Description"] == description


def test_distribution_of_a_package_is_known(package: TempPackage) -> None:
    package.add_distribution(name="shop-card-for-all")

    assert importlib.metadata.packages_distributions()["shop_card"] == ["shop-card-for-all"]


@pytest.mark.parametrize("namespace", [False, True])
def test_dotted_package_has_its_distribution_where_it_is_found(
    namespace: bool, sandbox: ImportSandbox
) -> None:
    package = sandbox.temp_package("acme.card", {"mod.py": ""}, namespace=namespace)

    package.add_distribution("2.0")

    assert importlib.metadata.version("acme.card") == "2.0"
    assert [path.name for path in package.path.parents[1].glob("*.dist-info")] == ["acme_card-2.0.dist-info"]
    assert importlib.metadata.packages_distributions()["acme"] == ["acme.card"]


def test_package_can_have_several_distributions(package: TempPackage) -> None:
    package.add_distribution("1.0", name="one")
    package.add_distribution("2.0", name="one-more")

    assert (importlib.metadata.version("one"), importlib.metadata.version("one-more")) == ("1.0", "2.0")


def test_newest_distribution_of_a_name_takes_the_place_of_the_others(package: TempPackage) -> None:
    seen = []
    for number in range(20):
        package.add_distribution(f"1.{number}", entry_points={"group": {f"name{number}": "shop_card:pay"}})
        (entry_point,) = importlib.metadata.entry_points(group="group")
        seen.append((importlib.metadata.version("shop_card"), entry_point.name))

    assert seen == [(f"1.{number}", f"name{number}") for number in range(20)]
    assert dist_infos(package) == ["shop_card-1.19.dist-info"]


def test_distribution_hides_an_installed_one(package: TempPackage) -> None:
    package.add_distribution("0.0.1", name="pytest")

    assert importlib.metadata.version("pytest") == "0.0.1"


def test_importlib_metadata_finds_it_too(run_script: Run) -> None:
    # In a process of its own: it changes the finder of the standard library for good.
    output = run_script(
        """
        from pytest_importsandbox import ImportSandbox
        import importlib_metadata

        for number in range(2):
            with ImportSandbox() as sandbox:
                package = sandbox.temp_package("shop_card", "def pay(): return 'paid'")
                package.add_distribution(f"{number}.0", entry_points={"group": {"card": "shop_card:pay"}})
                (entry_point,) = importlib_metadata.entry_points(group="group")
                print(importlib_metadata.version("shop-card"), entry_point.load()())
            print(list(importlib_metadata.entry_points(group="group")))
        """
    )

    assert output.splitlines() == ["0.0 paid", "[]", "1.0 paid", "[]"]


# Nothing is left behind


def test_finders_are_told_of_a_new_distribution(package: TempPackage) -> None:
    """A directory that was written within the resolution of its clock looks like the one that was read."""
    told: list[str] = []

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            return None

        @staticmethod
        def invalidate_caches() -> None:
            told.extend(dist_infos(package))

    sys.meta_path.append(Finder)

    package.add_distribution()

    assert told == ["shop_card-1.0.dist-info"]


def test_distribution_is_gone_after_the_sandbox(temporary: Path, picture: Any) -> None:
    before = picture()

    with ImportSandbox() as sandbox:
        sandbox.temp_package("shop_card").add_distribution(entry_points={"group": {"card": "shop_card:pay"}})
        assert len(importlib.metadata.entry_points(group="group")) == 1

    assert (before.differences(), list(temporary.iterdir())) == ([], [])
    assert list(importlib.metadata.entry_points(group="group")) == []
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("shop_card")


def test_cache_of_the_metadata_does_not_keep_the_directory(temporary: Path) -> None:
    cached: Any = importlib.metadata.FastPath.__new__  # type: ignore[attr-defined]

    with ImportSandbox() as sandbox:
        sandbox.temp_package("shop_card").add_distribution()
        importlib.metadata.version("shop_card")
        assert cached.cache_info().currsize > 0

    assert cached.cache_info().currsize == 0


# Bad input: an error, and nothing has happened


NO_ENTRY_POINT = (
    "the entry point 'card' must be 'module:attribute', such as 'package.module:function', not {!r}"
)
NO_GROUP = "{!r} is not the name of a group of entry points; give one such as 'package.plugins'"
NO_DISTRIBUTION = (
    "{!r} is not the name of a distribution: letters, digits, '.', '_' and '-', "
    "with a letter or a digit at both ends; give one with name="
)
BAD_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "no attribute": (
        {"entry_points": {"group": {"card": "shop_card"}}},
        NO_ENTRY_POINT.format("shop_card"),
    ),
    "empty attribute": (
        {"entry_points": {"group": {"card": "shop_card:"}}},
        NO_ENTRY_POINT.format("shop_card:"),
    ),
    "path": (
        {"entry_points": {"group": {"card": "shop/card.py:pay"}}},
        NO_ENTRY_POINT.format("shop/card.py:pay"),
    ),
    "call": (
        {"entry_points": {"group": {"card": "shop_card:pay()"}}},
        NO_ENTRY_POINT.format("shop_card:pay()"),
    ),
    "group": ({"entry_points": {"shop payments": {}}}, NO_GROUP.format("shop payments")),
    "section": ({"entry_points": {"a]\n[b": {}}}, NO_GROUP.format("a]\n[b")),
    "name of an entry point": (
        {"entry_points": {"group": {"a = b": "shop_card:pay"}}},
        "'a = b' is not the name of an entry point in the group 'group'",
    ),
    "comment": (
        {"entry_points": {"group": {"# card": "shop_card:pay"}}},
        "'# card' is not the name of an entry point in the group 'group'",
    ),
    "name": ({"name": "-card"}, NO_DISTRIBUTION.format("-card")),
    "name with a space": ({"name": "shop card"}, NO_DISTRIBUTION.format("shop card")),
    "empty version": ({"version": ""}, "'' is not a version; give one such as '1.0'"),
    "version of two lines": (
        {"version": "1.0\nName: x"},
        "'1.0\\nName: x' is not a version; give one such as '1.0'",
    ),
    "field": (
        {"metadata": {"requires_dist": "shop"}},
        "'requires_dist' is not a field of metadata; give one such as 'Requires-Dist'",
    ),
    "field with an argument of its own": (
        {"metadata": {"version": "2.0"}},
        "the field 'version' cannot be given as metadata; see name= and version=",
    ),
}
BAD_TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": 5}, "the name of a distribution must be a str, not int: 5"),
    "version": ({"version": 1.0}, "version must be a str, not float: 1.0"),
    "entry points": (
        {"entry_points": ["shop_card:pay"]},
        "entry_points must be a mapping of groups to entry points, not list: ['shop_card:pay']",
    ),
    "group": ({"entry_points": {5: {}}}, "the keys of entry_points must be str, not int: 5"),
    "entry points of a group": (
        {"entry_points": {"group": "shop_card:pay"}},
        "entry_points['group'] must be a mapping of names to 'module:attribute', not str: 'shop_card:pay'",
    ),
    "entry point": (
        {"entry_points": {"group": {"card": 5}}},
        "the entry point 'card' must be a str, not int: 5",
    ),
    "metadata": (
        {"metadata": "Summary: x"},
        "metadata must be a mapping of fields to values, not str: 'Summary: x'",
    ),
    "field": (
        {"metadata": {"Summary": ["x", 5]}},
        "the metadata field 'Summary' must be a str or a list of str, not int: 5",
    ),
}


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        *(pytest.param(ValueError, *case, id=name) for name, case in BAD_VALUES.items()),
        *(pytest.param(TypeError, *case, id=f"type of {name}") for name, case in BAD_TYPES.items()),
    ],
)
def test_bad_argument_is_an_error_and_leaves_the_distribution_that_there_was(
    error: type[Exception], arguments: dict[str, Any], message: str, package: TempPackage
) -> None:
    package.add_distribution("0.9")

    with pytest.raises(error) as raised:
        package.add_distribution(**arguments)

    assert str(raised.value) == message
    assert (dist_infos(package), importlib.metadata.version("shop_card")) == (
        ["shop_card-0.9.dist-info"],
        "0.9",
    )


def test_package_whose_name_no_distribution_can_have_needs_another(sandbox: ImportSandbox) -> None:
    package = sandbox.temp_package("_card")
    with pytest.raises(
        ValueError, match=r"^'_card' is not the name of a distribution: .* give one with name=$"
    ):
        package.add_distribution()

    package.add_distribution(name="card")

    assert importlib.metadata.version("card") == "1.0"


def test_distribution_is_found_when_importlib_metadata_was_imported_afresh(sandbox: ImportSandbox) -> None:
    fresh: Any = sandbox.fresh_import("importlib.metadata")

    sandbox.temp_package("shop_card").add_distribution()

    assert fresh.version("shop_card") == "1.0"


def cannot_write(*_: object) -> NoReturn:
    raise OSError("the disk is full")


def test_distribution_that_cannot_be_written_is_an_error_of_the_system(
    package: TempPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", cannot_write)

    with pytest.raises(OSError, match="the disk is full"):
        package.add_distribution()
