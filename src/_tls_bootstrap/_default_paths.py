# SPDX-License-Identifier: Apache-2.0
"""get_default_verify_paths() (ssl documentation: "Certificate handling")."""

from collections import namedtuple

from . import _trust

DefaultVerifyPaths = namedtuple(
    "DefaultVerifyPaths",
    "cafile capath openssl_cafile_env openssl_cafile openssl_capath_env openssl_capath",
)
DefaultVerifyPaths.__module__ = "_tls_bootstrap"


def get_default_verify_paths():
    """The file and directory that SSLContext.set_default_verify_paths() uses.

    cafile and capath are None where there is no such file or directory; openssl_cafile and
    openssl_capath are what is used when the environment variables named beside them are not set.
    """
    return DefaultVerifyPaths(*(_trust.places_in_use() + tuple(_trust.usual_places())))
