/* SPDX-License-Identifier: Apache-2.0 */
/* Input and output of a connection: handshake, write, shutdown; connection_read.c reads.
 *
 * An operation tries OpenSSL under the connection's lock, usually without the GIL.  The transports
 * never block: where OpenSSL wants more, the lock is given up and the socket waited for, so that a
 * reader that waits does not keep a writer out. */
#include "connection_io.h"

#include "context.h"
#include "kept_buffers.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define SSL_ERROR_NUMBER_NO_SOCKET 9 /* SSLErrorNumber has no name for it; ssl uses the number */

/* ---- operations ------------------------------------------------------------------------------------- */

int tb_raise_what_is_kept(PyObject **kept)
{
    PyErr_Restore(kept[0], kept[1], kept[2]);
    memset(kept, 0, 3 * sizeof *kept);
    ERR_clear_error();
    return -1;
}

/* The bytes that a cipher adds to a record, or 0 where they depend on padding.  RFC 8446 section 5.2
 * (one byte of type, the tag), RFC 5288 (explicit nonce of 8), RFC 7905 (none). */
static size_t overhead_of(const SSL_CIPHER *cipher, int version)
{
    switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm:
    case NID_aes_256_gcm:
        return version >= TLS1_3_VERSION ? TB_RECORD_HEADER + 1 + 16 : TB_RECORD_HEADER + 8 + 16;
    case NID_chacha20_poly1305:
        return version >= TLS1_3_VERSION ? TB_RECORD_HEADER + 1 + 16 : TB_RECORD_HEADER + 16;
    default:
        return 0;
    }
}

/* Found out once, and again where a record of a handshake came: a renegotiation of TLS 1.2 may change the cipher.  To
 * ask OpenSSL each time would take 0.4 % of a record's work. */
size_t tb_record_overhead(tb_connection *self)
{
    unsigned int others = tb_membio_others(self->incoming_queue);

    if (self->overhead_is_known && self->others == others)
        return self->overhead;
    self->overhead_is_known = SSL_is_init_finished(self->ssl);
    if (!self->overhead_is_known)
        return 0;
    self->others = others;
    self->overhead = overhead_of(SSL_get_current_cipher(self->ssl), SSL_version(self->ssl));
    return self->overhead;
}

/* Makes room for the ciphertext of the write to come.  Needs the GIL. */
static void reserve_ciphertext(tb_connection *self, size_t length)
{
    size_t records = (length + TB_RECORD_LENGTH - 1) / TB_RECORD_LENGTH, overhead;
    int locked;

    locked = tb_connection_lock(self);
    overhead = tb_record_overhead(self);
    tb_connection_unlock(self, locked);
    if (overhead != 0)
        tb_membio_reserve(self->outgoing_queue, length + records * overhead);
}

/* Begins (1) or ends (-1) to use the connection and its MemoryBIOs without the GIL.  Needs the GIL. */
static void expose(tb_connection *self, int change)
{
    tb_gil_lock_expose(&self->lock, change);
    if (self->incoming_queue != NULL) {
        tb_membio_expose(self->incoming_queue, change);
        tb_membio_expose(self->outgoing_queue, change);
    }
}

/* Locks for an operation, without the GIL if that is to be released: then *saved receives the thread's state. */
static int begin(tb_connection *self, int release_gil, PyThreadState **saved)
{
    if (!release_gil)
        return tb_connection_lock(self);
    expose(self, 1);
    *saved = self->incoming_queue != NULL ? tb_gil_give_up(&self->state->turns) : PyEval_SaveThread();
    pthread_mutex_lock(&self->lock.mutex);
    tb_openssl_enter(&self->lock.mutex);
    return 1;
}

static void end(tb_connection *self, int locked, PyThreadState *saved)
{
    if (saved == NULL) {
        tb_connection_unlock(self, locked);
        return;
    }
    pthread_mutex_unlock(&self->lock.mutex);
    tb_openssl_leave();
    if (self->incoming_queue != NULL)
        tb_gil_take_back(&self->state->turns, saved);
    else
        PyEval_RestoreThread(saved); /* what was waited for may take any time */
    expose(self, -1);
}

static void attempt(tb_connection *self, tb_operation act, tb_request *request, int release_gil, tb_outcome *outcome)
{
    PyThreadState *saved = NULL, *outer;
    int locked, *outer_locked;

    if (request != NULL && request->is_write_to_memory)
        reserve_ciphertext(self, request->length);
    if (request != NULL) /* to write or read */
        tb_buffers_keep(self);
    locked = begin(self, release_gil, &saved);
    outer = self->thread; /* set when a callback of this very thread calls us */
    outer_locked = self->locked;
    self->thread = saved;
    self->locked = &locked;
    tb_clear_errors();
    self->transport.sys_errno = 0;
    self->transport.at_eof = 0;
    outcome->result = act(self, request);
    outcome->ssl_error = outcome->result > 0 ? SSL_ERROR_NONE : SSL_get_error(self->ssl, outcome->result);
    outcome->sys_errno = self->transport.sys_errno;
    outcome->end_of_file = self->transport.at_eof;
    self->thread = outer;
    self->locked = outer_locked;
    end(self, locked, saved);
    tb_buffers_release(self);
    if (self->incoming_queue != NULL) {
        tb_membio_settle(self->incoming_queue);
        tb_membio_settle(self->outgoing_queue);
    }
}

static void now_plus(struct timespec *moment, double seconds)
{
    clock_gettime(CLOCK_MONOTONIC, moment);
    moment->tv_sec += (time_t)seconds;
    moment->tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (moment->tv_nsec >= 1000000000L) {
        moment->tv_nsec -= 1000000000L;
        moment->tv_sec++;
    }
}

static double seconds_until(const struct timespec *moment)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(moment->tv_sec - now.tv_sec) + (double)(moment->tv_nsec - now.tv_nsec) / 1e9;
}

/* The socket's timeout in seconds, -1 for none.  -2 with an exception. */
static double socket_timeout(tb_connection *self, PyObject *socket)
{
    PyObject *value = PyObject_CallMethodObjArgs(socket, self->state->gettimeout_name, NULL);
    double seconds = -1;

    if (value == NULL)
        return -2;
    if (value != Py_None) {
        seconds = PyFloat_AsDouble(value);
        if (PyErr_Occurred())
            seconds = -2;
    }
    Py_DECREF(value);
    return seconds;
}

typedef enum { WAITED, WOULD_BLOCK, WAIT_FAILED } wait_result;

/* Waits until the socket is ready for what OpenSSL wants. */
static wait_result wait_for_socket(tb_connection *self, tb_patience *limits, int ssl_error)
{
    double timeout = socket_timeout(self, limits->socket);

    if (timeout == -2)
        return WAIT_FAILED;
    if (timeout == 0)
        return WOULD_BLOCK;
    if (timeout > 0 && !limits->deadline_known) {
        now_plus(&limits->deadline, timeout);
        limits->deadline_known = 1;
    }
    for (;;) {
        struct pollfd waiting;
        int milliseconds = -1, ready;

        waiting.fd = self->transport.fd;
        waiting.events = ssl_error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        waiting.revents = 0;
        if (waiting.fd < 0)
            return WAITED; /* closed meanwhile: the next attempt says so */
        if (limits->deadline_known) {
            double left = seconds_until(&limits->deadline);

            milliseconds = left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)(left * 1000) + 1;
        }
        Py_BEGIN_ALLOW_THREADS
        ready = poll(&waiting, 1, milliseconds);
        Py_END_ALLOW_THREADS
        if (ready > 0)
            return WAITED;
        if (ready == 0) {
            PyObject *text = tb_native_str(limits->timeout_text);

            if (text != NULL)
                PyErr_SetObject(self->state->exceptions[TB_TIMEOUT], text);
            Py_XDECREF(text);
            return WAIT_FAILED;
        }
        if (errno != EINTR && errno != EAGAIN) {
            tb_raise_errno(self->state, errno);
            return WAIT_FAILED;
        }
        if (PyErr_CheckSignals() < 0)
            return WAIT_FAILED;
    }
}

int tb_run(tb_connection *self, tb_operation act, tb_request *request, tb_patience *limits, tb_outcome *outcome)
{
    int result = -1;

    limits->deadline_known = 0;
    limits->socket = NULL;
    if (self->socket != NULL) {
        limits->socket = tb_weakref_get(self->socket);
        if (limits->socket == NULL) {
            tb_raise(self->state, TB_SSL_ERROR, SSL_ERROR_NUMBER_NO_SOCKET, __LINE__,
                     "Underlying socket connection gone");
            return -1;
        }
        limits->release_gil = 1;
    }
    for (;;) {
        attempt(self, act, request, limits->release_gil, outcome);
        if ((request == NULL || !request->raised_late) && tb_raise_kept(self->pending_exception) < 0)
            break;
        if (outcome->result > 0) {
            result = 0;
            break;
        }
        /* Only a socket may have been slow, or interrupted by a signal. */
        if (limits->socket != NULL && PyErr_CheckSignals() < 0)
            break;
        if (limits->socket != NULL &&
            (outcome->ssl_error == SSL_ERROR_WANT_READ || outcome->ssl_error == SSL_ERROR_WANT_WRITE)) {
            wait_result waited = wait_for_socket(self, limits, outcome->ssl_error);

            if (waited == WAITED)
                continue;
            if (waited == WAIT_FAILED)
                break;
        }
        result = 1;
        break;
    }
    Py_XDECREF(limits->socket);
    return result;
}

/* ---- handshake ---------------------------------------------------------------------------------------- */

static int act_handshake(tb_connection *self, tb_request *request)
{
    (void)request;
    return SSL_do_handshake(self->ssl);
}

PyObject *tb_connection_do_handshake(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    tb_patience limits = {"_ssl.c: The handshake operation timed out", 1, NULL, 0, {0, 0}};
    tb_outcome outcome;
    int result;

    (void)unused;
    /* Only before the first message: a server name callback may assign any context later. */
    if (SSL_in_before(self->ssl) &&
        (self->server_side ? tb_context_is_client_only(self->context) : tb_context_is_server_only(self->context)))
        return tb_raise(
            self->state, TB_SSL_ERROR, 0, __LINE__,
            "Cannot create a %s socket with a PROTOCOL_TLS_%s context: called a function you should not call",
            self->server_side ? "server" : "client", self->server_side ? "CLIENT" : "SERVER");
    result = tb_run(self, act_handshake, NULL, &limits, &outcome);
    if (result < 0)
        return NULL;
    if (result > 0) {
        tb_raise_outcome(self->state, self->ssl, &outcome);
        if (outcome.ssl_error == SSL_ERROR_SSL)
            tb_handshake_refused(self);
        return NULL;
    }
    if (tb_handshake_completed(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

void tb_take_reset_as_end_of_file(tb_outcome *outcome)
{
    if ((outcome->sys_errno == ECONNRESET || outcome->sys_errno == EPIPE) && tb_reset_is_end_of_file()) {
        outcome->ssl_error = SSL_ERROR_SYSCALL;
        outcome->sys_errno = 0;
        ERR_clear_error();
    }
}

/* ---- write ---------------------------------------------------------------------------------------------- */

static int act_write(tb_connection *self, tb_request *request)
{
    return SSL_write_ex(self->ssl, request->source, request->length, &request->done);
}

PyObject *tb_connection_write(PyObject *object, PyObject *data)
{
    tb_connection *self = (tb_connection *)object;
    tb_patience limits = {"The write operation timed out", 0, NULL, 0, {0, 0}};
    tb_outcome outcome;
    tb_request request;
    tb_view view;
    PyObject *written = NULL;
    int result;

    if (tb_view_get(data, &view) < 0)
        return NULL;
    memset(&request, 0, sizeof request);
    request.source = view.data;
    request.length = (size_t)view.length;
    if (request.length == 0) {
        written = tb_long_from_size(0);
        goto exit;
    }
    limits.release_gil = tb_gil_turns_are_worth(&self->state->turns, request.length);
    request.is_write_to_memory = self->outgoing_queue != NULL;
    result = tb_run(self, act_write, &request, &limits, &outcome);
    if (result == 0)
        written = tb_last_int_get(&self->written, request.done);
    else if (result > 0) {
        tb_take_reset_as_end_of_file(&outcome);
        tb_raise_outcome(self->state, self->ssl, &outcome);
    }
exit:
    tb_view_release(&view);
    return written;
}

/* ---- shutdown ------------------------------------------------------------------------------------------------ */

/* Sends close_notify and waits for the peer's.  A second 0 from SSL_shutdown means that the peer's
 * has not arrived although the transport has nothing more: that is success, the data may be over. */
static int act_shutdown(tb_connection *self, tb_request *request)
{
    int result;

    (void)request;
    if (self->shutdown_seen_zero)
        SSL_set_read_ahead(self->ssl, 0);
    result = SSL_shutdown(self->ssl);
    if (result == 0 && !self->shutdown_seen_zero) {
        self->shutdown_seen_zero = 1;
        SSL_set_read_ahead(self->ssl, 0);
        result = SSL_shutdown(self->ssl);
    }
    return result == 0 ? 1 : result;
}

PyObject *tb_connection_shutdown(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    tb_patience limits = {"The read operation timed out", 1, NULL, 0, {0, 0}};
    tb_outcome outcome;
    PyObject *socket;
    int result;

    (void)unused;
    result = tb_run(self, act_shutdown, NULL, &limits, &outcome);
    if (result < 0)
        return NULL;
    if (result > 0)
        return tb_raise_outcome(self->state, self->ssl, &outcome);
    if (self->socket == NULL)
        Py_RETURN_NONE;
    socket = tb_weakref_get(self->socket);
    if (socket == NULL)
        Py_RETURN_NONE;
    return socket;
}

static int act_verify_client(tb_connection *self, tb_request *request)
{
    (void)request;
    return SSL_verify_client_post_handshake(self->ssl);
}

PyObject *tb_connection_verify_client_post_handshake(PyObject *object, PyObject *unused)
{
    tb_connection *self = (tb_connection *)object;
    tb_outcome outcome;

    (void)unused;
    attempt(self, act_verify_client, NULL, 0, &outcome);
    if (outcome.result == 0)
        return tb_raise_openssl(self->state);
    Py_RETURN_NONE;
}
