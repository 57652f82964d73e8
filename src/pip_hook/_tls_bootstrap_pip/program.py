# SPDX-License-Identifier: Apache-2.0
"""What is known about the running program: is it pip, may it be spoken to, are we switched off."""

import os
import sys

DISABLED_FILE = "/etc/tls-bootstrap/disabled"
DISABLED_HERE = "tls-bootstrap-disabled"  # at the top of a virtual environment

_PIP_CHILD = ("__pip-runner__.py", "__main__.py")
_spoken = []


def is_pip():
    """True when pip is the program being run, and not a library of another program."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name.split(".")[0] == "pip":
        return True
    argv = getattr(sys, "argv", None) or [""]
    if argv[0] in ("-m", "-c"):  # `-m` until runpy has found the module; old pips import all by then
        module = _module_option(_command_line()) or ""  # pip, or as Ansible's module starts it pip.__main__
        return module.partition(".")[0] == "pip"
    directory, name = os.path.split(argv[0])
    if name in _PIP_CHILD:
        return os.path.basename(directory) == "pip"
    return _is_pip_command(name)


def _is_pip_command(name):
    """True for pip, pip3.9, pip-20.3, pip-python3, python3.9-pip. Without `re`: a finder must not import."""
    words = [word.rstrip("0123456789.") for word in name.split("-")]
    return words in (["pip"], ["pip", ""], ["pip", "python"], ["python", "pip"])


def _command_line():
    try:
        with open("/proc/self/cmdline", "rb") as stream:
            return stream.read().decode("latin-1").split("\0")[:-1]
    except (IOError, OSError):
        return []


def _module_option(command_line):
    """The X of `python -m X`, as the interpreter's own option parser would find it."""
    words = iter(command_line[1:])
    for word in words:
        if not word.startswith("-") or word == "-":
            return None
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                next(words, None)
            continue
        for position, letter in enumerate(word[1:], 2):
            if letter == "m":
                return word[position:] or next(words, None)
            if letter == "c":
                return None
            if letter in "WXQ":
                if not word[position:]:
                    next(words, None)
                break
    return None


def is_verbose():
    """True when the user asked pip for details, the only case in which the hook may speak."""
    if os.environ.get("PIP_VERBOSE", "").lower() not in ("", "0", "no", "n", "false", "f", "off"):
        return True
    words = getattr(sys, "argv", [])[1:]
    return "--verbose" in words or any(word[:2] == "-v" and not word[1:].strip("v") for word in words)


def note(text):
    """Write at most one line per process to stderr, and only for a verbose pip."""
    if _spoken or not is_pip() or not is_verbose():
        return
    _spoken.append(text)
    line = " ".join(text.split())
    try:
        sys.stderr.write("tls-bootstrap: %s\n" % line[:600])
    except Exception:  # a closed or odd stderr must not reach pip
        pass


def secure_environment(name):
    """The value of an environment variable; None under -E and -I and in setuid programs."""
    if sys.flags.ignore_environment or os.getuid() != os.geteuid() or os.getgid() != os.getegid():
        return None
    return os.environ.get(name)


def switched_off():
    """The off switch that is set, in words for the user, or None."""
    if secure_environment("TLS_BOOTSTRAP_PIP") == "0":
        return "TLS_BOOTSTRAP_PIP=0"
    places = [DISABLED_FILE]
    if hasattr(sys, "real_prefix") or getattr(sys, "base_prefix", sys.prefix) != sys.prefix:
        places.append(os.path.join(sys.prefix, DISABLED_HERE))
    for place in places:
        if os.path.lexists(place):
            return place
    return None
