# SPDX-License-Identifier: Apache-2.0
"""SSLContext and the functions that make one (ssl documentation: "SSL Contexts", "Context creation")."""

import sys

from . import _compat, _core, _late
from ._compat import bytes_argument, encode_hostname, native_ascii, path_argument, path_result
from ._constants import (
    CERT_NONE,
    CERT_REQUIRED,
    PROTOCOL_TLS,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    Purpose,
    VerifyMode,
    _ASN1Object,
    _SSLMethod,
)
from ._errors import SSLError

__all__ = [
    "SSLContext",
    "_create_default_https_context",
    "_create_stdlib_context",
    "_create_unverified_context",
    "_https_verify_certificates",
    "_https_verify_envvar",
    "create_default_context",
]

# Attributes are set through the base's descriptors, so that a subclass which overrides a property
# (pip's truststore does) never meets itself again.
_Base = _core._SSLContext

_NEGOTIATING = (PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER)


class _ConnectionClass(object):
    """A class attribute of SSLContext that becomes the class it stands for, by importing that, when first asked."""

    def __init__(self, attribute, module, name):
        self._attribute = attribute
        self._module = module
        self._name = name

    def __get__(self, instance, owner):
        found = getattr(_late.load(self._module), self._name)
        if vars(SSLContext).get(self._attribute) is self:  # and not what a program has put there
            setattr(SSLContext, self._attribute, found)
        return found


class SSLContext(_Base):
    """Settings, certificates and keys for connections that have them in common.

    protocol: a PROTOCOL_* constant; the default PROTOCOL_TLS negotiates the highest version that
    both sides have.
    """

    __module__ = "_tls_bootstrap"
    sslsocket_class = _ConnectionClass("sslsocket_class", "_socket", "SSLSocket")
    sslobject_class = _ConnectionClass("sslobject_class", "_object", "SSLObject")

    def __new__(cls, protocol=None, *args, **kwargs):
        self = _Base.__new__(cls, PROTOCOL_TLS if protocol is None else protocol)
        _late.load("_policy").apply(self)
        return self

    def __init__(self, protocol=None, *args, **kwargs):
        pass  # everything is done by __new__, as in ssl

    # ---- connections

    def wrap_socket(
        self,
        sock,
        server_side=False,
        do_handshake_on_connect=True,
        suppress_ragged_eofs=True,
        server_hostname=None,
        session=None,
    ):
        """Wraps a connected or unconnected stream socket; returns an SSLSocket.

        On Python 3 the socket given is detached.  The TLS handshake is done at once, or on connect(),
        if do_handshake_on_connect is true.  Raises ValueError for contradicting arguments,
        NotImplementedError for other than stream sockets, SSLError and OSError.
        """
        return self.sslsocket_class._create(
            sock=sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            context=self,
            session=session,
        )

    def wrap_bio(self, incoming, outgoing, server_side=False, server_hostname=None, session=None):
        """Makes a TLS connection over two MemoryBIO objects; returns an SSLObject."""
        if not server_side and not server_hostname and self.check_hostname:
            raise ValueError("check_hostname requires server_hostname")
        if server_hostname is not None:
            server_hostname = encode_hostname(server_hostname)
        return self._wrap_bio(self.sslobject_class, incoming, outgoing, server_side, server_hostname, session)

    def _encode_hostname(self, hostname):
        return encode_hostname(hostname)

    # ---- settings

    @property
    def protocol(self):
        """The PROTOCOL_* constant the context was made with."""
        return _SSLMethod(_Base.protocol.__get__(self))

    @property
    def options(self):
        """The OP_* flags, as Options."""
        return _late.load("_options").Options(_Base.options.__get__(self))

    @options.setter
    def options(self, value):
        if isinstance(value, _compat.integer_types) and not 0 <= value < 1 << 64:
            raise OverflowError("options must be from 0 to 2**64 - 1")
        _Base.options.__set__(self, value)

    @property
    def verify_flags(self):
        """The VERIFY_* flags, as VerifyFlags."""
        return _late.load("_verify_flags").VerifyFlags(_Base.verify_flags.__get__(self))

    @verify_flags.setter
    def verify_flags(self, value):
        _Base.verify_flags.__set__(self, value)

    @property
    def verify_mode(self):
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."""
        return VerifyMode(_Base.verify_mode.__get__(self))

    @verify_mode.setter
    def verify_mode(self, value):
        _Base.verify_mode.__set__(self, value)

    @property
    def minimum_version(self):
        """The lowest protocol version, as TLSVersion (added in 3.7)."""
        TLSVersion = _late.load("_versions").TLSVersion
        if self.protocol not in _NEGOTIATING:
            return TLSVersion.MINIMUM_SUPPORTED  # the protocol says it; nothing can be set
        return _known(TLSVersion, _Base.minimum_version.__get__(self))

    @minimum_version.setter
    def minimum_version(self, value):
        _Base.minimum_version.__set__(self, value)

    @property
    def maximum_version(self):
        """The highest protocol version, as TLSVersion (added in 3.7)."""
        TLSVersion = _late.load("_versions").TLSVersion
        if self.protocol not in _NEGOTIATING:
            return TLSVersion.MAXIMUM_SUPPORTED
        return _known(TLSVersion, _Base.maximum_version.__get__(self))

    @maximum_version.setter
    def maximum_version(self, value):
        _Base.maximum_version.__set__(self, value)

    @property
    def hostname_checks_common_name(self):
        """Whether the common name counts where there is no subjectAltName (added in 3.7)."""
        return not self._host_flags & _core.HOSTFLAG_NEVER_CHECK_SUBJECT

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value):
        if value:
            self._host_flags &= ~_core.HOSTFLAG_NEVER_CHECK_SUBJECT
        else:
            self._host_flags |= _core.HOSTFLAG_NEVER_CHECK_SUBJECT

    @property
    def keylog_filename(self):
        """The file that TLS secrets are written to, for debugging, or None (added in 3.8)."""
        value = _Base.keylog_filename.__get__(self)
        # The object that was assigned, where it is known, as in ssl.
        return value if value is None else vars(self).get("_keylog_filename") or path_result(value)

    @keylog_filename.setter
    def keylog_filename(self, filename):
        if filename is not None:
            path = path_argument(filename, "keylog_filename")
        else:
            path = None
        _Base.keylog_filename.__set__(self, path)
        self._keylog_filename = filename

    @keylog_filename.deleter
    def keylog_filename(self):
        raise AttributeError("keylog_filename cannot be deleted")

    # ---- cipher suites, groups, protocols

    def set_ciphers(self, cipherlist):
        """Sets the cipher suites up to TLS 1.2, in OpenSSL's format; SSLError if none is known."""
        _Base.set_ciphers(self, native_ascii(cipherlist, "cipherlist"))

    def set_ciphersuites(self, ciphersuites):
        """Sets the cipher suites of TLS 1.3, separated by colons (added in 3.15)."""
        _Base.set_ciphersuites(self, native_ascii(ciphersuites, "ciphersuites"))

    def set_groups(self, grouplist):
        """Sets the groups for the key exchange, separated by colons (added in 3.15)."""
        _Base.set_groups(self, native_ascii(grouplist, "grouplist"))

    def set_client_sigalgs(self, sigalgslist):
        """Sets the signature algorithms for client authentication (added in 3.15)."""
        _Base.set_client_sigalgs(self, native_ascii(sigalgslist, "sigalgslist"))

    def set_server_sigalgs(self, sigalgslist):
        """Sets the signature algorithms for server authentication (added in 3.15)."""
        _Base.set_server_sigalgs(self, native_ascii(sigalgslist, "sigalgslist"))

    def set_ecdh_curve(self, name):
        """Sets the curve for the ECDH key exchange (str or bytes); ValueError if it is unknown."""
        if isinstance(name, bytes) and not isinstance(name, str):
            name = name.decode("latin-1")  # what is not ASCII is no known curve either
        _Base.set_ecdh_curve(self, native_ascii(name, "name"))

    def set_alpn_protocols(self, alpn_protocols):
        """Sets the protocols to offer by ALPN, in order of preference.

        alpn_protocols: a sequence of ASCII str, such as ["h2", "http/1.1"].  Raises SSLError for a
        name of no or more than 255 bytes.
        """
        _Base._set_alpn_protocols(self, _protocol_list(alpn_protocols, "ALPN"))

    def set_npn_protocols(self, npn_protocols):
        """Raises NotImplementedError: HAS_NPN is False."""
        _Base._set_npn_protocols(self, _protocol_list(npn_protocols, "NPN"))

    # ---- certificates

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        """Loads this side's private key and certificate, followed by any further ones of its chain.

        certfile, keyfile: paths of PEM files; the key is in certfile if keyfile is None.
        password: of the key, as str, bytes, bytearray (at most 1023 bytes) or a function that returns
        one.  If it is needed and None, it is asked for where standard input is a terminal.
        Raises SSLError, OSError for a file that cannot be read, ValueError and TypeError.
        """
        _Base.load_cert_chain(
            self,
            path_argument(certfile, "certfile"),
            None if keyfile is None else path_argument(keyfile, "keyfile"),
            _password_argument(password),
        )

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        """Loads certificate authorities to trust.

        cafile: path of a PEM file; capath: path of a directory of such files named by hash; cadata:
        ASCII PEM text, or bytes-like DER.  Raises TypeError, SSLError and OSError.
        """
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        is_pem = False
        if cadata is not None:
            cadata, is_pem = _certificate_data(cadata)
        _Base._load_verify_locations(
            self,
            None if cafile is None else path_argument(cafile, "cafile"),
            None if capath is None else path_argument(capath, "capath"),
            cadata,
            is_pem,
        )

    def set_default_verify_paths(self):
        """Loads the certificate authorities of get_default_verify_paths()."""
        _late.load("_trust").load_into(self)

    def load_default_certs(self, purpose=Purpose.SERVER_AUTH):
        """Loads the certificate authorities that the system trusts for a purpose."""
        if not isinstance(purpose, _ASN1Object):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def load_dh_params(self, path):
        """Loads the parameters for Diffie-Hellman key exchange from a PEM file."""
        _Base.load_dh_params(self, path_argument(path, "path"))

    # ---- callbacks

    def set_servername_callback(self, server_name_callback):
        """Registers a function that a server calls with the name the client asks for, or None.

        It is called as f(connection, name or None, context) with the name in U-label form; sni_callback
        is the same with the name as it was sent.
        """
        if server_name_callback is None:
            self.sni_callback = None
            return
        if not callable(server_name_callback):
            raise TypeError("not a callable object")

        def decode_and_call(connection, name, context):
            if name is not None:
                raw = name if isinstance(name, bytes) else name.encode("ascii")
                name = raw.decode("idna" if b"xn--" in raw.lower() else "ascii")
            return server_name_callback(connection, name, context)

        self.sni_callback = decode_and_call

    @property
    def _msg_callback(self):
        """A function that is told each TLS message, for debugging, or None.

        It is called as f(connection, "read" or "write", version, content type, message type, bytes).
        """
        callback = _Base._msg_callback.__get__(self)
        return getattr(callback, "user_function", callback)

    @_msg_callback.setter
    def _msg_callback(self, callback):
        if callback is None:
            _Base._msg_callback.__set__(self, None)
            return
        if not callable(callback):
            raise TypeError("%r is not callable." % (callback,))
        messages = _late.load("_messages")
        TLSVersion = _late.load("_versions").TLSVersion

        def name_and_call(connection, direction, version, content_type, message_type, data):
            content_type = _known(messages._TLSContentType, content_type)
            if content_type == messages._TLSContentType.HEADER:
                kinds = messages._TLSContentType
            elif content_type == messages._TLSContentType.ALERT:
                kinds = messages._TLSAlertType
            else:
                kinds = messages._TLSMessageType
            return callback(
                connection,
                direction,
                _known(TLSVersion, version),
                content_type,
                _known(kinds, message_type),
                data,
            )

        name_and_call.user_function = callback
        _Base._msg_callback.__set__(self, name_and_call)


def _known(enumeration, value):
    """The member with a value, or the value if there is none."""
    try:
        return enumeration(value)
    except ValueError:
        return value


def _protocol_list(protocols, what):
    """Names in the form of RFC 7301 section 3.1: each one after a byte with its length."""
    encoded = bytearray()
    for protocol in protocols:
        name = bytes_argument(protocol, what + " protocols")
        if not 0 < len(name) <= 255:
            raise SSLError("%s protocols must be 1 to 255 bytes long" % what)
        encoded.append(len(name))
        encoded += name
    return bytes(encoded)


def _certificate_data(cadata):
    """(bytes, whether they are PEM) of load_verify_locations()'s cadata."""
    message = "cadata should be an ASCII string or a bytes-like object"
    if isinstance(cadata, _compat.text_type):
        try:
            return cadata.encode("ascii"), True
        except UnicodeError:
            raise TypeError(message)
    try:
        data = bytes_argument(cadata, "cadata")
    except TypeError:
        raise TypeError(message)
    # A literal of code written for Python 3 is a byte string on 2.7.
    return data, _compat.PY2 and data[:1] != b"\x30" and b"-----BEGIN " in data


def _password_argument(password):
    if password is None:
        return _asked_password if _has_terminal() else None
    if callable(password):
        return lambda: _password_bytes(password(), "password callback must return a string")
    return _password_bytes(password, "password should be a string or callable")


def _password_bytes(password, message):
    if isinstance(password, _compat.text_type):
        return password.encode("utf-8")
    if isinstance(password, (bytes, bytearray)):
        return bytes(password)
    raise TypeError(message)


def _has_terminal():
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def _asked_password():
    import getpass

    return _password_bytes(getpass.getpass("Enter PEM pass phrase: "), "password must be text")


# ---- context creation


def create_default_context(purpose=Purpose.SERVER_AUTH, cafile=None, capath=None, cadata=None):
    """A context with secure settings for a purpose.

    For Purpose.SERVER_AUTH, that is for clients, the server's certificate and name are verified,
    against the authorities given or else against the system's.
    """
    if not isinstance(purpose, _ASN1Object):
        raise TypeError(purpose)
    context = SSLContext(PROTOCOL_TLS)
    if purpose == Purpose.SERVER_AUTH:
        context.verify_mode = CERT_REQUIRED
        context.check_hostname = True
    _load_authorities(context, purpose, cafile, capath, cadata)
    return context


def _create_unverified_context(
    protocol=PROTOCOL_TLS,
    cert_reqs=CERT_NONE,
    check_hostname=False,
    purpose=Purpose.SERVER_AUTH,
    certfile=None,
    keyfile=None,
    cafile=None,
    capath=None,
    cadata=None,
):
    """A context for a purpose that verifies nothing unless told to; the standard library's own use.

    cert_reqs: a CERT_* constant, or None for what the protocol's contexts start with.  The default is that of 3.7, whose
    ftplib counts on it: with 3.6's None a PROTOCOL_TLS_CLIENT context would verify.
    """
    if not isinstance(purpose, _ASN1Object):
        raise TypeError(purpose)
    context = SSLContext(protocol)
    context.check_hostname = False
    if cert_reqs is not None:
        context.verify_mode = cert_reqs
    if check_hostname:
        context.check_hostname = True
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    if certfile or keyfile:
        context.load_cert_chain(certfile, keyfile)
    _load_authorities(context, purpose, cafile, capath, cadata)
    return context


def _load_authorities(context, purpose, cafile, capath, cadata):
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != CERT_NONE:
        context.load_default_certs(purpose)
    keylog = _compat.environment("SSLKEYLOGFILE")
    if keylog:
        context.keylog_filename = keylog


_create_default_https_context = create_default_context
_create_stdlib_context = _create_unverified_context

# 2.7 has this name.  The variable itself, which turns verification off, is not honoured here.
_https_verify_envvar = "PYTHONHTTPSVERIFY"


def _https_verify_certificates(enable=True):
    """Whether _create_default_https_context makes verifying contexts (2.7's documentation, PEP 493)."""
    package = sys.modules[__package__]
    package._create_default_https_context = package.create_default_context if enable else package._create_unverified_context
