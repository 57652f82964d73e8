# SPDX-License-Identifier: Apache-2.0
"""Where the system keeps the certificate authorities it trusts.

The bundled OpenSSL has no idea of the distribution it runs on, so the usual places are looked at each
time they are needed, never at import.  SSL_CERT_FILE and SSL_CERT_DIR come first, as in OpenSSL; they
are honoured under -E and -I as they are by `ssl`, but not in a process with raised privileges.
The system flavour leaves all of it to the distribution's OpenSSL.
"""

import errno
import os

from . import _core
from ._compat import path_argument

FILE_VARIABLE = "SSL_CERT_FILE"
DIRECTORY_VARIABLE = "SSL_CERT_DIR"

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/pki/tls/certs/ca-bundle.crt",  # RHEL up to 9
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/var/lib/ca-certificates/ca-bundle.pem",  # SUSE
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs")


def places_in_use():
    """(file, directory) of the certificate authorities, each None where there is no such thing."""
    file_variable, usual_file, directory_variable, usual_directory = usual_places()
    cafile = _core.secure_getenv(file_variable) or usual_file
    capath = _core.secure_getenv(directory_variable) or usual_directory
    return (
        cafile if os.path.isfile(cafile) else None,
        capath if _has_directory(capath) else None,
    )


def load_into(context):
    """Makes a context trust the system's certificate authorities.

    A place that does not exist is passed over, as OpenSSL does.  A file that exists and cannot be
    used is an error that names it.
    """
    if _core.flavour != "bundled":
        _core._SSLContext.set_default_verify_paths(context)
        return
    cafile, capath = places_in_use()
    if cafile is not None:
        _load(context, cafile, None)
    if capath is not None:
        _load(context, None, capath)


def usual_places():
    """(variable, file, variable, directory): where to look, and what names another place."""
    if _core.flavour != "bundled":
        return _core.get_default_verify_paths()
    return (
        FILE_VARIABLE,
        _first(os.path.isfile, BUNDLES),
        DIRECTORY_VARIABLE,
        _first(os.path.isdir, DIRECTORIES),
    )


def _first(exists, places):
    for place in places:
        if exists(place):
            return place
    return places[0]


def _has_directory(path):
    """OpenSSL takes a list of directories."""
    return any(os.path.isdir(each) for each in path.split(os.pathsep))


def _load(context, cafile, capath):
    try:
        context._load_verify_locations(
            cafile and path_argument(cafile, FILE_VARIABLE),
            capath and path_argument(capath, DIRECTORY_VARIABLE),
            None,
            False,
        )
    except EnvironmentError as error:
        if getattr(error, "reason", None) is None and error.errno == errno.ENOENT:
            return  # gone since it was looked for
        if error.args and isinstance(error.args[-1], str):
            error.strerror = "%s (certificate authorities in %s)" % (error.strerror, cafile or capath)
        raise
