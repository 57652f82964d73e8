/* SPDX-License-Identifier: Apache-2.0 */
/* _SSLContext: its life, its defaults, the tables of its methods, the making of connections. */
#include "context.h"

#include "constants.h"
#include "trust_store.h"

#include <stdlib.h>
#include <string.h>

static int fixed_version(int protocol)
{
    switch (protocol) {
    case TB_PROTOCOL_TLSv1:
        return TLS1_VERSION;
    case TB_PROTOCOL_TLSv1_1:
        return TLS1_1_VERSION;
    case TB_PROTOCOL_TLSv1_2:
        return TLS1_2_VERSION;
    default:
        return 0;
    }
}

int tb_context_has_fixed_version(const tb_context *self)
{
    return fixed_version(self->protocol) != 0;
}

void tb_context_keep_fixed_version(tb_context *self)
{
    int version = fixed_version(self->protocol);
    long maximum;

    if (version == 0)
        return;
    maximum = SSL_CTX_get_max_proto_version(self->ctx);
    if (SSL_CTX_get_min_proto_version(self->ctx) < version)
        SSL_CTX_set_min_proto_version(self->ctx, version);
    if (maximum == 0 || maximum > version)
        SSL_CTX_set_max_proto_version(self->ctx, version);
}

int tb_context_is_client_only(const tb_context *self)
{
    return self->protocol == TB_PROTOCOL_TLS_CLIENT;
}

int tb_context_is_server_only(const tb_context *self)
{
    return self->protocol == TB_PROTOCOL_TLS_SERVER;
}

static const SSL_METHOD *method_of(int protocol)
{
    switch (protocol) {
    case TB_PROTOCOL_TLS:
    case TB_PROTOCOL_TLSv1:
    case TB_PROTOCOL_TLSv1_1:
    case TB_PROTOCOL_TLSv1_2:
        return TLS_method();
    case TB_PROTOCOL_TLS_CLIENT:
        return TLS_client_method();
    case TB_PROTOCOL_TLS_SERVER:
        return TLS_server_method();
    default:
        return NULL;
    }
}

/* What every context starts with.  0, or -1 with OpenSSL's error queue telling why. */
static int apply_defaults(tb_context *self)
{
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(self->ctx);
    int version = fixed_version(self->protocol);

    /* No flag that weakens CBC against the BEAST attack; no compression (CRIME, RFC 7457). */
    SSL_CTX_set_options(self->ctx, (SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS) | SSL_OP_NO_SSLv3 |
                                       SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
                                       SSL_OP_SINGLE_ECDH_USE | TB_DEFAULT_NO_RENEGOTIATION);
    if (version != 0 && (SSL_CTX_set_min_proto_version(self->ctx, version) != 1 ||
                         SSL_CTX_set_max_proto_version(self->ctx, version) != 1))
        return -1;
    if (tb_context_default_algorithms(self) < 0)
        return -1;
    SSL_CTX_set_mode(self->ctx, TB_MODE_OF_BUFFERS);
    SSL_CTX_set_session_id_context(self->ctx, (const unsigned char *)"Python", 6);
    /* A chain that leads to a trust anchor is looked for before the one the peer suggests. */
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_TRUSTED_FIRST);
    self->host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    X509_VERIFY_PARAM_set_hostflags(parameters, self->host_flags);
    if (self->protocol == TB_PROTOCOL_TLS_CLIENT) {
        self->check_hostname = 1;
        SSL_CTX_set_verify(self->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return 0;
}

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    tb_context *self = NULL;
    PyObject *module, *protocol_object;
    core_state *state;
    int protocol;

    (void)kwargs; /* the Python class takes any and passes them on, as ssl's does */
    if (!PyArg_ParseTuple(args, "O:_SSLContext", &protocol_object) || tb_as_int(protocol_object, &protocol) < 0)
        return NULL;
    state = tb_state_of_type(type, &module);
    if (state == NULL)
        return NULL;
    if (method_of(protocol) == NULL) {
        PyErr_SetString(PyExc_ValueError, protocol == 0 || protocol == 1
                                              ? "unsupported protocol version: SSLv2 and SSLv3 are not compiled in"
                                              : "invalid or unsupported protocol version");
        goto error;
    }
    self = (tb_context *)tb_type_alloc(type);
    if (self == NULL)
        goto error;
    self->state = state;
    self->module = module;
    module = NULL;
    self->protocol = protocol;
    pthread_mutex_init(&self->keylog_lock, NULL);
    ERR_clear_error();
    self->ctx = SSL_CTX_new(method_of(protocol));
    if (self->ctx == NULL || !tb_trust_store_prepare(SSL_CTX_get_cert_store(self->ctx)) || apply_defaults(self) < 0) {
        tb_raise_openssl(state);
        goto error;
    }
    SSL_CTX_set_app_data(self->ctx, self);
    return (PyObject *)self;
error:
    Py_XDECREF(module);
    Py_XDECREF((PyObject *)self);
    return NULL;
}

static int context_traverse(PyObject *object, visitproc visit, void *arg)
{
    tb_context *self = (tb_context *)object;

    Py_VISIT(self->sni_callback);
    Py_VISIT(self->msg_callback);
    Py_VISIT(self->psk_client_callback);
    Py_VISIT(self->psk_server_callback);
    return tb_type_visit(object, visit, arg);
}

static int context_clear(PyObject *object)
{
    tb_context *self = (tb_context *)object;

    Py_CLEAR(self->sni_callback);
    Py_CLEAR(self->msg_callback);
    Py_CLEAR(self->psk_client_callback);
    Py_CLEAR(self->psk_server_callback);
    return 0;
}

static void context_dealloc(PyObject *object)
{
    tb_context *self = (tb_context *)object;
    PyObject *module = self->module;

    PyObject_GC_UnTrack(object);
    context_clear(object);
    SSL_CTX_free(self->ctx);
    free(self->alpn);
    Py_XDECREF(self->keylog_filename);
    BIO_free_all(self->keylog);
    pthread_mutex_destroy(&self->keylog_lock);
    tb_type_free(object, context_dealloc);
    Py_XDECREF(module);
}

/* ---- making connections ---------------------------------------------------------------------------- */

static PyObject *context_wrap_socket(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sock", "server_side", "server_hostname", "owner", "session", NULL};
    PyObject *socket, *hostname = NULL, *owner = NULL, *session = NULL;
    int server_side;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oi|OOO:_wrap_socket", names, &socket, &server_side, &hostname,
                                     &owner, &session))
        return NULL;
    return tb_connection_new((tb_context *)object, socket, NULL, NULL, server_side, hostname, owner, session);
}

static int check_memory_bio(const core_state *state, const char *name, PyObject *given)
{
    if (PyObject_TypeCheck(given, state->memory_bio_type))
        return 0;
    PyErr_Format(PyExc_TypeError, "%s must be a MemoryBIO", name);
    return -1;
}

/* By position alone and without a format, whose parsing nothing else in a handshake needs. */
static PyObject *context_wrap_bio(PyObject *object, PyObject *args)
{
    tb_context *self = (tb_context *)object;
    enum { CLASS, INCOMING, OUTGOING, SERVER_SIDE, HOSTNAME, SESSION, COUNT };
    PyObject *given[COUNT], *wrapped, *connection;
    int server_side;

    if (tb_plain_arguments(args, NULL, given, COUNT) != COUNT || !PyType_Check(given[CLASS])) {
        PyErr_SetString(PyExc_TypeError, "_wrap_bio() takes a class and five more arguments");
        return NULL;
    }
    if (check_memory_bio(self->state, "incoming", given[INCOMING]) < 0 ||
        check_memory_bio(self->state, "outgoing", given[OUTGOING]) < 0)
        return NULL;
    server_side = PyObject_IsTrue(given[SERVER_SIDE]);
    if (server_side < 0)
        return NULL;
    wrapped = tb_ssl_object_new(self, (PyTypeObject *)given[CLASS]);
    if (wrapped == NULL)
        return NULL;
    connection = tb_connection_new(self, NULL, given[INCOMING], given[OUTGOING], server_side, given[HOSTNAME], wrapped,
                                   given[SESSION]);
    if (connection == NULL) {
        Py_DECREF(wrapped);
        return NULL;
    }
    tb_ssl_object_adopt(wrapped, connection);
    return wrapped;
}

/* ---- tables -------------------------------------------------------------------------------------------- */

#define WITH_KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyMethodDef context_methods[] = {
    {"_wrap_socket", WITH_KEYWORDS(context_wrap_socket),
     "_wrap_socket(sock, server_side, server_hostname=None, owner=None, session=None)"},
    {"_wrap_bio", context_wrap_bio, METH_VARARGS,
     "_wrap_bio(cls, incoming, outgoing, server_side, server_hostname, session)\n\nA new instance of cls, a subclass "
     "of SSLObject."},
    {"set_ciphers", tb_context_set_ciphers, METH_O,
     "set_ciphers(ciphers)\n\nThe ciphers of TLS 1.2 and earlier, in OpenSSL's cipher list format."},
    {"set_ciphersuites", tb_context_set_ciphersuites, METH_O,
     "set_ciphersuites(ciphersuites)\n\nThe cipher suites of TLS 1.3, separated by colons."},
    {"get_ciphers", tb_context_get_ciphers, METH_NOARGS, "get_ciphers()\n\nThe enabled ciphers by priority, as dicts."},
    {"set_groups", tb_context_set_groups, METH_O,
     "set_groups(grouplist)\n\nThe key exchange groups by preference, separated by colons."},
    {"get_groups", WITH_KEYWORDS(tb_context_get_groups),
     "get_groups(*, include_aliases=False)\n\nNames of the groups that this OpenSSL offers to this context."},
    {"set_client_sigalgs", tb_context_set_client_sigalgs, METH_O,
     "set_client_sigalgs(sigalgslist)\n\nSignature algorithms for client certificates, separated by colons."},
    {"set_server_sigalgs", tb_context_set_server_sigalgs, METH_O,
     "set_server_sigalgs(sigalgslist)\n\nSignature algorithms for the server's handshake, separated by colons."},
    {"set_ecdh_curve", tb_context_set_ecdh_curve, METH_O,
     "set_ecdh_curve(curve_name)\n\nThe one curve for ephemeral ECDH."},
    {"_configure", tb_context_configure, METH_VARARGS,
     "_configure(command, value)\n\nApplies a command of SSL_CONF_cmd(3).  False if there is no such command, "
     "SSLError if its value is refused."},
    {"session_stats", tb_context_session_stats, METH_NOARGS, "session_stats()\n\nCounters as a dict."},
    {"load_cert_chain", WITH_KEYWORDS(tb_context_load_cert_chain),
     "load_cert_chain(certfile, keyfile=None, password=None)\n\nPEM files.  OSError if one cannot be "
     "opened, SSLError if it does not parse, the password is wrong, or the key does not fit."},
    {"_load_verify_locations", tb_context_load_verify_locations, METH_VARARGS,
     "_load_verify_locations(cafile, capath, cadata, cadata_is_pem)"},
    {"load_dh_params", tb_context_load_dh_params, METH_O, "load_dh_params(path)\n\nPEM, for ephemeral DH."},
    {"set_default_verify_paths", tb_context_set_default_verify_paths, METH_NOARGS,
     "set_default_verify_paths()\n\nOpenSSL's compiled-in locations, or SSL_CERT_FILE and SSL_CERT_DIR."},
    {"cert_store_stats", tb_context_cert_store_stats, METH_NOARGS,
     "cert_store_stats()\n\nHow many certificates, CA certificates and CRLs are loaded."},
    {"get_ca_certs", WITH_KEYWORDS(tb_context_get_ca_certs),
     "get_ca_certs(binary_form=False)\n\nThe loaded CA certificates, as dicts or as DER."},
    {"_set_alpn_protocols", tb_context_set_alpn_protocols, METH_O,
     "_set_alpn_protocols(protocols)\n\nbytes in wire format, RFC 7301 section 3.1."},
    {"_set_npn_protocols", tb_context_set_npn_protocols, METH_O,
     "_set_npn_protocols(protocols)\n\nNotImplementedError: OpenSSL's NPN is not compiled in."},
    {"set_psk_client_callback", WITH_KEYWORDS(tb_context_set_psk_client_callback),
     "set_psk_client_callback(callback)\n\ncallback(hint) returns (identity or None, key)."},
    {"set_psk_server_callback", WITH_KEYWORDS(tb_context_set_psk_server_callback),
     "set_psk_server_callback(callback, identity_hint=None)\n\ncallback(identity) returns the key."},
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

#define ATTRIBUTE(name, doc) {#name, tb_context_get_##name, tb_context_set_##name, doc, NULL}

static PyGetSetDef context_getset[] = {
    ATTRIBUTE(options, "Bits of OP_*."),
    ATTRIBUTE(verify_mode, "CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED."),
    ATTRIBUTE(verify_flags, "Bits of VERIFY_*."),
    ATTRIBUTE(check_hostname, "Whether the peer's certificate must match server_hostname."),
    {"_host_flags", tb_context_get_host_flags, tb_context_set_host_flags, "Bits of HOSTFLAG_*.", NULL},
    ATTRIBUTE(minimum_version, "The lowest protocol to negotiate, a PROTO_* number."),
    ATTRIBUTE(maximum_version, "The highest protocol to negotiate, a PROTO_* number."),
    ATTRIBUTE(num_tickets, "Server, TLS 1.3: session tickets sent after a handshake."),
    ATTRIBUTE(post_handshake_auth, "TLS 1.3: whether certificates may be asked for later."),
    {"protocol", tb_context_get_protocol, NULL, "The PROTOCOL_* it was made with.", NULL},
    {"security_level", tb_context_get_security_level, NULL, "OpenSSL's security level, 0 to 5.", NULL},
    ATTRIBUTE(sni_callback, "Called with (socket, name, context) on a server name indication."),
    {"_msg_callback", tb_context_get_msg_callback, tb_context_set_msg_callback, "Called with each protocol message.",
     NULL},
    ATTRIBUTE(keylog_filename, "Where TLS secrets are logged, or None."),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot context_slots[] = {
    {Py_tp_new, (void *)context_new},
    {Py_tp_dealloc, (void *)context_dealloc},
    {Py_tp_traverse, (void *)context_traverse},
    {Py_tp_clear, (void *)context_clear},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_getset},
    {0, NULL},
};

static PyType_Spec context_spec = {
    "_tls_bootstrap._core._SSLContext",
    sizeof(tb_context),
    0,
    TB_TYPE_FLAGS | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    context_slots,
};

int tb_context_type_add(PyObject *module, core_state *state)
{
    state->context_type = (PyTypeObject *)PyType_FromSpec(&context_spec);
    if (state->context_type == NULL)
        return -1;
    return tb_type_bind_module((PyObject *)state->context_type, module);
}
