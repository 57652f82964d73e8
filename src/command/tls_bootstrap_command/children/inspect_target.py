# SPDX-License-Identifier: Apache-2.0
"""Runs as `python -B -E -s inspect_target.py` in the interpreter under examination.

Prints one line of JSON about the interpreter, then one about `_tls_bootstrap`. They are separate
because importing a damaged module may kill the process.
"""

import os
import sys

from answer import say

MODULE = "_tls_bootstrap"


def mapped_libraries():
    """Paths of the TLS libraries in this process."""
    found = set()
    with open("/proc/self/maps") as stream:
        for line in stream:
            path = line.split(None, 5)[5:]
            if path and os.path.basename(path[0]).startswith(("libssl", "libcrypto")):
                found.add(path[0].strip())
    return found


def find(name, directories):
    """The directory along `directories` that has the package `name`, or None."""
    for directory in directories:
        if os.path.isdir(os.path.join(directory, name)):
            return directory
    return None


def pip_facts():
    """Where `python -m pip` finds pip, without importing it."""
    directory = find("pip", sys.path)
    if directory is None:
        return None
    path = os.path.join(directory, "pip", "__init__.py")
    version = None
    try:
        with open(path) as stream:
            for line in stream:
                if line.startswith("__version__"):
                    version = line.split("=")[1].strip().strip("\"'")
                    break
        modified = int(os.stat(path).st_mtime)
    except (IOError, OSError):
        return None
    return {"directory": directory, "path": path, "version": version, "modified": modified}


def wake_hook():
    """Ask the function of the hook's .pth file for pip, as an import does: it puts the finder into its own place."""
    for finder in list(sys.meta_path):
        if getattr(finder, "find_spec", None) is finder:
            finder("pip")


def interpreter_facts():
    finder = None
    wake_hook()
    for candidate in sys.meta_path:
        if type(candidate).__name__ == "TlsBootstrapPipFinder":
            finder = candidate
    armed_directory = getattr(finder, "directory", None)
    hook = find("_tls_bootstrap_pip", sys.path)
    # The hook takes the module beside it, also where a Python brings one in its standard library. Where the hook is, the
    # path says and never the finder, which may lie. A virtual environment that `tls-bootstrap venv` has switched on finds
    # the module by the hook alone.
    home = find(MODULE, [hook] if hook else []) or find(MODULE, sys.path + [armed_directory or ""])
    return {
        "executable": sys.executable,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "virtual": getattr(sys, "base_prefix", sys.prefix) != sys.prefix or hasattr(sys, "real_prefix"),
        "module_directory": home,
        "hook_directory": hook,
        "hook_files": sorted(name for name in os.listdir(hook) if name.startswith("_tls_bootstrap_pip")) if hook else [],
        "armed": finder is not None,
        "armed_directory": armed_directory,
        "site_directory": site_directory(),
        "base_interpreter": base_interpreter(),
        "pip": pip_facts(),
    }


def site_directory():
    """Where this interpreter's pip installs to."""
    if sys.version_info[0] == 2:
        from distutils.sysconfig import get_python_lib

        return get_python_lib()
    import sysconfig

    return sysconfig.get_path("purelib")


def base_interpreter():
    """The interpreter that a virtual environment was made from; None outside of one, or when it is not found."""
    prefix = getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix)
    if prefix == sys.prefix:
        return None
    known = [getattr(sys, "_base_executable", None) or "", os.path.realpath(sys.executable)]
    known += ["%s/bin/python%d.%d" % ((prefix,) + sys.version_info[:2])]
    for path in known:
        if os.access(path, os.X_OK) and not path.startswith(sys.prefix + "/"):
            return path
    return None


def fips_enabled():
    try:
        with open("/proc/sys/crypto/fips_enabled") as stream:
            return stream.read().strip() == "1"
    except (IOError, OSError):
        return False


def module_facts(home):
    facts = {"fips": fips_enabled()}
    ssl_before = sorted(name for name in ("ssl", "_ssl") if name in sys.modules)
    libraries_before = mapped_libraries()
    # In front only where another one stands in the way: what else is in that directory must hide nothing.
    sys.path.insert(len(sys.path) if find(MODULE, sys.path) in (home, None) else 0, home)
    try:
        module = __import__(MODULE)
        core = sys.modules[MODULE + "._core"]
    except BaseException as error:
        facts["error"] = "%s: %s" % (type(error).__name__, error)
        # The module's own word counts too: it knows what it refused for.
        facts["fips"] = facts["fips"] or "FIPS mode" in facts["error"]
        return facts
    facts["path"] = module.__file__
    facts["core"] = core.__file__
    facts["version"] = getattr(module, "__version__", None)
    facts["flavour"] = core.flavour
    facts["openssl"] = module.OPENSSL_VERSION
    ssl_after = sorted(name for name in ("ssl", "_ssl") if name in sys.modules)
    facts["ssl_imported"] = sorted(set(ssl_after) - set(ssl_before))
    facts["foreign_libraries"] = sorted(mapped_libraries() - libraries_before)
    facts["exports"] = exported_symbols(core.__file__)
    try:
        context = module.create_default_context()
        facts["minimum"] = str(getattr(context.minimum_version, "name", context.minimum_version))
        facts["maximum"] = str(getattr(context.maximum_version, "name", context.maximum_version))
        try:
            facts["groups"] = list(context.get_groups())
        except NotImplementedError:  # the system's OpenSSL before 3.5
            facts["groups"] = None
        facts["authorities"] = context.cert_store_stats().get("x509_ca")
        paths = module.get_default_verify_paths()
        facts["ca_bundle"] = paths.cafile or paths.capath
    except Exception as error:
        facts["context_error"] = "%s: %s" % (type(error).__name__, error)
    return facts


def exported_symbols(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import elf

    del sys.path[0]
    return elf.exported_symbols(path)


def main():
    del sys.path[0]  # the directory of this script
    facts = interpreter_facts()
    say(facts)
    say(module_facts(facts["module_directory"] or ""))


if __name__ == "__main__":
    main()
