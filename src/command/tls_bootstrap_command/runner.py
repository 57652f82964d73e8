# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap pip`: run the system's pip over `_tls_bootstrap`, without the hook being installed."""

import os
import sys

from . import files, interpreters
from .errors import CommandError
from .guest import Guest, Workshop


def run(interpreter, arguments):
    """Replace this process by pip. Raises CommandError when that is not possible."""
    hook = files.pip_hook()
    if hook is None:
        raise CommandError("%s/pip_hook is missing: reinstall the package tls-bootstrap" % files.LIBRARY)
    with Workshop(Guest(keep_root=True)) as workshop:
        interpreter.inspect(workshop)
    if interpreter.pip is None:
        raise CommandError("%s has no pip" % interpreter.path)
    home = interpreter.facts["module_directory"]
    if home is None:
        raise CommandError(
            "_tls_bootstrap is not installed for %s: install its package (python3-tls-bootstrap or "
            "the one for that Python)" % interpreter.path
        )
    if "error" in interpreter.module:
        sys.stderr.write("tls-bootstrap: pip goes on without _tls_bootstrap: %s\n" % interpreter.module["error"])
    script = files.child("run_pip.py")
    command = [interpreter.path, script, "--hook", hook, "--module-directory", home, "--"] + arguments
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(interpreter.path, command)
    except OSError as error:
        raise CommandError("%s cannot be started: %s" % (interpreter.path, error.strerror))


def parse(arguments):
    """(interpreter, pip's arguments) of `tls-bootstrap pip [--python PATH] ...`."""
    if arguments[:1] == ["--python"]:
        if len(arguments) < 2:
            raise CommandError("pip --python needs the path of an interpreter")
        return interpreters.by_name(arguments[1]), arguments[2:]
    if arguments and arguments[0].startswith("--python="):
        return interpreters.by_name(arguments[0].partition("=")[2]), arguments[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    return interpreters.default(), arguments
