# SPDX-License-Identifier: Apache-2.0
"""`check --online` and `check --index URL`: can this pip, over `_tls_bootstrap`, reach that index?

The real pip asks it, with the caller's own settings for `--online`. If that fails, the index is tried with laxer TLS
settings, one after the other, and the first that lets pip through is named. What the index computed is not known here,
so pip's trace alone tells that the connection was made by `_tls_bootstrap`; the loopback part is the proof.
"""

import binascii
import os
import re

try:
    from urllib.parse import urlsplit
except ImportError:
    from urlparse import urlsplit

from . import environment, evidence, policy
from .errors import BROKEN, USED, CommandError
from .pip_run import TRACE_LIMIT, Pip

ASKED_FOR = "pip"  # every index that pip is used with has it; one that has not answers too

# From the least to the most that is given up. Each is the text of a policy file.
SETTINGS = (
    "Groups = X25519:P-256:P-384",
    "MaxProtocol = TLSv1.2",
    "Options = UnsafeLegacyServerConnect",
    "CipherString = DEFAULT:@SECLEVEL=1",
    "CipherString = DEFAULT:@SECLEVEL=0",
    "MinProtocol = TLSv1.1\nCipherString = DEFAULT:@SECLEVEL=0",
    "MinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0",
    "MinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\nOptions = UnsafeLegacyServerConnect",
)

# X509_V_ERR_* (x509_vfy.h) that no TLS setting should overrule -> the option of pip that is meant for it.
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_NOT_IN_TIME = (9, 10)
_WRONG_NAME = (62, 63, 64)


class Index(object):
    """An index by its address. Raises CommandError if it is no https address.

    url   -- what pip is given
    shown -- the same without a user's name and password
    """

    def __init__(self, url):
        self.url = url
        self.shown = re.sub("//[^/@]*@", "//", url)
        try:
            parts = urlsplit(url)
            self.host, self.port = parts.hostname, parts.port or 443
        except ValueError:
            self.host = None
        if not self.host or parts.scheme != "https" or re.search(r"[\s\0]", url):
            raise CommandError("--index %s: this is no address that begins with https://" % self.shown)


def authorities():
    """The caller's own choice of whom to trust, as pip takes it from the environment, or None."""
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get(name):
            return os.path.abspath(os.environ[name])
    return None


def examine(report, workshop, index=None):
    """Add to the report of a pip what it can do at `index`, or at the index of the caller's configuration."""
    name = index.shown if index else "the configured index"
    text = "pip reaches %s through _tls_bootstrap" % name
    run, made = _ask(report.interpreter, workshop, index)
    if made:
        report.point(True, "%s: %s" % (text, made))
        return
    probed = _probe(report.interpreter, workshop, index) if index else None
    if probed is None or not probed["reached"]:
        why = probed["error"] if probed else "pip %s" % run.failure()
        report.skip(text, "no connection was made: %s" % why)
        return
    why = probed["error"] or "pip %s" % run.failure()
    report.point(False, text, why)
    if report.verdict == USED:
        report.conclude(BROKEN, "it cannot reach %s: %s" % (name, why))
    report.advice = _advice(report, workshop, index, probed)


def _ask(interpreter, workshop, index):
    """(Outcome, words about the traced connections or None) of one real pip."""
    nonce = binascii.hexlify(os.urandom(32)).decode("ascii")
    name = "online-" + nonce[:8]
    home = workshop.directory(name)
    pip = Pip(interpreter, workshop)
    verb, option = pip.download_verb()
    trace = workshop.write(os.path.join(name, "trace"), evidence.header(nonce))
    variables = environment.for_pip(home, trace)
    # pip's own settings of the caller count here: proxies, authorities, and without --index the index itself.
    for variable, value in environment.of_the_caller(keep_index=index is None).items():
        variables[variable] = value
    if index is None:
        del variables["PIP_CONFIG_FILE"]
        if not workshop.guest.is_other and "HOME" in os.environ:
            variables["HOME"] = os.environ["HOME"]
    chosen = ["--index-url", index.url] if index else []
    outcome = pip.run([verb, "--no-deps", option, workshop.directory(name + "/downloads")] + chosen + [ASKED_FOR], variables, home)
    entries = evidence.parse_trace(workshop.read(os.path.join(name, "trace"), TRACE_LIMIT), nonce)
    if not entries:
        return outcome, None
    agreed = sorted(set(str(entry.get("protocol")) for entry in entries))
    ended = "it downloaded" if outcome.code == 0 else "and then %s" % outcome.failure()
    return outcome, "%d connections by pip's own trace: %s; %s" % (len(entries), ", ".join(agreed), ended)


def _probe(interpreter, workshop, index, settings=None):
    """What probe_index.py says, with a policy of `settings` if there is one."""
    trusted = b""
    if authorities():
        try:
            with open(authorities(), "rb") as stream:
                trusted = stream.read()
        except (IOError, OSError) as error:
            raise CommandError("%s: %s" % (authorities(), error.strerror))
    return policy.handshake(interpreter, workshop, index.host, index.port, trusted, settings)


def _advice(report, workshop, index, probed):
    code = probed.get("verify_code")
    if probed["error"] is None:
        return "a handshake succeeds: read what pip -v says"
    if code in _UNKNOWN_AUTHORITY:
        return "tell pip whom to trust: --cert FILE, or PIP_CERT, with the certificate of the index's authority"
    if code in _NOT_IN_TIME:
        return "compare this system's clock with the certificate's dates; pip --trusted-host %s does without any check" % index.host
    if code in _WRONG_NAME:
        return "use the name that the certificate has; pip --trusted-host %s does without any check" % index.host
    if report.interpreter.module.get("flavour") != "bundled":
        return "the policy is the distribution's: look at its openssl.cnf and crypto policies"
    if policy.file_in_force(report.interpreter.module) and _agrees(_probe(report.interpreter, workshop, index, policy.DEFAULTS)):
        return "the policy in %s keeps it out (%s): the defaults of _tls_bootstrap let it through" % (
            policy.file_in_force(report.interpreter.module), policy.allowed(probed),
        )
    for settings in SETTINGS:
        tried = _probe(report.interpreter, workshop, index, settings)
        if _agrees(tried):
            lines = " and ".join("`%s`" % line for line in settings.splitlines())
            spoken = "; the index then speaks %s" % tried["protocol"] if tried.get("protocol") else ""
            return "%s in %s, or in a file that TLS_BOOTSTRAP_CONF names, would let it through (%s%s)" % (
                lines, policy.FILE, policy.allowed(probed), spoken,
            )
    return "no setting of _tls_bootstrap lets it through: ask whoever runs the index which TLS versions it speaks (%s)" % (
        policy.allowed(probed)
    )


def _agrees(tried):
    """Whether TLS was agreed on: a certificate that is refused now shows that too."""
    return tried["error"] is None or tried.get("verify_code") in _UNKNOWN_AUTHORITY + _NOT_IN_TIME + _WRONG_NAME
