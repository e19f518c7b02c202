"""Interrupts (Ctrl-C, a time limit) strike at each place in turn, and nothing is lost.

Python looks for signals behind each call of a function written in C, at the beginning of a function, and at
the end of a loop's body. A tracing tool raises there in place of a handler. It takes a sample of the places;
`IMPORTSANDBOX_EVERY_INTERRUPT=1` takes all of them, by hand.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.process import process
from pytest_importsandbox._core.threads import run_each

STEP = 1 if os.environ.get("IMPORTSANDBOX_EVERY_INTERRUPT") else 101

SCRIPT = """
import dis, gc, os, sys, tempfile, threading
from types import CodeType, FunctionType, ModuleType

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._core.process import process

import shop

os.mkdir("temporary")
tempfile.tempdir = os.path.abspath("temporary")
events = sys.monitoring.events
sys.monitoring.use_tool_id(5, "interrupts")


def places_in(code):
    found, before = set(), None
    for instruction in dis.get_instructions(code):
        if before in ("CALL", "CALL_KW", "CALL_FUNCTION_EX", "RESUME") or before is None:
            found.add(instruction.offset)
        if instruction.opname.startswith("JUMP_BACKWARD"):
            found.add(instruction.offset)
        before = instruction.opname
    return found


def collect(code):
    places[code] = places_in(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            collect(constant)


places = {}
for name, module in list(sys.modules.items()):
    if name.startswith("pytest_importsandbox."):
        for value in vars(module).values():
            for each in [value, *(vars(value).values() if isinstance(value, type) else ())]:
                each = getattr(each, "__func__", each)
                if isinstance(each, FunctionType) and each.__module__ == name:
                    collect(getattr(each, "__wrapped__", each).__code__)
# Nothing that is written in Python can be called before its first instruction: whoever ends a sandbox
# once more ends it. And Python looks for no signal when a function that is written in it returns.
beginnings = [ImportSandbox.__exit__.__code__, type(process).close.__code__]
for code in beginnings:
    places[code] -= {instruction.offset for instruction in list(dis.get_instructions(code))[:3]}
places[ImportSandbox.__enter__.__code__].clear()


class Struck(KIND):
    pass


def on_instruction(code, offset):
    global passed, struck
    if offset in places[code]:
        passed += 1
        if passed == strike_at:
            struck = code.co_qualname
            raise Struck


sys.monitoring.register_callback(5, events.INSTRUCTION, on_instruction)


def run(number):
    global passed, strike_at, struck
    passed, strike_at, struck = 0, number, None
    for code in places:
        sys.monitoring.set_local_events(5, code, events.INSTRUCTION)
    try:
        ACTION
    except Struck:
        pass
    finally:
        for code in places:
            sys.monitoring.set_local_events(5, code, 0)
        sys.monitoring.restart_events()


def state():
    lists = [sys.path.copy(), sys.meta_path.copy(), process.spans.copy()]
    return [list(sys.modules.items()), vars(shop).copy(), *lists]


def import_hangs():
    sys.modules.pop("colorsys", None)
    thread = threading.Thread(target=__import__, args=("colorsys",), daemon=True)
    thread.start()
    thread.join(10)
    sys.modules.pop("colorsys", None)
    return thread.is_alive()


def wrong():
    if import_hangs():
        return "imports of other threads hang"
    if not gc.isenabled():
        return "garbage is not collected"
    if os.listdir("temporary"):
        return "a temporary directory"
    return next((f"{one} is not {other}" for one, other in zip(before, state()) if one != other), None)


run(0)
run(0)
before = state()
run(0)
total = passed
assert total > 500
for number in range(1, total, STEP):
    run(number)
    if found := wrong():
        print(struck, found, flush=True)
        os._exit(0)
print("all is back", flush=True)
os._exit(0)
"""

ACTIONS = {
    "import and evict": """
        with ImportSandbox() as sandbox:
            import shop.late
            sandbox.evict("shop")
""",
    "fresh import": """
        with ImportSandbox() as sandbox:
            sandbox.fresh_import("shop.late", blocked="colorsys")
""",
    "temporary package": """
        with ImportSandbox() as sandbox:
            sandbox.temp_package("colours", {"red.py": ""})
            import colours.red
""",
    "put aside and taken up": """
        span = process.open(shares=True)
        try:
            import shop.late
            sys.path.append("here")
            process.put_aside(span)
            assert "shop.late" not in sys.modules
            process.take_up(span)
            assert "shop.late" in sys.modules
        finally:
            # All or nothing: it is aside, or in place.
            assert (span.aside is None) == (span in process.spans)
            process.take_up(span)
            process.close(span)
""",
}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "ValueError"])
def test_interrupt_leaves_all_in_place_wherever_it_strikes(
    kind: str, action: str, run_script: Callable[..., str]
) -> None:
    script = SCRIPT.replace("KIND", kind).replace("STEP", str(STEP)).replace("        ACTION\n", action)

    output = run_script(
        script,
        files={"shop/__init__.py": "", "shop/late.py": ""},
        environment={"COVERAGE_PROCESS_CONFIG": None},
    )

    assert output == "all is back\n"


def test_sandbox_that_is_interrupted_while_it_opens_is_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def strike() -> None:
        raise KeyboardInterrupt

    sandbox = ImportSandbox()
    with monkeypatch.context() as patch:
        patch.setattr(process, "_snapshot", strike)
        with pytest.raises(KeyboardInterrupt):
            sandbox.__enter__()

    assert process.spans == []
    with sandbox as entered:
        assert entered is sandbox


def test_span_that_is_in_place_cannot_be_taken_up_once_more() -> None:
    span = process.open()
    state = span.state

    process.take_up(span)

    assert (process.spans, span.state) == ([span], state)
    process.close(span)


def fails_once(steps: list[str], error: BaseException) -> Callable[[], None]:
    def step() -> None:
        steps.append("run")
        if len(steps) == 1:
            raise error

    return step


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TimeoutError("a time limit")])
def test_step_that_is_interrupted_runs_again_and_the_interrupt_is_raised_at_the_end(
    error: BaseException,
) -> None:
    first: list[str] = []
    second: list[str] = []

    with pytest.raises(type(error)) as raised:
        run_each([fails_once(first, error), lambda: second.append("run")])

    assert raised.value is error
    assert (first, second) == (["run", "run"], ["run"])


@pytest.mark.parametrize(
    "error", [RuntimeError("dictionary changed size during iteration"), KeyError("pkg.sub")], ids=repr
)
def test_error_that_another_thread_may_have_caused_is_none(error: Exception) -> None:
    steps: list[str] = []

    run_each([fails_once(steps, error)])

    assert steps == ["run", "run"]


def test_step_that_always_fails_does_not_keep_the_others_from_running() -> None:
    steps: list[str] = []

    run_each([lambda: [][0], lambda: steps.append("run")])

    assert steps == ["run"]


def test_interrupt_is_raised_beside_a_step_that_always_fails() -> None:
    steps: list[str] = []

    with pytest.raises(KeyboardInterrupt):
        run_each([lambda: [][0], fails_once(steps, KeyboardInterrupt())])

    assert steps == ["run", "run"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")
def test_interrupt_while_an_eviction_waits_for_a_thread_is_raised_as_it_is(
    run_script: Callable[..., str],
) -> None:
    output = run_script(
        """
        import signal, sys, threading
        from pytest_importsandbox import ImportSandbox

        import shop

        def interrupt(*_):
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        thread = threading.Thread(target=__import__, args=("shop.slow",))
        with ImportSandbox() as sandbox:
            thread.start()
            while "shop.slow" not in sys.modules:
                pass
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                sandbox.evict("shop")
            except KeyboardInterrupt:
                print("interrupted")
        thread.join()
        """,
        files={"shop/__init__.py": "", "shop/slow.py": "import time\ntime.sleep(1)"},
    )

    assert output == "interrupted\n"
