# SPDX-License-Identifier: Apache-2.0
"""Compares a module with an inventory of an API: names, kinds, call signatures, values.

A difference counts only if code that is valid with the inventory's module would fail or behave differently with ours:
a method may take more arguments, an attribute may be a property.

    PYTHONPATH=build/py3 PYTHON tests/conformance/api.py      prints what differs; exit status 1 if anything does
"""

from __future__ import absolute_import, print_function

import importlib
import inspect
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
INVENTORY = os.path.join(HERE, "inventory")
INTEGERS = (int,) if sys.version_info[0] > 2 else (int, long)  # noqa: F821
TEXTS = (str,) if sys.version_info[0] > 2 else (str, unicode)  # noqa: F821

POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
#: Names that exception classes of 2.7 have in the place of OSError.
OLD_ERRORS = ("EnvironmentError", "IOError", "error")
#: Kinds that a caller cannot tell apart.
ALIKE = (("function", "class"), ("property", "attribute", "method"), ("method", "staticmethod", "classmethod"))


class Parameter(object):
    """One parameter of a call: its name, its kind as `inspect` names it, whether it may be left out."""

    def __init__(self, name, kind, optional):
        self.name, self.kind, self.optional = name, kind, optional


def signature(function):
    """The parameters of a callable, or None where they cannot be known (functions written in C)."""
    if hasattr(inspect, "signature"):
        try:
            found = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return None
        return [Parameter(each.name, str(each.kind.name), each.default is not each.empty) for each in found]
    try:
        told = inspect.getargspec(getattr(function, "__func__", function))
    except TypeError:
        return None
    first_optional = len(told.args) - len(told.defaults or ())
    result = [
        Parameter(name, "POSITIONAL_OR_KEYWORD", index >= first_optional) for index, name in enumerate(told.args)
    ]
    result += [Parameter(told.varargs, "VAR_POSITIONAL", True)] if told.varargs else []
    return result + ([Parameter(told.keywords, "VAR_KEYWORD", True)] if told.keywords else [])


def listed_signature(entry):
    """The parameters that an inventory has for a callable, or None."""
    listed = entry.get("sig")
    if listed is None:
        return None
    return [Parameter(name, kind, default is not None) for name, kind, default in listed]


def refused_call(wanted, found):
    """Which call that `wanted` allows `found` would refuse, as a phrase; None if there is none."""
    if wanted is None or found is None:
        return None
    kinds = [each.kind for each in found]
    by_position = [each for each in found if each.kind in POSITIONAL]
    by_name = dict((each.name, each) for each in found if each.kind in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"))
    takes_more, takes_names = "VAR_POSITIONAL" in kinds, "VAR_KEYWORD" in kinds
    mentioned = set()
    for index, each in enumerate(parameter for parameter in wanted if parameter.kind in POSITIONAL):
        other = by_position[index] if index < len(by_position) else None
        mentioned.add(other.name if other else each.name)
        if other is None and not takes_more:
            return "argument %d (%s) by position" % (index + 1, each.name)
        if other is not None and each.optional and not other.optional:
            return "without %s" % each.name
        if each.kind == "POSITIONAL_OR_KEYWORD" and each.name not in ("self", "cls", "_cls"):
            if each.name not in by_name and not takes_names:
                return "%s by keyword" % each.name
    for each in wanted:
        if each.kind == "KEYWORD_ONLY":
            mentioned.add(each.name)
            if each.name not in by_name and not takes_names:
                return "%s by keyword" % each.name
        elif each.kind == "VAR_POSITIONAL" and not takes_more and not by_position:
            return "any number of arguments"
    for each in found:
        if not each.optional and each.kind in POSITIONAL + ("KEYWORD_ONLY",) and each.name not in mentioned:
            return "without %s" % each.name
    return None


def kind_of(value):
    """What an inventory calls a value of a module."""
    if inspect.ismodule(value):
        return "module"
    if isinstance(value, type):
        if issubclass(value, BaseException):
            return "exception"
        return "enum" if hasattr(value, "__members__") else "class"
    for kind, types in (("bool", bool), ("int", INTEGERS), ("str", TEXTS)):
        if isinstance(value, types):
            return kind
    return "function" if callable(value) else type(value).__name__


def kind_of_member(cls, name):
    """What an inventory calls a member of a class; None if there is none."""
    for base in cls.__mro__:
        if name in vars(base):
            value = vars(base)[name]
            break
    else:
        return None
    if isinstance(value, (staticmethod, classmethod)):
        return type(value).__name__
    if isinstance(value, property) or type(value).__name__ in ("getset_descriptor", "member_descriptor"):
        return "property"
    return "method" if callable(value) else "attribute"


def alike(wanted, found):
    """Whether two kinds of names are the same to a caller."""
    return wanted == found or any(wanted in group and found in group for group in ALIKE)


class Comparison(object):
    """Findings about one module: a list of (name, what differs)."""

    def __init__(self, module):
        self.module = module
        self.findings = []

    def find(self, name, text):
        self.findings.append((name, text))

    def against(self, inventory):
        """Compares with every name of one version, members and raised exceptions included."""
        for name, entry in sorted(inventory["names"].items()):
            self.name(name, entry)
        for name, attributes in sorted(inventory["exception_instance_attrs"].items()):
            raised = self._raised(name)
            for attribute in attributes:
                if not hasattr(raised, attribute):
                    self.find("%s().%s" % (name, attribute), "a raised %s has no such attribute" % name)

    def _raised(self, name):
        """An instance that the module itself has raised."""
        try:
            self.module.SSLContext().load_verify_locations(cafile=__file__)
        except getattr(self.module, name) as error:
            return error
        raise AssertionError("no %s was raised" % name)

    def later(self, inventory):
        """Compares with everything that versions after an inventory's added."""
        for version in sorted(inventory["versions"], key=lambda text: [int(part) for part in text.split(".")]):
            for name, entry in sorted(inventory["versions"][version]["added"].items()):
                owner, _, member = name.partition(".")
                if not member:
                    self.name(name, entry)
                elif isinstance(getattr(self.module, owner, None), type):
                    self.member(getattr(self.module, owner), owner, member, entry)
                else:
                    self.find(name, "absent (added in %s)" % version)

    def name(self, name, entry):
        if not hasattr(self.module, name):
            self.find(name, "absent (%s)" % entry["kind"])
            return
        value = getattr(self.module, name)
        if entry.get("incidental"):
            return
        found = kind_of(value)
        same = alike(entry["kind"], found) and (found != "function" or "members" not in entry)
        if not (same or (entry["kind"] == "int" and found == "bool")):
            self.find(name, "a %s, not a %s" % (found, entry["kind"]))
            return
        if "value" in entry and not entry.get("value_varies") and value != entry["value"]:
            self.find(name, "%r, not %r" % (value, entry["value"]))
        if "enum" in entry and type(value).__name__ != entry["enum"]:
            self.find(name, "a member of %s, not of %s" % (type(value).__name__, entry["enum"]))
        if name not in dir(self.module):
            self.find(name, "not listed by dir()")
        if isinstance(value, type):
            self.bases(name, entry, value)
        elif found == "function":
            refused = refused_call(listed_signature(entry), signature(value))
            if refused:
                self.find(name, "refuses a call " + refused)
        for member, facts in sorted((entry.get("members") or {}).items()):
            if isinstance(facts, dict):
                self.member(value, name, member, facts)
            else:
                self.enum_member(value, name, member, facts)

    def bases(self, name, entry, cls):
        found = set("OSError" if base.__name__ in OLD_ERRORS else base.__name__ for base in cls.__mro__)
        for base in entry.get("mro", ()):
            if base not in found and base not in (name, entry.get("alias_of")) and not base.startswith("_"):
                self.find(name, "not a %s" % base)
        if entry.get("subclassable"):
            try:
                type("Subclass", (cls,), {})
            except TypeError:
                self.find(name, "refuses to be subclassed")

    def enum_member(self, cls, owner, member, value):
        name = "%s.%s" % (owner, member)
        found = cls.__members__.get(member)
        if found is None:
            self.find(name, "absent (a member with the value %s)" % value)
        elif isinstance(value, int) and int(found) != value:
            self.find(name, "%d, not %d" % (found, value))
        elif not isinstance(value, int) and str(found.value).rpartition(".")[2] != value.rpartition(".")[2]:
            self.find(name, "%s, not %s" % (found.value, value))

    def member(self, cls, owner, member, entry):
        name = "%s.%s" % (owner, member)
        if entry["kind"] == "enum-value":
            self.enum_member(cls, owner, member, entry["value"])
            return
        found = kind_of_member(cls, member)
        if found is None:
            self.find(name, "absent (%s)" % entry["kind"])
            return
        if member in ("__new__", "__init__"):
            self.construction(cls, owner, entry)
            return
        if not alike(entry["kind"], found):
            self.find(name, "a %s, not a %s" % (found, entry["kind"]))
            return
        if entry.get("settable") and getattr(vars(cls).get(member), "fset", True) is None:
            self.find(name, "cannot be set")
        value = getattr(cls, member)
        if entry["kind"] in ("method", "classmethod", "staticmethod") and not isinstance(value, type):
            refused = refused_call(listed_signature(entry), signature(value))
            if refused:
                self.find(name, "refuses a call " + refused)

    def construction(self, cls, owner, entry):
        """A class is called; which of __new__ and __init__ takes the arguments is its own affair."""
        wanted = listed_signature(entry)
        problems = []
        for method in (cls.__init__, cls.__new__):
            refused = refused_call(wanted, signature(method))
            if not refused:
                return
            problems.append(refused)
        self.find(owner + "()", "refuses a call " + problems[0])


def inventory(name):
    """One of the inventories, decoded."""
    with open(os.path.join(INVENTORY, name)) as stream:
        return json.load(stream)


def allowed(module):
    """(name -> reason) of what may differ on this interpreter, with the module's OpenSSL.

    Raises ValueError for a line without a reason.
    """
    result = {}
    places = ("*", "%d.%d" % sys.version_info[:2], "openssl-%d.%d" % module.OPENSSL_VERSION_INFO[:2])
    path = os.path.join(INVENTORY, "allowed.txt")
    with open(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip() and not line.startswith("#"):
                words = line.split(None, 2)
                if len(words) < 3:
                    raise ValueError("%s:%d: expected INTERPRETERS NAME REASON" % (path, number))
                if set(places) & set(words[0].split(",")):
                    result[words[1]] = words[2].strip()
    return result


def findings(module):
    """(what differs, what differs and is allowed), each a list of (name, text)."""
    comparison = Comparison(module)
    comparison.against(inventory("api36.json"))
    comparison.later(inventory("api_later.json"))
    permitted = allowed(module)
    wrong = [finding for finding in comparison.findings if finding[0] not in permitted]
    differing = set(name for name, _ in comparison.findings)
    wrong += [(name, "is allowed to differ, and does not") for name in sorted(permitted) if name not in differing]
    return wrong, [finding for finding in comparison.findings if finding[0] in permitted]


def main():
    module = importlib.import_module("_tls_bootstrap")
    wrong, permitted = findings(module)
    for name, text in wrong:
        print("%-45s %s" % (name, text))
    for name, text in permitted:
        print("%-45s %s [allowed]" % (name, text))
    print("%s: %d findings, %d allowed" % (sys.version.split()[0], len(wrong), len(permitted)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
