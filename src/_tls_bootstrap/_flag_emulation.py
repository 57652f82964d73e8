# SPDX-License-Identifier: Apache-2.0
"""Enumerations of flags for Pythons without IntFlag (2.7, 3.4, 3.5): their operators keep the type.

Beside _enum_emulation.py because few programs look at flags, and to make a class takes long.
"""

from ._enum_emulation import Enum, EnumBehaviour, member_text


class Flag(Enum):
    """An enumeration whose members can be combined."""


class IntFlag(int, Flag):
    """Integers whose bits have names; |, &, ^ and ~ give a value of the same type."""

    def __new__(cls, value):
        return int.__new__(cls, value)

    @classmethod
    def _missing_(cls, value):
        try:
            number = int(value) if value == int(value) else None
        except (TypeError, ValueError):
            number = None
        if number is None:
            raise ValueError("%r is not a valid %s" % (value, cls.__name__))
        combination = int.__new__(cls, number)
        combination._name_ = None
        combination._value_ = number
        return combination

    def _parts(self):
        """The names of the bits in a combination, and the bits that have none."""
        names, rest = [], self._value_
        for member in sorted(type(self), reverse=True):
            if member._value_ > 0 and rest > 0 and rest & member._value_ == member._value_:
                names.append(member._name_)
                rest &= ~member._value_
        if rest or not names:
            names.append(str(rest))
        return names

    def __str__(self):
        if self._name_ is not None:
            return member_text(type(self), self)
        return "%s.%s" % (type(self).__name__, "|".join(self._parts()))

    def __repr__(self):
        return "<%s: %r>" % (str(self), self._value_)

    __format__ = EnumBehaviour.__format__
    __hash__ = int.__hash__
    __reduce_ex__ = EnumBehaviour.__reduce_ex__

    def __or__(self, other):
        return self._combined(int.__or__, other)

    def __and__(self, other):
        return self._combined(int.__and__, other)

    def __xor__(self, other):
        return self._combined(int.__xor__, other)

    __ror__ = __or__
    __rand__ = __and__
    __rxor__ = __xor__

    def __invert__(self):
        return type(self)(~self._value_)

    def __contains__(self, other):
        if not isinstance(other, type(self)):
            return False
        return other._value_ & self._value_ == other._value_

    def _combined(self, operation, other):
        if not isinstance(other, int):
            try:
                other = int(other.__index__())  # 2.7's long
            except AttributeError:
                return NotImplemented
        return type(self)(operation(int(self), int(other)))
