# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that calls each test again and again and fails where the references of the process grow every time.

    PYTHON -m pytest -p refcounts tests/unit

It needs a debug build of CPython, which counts all references (sys.gettotalrefcount()). A test that passed is called
WARM_UP times more with the same fixtures, for caches to fill, and then ROUNDS times; it leaks when each of these
rounds ends with more than ALLOWED references above what it began with. A test that passes only with fixtures of its
own cannot be repeated; the summary names those.
"""

import gc
import sys

import pytest

WARM_UP = 2
ROUNDS = 3
#: References that a round may leave: those of the counting's own integers.
ALLOWED = 2

count = getattr(sys, "gettotalrefcount", None)
unrepeatable = []


def pytest_configure(config):
    if count is None:
        raise pytest.UsageError("-p refcounts needs a debug build of CPython: others count no references")


def pytest_collection_finish():
    """What is there now stays, and need not be looked at by each collection: that took three quarters of the time."""
    gc.collect()
    gc.freeze()


def held():
    """References after everything unreachable is gone; weak references may free more in a second pass."""
    gc.collect()
    gc.collect()
    return count()


def growth_of(call):
    """By how many references each of ROUNDS calls grew the process."""
    growth = [0] * ROUNDS
    for _ in range(WARM_UP):
        call()
    for number in range(ROUNDS):
        before = held()
        call()
        growth[number] = held() - before
    return growth


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Stands in for pytest's own call; what the first call raises is reported as always."""
    arguments = dict((name, pyfuncitem.funcargs[name]) for name in pyfuncitem._fixtureinfo.argnames)
    monkeypatch = pyfuncitem.funcargs.get("monkeypatch")

    def call():
        pyfuncitem.obj(**arguments)
        if monkeypatch is not None:  # it notes down what each call changed
            monkeypatch.undo()

    call()
    try:
        growth = growth_of(call)
    except Exception:
        unrepeatable.append(pyfuncitem.nodeid)
        return True
    if min(growth) > ALLOWED:
        pytest.fail("references grow by %s in calls one after the other" % growth, pytrace=False)
    return True


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("%d tests cannot be repeated with the same fixtures" % len(unrepeatable))
    for name in unrepeatable:
        terminalreporter.write_line("  called once: %s" % name)
