# SPDX-License-Identifier: Apache-2.0
"""How a build step fails: one message for a person, no traceback."""

import sys


class BuildError(Exception):
    """A build cannot go on; the text names the file or option and says what to do."""


def run_main(main):
    """Run `main(arguments)` as a program; a BuildError becomes one message and exit status 1."""
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildError as error:
        sys.stdout.flush()
        sys.stderr.write("error: %s\n" % error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        sys.exit(130)
