# SPDX-License-Identifier: Apache-2.0
"""Installs the built tree, the pip hook or the command below DESTDIR (`make install-module` and its like).

    python -m core.install module|hook|command [--flavour F] [--destdir DIR] [--sitedir DIR]

PYTHON in the environment is the interpreter that the files are for; nothing is taken from it but its site directory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

from core.build import BINARY, PACKAGE
from openssl.cache import make_directory
from openssl.errors import BuildError, run_main

# Where a distribution's own packages put modules for this interpreter. Debian's Python answers /usr/local by
# default, which is the administrator's, and has a scheme of its own for packages.
PROBE = """
import json, sys
try:
    import sysconfig
    schemes = sysconfig.get_scheme_names()
except AttributeError:
    schemes = ()
if "deb_system" in schemes:
    place = sysconfig.get_path("platlib", "deb_system")
elif sys.version_info < (3, 10):
    from distutils.sysconfig import get_python_lib
    place = get_python_lib(plat_specific=True)
else:
    place = sysconfig.get_path("platlib")
print(json.dumps([sys.version_info[0], place]))
"""

HOOK_DIRECTORY = os.path.join("src", "pip_hook")
# The line that arms the hook; Python 2 has no expression that runs a file and is also one of Python 3.
HOOK_LINE = {2: "_tls_bootstrap_pip.pth.python2", 3: "_tls_bootstrap_pip.pth"}
COMMAND_DIRECTORY = os.path.join("src", "command")
DATA_DIRECTORY = "/usr/share/tls-bootstrap"


def main(arguments):
    parser = argparse.ArgumentParser(prog="core.install", description="Install one part below DESTDIR.")
    parser.add_argument("part", choices=["module", "hook", "command"])
    parser.add_argument("--flavour", choices=["bundled", "system"], default="bundled")
    parser.add_argument("--destdir", default="")
    parser.add_argument("--sitedir", default="")
    chosen = parser.parse_args(arguments)
    os.umask(0o022)
    if chosen.part == "command":
        install_command(chosen.destdir)
        return
    if chosen.sitedir:
        # Asks no interpreter: a builder installs for Python 2.7 without having one.
        major = 2 if "/python2" in chosen.sitedir else 3
    else:
        major, chosen.sitedir = site_directory(os.environ.get("PYTHON") or sys.executable)
    target = below(chosen.destdir, chosen.sitedir)
    if chosen.part == "module":
        install_module(major, chosen.flavour, target)
    else:
        install_hook(major, target)


def site_directory(python):
    """(major version, directory) for modules of a distribution's package for this interpreter."""
    try:
        with open(os.devnull, "w") as null:
            text = subprocess.check_output([python, "-c", PROBE], stderr=null, universal_newlines=True)
        major, place = json.loads(text)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise BuildError("PYTHON=%s cannot be asked for its site directory: %s" % (python, error))
    return major, place


def below(destdir, path):
    """`path` below DESTDIR; both may be absolute."""
    return os.path.join(destdir, path.lstrip("/")) if destdir else path


def install_module(major, flavour, target):
    tree = os.path.join("build", "py%d" % major) if flavour == "bundled" else os.path.join("build", flavour, "py%d" % major)
    source = os.path.join(tree, PACKAGE)
    if not os.path.exists(os.path.join(source, BINARY[major])):
        raise BuildError("%s/%s is not built: run make build FLAVOUR=%s first" % (source, BINARY[major], flavour))
    names = [name for name in os.listdir(source) if name.endswith(".py")]
    for name in sorted(names):
        put(os.path.join(source, name), os.path.join(target, PACKAGE, name))
    put(os.path.join(source, BINARY[major]), os.path.join(target, PACKAGE, BINARY[major]), 0o755)


def install_hook(major, target):
    copy_tree(HOOK_DIRECTORY, target, (".py",))
    put(os.path.join(HOOK_DIRECTORY, HOOK_LINE[major]), os.path.join(target, HOOK_LINE[3]))
    if major == 3:  # read by Python 3.15 and later (PEP 829)
        copy_tree(HOOK_DIRECTORY, target, (".start",))


def install_command(destdir):
    put(os.path.join(COMMAND_DIRECTORY, "tls-bootstrap"), below(destdir, "/usr/bin/tls-bootstrap"), 0o755)
    package = "tls_bootstrap_command"
    copy_tree(os.path.join(COMMAND_DIRECTORY, package), below(destdir, os.path.join(DATA_DIRECTORY, package)), (".py",))
    # `tls-bootstrap pip` works without the hook being installed in any interpreter, so it has its own copy.
    copy_tree(HOOK_DIRECTORY, below(destdir, os.path.join(DATA_DIRECTORY, "pip_hook")), (".py",))
    put("VERSION", below(destdir, os.path.join(DATA_DIRECTORY, "VERSION")))
    for name in sorted(os.listdir(COMMAND_DIRECTORY)):
        section = name.rsplit(".", 1)[-1]
        if section.isdigit():
            put(os.path.join(COMMAND_DIRECTORY, name), below(destdir, "/usr/share/man/man%s/%s" % (section, name)))


def copy_tree(source, target, endings):
    """Copy the files with these endings below `source` to the same places below `target`."""
    if not os.path.isdir(source):
        raise BuildError("%s: no such directory" % source)
    for directory, subdirectories, names in os.walk(source):
        subdirectories[:] = sorted(name for name in subdirectories if name != "__pycache__")
        for name in sorted(names):
            if name.endswith(endings):
                path = os.path.join(directory, name)
                put(path, os.path.join(target, os.path.relpath(path, source)))


def put(source, target, mode=0o644):
    """Install one file: complete or not at all.

    SOURCE_DATE_EPOCH dates it (seconds since 1970), as byte code made from it will say: a package built again is the same.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch and not epoch.isdigit():
        raise BuildError("SOURCE_DATE_EPOCH=%s: not a number of seconds since 1970" % epoch)
    print("install %s" % target)
    parent = os.path.dirname(target)
    if not os.path.isdir(parent):
        make_directory(parent)
    temporary = target + ".new"
    try:
        shutil.copyfile(source, temporary)
        os.chmod(temporary, mode)
        if epoch:
            os.utime(temporary, (int(epoch), int(epoch)))
        os.rename(temporary, target)
    except EnvironmentError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise BuildError("cannot install %s: %s" % (target, error.strerror))


if __name__ == "__main__":
    run_main(main)
