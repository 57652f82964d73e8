# SPDX-License-Identifier: Apache-2.0
"""Finding the interpreters and pips of this system, and asking an interpreter about itself."""

import glob
import os
import re

from . import environment, files, processes
from .errors import CommandError

DIRECTORIES = ("/usr/bin", "/usr/local/bin")
LIBEXEC_PYTHON = "/usr/libexec/platform-python"
INSPECTION_LIMIT = 60  # seconds

_PYTHON = re.compile(r"python([0-9](\.[0-9]+)?)?$")
_PIP = re.compile(r"pip([0-9](\.[0-9]+)?)?$|pip-[0-9.]+$|pip-python3?$|python3?-pip$")


class Interpreter(object):
    """One interpreter, named by the shortest path that leads to it.

    After `inspect`: `facts` about the interpreter and `module` about `_tls_bootstrap` (dictionaries as
    children/inspect_target.py makes them).
    """

    def __init__(self, path, named=False):
        self.path = path
        self.named = named  # by the user
        self.pip_script = None
        self.facts = None
        self.module = None

    def inspect(self, workshop):
        """Run the examination in a fresh `-E -s` child. Raises CommandError if there is none."""
        try:
            outcome = processes.run(
                [self.path, "-B", "-E", "-s", files.child("inspect_target.py")],
                environment.for_children(workshop.path),
                workshop.path,
                workshop.guest,
                INSPECTION_LIMIT,
            )
        except OSError as error:
            raise CommandError("%s cannot be started%s: %s" % (self.path, _as(workshop), error.strerror))
        answers = processes.answers(outcome.out)
        if not answers:
            name = "%s, which %s names," % (self.path, self.pip_script) if self.pip_script else self.path
            raise CommandError("%s is no Python that can be examined%s: it %s" % (name, _as(workshop), outcome.failure()))
        self.facts = answers[0]
        if len(answers) > 1:
            self.module = answers[1]
        else:
            self.module = {"error": "the interpreter %s while it imported the module" % outcome.failure()}

    @property
    def pip(self):
        return self.facts["pip"]


def _as(workshop):
    return " as the user %s" % workshop.guest.name if workshop.guest.is_other else ""


def installed():
    """The distinct interpreters of this system, best name first."""
    paths = []
    for directory in DIRECTORIES:
        names = [path for path in glob.glob(directory + "/python*") if _PYTHON.match(os.path.basename(path))]
        paths += sorted(names, key=_shortest_first)
    paths.append(LIBEXEC_PYTHON)
    paths += [script_interpreter(path) for path in pip_scripts()]
    found, known = [], set()
    for path in paths:
        if path is None or not os.access(path, os.X_OK) or _identity(path) in known:
            continue
        known.add(_identity(path))
        found.append(Interpreter(path))
    return found


def _identity(path):
    """What two names of one interpreter, with the same modules, have in common."""
    directory = os.path.realpath(os.path.dirname(path))
    if os.path.lexists(os.path.join(os.path.dirname(directory), "pyvenv.cfg")):
        return directory  # a virtual environment, whose program is a link to another interpreter's
    return os.path.realpath(path)


def pip_scripts():
    """The pip commands of this system, /usr/bin/pip first."""
    found = []
    for directory in DIRECTORIES:
        names = [path for path in glob.glob(directory + "/*pip*") if _PIP.match(os.path.basename(path))]
        found += sorted(names, key=_shortest_first)
    return found


def _shortest_first(path):
    return len(path), path


def script_interpreter(path):
    """The interpreter that a script's first lines name, or None."""
    try:
        with open(os.path.realpath(path), "rb") as stream:
            first = stream.readline(512).decode("utf-8", "replace").strip()
            second = stream.readline(512).decode("utf-8", "replace").strip()
    except (IOError, OSError):
        return None
    if not first.startswith("#!") or "\0" in first + second:
        return None
    words = first[2:].split()
    if words and words[0] == "/bin/sh" and second.startswith("'''exec'"):
        words = second[len("'''exec'") :].split()
    if not words:
        return None
    if os.path.basename(words[0]) == "env" and len(words) > 1:
        return find_program(words[-1])
    return words[0].strip('"')


def find_program(name):
    """The executable file `name` in the system's directories, or None."""
    for directory in DIRECTORIES + ("/bin",):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    return None


def by_name(path):
    """The interpreter that the user named. Raises CommandError if it cannot be one."""
    found = path if os.sep in path else find_program(path)
    if found is None or not os.path.isfile(found) or not os.access(found, os.X_OK):
        raise CommandError("--python %s: there is no such program" % path)
    return Interpreter(os.path.abspath(found), named=True)


def by_pip(path):
    """The interpreter behind the pip script that the user named. Raises CommandError if none."""
    python = script_interpreter(path)
    if python is None or not os.access(python, os.X_OK):
        raise CommandError("--pip %s: this is no script whose first line names an interpreter" % path)
    interpreter = Interpreter(python, named=True)
    interpreter.pip_script = os.path.abspath(path)
    return interpreter


def default():
    """The interpreter behind /usr/bin/pip, then pip3. Raises CommandError if there is no such pip."""
    for name in ("/usr/bin/pip", "/usr/bin/pip3"):
        python = script_interpreter(name)
        if python is not None and os.access(python, os.X_OK):
            return Interpreter(python)
    raise CommandError(
        "there is neither /usr/bin/pip nor /usr/bin/pip3: install the system's pip, or name an interpreter with --python PATH"
    )
