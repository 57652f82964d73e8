# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap venv DIR`: the pip of one virtual environment uses the system's `_tls_bootstrap`.

One file is added to the environment, and removed again by --remove. It names the system's files by their full paths;
nothing is searched for.
"""

import os
import tempfile

from . import files
from .errors import CommandError
from .guest import Guest, Workshop
from .interpreters import Interpreter

NAME = "_tls_bootstrap_pip.pth"
OURS = "import sys; finder = lambda "  # what the file begins with

# As the .pth of the hook package, but with full paths: of the finder, and of the module's directory, which need not be
# that of the hook. Source only, since byte code of whoever runs the environment is none of the system's.
LINE = (
    "import sys; finder = lambda name, path=None, target=None: name[:4] in ('pip', 'pip.') and {run}({code}) and None or None; "
    "finder.find_spec = finder.find_module = finder; sys.meta_path.insert(0, finder)\n"
)
NAMES = "{{'__name__': '_tls_bootstrap_pip_finder', '__file__': {finder!r}, 'home': {module!r}}}"
# Major version of Python -> what runs the code, and the code. No compile(): its first use takes longer than the file's.
CODE = {
    "2": ("eval", "hasattr(type('', (), {{'run': property(lambda self: execfile({finder!r}, " + NAMES + "))}})(), 'run')"),
    "3": ("exec", "try:\n with open({finder!r}) as file: exec(file.read(), " + NAMES + ")\nexcept Exception: pass"),
}


def switch(directory, remove, off):
    """Switch the hook on in a virtual environment, or off; return what was done in words. Raises CommandError."""
    if not directory:
        raise CommandError("venv: DIR is empty: name the virtual environment")
    directory = os.path.abspath(directory)
    python = os.path.join(directory, "bin", "python")
    if not os.access(python, os.X_OK):
        raise CommandError("venv %s: this is no virtual environment: it has no bin/python" % directory)
    if os.geteuid() == 0 and os.stat(directory).st_uid != 0:
        raise CommandError("venv %s: root starts no program of another user: run this as that user" % directory)
    with Workshop(Guest(keep_root=True)) as workshop:
        here = Interpreter(python, named=True)
        here.inspect(workshop)
        if not here.facts["virtual"]:
            raise CommandError("venv %s: its bin/python is not that of a virtual environment" % directory)
        place = os.path.join(here.facts["site_directory"], NAME)
        disabled = os.path.join(directory, files.DISABLED_HERE)
        if remove:
            return _remove(place)
        if off:
            _write(disabled, "")
            return "switched off by %s" % disabled
        line = _line(here, workshop)
    if os.path.lexists(place):
        _must_be_ours(place)
    _write(place, line)
    if os.path.lexists(disabled):
        _unlink(disabled)
    return "added %s" % place


def _line(here, workshop):
    base = here.facts["base_interpreter"]
    if base is None:
        raise CommandError("venv: the interpreter that %s was made from is not found" % here.path)
    system = Interpreter(base)
    system.inspect(workshop)
    module = system.facts["module_directory"]
    if module is None:
        raise CommandError(
            "_tls_bootstrap is not installed for %s: install its package (python3-tls-bootstrap or the one for that Python)" % base
        )
    hook = system.facts["hook_directory"] or files.pip_hook()
    if hook is None:
        raise CommandError("%s/pip_hook is missing: reinstall the package tls-bootstrap" % files.LIBRARY)
    run, code = CODE[here.facts["version"][0]]
    code = code.format(finder=str(os.path.join(hook, "_tls_bootstrap_pip_finder.py")), module=str(module))
    line = LINE.format(run=run, code=repr(code))
    try:
        line.encode("ascii")
    except UnicodeError:
        raise CommandError("venv: %s and %s must be paths in ASCII" % (hook, module))
    return line


def _must_be_ours(place):
    """Raise CommandError if something else lies where our file is to be."""
    try:
        with open(place, "rb") as stream:
            if stream.read(len(OURS)) == OURS.encode("ascii"):
                return
    except (IOError, OSError) as error:
        raise CommandError("%s: %s" % (place, error.strerror))
    raise CommandError("%s is not ours: look at it and move it away" % place)


def _remove(place):
    _must_be_ours(place)
    _unlink(place)
    return "removed %s" % place


def _unlink(place):
    try:
        os.unlink(place)
    except (IOError, OSError) as error:
        raise CommandError("%s: %s" % (place, error.strerror))


def _write(place, text):
    """Replace a file: complete or not at all."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(place), prefix=".tls-bootstrap-")
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
            os.chmod(temporary, 0o644)
            os.rename(temporary, place)
        except (IOError, OSError):
            os.unlink(temporary)
            raise
    except (IOError, OSError) as error:
        raise CommandError("%s: %s" % (place, error.strerror))
