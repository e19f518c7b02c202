"""Threads that import while isolated tests run."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_imports_in_other_threads_never_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tracing all threads is slow, and what is measured here is measured elsewhere. Besides, coverage's
    # `set_matchers_depending_on_syspath` deletes what is new in `sys.modules` after it has looked for the
    # packages to measure, what other threads add meanwhile included: their imports then fail with a
    # KeyError, with this plugin and without it.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    pytester.makepyfile(
        **{f"new/module_{number}": f"NUMBER = {number}" for number in range(300)},
        **{f"again/{name}": "import again.tail; VALUE = again.tail.VALUE" for name in ("head", "body")},
        **{"again/tail": "VALUE = 1", "new/__init__": "", "package": "", "again/__init__": ""},
        test_it="""
        import importlib
        import json.decoder
        import sched
        import sys
        import threading

        import pytest

        import again, new

        # The tests wait less for the threads, and are interrupted at more places.
        sys.setswitchinterval(1e-4)
        errors, done = [], []
        stop = threading.Event()


        def is_loaded():
            from json.decoder import JSONDecoder
            import collections.abc, importlib.machinery, os.path

            assert JSONDecoder is json.decoder.JSONDecoder
            assert {"sys", "os", "pytest", "json.decoder", __name__} <= sys.modules.keys()


        def is_new():
            number = len(done) % 300
            assert importlib.import_module(f"new.module_{number}").NUMBER == number


        def is_forgotten():
            for name in ("again.head", "again.body", "again.tail"):
                sys.modules.pop(name, None)
            from again import body, head

            assert (head.VALUE, body.VALUE) == (1, 1)


        def in_a_loop(imports):
            while not stop.is_set():
                try:
                    imports()
                except BaseException as exc:
                    errors.append(exc)
                    raise
                done.append(imports)


        @pytest.fixture(scope="module", autouse=True)
        def threads():
            threads = [threading.Thread(target=in_a_loop, args=[each]) for each in IMPORTS]
            for thread in threads:
                thread.start()
            yield
            stop.set()
            for thread in threads:
                thread.join()


        IMPORTS = [is_loaded, is_new, is_forgotten]


        @pytest.mark.parametrize("number", range(150))
        def test_isolated(number, temp_package, fresh_import):
            if number % 20 == 0:
                temp_package("package", {"sub.py": ""})
                fresh_import("package.sub")
            sys.modules["sched"] = sys.modules.pop("sched")
            sys.path.reverse()
            fresh_import("package")


        def test_no_thread_failed():
            assert errors == []
            assert set(done) == set(IMPORTS)
        """,
    )

    result = pytester.runpytest_subprocess("-q")

    result.assert_outcomes(passed=151)


@pytest.mark.parametrize("afterwards", ["pass", "del sys.modules['package.sub']"], ids=["kept", "removed"])
def test_attribute_that_another_thread_gave_to_a_package_stays(
    pytester: pytest.Pytester, afterwards: str
) -> None:
    pytester.makepyfile(
        **{
            "package/__init__": "",
            "package/sub": "",
            "test_it": f"""
        import sys
        from concurrent.futures import ThreadPoolExecutor

        import pytest

        import package


        @pytest.fixture(scope="module")
        def thread():
            with ThreadPoolExecutor(max_workers=1) as executor:
                executor.submit(int).result()
                yield executor


        def in_the_thread():
            import package.sub
            {afterwards}


        @pytest.mark.isolated_imports
        def test_isolated(thread):
            thread.submit(in_the_thread).result()


        def test_afterwards():
            assert "sub" in vars(package)
            assert ("package.sub" in sys.modules) is ({afterwards!r} == "pass")
        """,
        }
    )

    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=2)
