# SPDX-License-Identifier: Apache-2.0
"""Proof after each import that nobody outside of pip's stack holds the replacement of `ssl`."""

import sys

from . import stack

_TELLTALES = ("ssl", "_ssl", "SSLContext", "SSLSocket", "SSLError")


def repair(names, module, low_level):
    """Give those of the modules of these names that hold `module` and may not the standard `ssl` back; return theirs.

    Raises ImportError where there is such a module and no standard `ssl`.
    """
    ours = [module, low_level] + [getattr(module, name) for name in _TELLTALES[2:] if _is_ours(getattr(module, name))]
    ours = frozenset(map(id, ours))
    repaired = []
    for name in names:
        holder = sys.modules.get(name)
        if holder is None:  # on Python 2: hundreds, and what None lacks takes long to say
            continue
        variables = getattr(holder, "__dict__", None)
        if not isinstance(variables, dict):
            continue
        # Hundreds of modules are looked at; most have none of _TELLTALES, which is told five times as fast without a loop.
        if not (
            "ssl" in variables
            or "_ssl" in variables
            or "SSLContext" in variables
            or "SSLSocket" in variables
            or "SSLError" in variables
        ):
            continue
        if not ours.isdisjoint(map(id, map(variables.get, _TELLTALES))) and not _may_hold(name):
            _give_back(variables, module)
            repaired.append(name)
    for name in ("ssl", "_ssl"):
        if sys.modules.get(name) in (module, low_level):
            del sys.modules[name]
            repaired.append("sys.modules[%r]" % name)
    return repaired


def _may_hold(name):
    root = name.partition(".")[0]
    return root in ("_tls_bootstrap", "_tls_bootstrap_pip", "__main__") or stack.may_hold(name)


def _is_ours(value):
    return (getattr(value, "__module__", None) or "").partition(".")[0] == "_tls_bootstrap"


def _give_back(variables, module):
    import ssl

    for name, value in list(variables.items()):
        if value is module:
            variables[name] = ssl
        elif _is_ours(value) and hasattr(ssl, name):
            variables[name] = getattr(ssl, name)
