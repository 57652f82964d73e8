# SPDX-License-Identifier: Apache-2.0
"""Enumerations for Pythons without `enum` (2.7); _flag_emulation.py has those of flags.

As much of the standard library's behaviour as a user of `ssl` can meet: members with name and value,
Class(value), Class["NAME"], iteration, membership, repr, pickling, and both ways of definition.
Iteration is in the order of values.
"""

_DESCRIPTORS = ("__get__", "__set__", "__delete__")


class EnumMeta(type):
    """The class of enumeration classes."""

    def __new__(mcs, name, bases, namespace):
        values = []
        for key in list(namespace):
            if not key.startswith("_") and not _is_descriptor(namespace[key]):
                values.append((namespace.pop(key), key))
        if values and not isinstance(bases[0], EnumMeta):
            namespace.setdefault("__repr__", EnumBehaviour.__repr__)  # not the mixed-in type's
        by_name = namespace["_by_name_"] = {}
        by_value = namespace["_by_value_"] = {}
        members = namespace["_members_"] = []
        cls = type.__new__(mcs, name, bases, namespace)
        if not values:
            return cls
        make, plain = cls.__new__, cls._plain_value()
        for value, key in sorted(values):
            member = by_value.get(value)
            if member is None:
                member = make(cls, value)
                member._name_ = key
                member._value_ = plain(member)
                by_value[value] = by_value[member._value_] = member
                members.append(member)
            by_name[key] = member
        # Last: after each of these 2.7 finds nothing of the class in its cache.
        for key, member in by_name.items():
            type.__setattr__(cls, key, member)
        return cls

    def __init__(cls, name, bases, namespace):
        type.__init__(cls, name, bases, namespace)

    def _plain_value(cls):
        """What makes of a member its value without the enumeration's class: of the first base that is not one itself."""
        for base in cls.__mro__[1:]:
            if base is not object and not isinstance(base, EnumMeta):
                return int if base is int else base._make  # a named tuple
        return lambda member: member

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
    # An attribute that is not there takes long, and most are members.
    return type(value) is not int and any(hasattr(value, name) for name in _DESCRIPTORS)


def member_text(cls, member):
    return "%s.%s" % (cls.__name__, member._name_)


class EnumBehaviour(object):
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
        return "<%s: %r>" % (member_text(type(self), self), self._value_)

    def __str__(self):
        return member_text(type(self), self)

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
Enum = EnumMeta("Enum", (EnumBehaviour,), {"__module__": __name__, "__doc__": "A member of a set of names."})


class IntEnum(int, Enum):
    """An enumeration whose members are integers."""

    def __new__(cls, value):
        return int.__new__(cls, value)

    __repr__ = EnumBehaviour.__repr__
    __str__ = EnumBehaviour.__str__
    __format__ = EnumBehaviour.__format__
    __hash__ = int.__hash__
    __reduce_ex__ = EnumBehaviour.__reduce_ex__
