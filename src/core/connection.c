/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS connection, over a socket or over two MemoryBIOs: its life, its locking, its attributes.
 *
 * The mutex is recursive because OpenSSL's callbacks run Python code, which may ask the very
 * connection for its context or version.  gil_lock.h says where it is passed by. */
#include "connection.h"

#include "context.h"
#include "kept_buffers.h"

#include <errno.h>
#include <string.h>

/* ---- locking and callbacks ------------------------------------------------------------------------- */

/* The others see at once that the mutex counts. */
void tb_connection_take_mutex(tb_connection *self)
{
    tb_gil_lock_expose(&self->lock, 1);
    if (pthread_mutex_trylock(&self->lock.mutex) != 0) {
        /* Its holder may be waiting for the GIL in a callback. */
        Py_BEGIN_ALLOW_THREADS
        pthread_mutex_lock(&self->lock.mutex);
        Py_END_ALLOW_THREADS
    }
}

void tb_connection_give_mutex(tb_connection *self)
{
    pthread_mutex_unlock(&self->lock.mutex);
    tb_gil_lock_expose(&self->lock, -1);
}

tb_connection *tb_connection_of_ssl(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

void tb_connection_enter_python(tb_connection *self)
{
    if (self->thread != NULL) {
        tb_openssl_leave();
        PyEval_RestoreThread(self->thread);
    } else if (self->locked != NULL && !*self->locked) {
        /* The operation has kept others out with the GIL alone, which Python code gives up. */
        tb_connection_take_mutex(self);
        *self->locked = 1;
    }
}

void tb_connection_leave_python(tb_connection *self)
{
    if (self->thread != NULL) {
        self->thread = PyEval_SaveThread();
        tb_openssl_enter(NULL);
    }
}

void tb_connection_keep_exception(tb_connection *self)
{
    if (self->pending_exception[0] == NULL)
        PyErr_Fetch(&self->pending_exception[0], &self->pending_exception[1], &self->pending_exception[2]);
    else
        PyErr_Clear(); /* the first one tells the cause */
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static int attach_transport(tb_connection *self, PyObject *socket)
{
    BIO *reader, *writer;

    if (socket != NULL) {
        PyObject *number = PyObject_CallMethodObjArgs(socket, self->state->fileno_name, NULL);
        long fd;

        if (number == NULL)
            return -1;
        fd = PyLong_AsLong(number);
        Py_DECREF(number);
        if (fd == -1 && PyErr_Occurred())
            return -1;
        if (fd < 0) {
            tb_raise_errno(self->state, EBADF);
            return -1;
        }
        self->socket = PyWeakref_NewRef(socket, NULL);
        if (self->socket == NULL)
            return -1;
        self->transport.fd = (int)fd;
        reader = writer = tb_socket_new_bio(&self->transport);
    } else {
        reader = tb_membio_new_bio(self->incoming_queue);
        writer = tb_membio_new_bio(self->outgoing_queue);
        SSL_set_read_ahead(self->ssl, 1); /* membio.c gives it a record at a time */
    }
    if (reader == NULL || writer == NULL) {
        BIO_free(reader);
        if (writer != reader)
            BIO_free(writer);
        tb_raise_openssl(self->state);
        return -1;
    }
    SSL_set_bio(self->ssl, reader, writer);
    return 0;
}

static int initialise_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int result;

    if (pthread_mutexattr_init(&attributes) != 0)
        return -1;
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    result = pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return result == 0 ? 0 : -1;
}

static int set_owner(tb_connection *self, PyObject *owner)
{
    PyObject *reference = NULL, *previous = self->owner;

    if (owner != NULL && owner != Py_None) {
        reference = PyWeakref_NewRef(owner, NULL);
        if (reference == NULL)
            return -1;
    }
    self->owner = reference;
    Py_XDECREF(previous);
    return 0;
}

static int connection_set_session(PyObject *object, PyObject *value, void *closure)
{
    tb_connection *self = (tb_connection *)object;
    int finished, accepted, locked;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    if (!PyObject_TypeCheck(value, self->state->session_type)) {
        PyErr_SetString(PyExc_TypeError, "Value is not a SSLSession.");
        return -1;
    }
    if (tb_session_context(value)->ctx != self->context->ctx) {
        PyErr_SetString(PyExc_ValueError, "Session refers to a different SSLContext.");
        return -1;
    }
    if (self->server_side) {
        PyErr_SetString(PyExc_ValueError, "Cannot set session for server-side SSLSocket.");
        return -1;
    }
    locked = tb_connection_lock(self);
    finished = SSL_is_init_finished(self->ssl);
    accepted = finished ? 0 : SSL_set_session(self->ssl, tb_session_get(value));
    tb_connection_unlock(self, locked);
    if (finished) {
        PyErr_SetString(PyExc_ValueError, "Cannot set session after handshake.");
        return -1;
    }
    if (accepted == 0) {
        tb_raise_openssl(self->state);
        return -1;
    }
    return 0;
}

static PyObject *connection_get_session(PyObject *object, void *closure)
{
    tb_connection *self = (tb_connection *)object;
    SSL_SESSION *session;
    int locked;

    (void)closure;
    locked = tb_connection_lock(self);
    session = SSL_get1_session(self->ssl);
    tb_connection_unlock(self, locked);
    if (session == NULL)
        Py_RETURN_NONE;
    return tb_session_wrap(self->state, self->module, self->context, session);
}

/* Post-handshake authentication, RFC 8446 section 4.6.2: a server must not ask for a certificate
 * again before the handshake, a client must announce that it would answer. */
static void configure_post_handshake_auth(tb_connection *self)
{
    if (!self->context->post_handshake_auth)
        return;
    if (self->server_side) {
        int mode = SSL_get_verify_mode(self->ssl);

        if (mode & SSL_VERIFY_PEER)
            SSL_set_verify(self->ssl, mode | SSL_VERIFY_POST_HANDSHAKE, SSL_get_verify_callback(self->ssl));
    } else {
        SSL_set_post_handshake_auth(self->ssl, 1);
    }
}

PyObject *tb_connection_new(tb_context *context, PyObject *socket, PyObject *incoming, PyObject *outgoing,
                            int server_side, PyObject *server_hostname, PyObject *owner, PyObject *session)
{
    core_state *state = context->state;
    tb_connection *self;

    self = (tb_connection *)tb_type_alloc(state->connection_type);
    if (self == NULL)
        return NULL;
    self->state = state;
    self->transport.fd = -1;
    self->server_side = server_side;
    Py_INCREF(context->module);
    self->module = context->module;
    Py_INCREF((PyObject *)context);
    self->context = context;
    if (initialise_lock(&self->lock.mutex) < 0) {
        PyErr_NoMemory();
        goto error;
    }
    tb_clear_errors();
    self->ssl = SSL_new(context->ctx);
    if (self->ssl == NULL) {
        tb_raise_openssl(state);
        goto error;
    }
    SSL_set_app_data(self->ssl, self);
    SSL_set_mode(self->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    if (incoming != NULL) {
        Py_INCREF(incoming);
        self->incoming = incoming;
        self->incoming_queue = tb_membio_of(incoming);
        Py_INCREF(outgoing);
        self->outgoing = outgoing;
        self->outgoing_queue = tb_membio_of(outgoing);
    }
    if (attach_transport(self, socket) < 0)
        goto error;
    if (server_hostname != NULL && server_hostname != Py_None) {
        Py_INCREF(server_hostname);
        self->server_hostname = server_hostname;
        if (tb_configure_hostname(context, self->ssl, server_hostname) < 0)
            goto error;
    }
    configure_post_handshake_auth(self);
    if (server_side) {
        SSL_set_accept_state(self->ssl);
    } else {
        SSL_set_connect_state(self->ssl);
        /* The context's identifier is for a server's cache; a client with it would refuse the session
         * that OpenSSL makes of a pre-shared key. */
        SSL_set_session_id_context(self->ssl, (const unsigned char *)"", 0);
    }
    if (set_owner(self, owner) < 0)
        goto error;
    if (session != NULL && session != Py_None && connection_set_session((PyObject *)self, session, NULL) < 0)
        goto error;
    return (PyObject *)self;
error:
    Py_DECREF((PyObject *)self);
    return NULL;
}

static int connection_traverse(PyObject *object, visitproc visit, void *arg)
{
    tb_connection *self = (tb_connection *)object;
    int i;

    Py_VISIT((PyObject *)self->context);
    Py_VISIT(self->incoming);
    Py_VISIT(self->outgoing);
    for (i = 0; i < 3; i++) {
        Py_VISIT(self->pending_exception[i]);
        Py_VISIT(self->deferred_exception[i]);
    }
    return tb_type_visit(object, visit, arg);
}

static int connection_clear(PyObject *object)
{
    /* What `ssl` needs stays until the end; only exceptions can close a cycle from here. */
    tb_connection *self = (tb_connection *)object;
    int i;

    for (i = 0; i < 3; i++) {
        Py_CLEAR(self->pending_exception[i]);
        Py_CLEAR(self->deferred_exception[i]);
    }
    return 0;
}

static void connection_dealloc(PyObject *object)
{
    tb_connection *self = (tb_connection *)object;
    PyObject *module = self->module;

    PyObject_GC_UnTrack(object);
    connection_clear(object);
    tb_buffers_forget(self);
    if (self->ssl != NULL) {
        /* SSL_free makes the session unresumable after a close without close_notify, as TLS 1.0 asked
         * for; RFC 5246 section 7.2.1 no longer does, and SSLSession objects share that session. */
        SSL_set_shutdown(self->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(self->ssl);
    }
    pthread_mutex_destroy(&self->lock.mutex);
    Py_XDECREF(self->incoming);
    Py_XDECREF(self->outgoing);
    Py_XDECREF(self->owner);
    Py_XDECREF(self->socket);
    Py_XDECREF(self->server_hostname);
    Py_XDECREF(self->written.object);
    Py_XDECREF(self->read.object);
    Py_XDECREF((PyObject *)self->context);
    tb_type_free(object, connection_dealloc);
    Py_XDECREF(module);
}

/* ---- attributes ---------------------------------------------------------------------------------------------------
 */

static PyObject *connection_get_context(PyObject *object, void *closure)
{
    PyObject *context = (PyObject *)((tb_connection *)object)->context;

    (void)closure;
    Py_INCREF(context);
    return context;
}

static int connection_set_context(PyObject *object, PyObject *value, void *closure)
{
    tb_connection *self = (tb_connection *)object;
    PyObject *previous = (PyObject *)self->context;
    int locked;

    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    if (!PyObject_TypeCheck(value, self->state->context_type)) {
        PyErr_SetString(PyExc_TypeError, "The value must be a SSLContext");
        return -1;
    }
    locked = tb_connection_lock(self);
    Py_INCREF(value);
    self->context = (tb_context *)value;
    SSL_set_SSL_CTX(self->ssl, self->context->ctx);
    SSL_set_msg_callback(self->ssl, NULL);
    tb_connection_unlock(self, locked);
    tb_context_attach_msg_callback(self->context, self->ssl);
    Py_DECREF(previous);
    return 0;
}

static PyObject *connection_get_owner(PyObject *object, void *closure)
{
    PyObject *owner = tb_weakref_get(((tb_connection *)object)->owner);

    (void)closure;
    if (owner == NULL)
        Py_RETURN_NONE;
    return owner;
}

static int connection_set_owner(PyObject *object, PyObject *value, void *closure)
{
    (void)closure;
    return tb_refuse_delete(value) < 0 ? -1 : set_owner((tb_connection *)object, value);
}

static PyObject *connection_invalidate(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    int locked;

    (void)unused;
    locked = tb_connection_lock(self);
    self->transport.fd = -1;
    tb_connection_unlock(self, locked);
    Py_RETURN_NONE;
}

static PyObject *connection_read(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"size", "buffer", NULL};
    PyObject *given[2] = {NULL, NULL}; /* length, buffer */

    if (tb_plain_arguments(args, kwargs, given, 2) < 1 &&
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:read", names, &given[0], &given[1]))
        return NULL;
    return tb_connection_read(object, given[0], given[1]);
}

static PyObject *connection_read_fast(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    if (names != NULL || count < 1 || count > 2)
        return tb_call_with_tuple(connection_read, object, arguments, count, names);
    return tb_connection_read(object, arguments[0], count > 1 ? arguments[1] : NULL);
}

enum { READ, WRITE, REST };

static PyMethodDef connection_methods[] = {
    [READ] =
        {"read", (PyCFunction)(void (*)(void))connection_read, METH_VARARGS | METH_KEYWORDS,
         "read(size, [buffer])\n\nUp to size bytes, of one record unless it is full; into buffer if given, then their "
         "number."},
    [WRITE] = {"write", tb_connection_write, METH_O, "write(b)\n\nReturns the number of bytes written."},
    [REST] = {"do_handshake", tb_connection_do_handshake, METH_NOARGS, "do_handshake()"},
    {"pending", tb_connection_pending, METH_NOARGS, "pending()\n\nDecrypted bytes that wait to be read."},
    {"shutdown", tb_connection_shutdown, METH_NOARGS,
     "shutdown()\n\nSends close_notify, waits for the peer's; returns the socket, None over MemoryBIOs."},
    {"invalidate", connection_invalidate, METH_NOARGS,
     "invalidate()\n\nForgets the descriptor.  To be called before it is closed or detached."},
    {"verify_client_post_handshake", tb_connection_verify_client_post_handshake, METH_NOARGS,
     "verify_client_post_handshake()\n\nServer, TLS 1.3: asks for a certificate now."},
    {"getpeercert", tb_connection_getpeercert, METH_VARARGS,
     "getpeercert(der=False)\n\nThe peer's certificate as DER, or decoded to a dict (empty if unverified)."},
    {"get_verified_chain", tb_connection_get_verified_chain, METH_NOARGS,
     "get_verified_chain()\n\nThe chain that verification built, as Certificates; None without one."},
    {"get_unverified_chain", tb_connection_get_unverified_chain, METH_NOARGS,
     "get_unverified_chain()\n\nThe chain that the peer sent, as Certificates; None without one."},
    {"cipher", tb_connection_cipher, METH_NOARGS, "cipher()\n\n(name, protocol, secret bits) or None."},
    {"shared_ciphers", tb_connection_shared_ciphers, METH_NOARGS,
     "shared_ciphers()\n\nServer: the ciphers both sides support, in the client's order; None for a client."},
    {"compression", tb_connection_compression, METH_NOARGS, "compression()\n\nName of the method or None."},
    {"version", tb_connection_version, METH_NOARGS, "version()\n\nThe negotiated protocol or None."},
    {"group", tb_connection_group, METH_NOARGS, "group()\n\nName of the key exchange group or None."},
    {"client_sigalg", tb_connection_client_sigalg, METH_NOARGS,
     "client_sigalg()\n\nThe signature algorithm of the client's certificate verification or None."},
    {"server_sigalg", tb_connection_server_sigalg, METH_NOARGS,
     "server_sigalg()\n\nThe signature algorithm of the server's handshake signature or None."},
    {"selected_alpn_protocol", tb_connection_selected_alpn_protocol, METH_NOARGS,
     "selected_alpn_protocol()\n\nRFC 7301; None if none was agreed."},
    {"selected_npn_protocol", tb_connection_selected_npn_protocol, METH_NOARGS,
     "selected_npn_protocol()\n\nAlways None: OpenSSL's NPN is not compiled in."},
    {"get_channel_binding", tb_connection_get_channel_binding, METH_VARARGS,
     "get_channel_binding(type='tls-unique')\n\n'tls-unique' (RFC 5929) or 'tls-exporter' (RFC 9266), or None."},
    {"export_keying_material", tb_connection_export_keying_material, METH_VARARGS,
     "export_keying_material(label, length, context=None)\n\nRFC 5705 and RFC 8446 section 7.5."},
    {"extended_master_secret", tb_connection_extended_master_secret, METH_NOARGS,
     "extended_master_secret()\n\nWhether keys are bound to the handshake: RFC 7627, or TLS 1.3."},
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef connection_getset[] = {
    {"context", connection_get_context, connection_set_context, "The SSLContext.", NULL},
    {"owner", connection_get_owner, connection_set_owner, "The SSLObject or SSLSocket, held weakly.", NULL},
    {"session", connection_get_session, connection_set_session, "The SSLSession or None.", NULL},
    {"session_reused", tb_connection_get_session_reused, NULL, "Whether a session was resumed.", NULL},
    {"server_side", tb_connection_get_server_side, NULL, "Whether this is the server's end.", NULL},
    {"server_hostname", tb_connection_get_server_hostname, NULL, "The name asked for, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot connection_slots[] = {
    {Py_tp_new, (void *)tb_refuse_new},
    {Py_tp_dealloc, (void *)connection_dealloc},
    {Py_tp_traverse, (void *)connection_traverse},
    {Py_tp_clear, (void *)connection_clear},
    {Py_tp_methods, connection_methods},
    {Py_tp_getset, connection_getset},
    {0, NULL},
};

static PyType_Spec connection_spec = {
    "_tls_bootstrap._core._SSLSocket", sizeof(tb_connection), 0, TB_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC, connection_slots,
};

int tb_is_connection(PyObject *object)
{
    return tb_type_dealloc(Py_TYPE(object)) == connection_dealloc; /* no other type has it */
}

int tb_connection_type_add(PyObject *module, core_state *state)
{
    tb_prefer_fast_call(&connection_methods[READ], connection_read_fast);
    state->connection_type = (PyTypeObject *)PyType_FromSpec(&connection_spec);
    if (state->connection_type == NULL)
        return -1;
    return tb_type_bind_module((PyObject *)state->connection_type, module);
}
