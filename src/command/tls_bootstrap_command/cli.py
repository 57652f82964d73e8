# SPDX-License-Identifier: Apache-2.0
"""The command line of `tls-bootstrap`."""

import argparse
import signal
import sys

from . import check, files, indexes, interpreters, output, record, runner, status, venv
from .errors import CANNOT_RUN, CommandError
from .guest import Guest, Workshop

EXIT_CODES = """exit codes of check:
  0  every counted pip uses _tls_bootstrap
  1  something is broken
  2  installed, but pip does not use it (the reason is printed)
  3  there is no system pip
  4  the check itself could not run
"""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(CANNOT_RUN, "%s: %s\n" % (self.prog, message))


def make_parser():
    parser = Parser(prog="tls-bootstrap", description="Modern TLS for the system's pip.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    checker = verbs.add_parser(
        "check",
        help="prove that pip uses _tls_bootstrap",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    checker.add_argument("--python", action="append", default=[], metavar="PATH", help="check this interpreter's pip")
    checker.add_argument("--pip", action="append", default=[], metavar="PATH", help="check this pip script")
    checker.add_argument("--online", action="store_true", help="let pip ask the configured index too")
    checker.add_argument("--index", action="append", default=[], metavar="URL", help="let pip ask this index too")
    checker.add_argument("--json", action="store_true", help="print JSON instead of TAP")
    checker.add_argument("--record", action="store_true", help="keep the result for `status` (root)")
    checker.add_argument("--quiet", action="store_true", help="print nothing but errors")
    verbs.add_parser("status", help="show what is installed and switched on")
    verbs.add_parser("pip", help="run the system's pip over _tls_bootstrap: pip [--python PATH] ...")
    switch = verbs.add_parser("venv", help="let the pip of a virtual environment use it: adds one file")
    switch.add_argument("directory", metavar="DIR", help="the virtual environment")
    how = switch.add_mutually_exclusive_group()
    how.add_argument("--remove", action="store_true", help="remove that file")
    how.add_argument("--off", action="store_true", help="switch the hook off there, the system's included")
    verbs.add_parser("version", help="print the version")
    return parser


def end_in_order(number, frame):
    """Signal handler: unwind, so that the children are ended and their directories removed."""
    sys.exit(128 + number)


def main(arguments):
    """Run the command; return its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, end_in_order)
    try:
        if arguments[:1] == ["pip"]:
            return runner.run(*runner.parse(arguments[1:]))
        options = make_parser().parse_args(arguments)
        if options.verb == "check":
            return run_check(options)
        if options.verb == "status":
            with Workshop(Guest()) as workshop:
                for line in status.lines(workshop):
                    print(line)
            return 0
        if options.verb == "venv":
            print(venv.switch(options.directory, options.remove, options.off))
            return 0
        if options.verb == "version":
            print("tls-bootstrap %s" % (files.version() or "of unknown version"))
            return 0
        make_parser().error("a verb is needed: check, status, pip, venv or version")
    except CommandError as error:
        sys.stderr.write("tls-bootstrap: %s\n" % error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("tls-bootstrap: interrupted\n")
        return 130


def run_check(options):
    chosen = [interpreters.by_name(path) for path in options.python]
    chosen += [interpreters.by_pip(path) for path in options.pip]
    online = [indexes.Index(url) for url in options.index] + ([None] if options.online else [])
    tell = (lambda text: None) if options.quiet else show_progress
    with Workshop(Guest()) as workshop:
        reports = check.run(workshop, chosen, tell, online)
    tell("")
    code = check.exit_code(reports)
    if options.json:
        print(output.as_json(reports, code, files.version()))
    elif not options.quiet:
        colour = output.wants_colour(sys.stdout)
        for line in output.tap(reports):
            print(output.coloured(line) if colour else line)
    if options.record:
        record.write(reports, code)
    return code


def show_progress(text):
    """On a terminal, keep one line of progress; an empty text clears it."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()
