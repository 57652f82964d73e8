# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made at test time by the `openssl` command.

An `Authority` owns one directory: its own key and certificate, and one pair of files for each
certificate it issues. Nothing it makes outlives the test session.
"""

from __future__ import unicode_literals

import collections
import io
import os
import subprocess

#: The files of one certificate: PEM certificate, PEM private key (not encrypted).
Identity = collections.namedtuple("Identity", "certificate key")

PASSWORD = "correct horse"

_CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = {directory}/index.txt
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
unique_subject = no
policy = anything
email_in_dn = no
preserve = yes
string_mask = utf8only
[anything]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[req]
distinguished_name = names
prompt = no
string_mask = utf8only
[names]
commonName = replaced by -subj
[extensions]
{extensions}
{sections}
"""

_AUTHORITY_EXTENSIONS = """
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

_SERVER_EXTENSIONS = """
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""

_CLIENT_EXTENSIONS = _SERVER_EXTENSIONS.replace("serverAuth", "clientAuth")

_KEY_OPTIONS = {
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
}


class AuthorityError(Exception):
    """The openssl command failed; the text holds its arguments and what it printed."""


def run_openssl(arguments, allow_failure=False):
    """Runs `openssl` with `arguments`; returns what it printed as text, None where it failed and may."""
    environment = dict(os.environ)
    environment.pop("OPENSSL_CONF", None)
    process = subprocess.Popen(
        ["openssl"] + list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    printed = process.communicate()[0].decode("utf-8", "replace")
    if process.returncode == 0:
        return printed
    if allow_failure:
        return None
    raise AuthorityError("openssl %s failed:\n%s" % (" ".join(arguments), printed))


def write_file(path, data):
    """Writes bytes or text to `path` and returns the path."""
    if not isinstance(data, bytes):
        data = data.encode("utf-8")
    with io.open(path, "wb") as stream:
        stream.write(data)
    return path


def read_file(path):
    """The bytes of a file."""
    with io.open(path, "rb") as stream:
        return stream.read()


class Authority(object):
    """A certificate authority in `directory` (which must exist and be empty)."""

    def __init__(self, directory, common_name="tests/unit authority", key="p256"):
        self.directory = directory
        write_file(self.path("index.txt"), "")
        self.common_name = common_name
        self.identity = self.self_signed("authority", common_name, _AUTHORITY_EXTENSIONS, key)
        #: PEM file to give to load_verify_locations
        self.certificate = self.identity.certificate

    def path(self, name):
        """The absolute path of a file in the authority's directory."""
        return os.path.join(self.directory, name)

    def new_key(self, name, kind):
        """A new private key ('rsa' or 'p256') in `name`.key."""
        path = self.path(name + ".key")
        run_openssl(["genpkey"] + _KEY_OPTIONS[kind] + ["-out", path])
        return path

    def _configure(self, name, extensions, sections=""):
        text = _CONFIGURATION.format(
            directory=self.directory, extensions=extensions, sections=sections
        )
        return write_file(self.path(name + ".cnf"), text)

    def self_signed(self, name, common_name, extensions, key="p256"):
        """A certificate that signs itself."""
        identity = Identity(self.path(name + ".pem"), self.new_key(name, key))
        run_openssl(
            ["req", "-x509", "-new", "-sha256", "-days", "30", "-extensions", "extensions"]
            + ["-config", self._configure(name, extensions), "-subj", "/CN=" + _escaped(common_name)]
            + ["-key", identity.key, "-out", identity.certificate]
        )
        return identity

    def issue(
        self,
        name,
        alternatives="",
        extensions=_SERVER_EXTENSIONS,
        subject=None,
        key="p256",
        start=None,
        end=None,
        sections="",
    ):
        """A certificate signed by this authority.

        alternatives -- the value of subjectAltName as the openssl command reads it
        start, end   -- YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ; from an hour ago, for 30 days by default
        sections     -- further sections of the configuration, for extensions that refer to them
        """
        identity = Identity(self.path(name + ".pem"), self.new_key(name, key))
        request = self.path(name + ".csr")
        if alternatives:
            extensions += "\nsubjectAltName = " + alternatives
        configuration = self._configure(name, extensions, sections)
        run_openssl(
            ["req", "-new", "-utf8", "-config", configuration, "-key", identity.key]
            # 1.1.1 takes a "+" as a part of the value otherwise.
            + (["-multivalue-rdn"] if subject and "+" in subject else [])
            + ["-subj", subject or "/O=tests/CN=" + _escaped(name), "-out", request]
        )
        validity = ["-startdate", start] if start else []
        validity += ["-enddate", end] if end else ["-days", "30"]
        run_openssl(
            ["ca", "-batch", "-notext", "-utf8", "-config", configuration, "-extensions", "extensions"]
            + ["-cert", self.identity.certificate, "-keyfile", self.identity.key]
            + validity
            + ["-in", request, "-out", identity.certificate]
        )
        return identity

    def subordinate(self, directory, common_name):
        """An intermediate authority: an `Authority` whose certificate this one signed."""
        issued = self.issue(
            os.path.basename(directory),
            extensions=_AUTHORITY_EXTENSIONS + "authorityKeyIdentifier = keyid:always\n",
            subject="/CN=" + _escaped(common_name),
        )
        other = Authority(directory, common_name)
        other.identity = issued
        other.certificate = issued.certificate
        return other

    def encrypted_key(self, key, name, form):
        """`key` encrypted with PASSWORD: form 'pkcs8' (BEGIN ENCRYPTED PRIVATE KEY) or 'traditional'."""
        path = self.path(name + ".key")
        password = ["-passout", "pass:" + PASSWORD]
        if form == "pkcs8":
            run_openssl(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", key, "-out", path] + password)
            return path
        command = ["rsa", "-aes256", "-in", key, "-out", path] + password
        # OpenSSL 3 needs to be asked for the old form; 1.1.1 knows no other and not the option.
        if run_openssl(command + ["-traditional"], allow_failure=True) is None:
            run_openssl(command)
        if b"DEK-Info" not in read_file(path):
            raise AuthorityError("openssl rsa did not write a traditional encrypted key: " + path)
        return path


def _escaped(text):
    return text.replace("/", "\\/")


#: What `Authority.issue` takes as `extensions` for a client's certificate.
CLIENT_EXTENSIONS = _CLIENT_EXTENSIONS
SERVER_EXTENSIONS = _SERVER_EXTENSIONS
AUTHORITY_EXTENSIONS = _AUTHORITY_EXTENSIONS
