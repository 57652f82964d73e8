# SPDX-License-Identifier: Apache-2.0
"""The gates of the releases' own roots: what their own compilers make of the source, and how the system flavour behaves.

"own compiler": a build inside bullseye, bookworm and trixie, of both flavours, passes the unit suite there; in sid the
system flavour does, on Python 3.14.
"system flavour": the file asks for no symbol newer than the oldest of its libssl's name, the one made for 3.0 works
beside newer libraries of that name, it follows the distribution's openssl.cnf as ssl does, and the process's other
users of the library see nothing of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.build import PACKAGE
from openssl.errors import BuildError
from toolkit.audit import binary as audit_binary
from toolkit.audit import effects
from toolkit.audit.model import NATIVE, Build, Gate, Verdict, builds
from toolkit.audit.roots import BUNDLED, INSIDE, PROGRAMS, RELEASES, Place, opened, with_bundled
from toolkit.audit.run import Run, failures, on_all, summary

TESTS = ("tests/unit",)
#: The part that shows the interface and connections; for a file that was tested whole where it was made.
PART = tuple(f"tests/unit/test_{name}.py" for name in ("memory_bio", "handshake", "extensions", "features", "sockets"))

#: Where the file made for OpenSSL 3.0 has to work too, and the SONAME's library is newer.
MADE_FOR_3_0 = "bookworm"
NEWER = ("trixie", "sid")

WEAK = "/weak"


# ---- own compiler -------------------------------------------------------------------------------------------------


def suites(flavour: str, major: int) -> list[str]:
    """The releases that have a Python of that major and build that flavour."""
    names = BUNDLED if flavour == "bundled" else RELEASES
    return [name for name in names if any(version.startswith(f"{major}.") for version in RELEASES[name].versions)]


def examine_own_compiler(build: Build) -> Verdict | None:
    """The gate on this machine's own builds, whose twins in the roots are looked at."""
    if build.label.startswith("portable/"):
        return None
    verdict = Verdict("own compiler", build.label)

    def work(suite: str) -> list[tuple[str, Run]]:
        place = with_bundled(suite) if build.flavour == "bundled" else opened(suite)
        tree = place.tree(build.flavour, build.major)
        return [(f"{suite}, {version}", place.tests(version, tree, TESTS)) for version in place.versions(build.major)]

    for results in on_all(work, suites(build.flavour, build.major)):
        for where, done in results:
            verdict.findings += failures(where, done)
            verdict.seen.append(f"{where}: {summary(done)}")
            verdict.seen += [f"{where}: {line}" for line in re.findall(r"^SKIPPED .*$", done.output, re.M)]
    return verdict


def control_own_compiler() -> Verdict:
    """A failing test in a root, and one that cannot be collected."""
    place = opened(BUNDLED[0])
    tree = place.tree("system", 3)
    planted = place.outside(f"{INSIDE}/tests/planted")
    planted.mkdir(exist_ok=True)
    (planted / "test_planted.py").write_text("def test_planted():\n    import _tls_bootstrap as tls\n    assert not tls\n")
    done = place.tests(place.versions(3)[0], tree, ["tests/planted"])
    found = list(failures("planted", done))
    done = place.tests(place.versions(3)[0], "/nowhere", ["tests/planted"])
    return Verdict("own compiler", "control", [*found, *failures("no tree", done)])


OWN_COMPILER = Gate(
    "own compiler",
    "a build inside a release's own root by its own compiler passes the unit suite",
    examine_own_compiler,
    control_own_compiler,
    ("planted: 1 failed", "no tree: 1 failed"),
)


# ---- system flavour -----------------------------------------------------------------------------------------------


def examine_system(build: Build) -> Verdict | None:
    """The gate on the system flavour, in every release that has a Python of that major."""
    if build.flavour != "system":
        return None
    verdict = Verdict("system flavour", build.label)
    for found, seen in on_all(lambda suite: _in_release(suite, build.major), suites("system", build.major)):
        verdict.findings += found
        verdict.seen += seen
    if build.major == 3:
        source = opened(MADE_FOR_3_0)
        for suite in NEWER:
            _beside_newer(source, opened(suite), verdict)
    return verdict


def _in_release(suite: str, major: int) -> tuple[list[str], list[str]]:
    place = opened(suite)
    found, seen = [], []
    binary = list(audit_binary.examine(place.binary("system", major), major, None, bundled=False))
    found += [f"{suite}: {item.property}: {item.seen}" for item in binary if not item.holds]
    seen += [f"{suite}: {item.property}: {item.seen}" for item in binary]
    for version in place.versions(major):
        where = f"{suite}, {version}"
        tree = place.tree("system", major)
        for found_here, seen_here in (neighbour(place, version, tree), configuration(place, version, tree)):
            found += [f"{where}: {text}" for text in found_here]
            seen += [f"{where}: {text}" for text in seen_here]
    return found, seen


def neighbour(place: Place, version: str, tree: str) -> tuple[list[str], list[str]]:
    """What importing and first using it changes for ssl, which uses the same library."""
    (situation,) = effects.SHARED
    done = effects.start_in_root(place, version, tree, situation)
    return list(effects.findings(done, situation, effects.CERTIFICATES)), [f"beside ssl: {done.output}"]


#: Settings of /etc/ssl/openssl.cnf that the distribution or its administrator may choose.
CONFIGURATION = """openssl_conf = start
[start]
ssl_conf = tls
[tls]
system_default = everyone
[everyone]
MinProtocol = {lowest}
CipherString = {ciphers}
"""
CHOICES = (
    ("TLSv1.3", "DEFAULT:@SECLEVEL=3", {"lowest protocol": 0x304, "takes a weak key": False}),
    ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0", {"lowest protocol": 0x303, "takes a weak key": True}),
)


def configuration(place: Place, version: str, tree: str) -> tuple[list[str], list[str]]:
    """Whether it follows openssl.cnf: as distributed as ssl does, and as an administrator then changes it."""
    found, seen = [], []
    _make_weak_key(place)
    ours = told(place, version, tree, "_tls_bootstrap")
    standard = told(place, version, tree, "ssl")
    seen += [f"as distributed: {ours}", f"as distributed, ssl: {standard}"]
    for name in ("ciphers", "lowest protocol", "security level", "takes a weak key", "OpenSSL"):
        # ssl has its own list of ciphers before 3.10; Debian's leaves it to the configuration from then on.
        own = name == "ciphers" and [int(part) for part in version.split(".")] < [3, 10]
        if not own and standard[name] is not None and ours[name] != standard[name]:
            found.append(f"openssl.cnf as distributed: {name}: {str(ours[name])[:150]}, ssl has {str(standard[name])[:150]}")
    path = place.outside("/etc/ssl/openssl.cnf")
    original = path.read_bytes()
    try:
        for lowest, ciphers, expected in CHOICES:
            path.write_text(CONFIGURATION.format(lowest=lowest, ciphers=ciphers), encoding="ascii")
            ours = told(place, version, tree, "_tls_bootstrap")
            seen.append(f"openssl.cnf with {lowest}, {ciphers}: {ours}")
            for name, value in expected.items():
                if ours[name] != value:
                    found.append(f"openssl.cnf with {lowest}, {ciphers} is not followed: {name}: {ours[name]}")
            plain = [name for name in ours["ciphers"] if not name.startswith("TLS_")]
            if not ciphers.startswith("DEFAULT") and plain != [ciphers.split(":")[0]]:
                found.append(f"openssl.cnf with {ciphers} is not followed: ciphers: {plain}")
    finally:
        path.write_bytes(original)
    return found, seen


def told(place: Place, version: str, tree: str, module: str) -> dict[str, object]:
    """What tests/isolation/distribution.py reports."""
    done = place.python(version, [f"{PROGRAMS}/distribution.py", module, WEAK], [tree])
    if done.status != 0:
        raise BuildError(f"{place.suite}, {version}, {module}: distribution.py {done.complaint()}")
    report: dict[str, object] = json.loads(done.output.strip().splitlines()[-1])
    return report


def _make_weak_key(place: Place) -> None:
    directory = place.outside(WEAK)
    if directory.exists():
        return
    directory.mkdir()
    words = ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-days", "2"]
    done = place.run([*words, "-keyout", f"{WEAK}/key.pem", "-out", f"{WEAK}/certificate.pem"], {})
    if done.status != 0:
        raise BuildError(f"{place.suite}: making a weak key {done.complaint()}")


def _beside_newer(source: Place, place: Place, verdict: Verdict) -> None:
    """The file made for 3.0, in a root with a newer library of the same name, which ssl has loaded first."""
    tree = f"/made-in-{source.suite}"
    place.bring(source.outside(source.tree("system", 3)), tree)
    for version in place.versions(3):
        where = f"{place.suite}, {version}, the file made in {source.suite}"
        code = (
            "import ssl, json, sys, _tls_bootstrap as tls\n"
            "maps = {line.split()[-1] for line in open('/proc/self/maps') if 'libssl' in line}\n"
            "print(json.dumps([ssl.OPENSSL_VERSION, tls.OPENSSL_VERSION, tls._core.flavour, len(maps)]))\n"
        )
        done = place.python(version, ["-c", code], [tree])
        verdict.seen.append(f"{where}: {summary(done)}")
        told_versions = json.loads(summary(done)) if done.status == 0 else [None, "", "", 0]
        if told_versions[0] != told_versions[1] or told_versions[2:] != ["system", 1]:
            verdict.findings.append(f"{where}: {summary(done)}")
        done = place.tests(version, tree, PART)
        verdict.seen.append(f"{where}: {' '.join(PART)}: {summary(done)}")
        verdict.findings += failures(where, done)


#: Asks for a function that came with 3.2.
CARELESS = """
#include <openssl/ssl.h>
const char *careless(SSL *ssl);
const char *careless(SSL *ssl) { return SSL_get0_group_name(ssl); }
"""


def _careless(place: Place) -> Path:
    place.root.write("/careless.c", CARELESS)
    words = ["gcc", "-shared", "-fPIC", "/careless.c", "-o", "/careless.so", "-lssl", "-lcrypto"]
    done = place.run(words, {})
    if done.status != 0:
        raise BuildError(f"{place.suite}: compiling the control {done.complaint()}")
    return place.outside("/careless.so")


def control_system() -> Verdict:
    """A file with a newer symbol, and the bundled flavour, which does not care for openssl.cnf."""
    place = opened(NEWER[0])
    version = place.versions(3)[0]
    binary = audit_binary.examine(_careless(place), 3, None, bundled=False)
    found = [f"{item.property}: {item.seen}" for item in binary if not item.holds and item.property.startswith("OpenSSL's")]
    place.bring(next(item for item in builds() if item.label == f"portable/{NATIVE}/py3").package, f"/bundled/{PACKAGE}")
    followed, _ = configuration(place, version, "/bundled")
    return Verdict("system flavour", "control", [*found, *followed])


SYSTEM = Gate(
    "system flavour",
    "in its own releases: old symbols only, the distribution's configuration, nothing changed for ssl",
    examine_system,
    control_system,
    (
        "OpenSSL's symbols of 3.0.0 only: 3.2.0",
        "is not followed: takes a weak key",
        "is not followed: ciphers",
    ),
)
