# SPDX-License-Identifier: Apache-2.0
"""The command line of `tls-bootstrap`."""

import argparse
import errno
import os
import signal
import sys
import traceback

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
        raise CommandError(message)


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
    """Run the command; return its exit code: CANNOT_RUN, never BROKEN, for whatever goes wrong in the command itself."""
    open_streams()
    try:
        code = run(arguments)
    except SystemExit:  # --help, or a signal
        raise
    except KeyboardInterrupt:
        sys.stderr.write("tls-bootstrap: interrupted\n")
        return 130
    except Exception as error:
        code = failed(error, as_json=arguments[:1] == ["check"] and "--json" in arguments)
    return flushed(code)


def failed(error, as_json):
    """Say what went wrong, for a machine too; return the exit code."""
    code = getattr(error, "exit_code", CANNOT_RUN)
    if not isinstance(error, (CommandError, EnvironmentError)):
        traceback.print_exc()
    if getattr(error, "errno", None) != errno.EPIPE:
        sys.stderr.write("tls-bootstrap: %s\n" % error)
    if as_json:
        try:
            print(output.as_json([], code, files.version(), str(error)))
        except EnvironmentError:  # it may be standard output itself
            pass
    return code


def open_streams():
    """Let /dev/null be each standard stream that the caller has closed: a file opened later must not become one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # becomes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be of the locale


def flushed(code):
    """`code`, or CANNOT_RUN when the answer could not be written."""
    try:
        sys.stdout.flush()
        return code
    except EnvironmentError as error:
        # What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno != errno.EPIPE:  # `| head` has seen enough
            sys.stderr.write("tls-bootstrap: standard output: %s\n" % error.strerror)
        return CANNOT_RUN


def run(arguments):
    """Do what the arguments say; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, end_in_order)
    if arguments[:1] == ["pip"]:
        return runner.run(*runner.parse(arguments[1:]))
    options = make_parser().parse_args(arguments)
    if options.verb == "check":
        return run_check(options)
    if options.verb == "status":
        with Workshop(Guest()) as workshop:
            for line in status.lines(workshop):
                print(line)
    elif options.verb == "venv":
        print(venv.switch(options.directory, options.remove, options.off))
    elif options.verb == "version":
        print("tls-bootstrap %s" % (files.version() or "of unknown version"))
    else:
        make_parser().error("a verb is needed: check, status, pip, venv or version")
    return 0


def run_check(options):
    chosen = [interpreters.by_name(path) for path in options.python]
    chosen += [interpreters.by_pip(path) for path in options.pip]
    online = [indexes.Index(url) for url in options.index] + ([None] if options.online else [])
    if options.record:
        record.prepare()
    tell = (lambda text: None) if options.quiet else show_progress
    with Workshop(Guest()) as workshop:
        reports = check.run(workshop, chosen, tell, online)
    tell("")
    code = check.exit_code(reports)
    if options.record:
        record.write(reports, code)
    if options.json:
        print(output.as_json(reports, code, files.version()))
    elif not options.quiet:
        colour = output.wants_colour(sys.stdout)
        for line in output.tap(reports):
            print(output.coloured(line) if colour else line)
    return code


def show_progress(text):
    """On a terminal, keep one line of progress; an empty text clears it."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()
