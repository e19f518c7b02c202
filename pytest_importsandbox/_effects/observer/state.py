"""Which state is looked at before and after: what no audit event tells of."""

from __future__ import annotations

import sys

from pytest_importsandbox._effects.observer.rows import Listed, ListedRow, Named, NamedRow
from pytest_importsandbox._effects.observer.unseen import builtin, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType
    from typing import Any, TypeVar

    Row = NamedRow | ListedRow
    Modules = Mapping[str, ModuleType]
    Found = TypeVar("Found")
    Take = Callable[[Modules], Found | None]


_atexit, _gc, _locale, _signal = map(builtin, ("atexit", "gc", "_locale", "_signal"))
_builtins = sys.modules["builtins"]
_codecs = sys.modules["codecs"]
_encodings = sys.modules["encodings"]
_warnings = sys.modules["_warnings"]
_signals = sorted(_signal.valid_signals())
_signal_names = {
    number: name
    for name, number in vars(_signal).items()
    if name.startswith("SIG") and not name.startswith("SIG_") and type(number) is int
}


def rows(loaded: Modules) -> list[Row]:
    """All that is looked at.

    :param loaded:
        The modules of the standard library that are completely loaded, by name. It grows, and with it what
        there is to look at: a module that is loaded meanwhile counts as unchanged until its load is over.
    """
    return [
        *[NamedRow(kind, lambda take=take: take(loaded)) for kind, take in _NAMED],  # type: ignore[misc]
        *[ListedRow(kind, name, lambda take=take: take(loaded)) for kind, name, take in _LISTED],  # type: ignore[misc]
    ]


def _variables(loaded: Modules, module: str, names: Mapping[str, str]) -> Named | None:
    """Variables of a module, each by the name that says what it is; `None` if the module is not loaded."""
    if module not in loaded:
        return None
    namespace = vars(loaded[module])
    return {what: namespace.get(name) for what, name in names.items()}


def _directory(loaded: Modules) -> Named:
    try:
        return {"cwd": system.getcwd()}
    except OSError:
        return {"cwd": None}


def _signal_handlers(loaded: Modules) -> Named:
    found = map(_signal.getsignal, _signals)
    return {
        title: _SIGNAL_DEFAULTS[handler] if type(handler) is int else handler
        for title, handler in zip(_SIGNAL_TITLES, found, strict=True)
    }


_SIGNAL_DEFAULTS = {_signal.SIG_DFL: "SIG_DFL", _signal.SIG_IGN: "SIG_IGN"}
_SIGNAL_TITLES = [f"signal {_signal_names.get(number, number)}" for number in _signals]


def _hooks(loaded: Modules) -> Named:
    namespace = vars(sys)
    return {f"sys.{name}": namespace.get(name) for name in _HOOKS}


_HOOKS = ("breakpointhook", "displayhook", "excepthook", "unraisablehook")


def _traces(loaded: Modules) -> Named:
    generators = sys.get_asyncgen_hooks()
    return {
        "sys.settrace": sys.gettrace(),
        "sys.setprofile": sys.getprofile(),
        "asyncgen firstiter hook": generators.firstiter,
        "asyncgen finalizer hook": generators.finalizer,
    }


def _of_threading(loaded: Modules) -> Named | None:
    return _variables(
        loaded,
        "threading",
        {
            "threading.settrace": "_trace_hook",
            "threading.setprofile": "_profile_hook",
            "threading.excepthook": "excepthook",
        },
    )


def _limits(loaded: Modules) -> Named:
    return {
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "digits of integers": sys.get_int_max_str_digits(),
    }


def _locales(loaded: Modules) -> Named:
    return {"locale": _locale.setlocale(_locale.LC_ALL, None)}


def _garbage_collection(loaded: Modules) -> Named:
    return {
        "gc.isenabled": _gc.isenabled(),
        "gc.threshold": ", ".join(map(str, _gc.get_threshold())),
        "gc.debug": _gc.get_debug(),
    }


def _socket_timeout(loaded: Modules) -> Named | None:
    if "_socket" not in loaded:
        return None
    return {"default socket timeout": loaded["_socket"].getdefaulttimeout()}


def _start_method(loaded: Modules) -> Named | None:
    if "multiprocessing.context" not in loaded:
        return None
    # Asking for it in the public way would set it.
    context = loaded["multiprocessing.context"]._default_context._actual_context
    return {"multiprocessing start method": None if context is None else context._name}


def _event_loop_policy(loaded: Modules) -> Named | None:
    return _variables(loaded, "asyncio.events", {"asyncio policy": "_event_loop_policy"})


def _logging(loaded: Modules) -> Named | None:
    if "logging" not in loaded:
        return None
    namespace = vars(loaded["logging"])
    root = namespace["root"]
    return {
        "logging root level": root.level,
        "logging disabled up to": root.manager.disable,
        "logger class": namespace["_loggerClass"],
        "log record factory": namespace["_logRecordFactory"],
        "logging.lastResort": namespace["lastResort"],
        "logging.raiseExceptions": namespace["raiseExceptions"],
    }


def _logging_levels(loaded: Modules) -> Named | None:
    if "logging" not in loaded:
        return None
    return {f"logging level {level}": name for level, name in vars(loaded["logging"])["_levelToName"].items()}


def _copyreg(loaded: Modules) -> Named | None:
    if "copyreg" not in loaded:
        return None
    table = vars(loaded["copyreg"])["dispatch_table"]
    return {f"copyreg {kind.__module__}.{kind.__qualname__}": reduce for kind, reduce in table.copy().items()}


def _builtin_names(loaded: Modules) -> Named:
    return {f"builtins.{name}": value for name, value in vars(_builtins).copy().items()}


def _faulthandler(loaded: Modules) -> Named | None:
    return {"faulthandler": loaded["faulthandler"].is_enabled()} if "faulthandler" in loaded else None


def _tracemalloc(loaded: Modules) -> Named | None:
    return {"tracemalloc": loaded["_tracemalloc"].is_tracing()} if "_tracemalloc" in loaded else None


def _monitoring(loaded: Modules) -> Named:
    # From Python 3.12 on.
    monitoring: Any = getattr(sys, "monitoring", None)
    numbers = range(6) if monitoring else ()
    return {f"sys.monitoring tool {number}": monitoring.get_tool(number) for number in numbers}


def _error_handlers(loaded: Modules) -> Named:
    return {f"codec error handler {name}": handler for name, handler in _codec_errors.copy().items()}


def _codec_searches(loaded: Modules) -> Listed:
    return tuple(_codec_search_path)


# The interpreter keeps these two to itself; they are known by what is in them.
_codec_search_path: list[object] = []
_codec_errors: dict[str, object] = {}
for _holder in _gc.get_referrers(_encodings.search_function, _codecs.strict_errors):
    if type(_holder) is list:
        _codec_search_path = _holder
    elif type(_holder) is dict and "strict" in _holder:
        _codec_errors = _holder
del _holder


class _AtExit:
    """The callbacks of `atexit`, which it only counts, but compares when it is to forget one."""

    def __init__(self) -> None:
        self._count = 0
        self._callbacks: list[object] = []

    def __call__(self, loaded: Modules) -> Listed:
        count = _atexit._ncallbacks()
        if count != self._count:
            self._count = count
            self._callbacks = []
            _atexit.unregister(self)
        return tuple(self._callbacks)

    def __eq__(self, callback: object) -> bool:
        """Note what is compared with it; it is equal to none."""
        self._callbacks.append(callback)
        return False

    __hash__ = None  # type: ignore[assignment]


def _warning_filters(loaded: Modules) -> Listed:
    return tuple(_warnings.filters)


def _root_handlers(loaded: Modules) -> Listed | None:
    return tuple(vars(loaded["logging"])["root"].handlers) if "logging" in loaded else None


def _root_filters(loaded: Modules) -> Listed | None:
    return tuple(vars(loaded["logging"])["root"].filters) if "logging" in loaded else None


_NAMED: list[tuple[str, Take[Named]]] = [
    ("cwd", _directory),
    ("handlers", _signal_handlers),
    ("handlers", _hooks),
    ("handlers", _traces),
    ("handlers", _of_threading),
    ("handlers", _limits),
    ("handlers", _locales),
    ("handlers", _garbage_collection),
    ("handlers", _socket_timeout),
    ("handlers", _start_method),
    ("handlers", _event_loop_policy),
    ("handlers", _logging),
    ("handlers", _logging_levels),
    ("handlers", _copyreg),
    ("handlers", _builtin_names),
    ("handlers", _error_handlers),
    ("handlers", _faulthandler),
    ("handlers", _tracemalloc),
    ("handlers", _monitoring),
]
_LISTED: list[tuple[str, str, Take[Listed]]] = [
    ("path", "", lambda loaded: tuple(sys.path)),
    ("meta_path", "", lambda loaded: tuple(sys.meta_path)),
    ("path_hooks", "", lambda loaded: tuple(sys.path_hooks)),
    ("handlers", "atexit", _AtExit()),
    ("handlers", "warnings.filters", _warning_filters),
    ("handlers", "logging root handlers", _root_handlers),
    ("handlers", "logging root filters", _root_filters),
    ("handlers", "gc.callbacks", lambda loaded: tuple(_gc.callbacks)),
    ("handlers", "codecs", _codec_searches),
]
