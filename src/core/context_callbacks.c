/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL calls back into Python for: server names, pre-shared keys, protocol messages; and
 * what it calls back for without Python: ALPN and the key log.
 *
 * A callback finds its connection through the SSL and its context through the connection, which
 * holds both; the context that registered it may be gone after a change of context. */
#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a callback receives for a connection: the SSLObject or SSLSocket, or the core's object. */
static PyObject *connection_for_python(tb_connection *connection)
{
    PyObject *owner = tb_weakref_get(connection->owner);

    if (owner == NULL) {
        owner = (PyObject *)connection;
        Py_INCREF(owner);
    }
    return owner;
}

static int replace_callable(PyObject **place, PyObject *value, const char *refusal)
{
    PyObject *previous = *place;

    if (value == Py_None)
        value = NULL;
    if (value != NULL && !PyCallable_Check(value)) {
        PyErr_SetString(PyExc_TypeError, refusal);
        return -1;
    }
    Py_XINCREF(value);
    *place = value;
    Py_XDECREF(previous);
    return 0;
}

static PyObject *callable_or_none(PyObject *callable)
{
    if (callable == NULL)
        Py_RETURN_NONE;
    Py_INCREF(callable);
    return callable;
}

/* ---- ALPN, RFC 7301 ---------------------------------------------------------------------------------------- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
                       unsigned int offered_length, void *data)
{
    tb_context *context = tb_connection_of_ssl(ssl)->context;
    unsigned char *selected;

    (void)data;
    if (context->alpn == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&selected, out_length, context->alpn, context->alpn_length, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

PyObject *tb_context_set_alpn_protocols(PyObject *object, PyObject *arg)
{
    tb_context *self = (tb_context *)object;
    unsigned char *copy;
    tb_view view;

    if (tb_view_get(arg, &view) < 0)
        return NULL;
    if (view.length > 65535) {
        PyErr_SetString(PyExc_OverflowError, "protocols longer than 65535 bytes");
        tb_view_release(&view);
        return NULL;
    }
    copy = malloc(view.length > 0 ? (size_t)view.length : 1);
    if (copy == NULL) {
        tb_view_release(&view);
        return PyErr_NoMemory();
    }
    memcpy(copy, view.data, (size_t)view.length);
    free(self->alpn);
    self->alpn = copy;
    self->alpn_length = (unsigned int)view.length;
    tb_view_release(&view);
    if (SSL_CTX_set_alpn_protos(self->ctx, self->alpn, self->alpn_length) != 0)
        return PyErr_NoMemory();
    SSL_CTX_set_alpn_select_cb(self->ctx, select_alpn, NULL);
    Py_RETURN_NONE;
}

PyObject *tb_context_set_npn_protocols(PyObject *object, PyObject *arg)
{
    (void)object;
    (void)arg;
    PyErr_SetString(PyExc_NotImplementedError, "The NPN extension requires OpenSSL 1.0.1 or later.");
    return NULL;
}

/* ---- server name indication, RFC 6066 section 3 --------------------------------------------------------------- */

/* Calls the Python function; its answer as OpenSSL's, with *alert set. */
static int answer_server_name(tb_connection *connection, PyObject *callback, const char *name, int *alert)
{
    PyObject *owner;
    PyObject *name_object = NULL, *answer = NULL;
    int result = SSL_TLSEXT_ERR_ALERT_FATAL;
    int number;

    *alert = SSL_AD_INTERNAL_ERROR;
    owner = tb_weakref_get(connection->owner);
    if (owner == NULL && connection->owner != NULL)
        return result; /* the object that the function would be told of is gone */
    if (owner == NULL) {
        owner = (PyObject *)connection;
        Py_INCREF(owner);
    }
    if (name == NULL) {
        name_object = Py_None;
        Py_INCREF(name_object);
    } else {
        name_object = tb_native_str(name);
        if (name_object == NULL) {
            PyErr_WriteUnraisable(callback);
            goto exit;
        }
    }
    answer = PyObject_CallFunctionObjArgs(callback, owner, name_object, (PyObject *)connection->context, NULL);
    if (answer == NULL) {
        PyErr_WriteUnraisable(callback);
        *alert = SSL_AD_HANDSHAKE_FAILURE;
    } else if (answer == Py_None) {
        result = SSL_TLSEXT_ERR_OK;
    } else if (tb_as_int(answer, &number) == 0) {
        *alert = number;
    } else {
        PyErr_WriteUnraisable(answer);
    }
exit:
    Py_XDECREF(answer);
    Py_XDECREF(name_object);
    Py_DECREF(owner);
    return result;
}

static int on_server_name(SSL *ssl, int *alert, void *data)
{
    tb_connection *connection = tb_connection_of_ssl(ssl);
    PyObject *callback;
    int result = SSL_TLSEXT_ERR_NOACK;

    (void)data;
    tb_connection_enter_python(connection);
    callback = connection->context->sni_callback;
    if (callback != NULL) {
        Py_INCREF(callback); /* it may replace itself */
        result = answer_server_name(connection, callback, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), alert);
        Py_DECREF(callback);
    }
    tb_connection_leave_python(connection);
    return result;
}

PyObject *tb_context_get_sni_callback(PyObject *object, void *closure)
{
    (void)closure;
    return callable_or_none(((tb_context *)object)->sni_callback);
}

int tb_context_set_sni_callback(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    if (tb_context_is_client_only(self)) {
        PyErr_SetString(PyExc_ValueError, "sni_callback cannot be set on TLS_CLIENT context");
        return -1;
    }
    if (replace_callable(&self->sni_callback, value, "not a callable object") < 0)
        return -1;
    if (self->sni_callback != NULL)
        SSL_CTX_set_tlsext_servername_callback(self->ctx, on_server_name);
    else
        SSL_CTX_set_tlsext_servername_callback(self->ctx, NULL);
    return 0;
}

/* ---- protocol messages --------------------------------------------------------------------------------------------
 */

static int message_type(int content_type, const unsigned char *bytes, size_t length)
{
    switch (content_type) {
    case SSL3_RT_CHANGE_CIPHER_SPEC:
        return SSL3_MT_CHANGE_CIPHER_SPEC;
    case SSL3_RT_ALERT:
        return length > 1 ? bytes[1] : -1; /* the description follows the level */
    case SSL3_RT_HANDSHAKE:
    case SSL3_RT_HEADER:
    case SSL3_RT_INNER_CONTENT_TYPE:
        return length > 0 ? bytes[0] : -1;
    default:
        return -1;
    }
}

static void on_message(int writing, int version, int content_type, const void *bytes, size_t length, SSL *ssl,
                       void *data)
{
    tb_connection *connection = tb_connection_of_ssl(ssl);
    PyObject *owner, *callback, *answer;

    (void)data;
    tb_connection_enter_python(connection);
    callback = connection->context->msg_callback;
    if (callback != NULL) {
        PyObject *text = PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length);

        owner = connection_for_python(connection);
        Py_INCREF(callback);
        answer = text == NULL ? NULL
                              : PyObject_CallFunction(callback, "OsiiiO", owner, writing ? "write" : "read", version,
                                                      content_type, message_type(content_type, bytes, length), text);
        if (answer == NULL)
            tb_connection_keep_exception(connection);
        Py_XDECREF(answer);
        Py_XDECREF(text);
        Py_DECREF(owner);
        Py_DECREF(callback);
    }
    tb_connection_leave_python(connection);
}

PyObject *tb_context_get_msg_callback(PyObject *object, void *closure)
{
    (void)closure;
    return callable_or_none(((tb_context *)object)->msg_callback);
}

int tb_context_set_msg_callback(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    if (replace_callable(&self->msg_callback, value, "not a callable object") < 0)
        return -1;
    SSL_CTX_set_msg_callback(self->ctx, self->msg_callback != NULL ? on_message : NULL);
    return 0;
}

void tb_context_attach_msg_callback(tb_context *self, SSL *ssl)
{
    SSL_set_msg_callback(ssl, self->msg_callback != NULL ? on_message : NULL);
}

/* ---- key log: the format of NSS, for debugging tools
 * ------------------------------------------------------------------ */

static void on_secret(const SSL *ssl, const char *line)
{
    tb_connection *connection = tb_connection_of_ssl(ssl);
    tb_context *context = connection->context;
    int written = 1, error;

    /* The line goes out whole: several connections share the file. */
    pthread_mutex_lock(&context->keylog_lock);
    errno = 0;
    if (context->keylog != NULL)
        written = BIO_printf(context->keylog, "%s\n", line) > 0 && BIO_flush(context->keylog) == 1;
    error = errno;
    pthread_mutex_unlock(&context->keylog_lock);
    if (!written) {
        tb_connection_enter_python(connection);
        tb_raise_errno(connection->state, error != 0 ? error : EIO);
        tb_connection_keep_exception(connection);
        tb_connection_leave_python(connection);
    }
}

PyObject *tb_context_get_keylog_filename(PyObject *object, void *closure)
{
    (void)closure;
    return callable_or_none(((tb_context *)object)->keylog_filename);
}

static BIO *open_key_log(tb_context *self, PyObject *path)
{
    FILE *file = NULL;
    BIO *bio;
    int descriptor;

    if (!PyBytes_Check(path)) {
        PyErr_SetString(PyExc_TypeError, "a path as bytes is required");
        return NULL;
    }
    /* It will hold secrets: for the owner only. */
    descriptor = open(PyBytes_AsString(path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor >= 0)
        file = fdopen(descriptor, "a");
    if (file == NULL) {
        tb_raise_errno_path(self->state, errno, path);
        if (descriptor >= 0)
            close(descriptor);
        return NULL;
    }
    bio = BIO_new_fp(file, BIO_CLOSE | BIO_FP_TEXT);
    if (bio == NULL) {
        fclose(file);
        tb_raise_openssl(self->state);
        return NULL;
    }
    if (lseek(descriptor, 0, SEEK_END) == 0)
        BIO_puts(bio, "# TLS secrets log file, generated by OpenSSL / Python\n");
    (void)BIO_flush(bio);
    return bio;
}

int tb_context_set_keylog_filename(PyObject *object, PyObject *value, void *closure)
{
    tb_context *self = (tb_context *)object;
    PyObject *previous_name = self->keylog_filename;
    BIO *opened = NULL, *previous;

    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
        return -1;
    }
    if (value != Py_None) {
        opened = open_key_log(self, value);
        if (opened == NULL)
            return -1;
    }
    pthread_mutex_lock(&self->keylog_lock);
    previous = self->keylog;
    self->keylog = opened;
    pthread_mutex_unlock(&self->keylog_lock);
    BIO_free_all(previous);
    self->keylog_filename = NULL;
    if (opened != NULL) {
        Py_INCREF(value);
        self->keylog_filename = value;
    }
    Py_XDECREF(previous_name);
    SSL_CTX_set_keylog_callback(self->ctx, opened != NULL ? on_secret : NULL);
    return 0;
}

/* ---- pre-shared keys, RFC 4279 and RFC 8446 section 2.2
 * ------------------------------------------------------------------ */

/* Copies bytes to a C array; their number, or 0 (OpenSSL's "no key") with TypeError or ValueError. */
static unsigned int copy_key(PyObject *key, unsigned char *target, unsigned int room)
{
    tb_view view;
    unsigned int length = 0;

    if (tb_view_get(key, &view) < 0)
        return 0;
    if (view.length > (Py_ssize_t)room)
        PyErr_Format(PyExc_ValueError, "psk is longer than %u bytes", room);
    else {
        memcpy(target, view.data, (size_t)view.length);
        length = (unsigned int)view.length;
    }
    tb_view_release(&view);
    return length;
}

/* Copies a native str, None as "", with its NUL.  0, or -1 with an exception. */
static int copy_identity(PyObject *identity, char *target, unsigned int room)
{
    PyObject *holder = NULL;
    const char *text;
    int result = -1;

    if (identity == Py_None) {
        target[0] = '\0';
        return 0;
    }
    text = tb_native_str_data(identity, &holder);
    if (text != NULL) {
        if (strlen(text) >= room) {
            PyErr_Format(PyExc_ValueError, "psk identity is longer than %u bytes", room - 1);
        } else {
            strcpy(target, text);
            result = 0;
        }
    }
    Py_XDECREF(holder);
    return result;
}

static unsigned int ask_psk_client(SSL *ssl, const char *hint, char *identity, unsigned int identity_room,
                                   unsigned char *key, unsigned int key_room)
{
    tb_connection *connection = tb_connection_of_ssl(ssl);
    PyObject *callback, *answer = NULL;
    unsigned int length = 0;

    tb_connection_enter_python(connection);
    callback = connection->context->psk_client_callback;
    if (callback == NULL)
        goto exit;
    Py_INCREF(callback);
    /* "z": None for NULL.  An empty hint is no hint. */
    answer = PyObject_CallFunction(callback, "z", hint != NULL && hint[0] != '\0' ? hint : NULL);
    if (answer != NULL && (!PyTuple_Check(answer) || PyTuple_Size(answer) != 2))
        PyErr_SetString(PyExc_TypeError, "the psk callback must return (identity, key)");
    else if (answer != NULL && copy_identity(PyTuple_GetItem(answer, 0), identity, identity_room) == 0)
        length = copy_key(PyTuple_GetItem(answer, 1), key, key_room);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(callback);
        length = 0;
    }
    Py_XDECREF(answer);
    Py_DECREF(callback);
exit:
    tb_connection_leave_python(connection);
    return length;
}

static unsigned int ask_psk_server(SSL *ssl, const char *identity, unsigned char *key, unsigned int key_room)
{
    tb_connection *connection = tb_connection_of_ssl(ssl);
    PyObject *callback, *answer = NULL;
    unsigned int length = 0;

    tb_connection_enter_python(connection);
    callback = connection->context->psk_server_callback;
    if (callback == NULL)
        goto exit;
    Py_INCREF(callback);
    answer = PyObject_CallFunction(callback, "z", identity != NULL && identity[0] != '\0' ? identity : NULL);
    if (answer != NULL)
        length = copy_key(answer, key, key_room);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(callback);
        length = 0;
    }
    Py_XDECREF(answer);
    Py_DECREF(callback);
exit:
    tb_connection_leave_python(connection);
    return length;
}

PyObject *tb_context_set_psk_client_callback(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"callback", NULL};
    tb_context *self = (tb_context *)object;
    PyObject *callback;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:set_psk_client_callback", names, &callback))
        return NULL;
    if (tb_context_is_server_only(self))
        return tb_raise(self->state, TB_SSL_ERROR, 0, __LINE__,
                        "Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context");
    if (replace_callable(&self->psk_client_callback, callback, "callback must be callable") < 0)
        return NULL;
    SSL_CTX_set_psk_client_callback(self->ctx, self->psk_client_callback != NULL ? ask_psk_client : NULL);
    Py_RETURN_NONE;
}

PyObject *tb_context_set_psk_server_callback(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"callback", "identity_hint", NULL};
    tb_context *self = (tb_context *)object;
    PyObject *callback;
    const char *hint = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|z:set_psk_server_callback", names, &callback, &hint))
        return NULL;
    if (tb_context_is_client_only(self))
        return tb_raise(self->state, TB_SSL_ERROR, 0, __LINE__,
                        "Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context");
    if (SSL_CTX_use_psk_identity_hint(self->ctx, hint) != 1)
        return tb_raise_openssl(self->state);
    if (replace_callable(&self->psk_server_callback, callback, "callback must be callable") < 0)
        return NULL;
    SSL_CTX_set_psk_server_callback(self->ctx, self->psk_server_callback != NULL ? ask_psk_server : NULL);
    Py_RETURN_NONE;
}
