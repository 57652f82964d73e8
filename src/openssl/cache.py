# SPDX-License-Identifier: Apache-2.0
"""A cache of directories that are expensive to make, keyed on everything that went into them.

An entry appears under its final name only when it is complete (it is made beside it and renamed), so a killed
build can never be taken for a finished one. Two builds of one entry wait for each other; different entries do not.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys

from openssl.errors import BuildError

TEMPORARY = ".making-"
LOCK = ".lock-"


def root():
    """The cache's directory.

    CACHE in the environment names it; an empty CACHE, or a home directory that cannot be written to (a
    distribution's builder), puts everything under build/ in the current directory.
    """
    chosen = os.environ.get("CACHE")
    if chosen is None:
        base = os.environ.get("XDG_CACHE_HOME")
        if not base or not os.path.isabs(base):
            base = os.path.join(os.path.expanduser("~"), ".cache")
        chosen = os.path.join(base, "tls-bootstrap")
        try:
            make_directory(chosen)
        except EnvironmentError:
            chosen = ""
        if chosen and not os.access(chosen, os.W_OK | os.X_OK):
            chosen = ""
    return os.path.abspath(chosen or os.path.join("build", "cache"))


def key_of(*parts):
    """A short name for exactly these texts and bytes, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8")
        digest.update(("%d:" % len(data)).encode("ascii"))
        digest.update(data)
    return digest.hexdigest()[:20]


def make_directory(path):
    """Make a directory and its parents; one that exists already is fine."""
    try:
        os.makedirs(path)
    except OSError as error:
        if error.errno != errno.EEXIST or not os.path.isdir(path):
            raise


@contextlib.contextmanager
def locked(path, what, wait=True):
    """Hold an exclusive lock on the file `path`; yields whether it is held (always, when `wait`)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        # A program started while the lock is held must not keep it alive after us.
        fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
        held = _try_lock(descriptor)
        if not held and wait:
            sys.stdout.write("waiting for another process that makes %s\n" % what)
            sys.stdout.flush()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held = True
        yield held
    finally:
        os.close(descriptor)


def _try_lock(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except EnvironmentError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False


def entry(kind, key, make):
    """The directory <cache>/<kind>/<key>, made by `make(temporary_directory)` if it does not exist yet.

    What `make` leaves in the directory it is given becomes the entry. If it raises, nothing is left behind.
    """
    shelf = os.path.join(root(), kind)
    final = os.path.join(shelf, key)
    if os.path.isdir(final):
        return final
    make_directory(shelf)
    _sweep(shelf)
    with locked(os.path.join(shelf, LOCK + key), "%s %s" % (kind, key)):
        if os.path.isdir(final):
            return final
        temporary = os.path.join(shelf, TEMPORARY + key)
        if not remove_tree(temporary):
            raise BuildError(
                "%s, left by a killed build, cannot be removed: end what runs there, unmount what is mounted there (%s)"
                % (temporary, " ".join(mounts_below(temporary)) or "nothing")
            )
        os.mkdir(temporary)
        try:
            make(temporary)
            os.rename(temporary, final)
        finally:
            remove_tree(temporary)
    return final


def _sweep(shelf):
    """Remove what killed builds left: a half-made entry whose lock nobody holds."""
    for name in os.listdir(shelf):
        if name.startswith(TEMPORARY):
            with locked(os.path.join(shelf, LOCK + name[len(TEMPORARY) :]), name, wait=False) as held:
                if held:
                    remove_tree(os.path.join(shelf, name))


def remove_tree(path):
    """Remove a directory and all below it; whether it is gone.

    A killed maker of a root may have left /proc or a part of /dev mounted in it. Such mounts are undone first; if one
    is in use, everything stays: removal must never reach into another file system.
    """
    for mount in reversed(mounts_below(path)):
        with open(os.devnull, "w") as null:
            subprocess.call(["umount", mount], stdout=null, stderr=null)
    if not mounts_below(path):
        shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def mounts_below(path):
    """Mount points at or below a directory, in the order in which they were mounted."""
    place = os.path.realpath(path)
    found = []
    with open("/proc/self/mountinfo") as stream:
        for line in stream:
            # The kernel writes blanks and backslashes of a path in octal.
            mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line.split()[4])
            if mount == place or mount.startswith(place + os.sep):
                found.append(mount)
    return found
