# SPDX-License-Identifier: Apache-2.0
"""Where the parts of the command are, in the source tree and on an installed system."""

import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.dirname(PACKAGE)
SOURCE = os.path.dirname(LIBRARY)
STATE = "/var/lib/tls-bootstrap"
DISABLED_FILE = "/etc/tls-bootstrap/disabled"
DISABLED_HERE = "tls-bootstrap-disabled"  # at the top of a virtual environment


def child(name):
    """The script `name` that runs in another interpreter."""
    return os.path.join(PACKAGE, "children", name)


def pip_hook():
    """The directory with the pip hook that `tls-bootstrap pip` uses, or None."""
    for directory in (os.path.join(LIBRARY, "pip_hook"), os.path.join(SOURCE, "pip_hook")):
        if os.path.isfile(os.path.join(directory, "_tls_bootstrap_pip_finder.py")):
            return directory
    return None


def version():
    """The version of the command, or None where its VERSION file is missing."""
    for path in (os.path.join(LIBRARY, "VERSION"), os.path.join(os.path.dirname(SOURCE), "VERSION")):
        try:
            with open(path) as stream:
                return stream.read().strip()
        except (IOError, OSError):
            continue
    return None
