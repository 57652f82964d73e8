# SPDX-License-Identifier: Apache-2.0
"""Certificates as text, bytes and dictionaries (ssl documentation: "Certificate handling")."""

import base64
import calendar
import re

from . import _core
from ._compat import PY2, path_argument

PEM_HEADER = "-----BEGIN CERTIFICATE-----"
PEM_FOOTER = "-----END CERTIFICATE-----"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Seconds go to 61, as everywhere in Python where a leap second may be meant.
_TIME = re.compile(
    r"([a-z]{3})\s+([0-3]?\d)\s+([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d|6[01])\s+(\d{4})\s+gmt\Z",
    re.IGNORECASE,
)


def cert_time_to_seconds(cert_time):
    """Seconds since the epoch of a certificate's time.

    cert_time: text like "Jan  5 09:34:43 2018 GMT", as in notBefore and notAfter of getpeercert().
    Raises ValueError for any other form.
    """
    match = _TIME.match(cert_time)
    if match is None or match.group(1).lower() not in _MONTHS:
        raise ValueError("time data %r does not match format '%%b %%d %%H:%%M:%%S %%Y GMT'" % cert_time)
    month = _MONTHS.index(match.group(1).lower()) + 1
    day, hour, minute, second, year = (int(part) for part in match.groups()[1:])
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise ValueError("time data %r: there is no such day" % cert_time)
    return calendar.timegm((year, month, day, hour, minute, second))


def DER_cert_to_PEM_cert(der_cert_bytes):
    """The PEM text of a certificate in DER bytes."""
    encoded = base64.standard_b64encode(der_cert_bytes)
    if not PY2:
        encoded = encoded.decode("ascii")
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join([PEM_HEADER] + lines + [PEM_FOOTER, ""])


def PEM_cert_to_DER_cert(pem_cert_string):
    """The DER bytes of a certificate in PEM text; ValueError where the header or footer is missing."""
    text = pem_cert_string.strip()
    if not pem_cert_string.startswith(PEM_HEADER):
        raise ValueError("Invalid PEM encoding; must start with %s" % PEM_HEADER)
    if not text.endswith(PEM_FOOTER):
        raise ValueError("Invalid PEM encoding; must end with %s" % PEM_FOOTER)
    body = text[len(PEM_HEADER) : -len(PEM_FOOTER)]
    return base64.b64decode(body.encode("ascii"))


def decode_certificate(path):
    """The first certificate of a file as a dictionary of the form SSLSocket.getpeercert() returns.

    path: of a file in PEM or DER form (str, bytes or path-like).  Raises OSError (SSLError where the
    contents are no certificate).  An addition to the ssl module's API.
    """
    name = path_argument(path, "path")
    with open(name, "rb") as stream:
        contents = stream.read()
    if b"-----BEGIN " not in contents and contents[:1] == b"\x30":
        return _core.decode_certificate_der(contents)
    return _core._test_decode_cert(name)
