"""The leaks of a run, gathered from what its processes send."""

from __future__ import annotations

from dataclasses import asdict

from pytest_importsandbox._leaks.report import Leak, LeakReport

LEAK = Leak("test_it.py", "collection", "path", "somewhere", "sys.path has gained 'somewhere'", "remedy")


def test_same_leak_of_two_processes_is_one_that_the_tests_of_both_could_see() -> None:
    report = LeakReport()
    for process in ("gw0", "gw1"):
        report.add(process, [{"event": "leak", "id": 1, **asdict(LEAK)}])
        report.count(process, f"test_{process}")

    (leak,) = report.leaks()

    assert leak.seen_by == 2


def test_test_that_fails_twice_is_named_once() -> None:
    report = LeakReport()
    report.add("", [{"event": "leak", "id": 1, **asdict(LEAK)}])
    report.add("", [{"event": "looked up", "id": 1, "by": "test_b"}] * 2)

    assert report.leaks()[0].looked_up_by == ["test_b"]
