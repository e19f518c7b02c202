"""`import_effects`: what an import does, seen in a new interpreter."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_importsandbox._core.names import as_names
from pytest_importsandbox._effects.interpreter import run
from pytest_importsandbox._effects.model import ImportEffects
from pytest_importsandbox._effects.reading import effects_of


def import_effects(
    name: str | Iterable[str],
    *,
    blocked: str | Iterable[str] = (),
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    check: bool = True,
) -> ImportEffects:
    """Import a module in a new interpreter, and tell all that this does there.

    The interpreter is this one, started with the same flags and in the same working directory. It has the
    `sys.path` of this process as it is now, and its environment. The import is over when the statement is:
    threads that go on and callbacks of `atexit` are told of, and not waited for. What the import has left
    running is killed.

    :param name: The absolute name of a module, or several, which are imported in turn.
    :param blocked: Names of packages that look as if they were not installed.
    :param args: Further arguments for the interpreter, such as ``("-X", "lazy_imports=all")``.
    :param env: Environment variables beside those of this process.
    :param timeout: The number of seconds after which the interpreter is killed, with all that it started.
    :param check: Whether to raise an exception if the import fails; otherwise, see `ImportEffects.error`.
    :returns: What the import did.
    :raises ImportError: If the import fails, with whatever exception, or if the interpreter crashes.
    :raises TimeoutError: If it takes too long.
    :raises TypeError: If an argument has the wrong type.
    :raises ValueError:
        If a name is not an absolute module name, there is none, or the timeout is not positive.
    """
    __tracebackhide__ = True
    names = as_names(name, "name")
    if not names:
        raise ValueError("name must hold at least one name of a module")
    env = {} if env is None else env
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise TypeError(f"args must be a sequence of str, not {args!r}")
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of names to values, not {env!r}")
    _refuse_other_than_strings("args", args)
    _refuse_other_than_strings("env", [*env, *env.values()])
    _refuse_other_than_seconds(timeout)
    return observed(
        names,
        blocked=as_names(blocked, "blocked"),
        args=args,
        env=env,
        timeout=timeout,
        check=check,
    )


def observed(
    names: Sequence[str],
    *,
    blocked: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    timeout: float,
    check: bool,
) -> ImportEffects:
    """`import_effects` with arguments that are known to be right."""
    __tracebackhide__ = True
    environment = {**os.environ, **env}
    entries: list[object] = [*sys.path]
    # Import passes over all others.
    path = [entry for entry in entries if isinstance(entry, str)]
    outcome = run(names, path=path, blocked=blocked, args=args, env=environment, timeout=timeout)
    effects = effects_of(outcome, names, environment, timeout)
    if check and effects.error:
        error = TimeoutError if outcome.timed_out else ImportError
        raise error(f"{effects.error}\n\n{replace(effects, error='')}")
    return effects


def _refuse_other_than_strings(argument: str, values: Iterable[object]) -> None:
    __tracebackhide__ = True
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{argument} must hold str alone, not {type(value).__name__}: {value!r}")


def _refuse_other_than_seconds(timeout: object) -> None:
    __tracebackhide__ = True
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise TypeError(f"timeout must be a number of seconds, not {timeout!r}")
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
