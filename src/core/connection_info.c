/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection tells about itself: peer, parameters, bindings. */
#include "connection.h"

#include <stdlib.h>
#include <string.h>

#define TLS_UNIQUE_MAX 128 /* Finished is at most a hash long */

static PyObject *text_or_none(const char *text)
{
    if (text == NULL)
        Py_RETURN_NONE;
    return tb_native_str(text);
}

/* ---- the peer's certificate ------------------------------------------------------------------------ */

PyObject *tb_connection_getpeercert(PyObject *object, PyObject *args)
{
    tb_connection *self = (tb_connection *)object;
    PyObject *der = NULL, *result;
    X509 *peer = NULL;
    int binary, finished, verified, locked;

    if (!PyArg_ParseTuple(args, "|O:getpeercert", &der))
        return NULL;
    binary = der != NULL ? PyObject_IsTrue(der) : 0;
    if (binary < 0)
        return NULL;
    locked = tb_connection_lock(self);
    finished = SSL_is_init_finished(self->ssl);
    if (finished)
        peer = SSL_get1_peer_certificate(self->ssl);
    verified = SSL_get_verify_mode(self->ssl) & SSL_VERIFY_PEER;
    tb_connection_unlock(self, locked);
    if (!finished) {
        PyErr_SetString(PyExc_ValueError, "handshake not done yet");
        return NULL;
    }
    if (peer == NULL)
        Py_RETURN_NONE;
    if (binary)
        result = tb_certificate_to_der(self->state, peer);
    else
        result = verified ? tb_certificate_to_dict(self->state, peer) : PyDict_New();
    X509_free(peer);
    return result;
}

PyObject *tb_connection_get_verified_chain(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    STACK_OF(X509) * chain;
    PyObject *result;
    int locked;

    (void)unused;
    locked = tb_connection_lock(self);
    chain = SSL_get0_verified_chain(self->ssl);
    if (chain != NULL)
        chain = X509_chain_up_ref(chain);
    tb_connection_unlock(self, locked);
    if (chain == NULL)
        Py_RETURN_NONE;
    result = tb_chain_to_list(self->state, self->module, chain);
    sk_X509_pop_free(chain, X509_free);
    return result;
}

PyObject *tb_connection_get_unverified_chain(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    STACK_OF(X509) * chain;
    X509 *peer = NULL;
    PyObject *result = NULL;
    int locked;

    (void)unused;
    locked = tb_connection_lock(self);
    chain = SSL_get_peer_cert_chain(self->ssl);
    if (chain != NULL)
        chain = X509_chain_up_ref(chain);
    /* On the server OpenSSL leaves the client's own certificate out of the chain. */
    if (self->server_side)
        peer = SSL_get1_peer_certificate(self->ssl);
    tb_connection_unlock(self, locked);
    if (chain == NULL && peer != NULL)
        chain = sk_X509_new_null(); /* a resumed session keeps the certificate only */
    if (chain == NULL) {
        X509_free(peer);
        Py_RETURN_NONE;
    }
    if (peer != NULL) {
        if (sk_X509_insert(chain, peer, 0) == 0) {
            X509_free(peer);
            PyErr_NoMemory();
            goto exit;
        }
    }
    result = tb_chain_to_list(self->state, self->module, chain);
exit:
    sk_X509_pop_free(chain, X509_free);
    return result;
}

/* ---- parameters ---------------------------------------------------------------------------------------- */

static PyObject *cipher_tuple(const SSL_CIPHER *cipher)
{
    return Py_BuildValue("(ssi)", SSL_CIPHER_get_name(cipher), SSL_CIPHER_get_version(cipher),
                         SSL_CIPHER_get_bits(cipher, NULL));
}

PyObject *tb_connection_cipher(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    const SSL_CIPHER *cipher;
    int locked;

    (void)unused;
    locked = tb_connection_lock(self);
    cipher = SSL_get_current_cipher(self->ssl);
    tb_connection_unlock(self, locked);
    if (cipher == NULL)
        Py_RETURN_NONE;
    return cipher_tuple(cipher);
}

/* The client's ciphers that the server has too; a client, which never learns what the server has,
 * tells what it offered (as in 3.6; later Pythons say None there). */
PyObject *tb_connection_shared_ciphers(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    STACK_OF(SSL_CIPHER) * ours, *theirs;
    PyObject *result = NULL;
    int i, locked, known;

    (void)unused;
    locked = tb_connection_lock(self);
    ours = SSL_get_ciphers(self->ssl);
    theirs = self->server_side ? SSL_get_client_ciphers(self->ssl) : ours;
    known = ours != NULL && theirs != NULL;
    /* Copies: with a list Python may collect garbage, and run anything. */
    ours = known ? sk_SSL_CIPHER_dup(ours) : NULL;
    theirs = known ? sk_SSL_CIPHER_dup(theirs) : NULL;
    tb_connection_unlock(self, locked);
    if (!known)
        Py_RETURN_NONE;
    if (ours == NULL || theirs == NULL) {
        PyErr_NoMemory();
        goto exit;
    }
    result = PyList_New(0);
    for (i = 0; result != NULL && i < sk_SSL_CIPHER_num(theirs); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(theirs, i);

        if (sk_SSL_CIPHER_find(ours, (SSL_CIPHER *)cipher) >= 0 && tb_list_append(result, cipher_tuple(cipher)) < 0)
            Py_CLEAR(result);
    }
exit:
    sk_SSL_CIPHER_free(ours);
    sk_SSL_CIPHER_free(theirs);
    return result;
}

/* The result of `ask(ssl)` as native str, None before the handshake is over. */
static PyObject *text_after_handshake(tb_connection *self, const char *(*ask)(SSL *ssl))
{
    char text[128];
    const char *found = NULL;
    int locked;

    locked = tb_connection_lock(self);
    if (SSL_is_init_finished(self->ssl))
        found = ask(self->ssl);
    if (found != NULL) { /* it belongs to the SSL: copied while that is locked */
        strncpy(text, found, sizeof text - 1);
        text[sizeof text - 1] = '\0';
    }
    tb_connection_unlock(self, locked);
    return text_or_none(found != NULL ? text : NULL);
}

static const char *ask_version(SSL *ssl)
{
    return SSL_get_version(ssl);
}

PyObject *tb_connection_version(PyObject *object, PyObject *unused)
{
    (void)unused;
    return text_after_handshake((tb_connection *)object, ask_version);
}

PyObject *tb_connection_compression(PyObject *object, PyObject *unused)
{
    (void)unused;
    return text_after_handshake((tb_connection *)object, tb_ssl_compression_name);
}

PyObject *tb_connection_group(PyObject *object, PyObject *unused)
{
    (void)unused;
    return text_after_handshake((tb_connection *)object, tb_ssl_group_name);
}

PyObject *tb_connection_client_sigalg(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;

    (void)unused;
    return text_after_handshake(self, self->server_side ? tb_ssl_peer_signature_name : tb_ssl_signature_name);
}

PyObject *tb_connection_server_sigalg(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;

    (void)unused;
    return text_after_handshake(self, self->server_side ? tb_ssl_signature_name : tb_ssl_peer_signature_name);
}

PyObject *tb_connection_selected_alpn_protocol(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    const unsigned char *protocol = NULL;
    char copy[255]; /* as long as a name can be: RFC 7301 section 3.1 */
    unsigned int length = 0;
    int locked;

    (void)unused;
    locked = tb_connection_lock(self);
    SSL_get0_alpn_selected(self->ssl, &protocol, &length);
    if (protocol != NULL && length <= sizeof copy)
        memcpy(copy, protocol, length);
    tb_connection_unlock(self, locked);
    if (protocol == NULL || length > sizeof copy)
        Py_RETURN_NONE;
    return tb_native_str_len(copy, (Py_ssize_t)length);
}

PyObject *tb_connection_selected_npn_protocol(PyObject *object, PyObject *unused)
{
    (void)object;
    (void)unused;
    Py_RETURN_NONE;
}

PyObject *tb_connection_extended_master_secret(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    int bound, locked;

    (void)unused;
    locked = tb_connection_lock(self);
    bound = SSL_version(self->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(self->ssl) == 1;
    tb_connection_unlock(self, locked);
    return PyBool_FromLong(bound);
}

/* ---- bindings and exported keys --------------------------------------------------------------------------- */

static PyObject *export(tb_connection *self, const char *label, size_t label_length, Py_ssize_t length,
                        const unsigned char *context, size_t context_length, int use_context)
{
    PyObject *material = PyBytes_FromStringAndSize(NULL, length);
    int done, locked;

    if (material == NULL)
        return NULL;
    locked = tb_connection_lock(self);
    ERR_clear_error();
    done = SSL_export_keying_material(self->ssl, (unsigned char *)PyBytes_AsString(material), (size_t)length, label,
                                      label_length, context, context_length, use_context);
    tb_connection_unlock(self, locked);
    if (done != 1) {
        Py_DECREF(material);
        return tb_raise_openssl(self->state);
    }
    return material;
}

static int handshake_is_over(tb_connection *self)
{
    int finished, locked;

    locked = tb_connection_lock(self);
    finished = SSL_is_init_finished(self->ssl);
    tb_connection_unlock(self, locked);
    return finished;
}

PyObject *tb_connection_export_keying_material(PyObject *object, PyObject *args)
{
    tb_connection *self = (tb_connection *)object;
    const char *label, *context = NULL;
    Py_ssize_t label_length, context_length = 0, length;
    PyObject *context_object = NULL;
    PyObject *label_object;
    tb_view context_view, label_view;
    PyObject *material = NULL;

    if (!PyArg_ParseTuple(args, "On|O:export_keying_material", &label_object, &length, &context_object))
        return NULL;
    if (length <= 0 || length > 65535) {
        PyErr_SetString(PyExc_ValueError, "length must be from 1 to 65535 bytes");
        return NULL;
    }
    if (tb_view_get(label_object, &label_view) < 0)
        return NULL;
    memset(&context_view, 0, sizeof context_view);
    if (context_object != NULL && context_object != Py_None) {
        if (tb_view_get(context_object, &context_view) < 0)
            goto exit;
        context = context_view.data != NULL ? context_view.data : "";
        context_length = context_view.length;
    }
    if (!handshake_is_over(self)) {
        PyErr_SetString(PyExc_ValueError, "handshake not done yet");
        goto exit;
    }
    label = label_view.data;
    label_length = label_view.length;
    /* RFC 5705: no context and an empty one give different keys (before TLS 1.3). */
    material = export(self, label, (size_t)label_length, length, (const unsigned char *)context, (size_t)context_length,
                      context != NULL);
exit:
    tb_view_release(&context_view);
    tb_view_release(&label_view);
    return material;
}

/* RFC 5929: the first Finished message.  It is the client's in a full handshake and the server's in
 * an abbreviated one. */
static PyObject *tls_unique(tb_connection *self)
{
    char finished[TLS_UNIQUE_MAX];
    size_t length;
    int reused, locked;

    locked = tb_connection_lock(self);
    reused = SSL_session_reused(self->ssl);
    if ((reused != 0) != (self->server_side == 0))
        length = SSL_get_peer_finished(self->ssl, finished, sizeof finished);
    else
        length = SSL_get_finished(self->ssl, finished, sizeof finished);
    tb_connection_unlock(self, locked);
    if (length == 0)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(finished, (Py_ssize_t)length);
}

/* RFC 9266 section 2: defined only where the keys are bound to the handshake. */
static PyObject *tls_exporter(tb_connection *self)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    int bound, locked;

    locked = tb_connection_lock(self);
    bound = SSL_is_init_finished(self->ssl) &&
            (SSL_version(self->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(self->ssl) == 1);
    tb_connection_unlock(self, locked);
    if (!bound)
        Py_RETURN_NONE;
    return export(self, label, sizeof label - 1, 32, (const unsigned char *)"", 0, 1);
}

PyObject *tb_connection_get_channel_binding(PyObject *object, PyObject *args)
{
    const char *type = "tls-unique";

    if (!PyArg_ParseTuple(args, "|s:get_channel_binding", &type))
        return NULL;
    if (strcmp(type, "tls-unique") == 0)
        return tls_unique((tb_connection *)object);
    if (strcmp(type, "tls-exporter") == 0)
        return tls_exporter((tb_connection *)object);
    PyErr_Format(PyExc_ValueError, "'%.100s' channel binding type not implemented", type);
    return NULL;
}

/* ---- attributes ----------------------------------------------------------------------------------------------- */

PyObject *tb_connection_get_session_reused(PyObject *object, void *closure)
{
    tb_connection *self = (tb_connection *)object;
    int reused, locked;

    (void)closure;
    locked = tb_connection_lock(self);
    reused = SSL_session_reused(self->ssl);
    tb_connection_unlock(self, locked);
    return PyBool_FromLong(reused);
}

PyObject *tb_connection_get_server_side(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((tb_connection *)object)->server_side);
}

PyObject *tb_connection_get_server_hostname(PyObject *object, void *closure)
{
    PyObject *name = ((tb_connection *)object)->server_hostname;

    (void)closure;
    if (name == NULL)
        Py_RETURN_NONE;
    Py_INCREF(name);
    return name;
}
