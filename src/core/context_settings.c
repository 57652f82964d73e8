/* SPDX-License-Identifier: Apache-2.0 */
/* A context's numbers: protocol versions, options, verification, tickets. */
#include "context.h"

#include "constants.h"

#include <limits.h>

static int int_value(PyObject *value, int *number)
{
    return tb_refuse_delete(value) < 0 ? -1 : tb_as_int(value, number);
}

PyObject *tb_context_get_protocol(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long(((tb_context *)object)->protocol);
}

PyObject *tb_context_get_security_level(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long(SSL_CTX_get_security_level(((tb_context *)object)->ctx));
}

/* ---- options ------------------------------------------------------------------------------------------ */

PyObject *tb_context_get_options(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_size(
        (size_t)(SSL_CTX_get_options(((tb_context *)object)->ctx) & ~(unsigned long long)TB_DEFAULT_NO_RENEGOTIATION));
}

int tb_context_set_options(PyObject *object, PyObject *value, void *closure)
{
    SSL_CTX *ctx = ((tb_context *)object)->ctx;
    unsigned long long wanted, current;

    (void)closure;
    if (tb_refuse_delete(value) < 0 || tb_as_uint64(value, &wanted) < 0)
        return -1;
    wanted |= TB_DEFAULT_NO_RENEGOTIATION;
    current = SSL_CTX_get_options(ctx);
    SSL_CTX_clear_options(ctx, current & ~wanted);
    SSL_CTX_set_options(ctx, wanted & ~current);
    return 0;
}

/* ---- verification --------------------------------------------------------------------------------------- */

static int verify_mode_of(tb_context *self)
{
    int mode = SSL_CTX_get_verify_mode(self->ctx) & (SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);

    if (mode == SSL_VERIFY_NONE)
        return TB_CERT_NONE;
    return mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT ? TB_CERT_REQUIRED : TB_CERT_OPTIONAL;
}

PyObject *tb_context_get_verify_mode(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long(verify_mode_of((tb_context *)object));
}

int tb_context_set_verify_mode(PyObject *object, PyObject *value, void *closure)
{
    static const int modes[] = {SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT};
    tb_context *self = (tb_context *)object;
    int mode;

    (void)closure;
    if (int_value(value, &mode) < 0)
        return -1;
    if (mode < TB_CERT_NONE || mode > TB_CERT_REQUIRED) {
        PyErr_SetString(PyExc_ValueError, "invalid value for verify_mode");
        return -1;
    }
    if (mode == TB_CERT_NONE && self->check_hostname) {
        PyErr_SetString(PyExc_ValueError, "Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
        return -1;
    }
    SSL_CTX_set_verify(self->ctx, modes[mode], SSL_CTX_get_verify_callback(self->ctx));
    return 0;
}

PyObject *tb_context_get_check_hostname(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((tb_context *)object)->check_hostname);
}

int tb_context_set_check_hostname(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;
    int check;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    check = PyObject_IsTrue(value);
    if (check < 0)
        return -1;
    /* A name means nothing in a certificate that nobody verified.  As in Python 3.6; from 3.7 on this
     * sets verify_mode instead. */
    if (check && verify_mode_of(self) == TB_CERT_NONE) {
        PyErr_SetString(PyExc_ValueError,
                        "check_hostname needs a SSL context with either CERT_OPTIONAL or CERT_REQUIRED");
        return -1;
    }
    self->check_hostname = check;
    return 0;
}

PyObject *tb_context_get_host_flags(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long((long)((tb_context *)object)->host_flags);
}

int tb_context_set_host_flags(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;
    unsigned long long flags;

    (void)closure;
    if (tb_refuse_delete(value) < 0 || tb_as_uint64(value, &flags) < 0)
        return -1;
    self->host_flags = (unsigned int)flags;
    X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(self->ctx), self->host_flags);
    return 0;
}

PyObject *tb_context_get_verify_flags(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_size(X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(((tb_context *)object)->ctx)));
}

int tb_context_set_verify_flags(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(self->ctx);
    unsigned long current = X509_VERIFY_PARAM_get_flags(parameters);
    unsigned long long wanted;

    (void)closure;
    if (tb_refuse_delete(value) < 0 || tb_as_uint64(value, &wanted) < 0)
        return -1;
    if (X509_VERIFY_PARAM_clear_flags(parameters, current & ~(unsigned long)wanted) != 1 ||
        X509_VERIFY_PARAM_set_flags(parameters, (unsigned long)wanted & ~current) != 1) {
        tb_raise_openssl(self->state);
        return -1;
    }
    return 0;
}

/* ---- protocol versions -------------------------------------------------------------------------------------- */

static int is_known_version(int version)
{
    return version == TB_PROTO_MINIMUM_SUPPORTED || version == TB_PROTO_MAXIMUM_SUPPORTED ||
           (version >= SSL3_VERSION && version <= TLS1_3_VERSION);
}

static int set_version(tb_context *self, PyObject *value, int is_minimum)
{
    int version, number, done;

    if (int_value(value, &version) < 0)
        return -1;
    if (tb_context_has_fixed_version(self)) {
        PyErr_SetString(PyExc_ValueError, "The context's protocol doesn't support modification of "
                                          "highest and lowest version.");
        return -1;
    }
    if (!is_known_version(version)) {
        PyErr_Format(PyExc_ValueError, "Unsupported TLS/SSL version 0x%x", version);
        return -1;
    }
    /* 0 lifts OpenSSL's limit; the opposite end has to be named. */
    number = version;
    if (version == TB_PROTO_MINIMUM_SUPPORTED)
        number = is_minimum ? 0 : TLS1_VERSION;
    else if (version == TB_PROTO_MAXIMUM_SUPPORTED)
        number = is_minimum ? TLS1_3_VERSION : 0;
    done = is_minimum ? SSL_CTX_set_min_proto_version(self->ctx, number)
                      : SSL_CTX_set_max_proto_version(self->ctx, number);
    if (done != 1) {
        ERR_clear_error();
        PyErr_Format(PyExc_ValueError, "Unsupported protocol version 0x%x", version);
        return -1;
    }
    return 0;
}

PyObject *tb_context_get_minimum_version(PyObject *object, void *closure)
{
    long version = SSL_CTX_get_min_proto_version(((tb_context *)object)->ctx);

    (void)closure;
    return tb_long_from_long(version == 0 ? TB_PROTO_MINIMUM_SUPPORTED : version);
}

int tb_context_set_minimum_version(PyObject *object, PyObject *value, void *closure)
{
    (void)closure;
    return set_version((tb_context *)object, value, 1);
}

PyObject *tb_context_get_maximum_version(PyObject *object, void *closure)
{
    long version = SSL_CTX_get_max_proto_version(((tb_context *)object)->ctx);

    (void)closure;
    return tb_long_from_long(version == 0 ? TB_PROTO_MAXIMUM_SUPPORTED : version);
}

int tb_context_set_maximum_version(PyObject *object, PyObject *value, void *closure)
{
    (void)closure;
    return set_version((tb_context *)object, value, 0);
}

/* ---- tickets, post-handshake authentication, statistics --------------------------------------------------------- */

PyObject *tb_context_get_num_tickets(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_size(SSL_CTX_get_num_tickets(((tb_context *)object)->ctx));
}

int tb_context_set_num_tickets(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;
    int number;

    (void)closure;
    if (int_value(value, &number) < 0)
        return -1;
    if (number < 0) {
        PyErr_SetString(PyExc_ValueError, "value must be non-negative");
        return -1;
    }
    if (!tb_context_is_server_only(self)) {
        PyErr_SetString(PyExc_ValueError, "SSLContext is not a server context.");
        return -1;
    }
    if (SSL_CTX_set_num_tickets(self->ctx, (size_t)number) != 1) {
        PyErr_SetString(PyExc_ValueError, "failed to set num tickets.");
        return -1;
    }
    return 0;
}

PyObject *tb_context_get_post_handshake_auth(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((tb_context *)object)->post_handshake_auth);
}

int tb_context_set_post_handshake_auth(PyObject *object, PyObject *value, void *closure)
{
    int wanted;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    wanted = PyObject_IsTrue(value);
    if (wanted < 0)
        return -1;
    /* Applied when a connection is made: on the context it would change PROTOCOL_TLS servers too. */
    ((tb_context *)object)->post_handshake_auth = wanted;
    return 0;
}

PyObject *tb_context_session_stats(PyObject *object, PyObject *unused)
{
    SSL_CTX *ctx = ((tb_context *)object)->ctx;
    PyObject *stats = PyDict_New();
    size_t i;
    const struct {
        const char *name;
        long count;
    } counters[] = {
        {"number", SSL_CTX_sess_number(ctx)},
        {"connect", SSL_CTX_sess_connect(ctx)},
        {"connect_good", SSL_CTX_sess_connect_good(ctx)},
        {"connect_renegotiate", SSL_CTX_sess_connect_renegotiate(ctx)},
        {"accept", SSL_CTX_sess_accept(ctx)},
        {"accept_good", SSL_CTX_sess_accept_good(ctx)},
        {"accept_renegotiate", SSL_CTX_sess_accept_renegotiate(ctx)},
        {"hits", SSL_CTX_sess_hits(ctx)},
        {"misses", SSL_CTX_sess_misses(ctx)},
        {"timeouts", SSL_CTX_sess_timeouts(ctx)},
        {"cache_full", SSL_CTX_sess_cache_full(ctx)},
    };

    (void)unused;
    for (i = 0; stats != NULL && i < sizeof counters / sizeof counters[0]; i++) {
        PyObject *count = tb_long_from_long(counters[i].count);

        if (count == NULL || PyDict_SetItemString(stats, counters[i].name, count) < 0)
            Py_CLEAR(stats);
        Py_XDECREF(count);
    }
    return stats;
}
