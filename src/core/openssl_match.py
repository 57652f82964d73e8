# SPDX-License-Identifier: Apache-2.0
"""Makes sure that OpenSSL's headers and the library that is linked are of one version.

A shared object may leave names open, so a build with another version's headers goes through, and fails at import or,
where only numbers and layouts differ, misbehaves.
"""

import os
import re
import shutil
import subprocess
import tempfile

from openssl.errors import BuildError

VERSION = r"OpenSSL (\d+\.\d+\.\d+[a-z]?)"
ADVICE = (
    "install the headers of that library (libssl-dev or openssl-devel of the same version), or correct CPPFLAGS, CFLAGS, "
    "LDFLAGS and PKG_CONFIG_PATH"
)


def check(compiler, flags, link_words, bundled=None):
    """Raise BuildError, in one line that names both versions, when headers and library differ.

    compiler, flags: the words of the compiler, and of the flags that choose the headers; link_words: the words that
    choose the library; bundled: the version of the library where it was built by us.
    """
    directory = tempfile.mkdtemp(prefix="tls-bootstrap-")
    try:
        headers = headers_version(compiler + flags, directory)
        if bundled:
            library, place = bundled, "the bundled library"
        else:
            library, place = library_version(compiler + flags, link_words, directory)
    finally:
        shutil.rmtree(directory)
    # A linker that does not tell what it takes proves nothing, and stops nobody.
    if library and headers != library:
        raise BuildError("the headers found are those of OpenSSL %s, and %s is %s: %s" % (headers, place, library, ADVICE))


def headers_version(command, directory):
    """The version of the headers that the compiler finds ("3.0.17"). Raises BuildError when it finds none."""
    source = os.path.join(directory, "version.c")
    with open(source, "w") as stream:
        stream.write("#include <openssl/opensslv.h>\nconst char *version = OPENSSL_VERSION_TEXT;\n")
    status, text = _run(command + ["-E", source])
    found = re.search(VERSION, text.rsplit("version =", 1)[-1])
    if status or not found:
        raise BuildError("no usable headers of OpenSSL (openssl/opensslv.h): %s" % ADVICE)
    return found.group(1)


def library_version(command, link_words, directory):
    """(version, path) of the libcrypto that the linker takes, (None, None) where it does not tell."""
    source = os.path.join(directory, "link.c")
    with open(source, "w") as stream:
        stream.write("int nothing(void);\nint nothing(void) { return 0; }\n")
    words = ["-shared", "-fPIC", source, "-o", os.path.join(directory, "link.so")] + link_words + ["-Wl,-t"]
    status, text = _run(command + words)
    for path in re.findall(r"\S*libcrypto[^\s)]*", text) if not status else ():
        if os.path.exists(path):
            with open(path, "rb") as stream:
                found = re.search(VERSION.encode("ascii"), stream.read())
            if found:
                return found.group(1).decode("ascii"), path
    return None, None


def _run(command):
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    except OSError as error:
        raise BuildError("%s: %s" % (command[0], error))
    text = process.communicate()[0]
    return process.returncode, text
