# SPDX-License-Identifier: Apache-2.0
"""Enum, IntEnum and IntFlag: the standard library's where it has them (3.4, 3.4, 3.6), else ours.

Also how an enumeration is made of the C half's constants.
"""

import sys

from . import _core

if sys.version_info >= (3, 4):
    from enum import Enum, IntEnum
else:
    from ._enum_emulation import Enum, IntEnum

if sys.version_info >= (3, 6):
    from enum import IntFlag
else:
    from ._enum_emulation import IntFlag

__all__ = ["Enum", "IntEnum", "IntFlag", "core_enumeration", "core_members", "enumeration"]


def core_members(prefix, drop="", skip=()):
    """(name, value) of the C half's constants with a prefix, in the order of values."""
    length = len(prefix)  # of a slice: several hundred names are looked at, and a call takes twice as long
    constants = vars(_core).items()  # not dir(), which sorts all of them each time
    pairs = [(name[len(drop) :], value) for name, value in constants if name[:length] == prefix and name not in skip]
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def enumeration(kind, name, members, doc):
    """An enumeration of (name, value) pairs with a docstring."""
    if sys.version_info[0] == 2:  # a class's docstring cannot be set there
        return kind(name, members + [("__doc__", doc)], module="_tls_bootstrap")
    result = kind(name, members, module="_tls_bootstrap")
    result.__doc__ = doc
    return result


def _reduce_of_conversions():
    """What 3.11's enumerations of C constants have as a __reduce_ex__ of their own, or None.

    Early releases of 3.11 give them one, later ones, which have pickle_by_global_name, do not; and what compares
    enumerations looks at it.  (To make one and look takes as long as all of ours.)
    """
    if sys.version_info[:2] != (3, 11):
        return None
    import enum

    return None if hasattr(enum, "pickle_by_global_name") else getattr(enum, "_reduce_ex_by_global_name", None)


_reduce = _reduce_of_conversions()


def core_enumeration(namespace, kind, name, prefix, doc, skip=()):
    """An enumeration of the C half's constants with a prefix.

    Its members become names of the module whose globals are `namespace`, listed in __all__.
    """
    members = core_members(prefix, skip=skip)
    result = enumeration(kind, name, members, doc)
    if _reduce is not None:
        result.__reduce_ex__ = _reduce
    for member_name, _value in members:
        namespace[member_name] = result[member_name]
        namespace["__all__"].append(member_name)
    return result
