# SPDX-License-Identifier: Apache-2.0
"""What `make bench` measures with: the C reference, certificates, compiled trees, pyOpenSSL, OpenSSL settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from core import headers
from openssl import build as openssl_build
from openssl import cache
from openssl.errors import BuildError
from openssl.toolchain import Toolchain
from toolkit import interpreters, portable, tools
from toolkit.interpreters import Interpreter

SOURCES = Path("tests", "bench")
OUTPUT = Path("build", "bench")
REQUIREMENTS = SOURCES / "requirements"

#: What may be measured: what is compiled here, and the packages' binaries.
FLAVOURS = ("bundled", "portable")

#: The Pythons of the goals.
LANGUAGES = ("2.7", "3.6", "3.11", "3.13")

CIPHER_SUITES = {
    "aes128": "TLS_AES_128_GCM_SHA256",
    "aes256": "TLS_AES_256_GCM_SHA384",
    "chacha20": "TLS_CHACHA20_POLY1305_SHA256",
}

#: A module that cannot be told suites and groups of TLS 1.3 in Python takes them from here.
CONFIGURATION = """\
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = tls
[tls]
CipherString = DEFAULT
Ciphersuites = {suite}
Groups = {groups}
"""

CERTIFICATES = """
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
now = datetime.datetime.now(datetime.timezone.utc)
for kind, key in (("ec", ec.generate_private_key(ec.SECP256R1())), ("rsa", rsa.generate_private_key(65537, 2048))):
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for ending, data in (("crt", certificate), ("pem", private + certificate)):
        with open("%s/%s.%s" % (sys.argv[1], kind, ending), "wb") as stream:
            stream.write(data)
"""


def pythons(only: tuple[str, ...] = LANGUAGES) -> list[Interpreter]:
    """The interpreters to measure on. Raises BuildError where one of them is missing."""
    found = {item.name: item for item in interpreters.find()}
    absent = [name for name in only if name not in found]
    if absent:
        raise BuildError(f"make bench needs Python {', '.join(absent)}: install it (pyenv) or name it in TEST_PYTHONS")
    return [found[name] for name in only]


def place(flavour: str) -> Path:
    """Where what is made for one of FLAVOURS lies."""
    return OUTPUT / flavour


def compiler(flavour: str) -> dict[str, str]:
    """The environment that chooses the compiler which makes the module."""
    return {**os.environ, **(portable.compiler(os.uname().machine) if flavour == "portable" else {})}


def _compile(
    flavour: str, source: str, target: Path, what: str, flags: Sequence[str] = (), link: Sequence[str] = ()
) -> Path:
    """A C file of SOURCES, by the compiler that made the module and linked to the very library that is inside it."""
    toolchain = Toolchain(compiler(flavour))
    library = Path(openssl_build.library(toolchain, os.uname().machine))
    target.parent.mkdir(parents=True, exist_ok=True)
    archives = [str(library / "lib" / name) for name in ("libssl.a", "libcrypto.a")]
    usual = [*toolchain.cflags, "-std=gnu99", "-pthread", "-Wall", "-Wextra", "-isystem", str(library / "include"), *flags]
    command = [*toolchain.cc, *usual, str(SOURCES / source), "-o", str(target), *archives, "-pthread", "-ldl", *link]
    tools.run_quietly(command, f"compiling {what}", compiler(flavour))
    return target


def reference(flavour: str = "bundled") -> Path:
    """The C reference program."""
    return _compile(flavour, "reference.c", place(flavour) / "reference", "the C reference")


def bare(interpreter: Interpreter, flavour: str = "bundled") -> Path | None:
    """A directory with the module `bare` for this very Python; None where its C headers are not installed."""
    found = headers.of_interpreter(interpreter.path, interpreter.version[0])
    if found is None:
        print(f"bench: {interpreter.path} has no C headers (Python.h), so a bare module for it is not measured", flush=True)
        return None
    if flavour == "portable":
        found = headers.for_other_libc(found, str(place(flavour) / "headers" / interpreter.name))
    flags = ["-fPIC", "-shared", *(word for directory in found.directories for word in ("-isystem", directory))]
    # As the module is linked: another OpenSSL in the process is not met.
    link = ["-Wl,-Bsymbolic", "-Wl,--gc-sections"]
    directory = (place(flavour) / "bare" / interpreter.name).resolve()
    return _compile(flavour, "bare.c", directory / "bare.so", f"the bare module for Python {interpreter.name}", flags, link).parent


def certificates() -> Path:
    """A directory with {ec,rsa}.{crt,pem}: self-signed for localhost, RSA-2048 and P-256."""
    directory = OUTPUT / "certificates"
    directory.mkdir(parents=True, exist_ok=True)
    tools.run_quietly([tools.python(), "-c", CERTIFICATES, str(directory)], "making certificates")
    return directory.resolve()


def tree(interpreter: Interpreter, flavour: str = "bundled") -> Path:
    """A copy of the built tree with this interpreter's byte code, as packages install it."""
    built = interpreters.tree_for(interpreter, flavour)
    copy = (place(flavour) / "trees" / interpreter.name).resolve()
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    subprocess.run([interpreter.path, "-m", "compileall", "-q", copy], env={"PATH": os.defpath}, check=True)
    return copy


def pyopenssl(interpreter: Interpreter) -> Path | None:
    """A directory for PYTHONPATH with pyOpenSSL from the index, in the cache; None where no pin fits."""
    known = sorted(REQUIREMENTS.glob("*.txt"), key=lambda path: [int(part) for part in path.stem.split(".")])
    version = interpreter.version[:2]
    fitting = [path for path in known if tuple(map(int, path.stem.split("."))) <= version]
    fitting = [path for path in fitting if path.stem[0] == str(version[0])]
    if not fitting:
        return None
    pinned = fitting[-1].read_text(encoding="utf-8")

    def make(directory: str) -> None:
        print(f"bench: installing pyOpenSSL for Python {interpreter.name} into the cache", flush=True)
        options = ["install", "-q", "--no-deps", "--target", directory, "-r", str(fitting[-1])]
        if version[0] == 2:
            command = [interpreter.path, "-m", "pip", *options]
        else:  # by the tools' pip: an old one does not know today's names of platforms
            number = "{}{}".format(*version)
            wheels = [word for age in ("2014", "2010", "1") for word in ("--platform", f"manylinux{age}_{os.uname().machine}")]
            wheels += [word for age in ("17", "28", "34") for word in ("--platform", f"manylinux_2_{age}_{os.uname().machine}")]
            abis = ["--abi", f"cp{number}", "--abi", f"cp{number}m", "--abi", "abi3", "--abi", "none"]
            target = ["--python-version", interpreter.language, "--implementation", "cp", "--only-binary", ":all:"]
            command = [tools.python(), "-m", "pip", *options, *wheels, "--platform", "any", *abis, *target]
        tools.run_quietly(command, f"installing pyOpenSSL for {interpreter.path}")

    return Path(cache.entry("pyopenssl", f"{interpreter.name}-{cache.key_of(pinned)}", make))


def configuration(suite: str, group: str) -> Path:
    """An OpenSSL configuration file with one suite of TLS 1.3 and one group."""
    path = (OUTPUT / "configuration" / f"{suite}-{group}.cnf").resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    # With X25519 goes the curve of the ECDSA certificate, which TLS 1.2 asks for among the groups.
    groups = "X25519:P-256" if group == "X25519" else group
    path.write_text(CONFIGURATION.format(suite=CIPHER_SUITES[suite], groups=groups), encoding="ascii")
    return path
