"""Threads that import whatever sandboxes do meanwhile; none of their imports may fail, hang or get lost.

The threads run before the sandboxes, during them, and longer than the one that they began in. It takes
two seconds; `IMPORTSANDBOX_STRESS_SECONDS` makes it longer by hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

SECONDS = float(os.environ.get("IMPORTSANDBOX_STRESS_SECONDS", "2"))

SCRIPT = f"""
import faulthandler
import importlib
import random
import sys
import threading
import time

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._sandbox.sandbox import suspended

# A hang ends with the tracebacks of all threads.
faulthandler.dump_traceback_later({SECONDS + 60}, exit=True)
sys.setswitchinterval(1e-5)
end = time.monotonic() + {SECONDS}
errors = []
imports = {{"outer": 0, "new": 0, "late": 0}}

import outer, victim


def repeat(kind, step, count=None):
    number = 0
    while time.monotonic() < end and not errors and number != count:
        number += 1
        try:
            step(number)
        except BaseException as exc:
            errors.append(f"{{kind}} {{number}}: {{exc!r}}")
        imports[kind] += 1


def import_what_stays(number):
    # A module that a sandbox took away would be another one the next time.
    name = f"outer.m{{number % 50}}"
    module = importlib.import_module(name)
    assert module.__name__ == name
    assert first.setdefault(name, module) is module


def import_what_is_evicted(number):
    assert importlib.import_module(f"victim.m{{number % 20}}").X == 1
    # Not `from victim import deep`: between the import and the look at the attribute no lock is held.
    assert importlib.import_module("victim.deep").m2.X == 1


def import_anything(number):
    assert importlib.import_module(f"late.m{{number % 20}}").X == 1


first = {{}}
threads = [
    threading.Thread(target=repeat, args=args)
    for args in [("outer", import_what_stays), *2 * [("new", import_what_is_evicted)]]
]
for thread in threads:
    thread.start()

random.seed(1)
sandboxes = 0
while time.monotonic() < end and not errors:
    sandboxes += 1
    with ImportSandbox() as sandbox:
        late = threading.Thread(target=repeat, args=("late", import_anything, 30))
        late.start()
        threads.append(late)
        for _ in range(random.randrange(4)):
            random.choice(
                [
                    lambda: sandbox.evict("victim"),
                    lambda: sandbox.fresh_import("victim.deep"),
                    lambda: importlib.reload(outer),
                    # In another order, an import that is looking for a file could pass over an entry.
                    lambda: sys.path.append("nowhere"),
                    lambda: sys.modules.update(fake=object()),
                ]
            )()
        if sandboxes % 3 == 0:
            with suspended(sandbox):
                importlib.import_module("victim.deep")
    threads = [thread for thread in threads if thread.is_alive()]
for thread in threads:
    thread.join()
print(errors or "no errors")
print(sandboxes > 0 and all(imports.values()))
print(sandboxes, "sandboxes, imports:", imports)
"""

FILES = {
    "outer/__init__.py": "",
    "victim/__init__.py": "",
    "victim/deep.py": "from victim import m1, m2",
    "late/__init__.py": "",
    **{f"{package}/m{number}.py": "X = 1" for package in ("outer", "victim", "late") for number in range(50)},
}


@pytest.mark.slow
def test_threads_import_whatever_sandboxes_do(run_script: Callable[..., str]) -> None:
    # Tracing all threads is slow, and what is measured here is measured elsewhere.
    output = run_script(SCRIPT, files=FILES, environment={"COVERAGE_PROCESS_CONFIG": None})

    verdict, imported, counts = output.splitlines()
    print(counts)
    assert (verdict, imported) == ("no errors", "True")


LAZY_SCRIPT = f"""
import faulthandler
import random
import sys
import threading
import time

from pytest_importsandbox import ImportSandbox
from pytest_importsandbox._sandbox.sandbox import suspended

faulthandler.dump_traceback_later({SECONDS + 60}, exit=True)
sys.setswitchinterval(1e-5)
end = time.monotonic() + {SECONDS}
errors = []

import shop


def resolve(use, ended):
    while not ended:
        try:
            use()
        except BaseException as exc:
            errors.append(repr(exc))


random.seed(1)
rounds = failed = 0
while time.monotonic() < end:
    rounds += 1
    before = len(errors)
    importer = {{"__name__": "importer"}}
    exec("lazy import shop.tax\\ndef use(): return shop.tax.RATE", importer)
    ended = []
    with ImportSandbox() as sandbox:
        # Of the sandbox: what a thread imports that ran before stays.
        threads = [threading.Thread(target=resolve, args=(importer["use"], ended)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0, 0.001))
        if rounds % 3 == 0:
            with suspended(sandbox):
                time.sleep(random.uniform(0, 0.001))
    time.sleep(random.uniform(0, 0.001))
    ended.append(True)
    for thread in threads:
        thread.join()
    failed += len(errors) > before
    sys.modules.pop("shop.tax", None)
    vars(shop).pop("tax", None)
print(failed, rounds, errors[:1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(sys, "lazy_modules"), reason="lazy imports came with Python 3.15")
def test_threads_resolve_lazy_submodules_whatever_sandboxes_do(run_script: Callable[..., str]) -> None:
    output = run_script(
        LAZY_SCRIPT,
        files={"shop/__init__.py": "", "shop/tax.py": "RATE = 20"},
        environment={"COVERAGE_PROCESS_CONFIG": None},
    )

    failed, rounds, *_ = output.split()
    print(output)
    # One of a thousand still fails: see the limitations. Where attributes went before declarations came back,
    # it was one of three.
    assert int(failed) <= 1 + int(rounds) / 100
