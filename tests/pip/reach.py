# SPDX-License-Identifier: Apache-2.0
"""Run a command as root where the user nobody can reach interpreters below a closed home directory.

usage: reach.py DIRECTORY -- COMMAND...

In a private mount namespace the parents of DIRECTORY that are closed to others are replaced by empty
directories in which only DIRECTORY is visible. `tls-bootstrap check` gives up root for its children,
and interpreters made by pyenv are in root's home.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile


def closed_parent(directory: str) -> str | None:
    """The outermost parent of `directory` that other users may not enter."""
    path = "/"
    for part in directory.strip("/").split("/")[:-1]:
        path = os.path.join(path, part)
        if not os.stat(path).st_mode & 0o001:
            return path
    return None


def main() -> None:
    directory, command = sys.argv[1], sys.argv[3:]
    closed = closed_parent(directory)
    if closed is None:
        os.execvp(command[0], command)
    if "TLS_BOOTSTRAP_TESTS_UNSHARED" not in os.environ:
        environment = {**os.environ, "TLS_BOOTSTRAP_TESTS_UNSHARED": "1"}
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], environment)
    del os.environ["TLS_BOOTSTRAP_TESTS_UNSHARED"]
    aside = tempfile.mkdtemp(prefix="tls-bootstrap-reach-")
    try:
        subprocess.run(["mount", "--bind", directory, aside], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", closed], check=True)
        os.makedirs(directory)
        subprocess.run(["mount", "--move", aside, directory], check=True)
    finally:
        os.rmdir(aside)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
