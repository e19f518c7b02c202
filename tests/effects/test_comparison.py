"""What is new since an earlier import."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_importsandbox import ImportEffects
from pytest_importsandbox._effects.comparison import growth_since, new_since
from pytest_importsandbox._effects.model import KINDS, Effect, LoadedModule

EFFECT = Effect("/home/one/words.txt", "read", None, None, "inkhorn", "inkhorn/__init__.py:3")


def loaded(name: str, seconds: float = 0.1) -> LoadedModule:
    return LoadedModule(name, seconds, seconds, "", "")


def of(*effects: Effect, kind: str = "files_read") -> ImportEffects:
    return ImportEffects(names=("inkhorn",), **{kind: effects})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_effect_that_was_there_before_is_not_new(kind: str) -> None:
    assert not getattr(new_since(of(EFFECT, kind=kind), of(EFFECT, kind=kind)), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_effect_that_was_not_there_before_is_new(kind: str) -> None:
    before = ImportEffects(names=("inkhorn",))

    assert getattr(new_since(of(EFFECT, kind=kind), before), kind) == (EFFECT,)


@pytest.mark.parametrize(
    "change",
    [
        {"place": "inkhorn/__init__.py:4"},
        {"what": "C:\\two\\words.txt"},
        {"what": "words.txt"},
    ],
)
def test_effect_is_known_on_another_line_and_machine(change: dict[str, str]) -> None:
    assert not new_since(of(replace(EFFECT, **change)), of(EFFECT)).files_read


@pytest.mark.parametrize(
    "change", [{"what": "/home/one/other.txt"}, {"how": "removed"}, {"module": "inkhorn.sub"}]
)
def test_effect_is_new_if_it_is_another_one(change: dict[str, str]) -> None:
    other = replace(EFFECT, **change)

    assert new_since(of(EFFECT, other), of(EFFECT)).files_read == (other,)


def test_temporary_file_is_known_by_any_name() -> None:
    one, two = replace(EFFECT, what="/tmp/abcd1234"), replace(EFFECT, what="C:\\Temp\\efgh5678")

    assert not new_since(of(one), of(two)).files_read


def test_command_is_known_wherever_the_program_is() -> None:
    one, two = replace(EFFECT, what="/usr/bin/git log -1"), replace(EFFECT, what="git log -1")

    assert not new_since(of(one, kind="processes"), of(two, kind="processes")).processes


def test_value_makes_a_handler_another_one_and_a_variable_not() -> None:
    one, two = (Effect("x", "changed", "old", value, "inkhorn", "") for value in ("1", "2"))

    assert new_since(of(one, kind="handlers"), of(two, kind="handlers")).handlers == (one,)
    assert not new_since(of(one, kind="environ"), of(two, kind="environ")).environ


def test_output_of_a_module_is_known_whatever_it_says() -> None:
    one, two = replace(EFFECT, what="at 10:15"), replace(EFFECT, what="at 10:16")

    assert not new_since(of(one, kind="stdout"), of(two, kind="stdout")).stdout


def test_modules_are_new_if_they_were_neither_loaded_nor_there_before() -> None:
    before = ImportEffects(names=("a",), modules=(loaded("a"),), preloaded=("re",))
    now = ImportEffects(names=("a",), modules=(loaded("re"), loaded("json"), loaded("a")))

    assert [module.name for module in new_since(now, before).modules] == ["json"]


@pytest.mark.parametrize(("before", "new"), [("", "ZeroDivisionError"), ("KeyError", "")])
def test_error_is_new_if_there_was_none(before: str, new: str) -> None:
    now = ImportEffects(names=("a",), error="ZeroDivisionError")

    assert new_since(now, ImportEffects(names=("a",), error=before)).error == new


def test_growth_is_told_in_shares_of_the_time() -> None:
    before = ImportEffects(names=("a",), modules=(loaded("a", 0.8), loaded("b", 0.1), loaded("b.c", 0.1)))
    now = ImportEffects(names=("a",), modules=(loaded("a", 4), loaded("b", 5), loaded("d", 1)))

    growths = growth_since(now, before)

    assert list(map(str, growths)) == ["b: 20% -> 50% of the time", "d: 0% -> 10% of the time"]
    assert [growth.points for growth in growths] == pytest.approx([30, 10])


def test_slower_machine_is_no_growth() -> None:
    before = ImportEffects(names=("a",), modules=(loaded("a", 0.8), loaded("b", 0.2)))
    now = ImportEffects(names=("a",), modules=(loaded("a", 8), loaded("b", 2)))

    assert growth_since(now, before) == []
    assert growth_since(ImportEffects(names=("a",)), before) == []
