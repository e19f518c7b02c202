"""How the new interpreter is started and ended: what no import of a test brings about."""

from __future__ import annotations

import marshal
import subprocess
import sys
from typing import Any

import pytest

from pytest_importsandbox._effects import interpreter

pytestmark = pytest.mark.skipif(sys.platform == "emscripten", reason="there are no processes here")


def test_record_that_is_cut_off_is_left_out() -> None:
    record = marshal.dumps(("end", "inkhorn"))
    content = len(record).to_bytes(4, "little") + record

    assert list(interpreter._read(content + content[:-1])) == [("end", "inkhorn")]
    assert list(interpreter._read(content + content[:3])) == [("end", "inkhorn")]


def test_interruption_ends_the_interpreter_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    wait = process.wait

    def interrupted() -> int:
        monkeypatch.setattr(process, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "wait", interrupted)

    with pytest.raises(KeyboardInterrupt):
        interpreter._wait(process, 60)

    assert process.poll() is not None


def test_windows_is_asked_to_end_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    class Process:
        pid = 5

    def run(command: list[str], **options: Any) -> None:
        commands.append(command)

    monkeypatch.setattr(interpreter.subprocess, "run", run)
    monkeypatch.setattr(interpreter.sys, "platform", "win32")

    interpreter._kill_tree(Process())  # type: ignore[arg-type]
    interpreter._kill_group(Process())  # type: ignore[arg-type]

    assert commands == [["taskkill", "/F", "/T", "/PID", "5"]]
