"""The import system itself: which module is loaded when, how long it takes, and who asked for it."""

from __future__ import annotations

import sys
from _thread import get_ident

from pytest_importsandbox._effects.observer.places import NOWHERE, importing_line
from pytest_importsandbox._effects.observer.rows import own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_importsandbox._effects.observer.recorder import Recorder

# All imports of what is not in `sys.modules` come through this function of `importlib._bootstrap`, those of
# `importlib.import_module` too. It is private, and its arguments vary from version to version; there is no
# public way to hear of the end of a load.
_NAME = "_find_and_load_unlocked"
_WRAPPER = f"""
def {_NAME}(name, *arguments, **keywords):
    begin(name)
    try:
        module = original(name, *arguments, **keywords)
    except BaseException:
        end(name, False)
        raise
    end(name, True)
    return module
"""
_FINDER = """
def _find_spec(name, *arguments, **keywords):
    return None if is_blocked(name) else original(name, *arguments, **keywords)
"""
# Warnings and tracebacks leave out the frames of this file.
_FILE = "<frozen importlib._bootstrap>"


class Load:
    """A module that is being loaded."""

    def __init__(self, name: str, began: float) -> None:
        self.name = name
        self.began = began
        self.others = 0.0


class Imports:
    """Records imports as they happen, and knows which module is being loaded.

    :param look:
        Called where the code of one module ends and that of another goes on, with the name of the first and
        the name of the second.
    :param ready: Called with the name of a module that is completely loaded, before that look.
    """

    def __init__(
        self, recorder: Recorder, look: Callable[[str, str], None], ready: Callable[[str], None]
    ) -> None:
        self._recorder = recorder
        self._look = look
        self._ready = ready
        self._loads: dict[int, list[Load]] = {}

    def install(self) -> None:
        """Observe from now on."""
        bootstrap = sys.modules["_frozen_importlib"]
        original = getattr(bootstrap, _NAME)
        setattr(bootstrap, _NAME, _as_importlib(_WRAPPER, _NAME, original, begin=self._begin, end=self._end))

    def current(self) -> str:
        """The module that is being loaded in this thread, the innermost; empty if there is none."""
        loads = self._loads.get(get_ident())
        return loads[-1].name if loads else ""

    def _begin(self, name: str) -> None:
        began = self._recorder.begin()
        if began is None:
            return
        loads = self._loads.setdefault(get_ident(), [])
        try:
            self._look(loads[-1].name if loads else "", name)
            line = importing_line({load.name for load in loads})
        # The import may have an audit hook that refuses what is done here.
        except BaseException:
            line = NOWHERE
        loads.append(Load(name, self._recorder.clock(began)))
        self._recorder.write("begin", name, line)
        self._recorder.finish(began)

    def _end(self, name: str, loaded: bool) -> None:
        began = self._recorder.begin()
        if began is None:
            return
        loads = self._loads[get_ident()]
        load = loads.pop()
        seconds = self._recorder.clock(began) - load.began
        if loads:
            loads[-1].others += seconds
        try:
            if loaded:
                self._ready(name)
            self._look(name, loads[-1].name if loads else "")
        except BaseException:
            self._recorder.write("missed", "state")
        self._recorder.write("end", name, loaded, seconds, seconds - load.others, _file(name))
        self._recorder.finish(began)


def block(names: tuple[str, ...]) -> None:
    """Make packages look as if they were not installed, whether they are loaded already or not."""

    def is_blocked(name: str) -> bool:
        return any(name == blocked or name.startswith(f"{blocked}.") for blocked in names)

    modules = sys.modules
    for name in list(modules):
        if is_blocked(name):
            del modules[name]
            package, _, child = name.rpartition(".")
            if package in modules:
                vars(modules[package]).pop(child, None)
    bootstrap = modules["_frozen_importlib"]
    finder = _as_importlib(_FINDER, "_find_spec", bootstrap._find_spec, is_blocked=is_blocked)
    # `importlib.util` has a name of its own for it.
    for module in filter(None, (bootstrap, modules.get("importlib.util"))):
        module._find_spec = finder  # type: ignore[attr-defined]


def _as_importlib(source: str, name: str, original: object, **others: object) -> object:
    """A function that goes in front of one of `importlib._bootstrap`, and looks like it in a traceback."""
    namespace = {"__name__": "importlib._bootstrap", "original": original, **others}
    exec(compile(source, _FILE, "exec"), namespace)
    return namespace[name]


def _file(name: str) -> str:
    """The file of a loaded module, which may be any object."""
    file = own(sys.modules.get(name), "__file__")
    return file if type(file) is str else ""
