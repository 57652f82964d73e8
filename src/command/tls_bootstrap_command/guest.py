# SPDX-License-Identifier: Apache-2.0
"""The user that pip and every other child runs as, and the directory they work in."""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile

from . import processes
from .errors import CommandError

GUEST_NAME = "nobody"


class Guest(object):
    """Who runs the children: the caller, or an unprivileged user when root calls.

    keep_root -- let root run them; for a pip that root has asked for
    Raises CommandError when there is no unprivileged user.
    """

    def __init__(self, keep_root=False):
        self.is_other = os.geteuid() == 0 and not keep_root
        self.uid, self.gid = os.geteuid(), os.getegid()
        self.name = None
        if self.is_other:
            try:
                entry = pwd.getpwnam(GUEST_NAME)
            except KeyError:
                raise CommandError(
                    "as root the check runs pip as the user %s, which this system does not have: "
                    "run it as an ordinary user" % GUEST_NAME
                )
            self.uid, self.gid, self.name = entry.pw_uid, entry.pw_gid, entry.pw_name

    def become(self):
        """Called in the child, before exec."""
        os.setsid()
        os.umask(0o077)
        if self.is_other:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)

    @contextlib.contextmanager
    def acting(self):
        """What is in the block is done with the guest's rights, and for the guest alone to read.

        Root walks no path through a directory of the guest's, who could have put a link there. Raises CommandError where
        root may not become the guest.
        """
        groups, gid, umask = os.getgroups(), os.getegid(), os.umask(0o077)
        try:
            if self.is_other:
                self._take_rights()
            yield
        finally:
            if self.is_other:
                os.seteuid(0)
                os.setegid(gid)
                if os.getgroups() != groups:
                    os.setgroups(groups)
            os.umask(umask)

    def _take_rights(self):
        try:
            os.setgroups([])
            os.setegid(self.gid)
            os.seteuid(self.uid)
        except OSError as error:
            raise CommandError(
                "as root the check runs pip as the user %s, which this container or user namespace does not let root become "
                "(%s): run it as an ordinary user" % (self.name, error.strerror)
            )


class Workshop(object):
    """An own, at first empty directory of mode 0700 that belongs to the guest. Context manager."""

    def __init__(self, guest):
        self.guest = guest
        self.path = None

    def __enter__(self):
        with self.guest.acting():
            self.path = tempfile.mkdtemp(prefix="tls-bootstrap-")
        return self

    def __exit__(self, *exception):
        processes.kill_all_in(self.path)
        if not self.guest.is_other:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        # The guest could exchange parts of the tree while root removes it: let the guest do it.
        subprocess.call(["/bin/rm", "-rf", "--", self.path], preexec_fn=self.guest.become, cwd="/")
        if os.path.lexists(self.path):
            shutil.rmtree(self.path, ignore_errors=True)

    def directory(self, name):
        """Make an own directory of mode 0700 for the guest; return its path."""
        path = os.path.join(self.path, name)
        with self.guest.acting():
            os.mkdir(path, 0o700)
        return path

    def write(self, name, data):
        """Make the new file `name` (mode 0600, the guest's) with the bytes `data`; return its path."""
        path = os.path.join(self.path, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with self.guest.acting():
            descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        return path

    def replace(self, name, data):
        """As `write`, but a file of that name may be there; return its path."""
        try:
            with self.guest.acting():
                os.unlink(os.path.join(self.path, name))
        except OSError:
            pass
        return self.write(name, data)

    def read(self, name, limit):
        """The bytes of a regular file of the guest's, at most `limit`; b"" when there is none."""
        path = os.path.join(self.path, name)
        flags = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
        try:
            with self.guest.acting():
                descriptor = os.open(path, flags)
        except OSError:
            return b""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != self.guest.uid:
            os.close(descriptor)
            return b""
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(limit)
