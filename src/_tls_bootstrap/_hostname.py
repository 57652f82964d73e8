# SPDX-License-Identifier: Apache-2.0
"""match_hostname() as Python 3.6 defines it (RFC 2818, RFC 6125 section 6.4.3).

SSLContext.check_hostname does not use it: there OpenSSL checks the name during the handshake, and is
stricter (no wildcard in a part of a label).
"""

import re
import socket

from . import _core
from ._compat import text_type
from ._errors import SSLCertVerificationError as CertificateError

_MISMATCHES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of x509_vfy.h


def match_hostname(cert, hostname):
    """Checks that a certificate is valid for a host.

    cert: a dictionary as SSLSocket.getpeercert() returns it; hostname: a DNS name in A-label form or
    an IP address as text.  Returns None, or raises CertificateError; ValueError without certificate.
    """
    if not cert:
        raise ValueError(
            "empty or no certificate, match_hostname needs a SSL socket or SSL context with either CERT_OPTIONAL or CERT_REQUIRED"
        )
    try:
        address = _inet_paton(hostname)
    except ValueError:
        address = None
    names = []
    for kind, value in cert.get("subjectAltName", ()):
        if kind == "DNS":
            if address is None and _dnsname_match(value, hostname):
                return
            names.append(value)
        elif kind == "IP Address":
            if address is not None and _ipaddress_match(value, address):
                return
            names.append(value)
    if not names:
        # RFC 6125 section 6.4.4: the common name counts only where there is no alternative name of
        # a kind that can be compared.
        for relative_name in cert.get("subject", ()):
            for key, value in relative_name:
                if key == "commonName":
                    if _dnsname_match(value, hostname):
                        return
                    names.append(value)
    raise CertificateError(_mismatch(hostname, names))


def tell_names(error, connection):
    """Adds to an error of the handshake which names the peer's certificate has, in match_hostname()'s words.

    error: an SSLCertVerificationError; other failures than a mismatch of names are left alone.
    connection: of the C half.
    """
    if error.verify_code not in _MISMATCHES:
        return
    try:
        chain = connection.get_verified_chain()
        certificate = _core.decode_certificate_der(chain[0].public_bytes(_core.ENCODING_DER))
        match_hostname(certificate, connection.server_hostname)
    except CertificateError as reason:
        error.strerror = "%s: %s" % (error.strerror, reason)
        error.args = (error.args[0], error.strerror)
    except (EnvironmentError, LookupError, TypeError, ValueError):
        pass  # the error tells that there is a mismatch; these names cannot be told


def _mismatch(hostname, names):
    if len(names) > 1:
        return "hostname %s doesn't match either of %s" % (
            _quoted(hostname),
            ", ".join(_quoted(name) for name in names),
        )
    if names:
        return "hostname %s doesn't match %s" % (_quoted(hostname), _quoted(names[0]))
    return "no appropriate commonName or subjectAltName fields were found"


def _quoted(text):
    """repr() without 2.7's prefix."""
    quoted = repr(text)
    return quoted[1:] if quoted[:1] == "u" else quoted


def _dnsname_match(dn, hostname, max_wildcards=1):
    """Whether a name of a certificate covers a host name; None and False both mean no.

    A wildcard may stand in the left-most label only, alone or with other characters, and stands for
    no dot.  Raises CertificateError for more than max_wildcards wildcards in that label.
    """
    if not dn:
        return False
    first, dot, rest = dn.partition(".")
    wildcards = first.count("*")
    if wildcards > max_wildcards:
        # More would make the regular expression's time explode (Python issue 17980).
        raise CertificateError("too many wildcards in certificate DNS name: " + _quoted(dn))
    if not wildcards:
        return dn.lower() == hostname.lower()
    if first == "*":
        pattern = "[^.]+"
    elif first.lower().startswith("xn--") or hostname.lower().startswith("xn--"):
        # A part of an A-label means nothing (RFC 6125 section 6.4.3, third rule).
        pattern = re.escape(first)
    else:
        pattern = re.escape(first).replace(r"\*", "[^.]*")
    return re.match(pattern + re.escape(dot + rest) + r"\Z", hostname, re.IGNORECASE)


def _inet_paton(ipname):
    """The bytes of an IPv4 address in dotted decimal form or of an IPv6 address; else ValueError."""
    text = ipname if isinstance(ipname, str) else _ascii(ipname)
    try:
        packed = socket.inet_aton(text)
    except (socket.error, UnicodeError, ValueError, TypeError):
        packed = None
    if packed is not None and socket.inet_ntoa(packed) == text:
        return packed
    # inet_aton also takes "127.1" and trailing text, which are no addresses here.
    try:
        return socket.inet_pton(socket.AF_INET6, text)
    except (socket.error, UnicodeError, ValueError, TypeError):  # 2.7: TypeError for a null byte
        raise ValueError("%r is neither an IPv4 nor an IP6 address." % (text,))


def _ascii(name):
    if isinstance(name, text_type):
        return name.encode("ascii")
    return bytes(name).decode("ascii")


def _ipaddress_match(cert_ipaddress, host_ip):
    """Whether an address of a certificate (text, maybe with a newline) is the packed address host_ip.

    An object of the `ipaddress` module, which 3.6 passed here, is accepted too.
    """
    return _inet_paton(cert_ipaddress.rstrip()) == getattr(host_ip, "packed", host_ip)
