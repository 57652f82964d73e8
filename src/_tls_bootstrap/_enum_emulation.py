# SPDX-License-Identifier: Apache-2.0
"""Enumerations for Pythons without `enum` (2.7) or without IntFlag (3.4, 3.5).

As much of the standard library's behaviour as a user of `ssl` can meet: members with name and value,
Class(value), Class["NAME"], iteration, membership, repr, pickling, both ways of definition, and flags
whose operators keep the type.  Iteration is in the order of values.
"""

_DESCRIPTORS = ("__get__", "__set__", "__delete__")


class EnumMeta(type):
    """The class of enumeration classes."""

    def __new__(mcs, name, bases, namespace):
        values = {}
        for key in list(namespace):
            if not key.startswith("_") and not _is_descriptor(namespace[key]):
                values[key] = namespace.pop(key)
        if values and not isinstance(bases[0], EnumMeta):
            namespace.setdefault("__repr__", _EnumBehaviour.__repr__)  # not the mixed-in type's
        cls = type.__new__(mcs, name, bases, namespace)
        cls._by_name_ = {}
        cls._by_value_ = {}
        cls._members_ = []
        for key, value in sorted(values.items(), key=lambda item: (item[1], item[0])):
            cls._add(key, value)
        return cls

    def __init__(cls, name, bases, namespace):
        type.__init__(cls, name, bases, namespace)

    def _add(cls, name, value):
        member = cls._by_value_.get(value)
        if member is None:
            member = cls.__new__(cls, value)
            member._name_ = name
            member._value_ = cls._value_of(member)
            cls._by_value_[value] = cls._by_value_[member._value_] = member
            cls._members_.append(member)
        cls._by_name_[name] = member
        type.__setattr__(cls, name, member)

    def _value_of(cls, member):
        """The value without the enumeration's class: of the first base that is not one itself."""
        for base in cls.__mro__[1:]:
            if base is not object and not isinstance(base, EnumMeta):
                return int(member) if base is int else base._make(member)  # a named tuple
        return member

    def __call__(cls, value, names=None, module=None):
        if names is None:
            return cls._lookup(value)
        namespace = dict(names)
        if module is not None:
            namespace["__module__"] = module
        return EnumMeta(value, (cls,), namespace)

    def _lookup(cls, value):
        if isinstance(value, cls):
            return value
        try:
            return cls._by_value_[value]
        except (KeyError, TypeError):
            return cls._missing_(value)

    @property
    def __members__(cls):
        return dict(cls._by_name_)

    def __getitem__(cls, name):
        return cls._by_name_[name]

    def __iter__(cls):
        return iter(list(cls._members_))

    def __len__(cls):
        return len(cls._members_)

    def __contains__(cls, member):
        return isinstance(member, cls) and (member._name_ is None or cls._by_name_.get(member._name_) is member)

    def __bool__(cls):
        return True

    __nonzero__ = __bool__

    def __setattr__(cls, name, value):
        if name in cls.__dict__.get("_by_name_", ()):
            raise AttributeError("Cannot reassign members.")
        type.__setattr__(cls, name, value)

    def __delattr__(cls, name):
        if name in cls._by_name_:
            raise AttributeError("%s: cannot delete Enum member." % cls.__name__)
        type.__delattr__(cls, name)

    def __repr__(cls):
        return "<enum %r>" % cls.__name__


def _is_descriptor(value):
    return any(hasattr(value, name) for name in _DESCRIPTORS)


def _text(cls, member):
    return "%s.%s" % (cls.__name__, member._name_)


class _EnumBehaviour(object):
    """What every member can do."""

    @property
    def name(self):
        """The member's name; None for a combination of flags without one."""
        return self._name_

    @property
    def value(self):
        """The member's value, without the enumeration's type."""
        return self._value_

    @classmethod
    def _missing_(cls, value):
        raise ValueError("%r is not a valid %s" % (value, cls.__name__))

    def __repr__(self):
        return "<%s: %r>" % (_text(type(self), self), self._value_)

    def __str__(self):
        return _text(type(self), self)

    def __format__(self, spec):
        value = self._value_
        return format(value if isinstance(value, int) else str(self), spec)

    def __hash__(self):
        return hash(self._value_)

    def __reduce_ex__(self, protocol):
        return type(self), (self._value_,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


# The metaclass is called because 2.7 and 3 have no common syntax for it.
Enum = EnumMeta("Enum", (_EnumBehaviour,), {"__module__": __name__, "__doc__": "A member of a set of names."})


class IntEnum(int, Enum):
    """An enumeration whose members are integers."""

    def __new__(cls, value):
        return int.__new__(cls, value)

    __repr__ = _EnumBehaviour.__repr__
    __str__ = _EnumBehaviour.__str__
    __format__ = _EnumBehaviour.__format__
    __hash__ = int.__hash__
    __reduce_ex__ = _EnumBehaviour.__reduce_ex__


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
            return _text(type(self), self)
        return "%s.%s" % (type(self).__name__, "|".join(self._parts()))

    def __repr__(self):
        return "<%s: %r>" % (str(self), self._value_)

    __format__ = _EnumBehaviour.__format__
    __hash__ = int.__hash__
    __reduce_ex__ = _EnumBehaviour.__reduce_ex__

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
