# SPDX-License-Identifier: Apache-2.0
"""The exit codes of the command and the error that ends it."""

USED = 0  # every counted pip uses _tls_bootstrap
BROKEN = 1  # pip or the module is broken by us
NOT_USED = 2  # installed, but pip does not use it
NO_PIP = 3  # there is no system pip
CANNOT_RUN = 4  # the check itself could not run


class CommandError(Exception):
    """The command cannot go on; the text names the cause and what to do."""

    exit_code = CANNOT_RUN


class PipError(CommandError):
    """A pip does not even tell what it can do."""
