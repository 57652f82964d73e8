# SPDX-License-Identifier: Apache-2.0
"""The administrator's TLS policy, and single handshakes of `_tls_bootstrap` under it or under another."""

import os

from . import environment, files, processes
from .errors import CommandError

FILE = "/etc/tls-bootstrap/openssl.cnf"
DEFAULTS = "MinProtocol = TLSv1.2"  # a policy that changes nothing
PROBE_LIMIT = 60  # seconds


def file_in_force(module):
    """The file that may say something else than the defaults, or None. `module`: the facts about `_tls_bootstrap`."""
    if module.get("flavour") != "bundled":
        return None  # the policy is the distribution's
    return os.environ.get("TLS_BOOTSTRAP_CONF") or (FILE if os.path.exists(FILE) else None)


def handshake(interpreter, workshop, host, port, authorities, settings=None):
    """What children/probe_index.py says; `authorities` is PEM, bytes, `settings` the text of a policy to obey instead."""
    variables = environment.for_children(workshop.path)
    trusted = workshop.replace("authorities.pem", authorities) if authorities else ""
    if settings is not None:
        variables["TLS_BOOTSTRAP_CONF"] = workshop.replace("policy.cnf", (settings + "\n").encode("ascii"))
    home = interpreter.facts["module_directory"]
    command = [interpreter.path, "-B", "-s", files.child("probe_index.py"), home, host, str(port), trusted]
    outcome = processes.run(command, variables, workshop.path, workshop.guest, PROBE_LIMIT)
    try:
        return processes.answers(outcome.out)[0]
    except IndexError:
        raise CommandError("https://%s:%d: the handshake could not be tried: %s" % (host, port, outcome.failure()))


def allowed(probed):
    """The protocol versions of this side in words, as `handshake` found them."""
    if "maximum" not in probed:
        return "nothing is allowed here"
    first, last = (probed[name].replace("_", ".") for name in ("minimum", "maximum"))
    if first == last:
        return "allowed here: %s only" % first
    return "allowed here: %s %s" % (first, "and later" if last.startswith("MAXIMUM") else "to " + last)


def refusal(interpreter, workshop, host, port, authority):
    """Why the policy in force, and not the defaults, keeps this from a server of the authority (PEM); None if it does not."""
    place = file_in_force(interpreter.module)
    if place is None:
        return None
    probed = handshake(interpreter, workshop, host, port, authority)
    if probed["error"] is None or handshake(interpreter, workshop, host, port, authority, DEFAULTS)["error"] is not None:
        return None
    return "the policy in %s does not let it (%s): %s" % (place, allowed(probed), probed["error"])
