# SPDX-License-Identifier: Apache-2.0
"""What a certificate is trusted for (ssl documentation: "Context creation", Purpose)."""

from __future__ import absolute_import

from collections import namedtuple

from . import _core
from ._enumeration import Enum

_Fields = namedtuple("_ASN1Object", "nid shortname longname oid")


class _ASN1Object(_Fields):
    """An ASN.1 object identifier: nid, shortname, longname and oid in dotted form.

    Raises ValueError for what is not a known object.
    """

    __module__ = "_tls_bootstrap"
    __slots__ = ()

    def __new__(cls, oid):
        return _Fields.__new__(cls, *_core.txt2obj(oid, name=False))

    @classmethod
    def fromnid(cls, nid):
        """The object with a number of OpenSSL's own."""
        return _Fields.__new__(cls, *_core.nid2obj(nid))

    @classmethod
    def fromname(cls, name):
        """The object with a dotted, short or long name."""
        return _Fields.__new__(cls, *_core.txt2obj(name, name=True))


class Purpose(_ASN1Object, Enum):
    """What the peer is authenticated as; SSLContext.load_default_certs() takes it."""

    __module__ = "_tls_bootstrap"
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
