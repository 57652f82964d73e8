# SPDX-License-Identifier: Apache-2.0
"""Finds the C headers of CPython 3 (any version: the limited API of 3.4 is all that is used) and of CPython 2.7."""

import glob
import json
import os
import re
import shutil
import subprocess

from openssl import cache, debian_archive
from openssl.errors import BuildError

PROBE = (
    "import json, sys, sysconfig; paths = sysconfig.get_paths(); "
    "print(json.dumps([list(sys.version_info[:3]), paths['include'], paths.get('platinclude'), "
    "sysconfig.get_config_var('INCLUDEPY'), hasattr(sys, 'gettotalrefcount')]))"
)

# The last Debian release with 2.7's headers, for machines that have none installed.
PYTHON2_SUITE = "bullseye"
PYTHON2_PACKAGE = "libpython2.7-dev"


class Headers(object):
    """The headers of one CPython: `version` ("3.11.2"), `directories` for -isystem (list of paths), `debug` build or not."""

    def __init__(self, version, directories, debug=False):
        self.version = version
        self.directories = directories
        self.debug = debug


def find(major):
    """Headers of CPython `major` (2 or 3), or None when PYTHON3= or PYTHON2= is set to nothing.

    PYTHON3 and PYTHON2 name the interpreters; unset, the machine is searched. Raises BuildError when there are none.
    """
    name = "PYTHON%d" % major
    chosen = os.environ.get(name)
    if chosen == "":
        return None
    if chosen:
        headers = of_interpreter(chosen, major)
        if headers is None:
            raise BuildError(
                "%s=%s: not a CPython %s that has its C headers (Python.h); install them or name another"
                % (name, chosen, _wanted(major))
            )
        return headers
    for candidate in candidates(major):
        headers = of_interpreter(candidate, major)
        if headers is not None:
            return headers
    if major == 2 and debian_archive.mirror():
        return _python2_from_archive()
    raise BuildError(
        "no C headers of CPython %s found: install them, set %s=/path/to/python, or build without it by %s= (empty)"
        % (_wanted(major), name, name)
    )


def of_interpreter(command, major):
    """Headers belonging to an interpreter, or None if it does not run, is another major or has no Python.h."""
    try:
        with open(os.devnull, "w") as null:
            text = subprocess.check_output([command, "-c", PROBE], stderr=null, universal_newlines=True)
        version, include, platinclude, included, debug = json.loads(text.strip().splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.CalledProcessError):
        return None
    if version[0] != major or tuple(version) < ((2, 7) if major == 2 else (3, 4)):
        return None
    if included and not os.path.exists(os.path.join(include, "Python.h")):
        include = included  # Debian's 2.7 names a place below /usr/local, where an administrator would put them
    if not os.path.exists(os.path.join(include, "Python.h")):
        return None
    directories = [include]
    if platinclude and platinclude != include and os.path.isdir(platinclude):
        directories.append(platinclude)
    return Headers(".".join(str(part) for part in version), directories, debug)


def candidates(major):
    """Interpreters to ask, best first: PYTHON, those on PATH, the system's, pyenv's."""
    names = [os.environ["PYTHON"]] if os.environ.get("PYTHON") else []
    if major == 2:
        names += ["python2.7", "python2", "/usr/bin/python2.7", "/usr/bin/python2"]
        versions = "2.7*"
    else:
        names += ["python3", "/usr/bin/python3", "/usr/libexec/platform-python"]
        names += ["python3.%d" % minor for minor in range(15, 3, -1)]
        versions = "3*"
    return names + sorted(glob.glob(os.path.join(pyenv_root(), "versions", versions, "bin", "python")))


def pyenv_root():
    return os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")


def for_other_libc(headers, directory):
    """Headers for a compiler that brings its own C library, as copies below `directory`.

    Debian's pyconfig.h only refers to <triplet>/pythonX.Y/pyconfig.h in /usr/include, which such a compiler must
    not see; and Python.h may include crypt.h, of which nothing here uses anything.
    """
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    open(os.path.join(directory, "crypt.h"), "w").close()
    with open(os.path.join(headers.directories[0], "pyconfig.h")) as stream:
        referred = re.findall(r"^\s*#\s*include\s+<([^>]+)>", stream.read(), re.M)
    base = os.path.dirname(headers.directories[0])
    real = [os.path.join(base, name) for name in referred if os.path.exists(os.path.join(base, name))]
    if referred and not real:
        raise BuildError("%s/pyconfig.h refers to files that are not there" % headers.directories[0])
    for name in referred:
        # The machine's own file serves every 64-bit target: the limited API does not depend on the rest of it.
        target = os.path.join(directory, name)
        cache.make_directory(os.path.dirname(target))
        shutil.copyfile(real[0], target)
    return Headers(headers.version, [directory] + headers.directories, headers.debug)


def _python2_from_archive():
    def make(directory):
        print("python 2.7: taking its C headers from the Debian archive (%s, %s)" % (PYTHON2_SUITE, PYTHON2_PACKAGE))
        package = debian_archive.download_package(PYTHON2_PACKAGE, PYTHON2_SUITE, directory)
        subprocess.check_call(["dpkg-deb", "--extract", package, os.path.join(directory, "root")])

    try:
        root = os.path.join(cache.entry("python2-headers", PYTHON2_SUITE, make), "root")
    except (BuildError, EnvironmentError, subprocess.CalledProcessError) as error:
        raise BuildError("no C headers of CPython 2.7 found, and: %s (PYTHON2= builds without it)" % error)
    return Headers("2.7", [os.path.join(root, "usr", "include", "python2.7"), os.path.join(root, "usr", "include")])


def _wanted(major):
    return "2.7" if major == 2 else "3.4 or later"
