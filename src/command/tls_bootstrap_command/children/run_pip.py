# SPDX-License-Identifier: Apache-2.0
"""Runs in the interpreter whose pip is to use `_tls_bootstrap`.

usage: run_pip.py --hook DIR --module-directory DIR [--script PATH] -- PIP-ARGUMENTS

Arms the hook's finder for this process only, and for the pips that this pip starts with the same
interpreter (build isolation), then becomes pip.
"""

import os
import runpy
import subprocess
import sys

PIP_CHILDREN = ("pip", "__pip-runner__.py")


def parse(words):
    end = words.index("--")
    options = dict(zip(words[:end:2], words[1:end:2]))
    return options["--hook"], options["--module-directory"], options.get("--script"), words[end + 1 :]


def arm(hook, module_directory):
    """Put the finder of the hook in place, unless the installed hook has done so."""
    path = os.path.join(hook, "_tls_bootstrap_pip_finder.py")
    names = {"__name__": "_tls_bootstrap_pip_finder", "__file__": path, "home": module_directory}
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with open(path, "rb") as stream:
            exec(compile(stream.read(), path, "exec"), names)
        if any(type(finder) is names["TlsBootstrapPipFinder"] for finder in sys.meta_path):
            __import__("_tls_bootstrap_pip.transport" if sys.version_info[0] == 2 else "_tls_bootstrap_pip")
    finally:
        sys.dont_write_bytecode = writes_bytecode


def reach_children(prefix):
    """Let pips that this process starts run through this script too."""

    class Popen(subprocess.Popen):
        def __init__(self, args, *rest, **options):
            subprocess_popen.__init__(self, redirected(args, prefix), *rest, **options)

    subprocess_popen = subprocess.Popen
    subprocess.Popen = Popen


def redirected(args, prefix):
    """The command line `args`, through this script if it starts pip with this interpreter."""
    if not isinstance(args, (list, tuple)) or not args or args[0] != sys.executable:
        return args
    for position, word in enumerate(args[1:], 1):
        if list(args[position : position + 2]) == ["-m", "pip"]:  # pip 18's isolated builds
            return list(args[:position]) + prefix + ["--"] + list(args[position + 2 :])
        if word in ("-m", "-c"):
            break
        if str(word).startswith("-"):
            continue
        if os.path.basename(str(word)) in PIP_CHILDREN:
            return list(args[:position]) + prefix + ["--script", word, "--"] + list(args[position + 1 :])
        break
    return args


def main():
    hook, module_directory, script, arguments = parse(sys.argv[1:])
    this = os.path.abspath(__file__)
    reach_children([this, "--hook", hook, "--module-directory", module_directory])
    arm(hook, module_directory)
    # As `python -m pip` but without the working directory: what lies there is not to be imported.
    del sys.path[0]
    if script is None:
        sys.argv = ["pip"] + arguments
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    else:
        sys.argv = [script] + arguments
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
