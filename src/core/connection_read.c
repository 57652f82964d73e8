/* SPDX-License-Identifier: Apache-2.0 */
/* Reading from a connection.
 *
 * OpenSSL gives one record at a time.  Where a record is full, what the peer wrote goes on in the next one, so a
 * read that asks for more gets that too if it is there: fewer calls for a large transfer.  Behind a shorter record
 * a read ends, however much waits, as it does in ssl: programs take such records for messages.  What fails behind
 * the data of a read is raised by the next one. */
#include "connection_io.h"

#include <string.h>

/* Records in one new object, where much waited since the queue was last empty and where little did.  glibc's malloc()
 * gives memory back to the kernel when 128 KiB are free at its end, or twice the largest object beyond 128 KiB that
 * there was, and gets it again for the next write and its reads, which takes as long as the decryption.  So what is
 * freed at a time has to stay small beside what was written. */
#define MOST_IN_AN_OBJECT (4 * TB_RECORD_LENGTH)
#define FEW_IN_AN_OBJECT  (2 * TB_RECORD_LENGTH)
#define MUCH_WAITS        (128 * 1024)
/* Records in a buffer of the caller's; between two reads Python looks for signals. */
#define MOST_IN_A_BUFFER  (64 * TB_RECORD_LENGTH)

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* ---- what OpenSSL is asked for -------------------------------------------------------------------------------- */

/* How many records OpenSSL has got, 0 where that is not counted. */
static unsigned int records_got(const tb_connection *self)
{
    return self->incoming_queue == NULL ? 0 : tb_membio_records(self->incoming_queue);
}

static int act_read(tb_connection *self, tb_request *request)
{
    unsigned int got = records_got(self);
    size_t part = 0;
    int result;

    result = SSL_read_ex(self->ssl, request->target, request->length, &part);
    request->done = part;
    if (result <= 0 || !request->reads_on || self->pending_exception[0] != NULL)
        return result;
    while (part == TB_RECORD_LENGTH && request->done < request->length) {
        /* One record, which was data, leaves no error; messages before it might have. */
        if (records_got(self) != ++got) {
            tb_clear_errors();
            got = records_got(self);
        }
        result = SSL_read_ex(self->ssl, request->target + request->done, request->length - request->done, &part);
        if (result > 0)
            request->done += part;
        else
            request->later_error = SSL_get_error(self->ssl, result);
        request->raised_late = self->pending_exception[0] != NULL;
        if (request->raised_late || result <= 0)
            break;
    }
    return 1;
}

/* Keeps for the next read what was raised or failed behind the data of this one.  What is not fatal, the next read
 * finds again. */
static void defer_failure(tb_connection *self, const tb_request *request, tb_outcome *outcome)
{
    PyObject **kept = self->deferred_exception;

    if (request->raised_late) {
        tb_raise_kept(self->pending_exception);
    } else if (request->later_error == SSL_ERROR_SSL || request->later_error == SSL_ERROR_SYSCALL) {
        outcome->ssl_error = request->later_error;
        tb_take_reset_as_end_of_file(outcome);
        tb_raise_outcome(self->state, self->ssl, outcome);
    }
    if (!PyErr_Occurred())
        return;
    if (kept[0] == NULL)
        PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    else
        PyErr_Clear(); /* of two threads that read, the first one's is told */
}

/* Reads into request->target.  0, or -1 with an exception; the peer's close_notify is 0 bytes. */
static int read_some(tb_connection *self, tb_request *request, int release_gil)
{
    tb_patience limits = {"The read operation timed out", 0, NULL, 0, {0, 0}};
    tb_outcome outcome;
    int result;

    limits.release_gil = release_gil;
    result = tb_run(self, act_read, request, &limits, &outcome);
    if (result > 0) {
        if (outcome.ssl_error == SSL_ERROR_ZERO_RETURN && SSL_get_shutdown(self->ssl) == SSL_RECEIVED_SHUTDOWN) {
            request->done = 0;
            return 0;
        }
        tb_take_reset_as_end_of_file(&outcome);
        tb_raise_outcome(self->state, self->ssl, &outcome);
    } else if (result == 0 && (request->raised_late || request->later_error != 0)) {
        defer_failure(self, request, &outcome);
    }
    return result == 0 ? 0 : -1;
}

/* ---- what can be told before OpenSSL is asked ------------------------------------------------------------------- */

typedef struct {
    int would_wait;    /* OpenSSL would find nothing to read */
    int release_gil;   /* worth it */
    size_t prediction; /* how many bytes it gives if it is asked for more, 0: unknown */
} outlook;

/* Over memory: the next read gives the rest of a record that was decrypted already, or the content of the
 * next one, whose header waits in the queue, and of those behind it if it is full. */
static void look_into_memory(tb_connection *self, size_t wanted, outlook *seen)
{
    size_t pending = 0, length, overhead;
    int begun, decrypted, ended, finished, locked;

    locked = tb_connection_lock(self);
    begun = SSL_has_pending(self->ssl); /* a record is in OpenSSL's buffer, whole or in part */
    length = tb_membio_peek_record(self->incoming_queue, !begun, &pending, &ended);
    overhead = length == 0 || begun ? 0 : tb_record_overhead(self);
    finished = overhead > 0 || SSL_is_init_finished(self->ssl);
    seen->release_gil = !finished; /* a handshake, which a read goes on with */
    /* A sans-IO program reads until it is told to wait, once for everything it receives, and OpenSSL gets and frees a
     * buffer of 16 KiB to find that out. */
    seen->would_wait = pending == 0 && !ended && finished && !begun && SSL_get_shutdown(self->ssl) == 0;
    self->much_waited = pending > MUCH_WAITS || (self->much_waited && !seen->would_wait);
    decrypted = begun ? SSL_pending(self->ssl) : 0;
    tb_connection_unlock(self, locked);
    if (decrypted > 0) {
        seen->prediction = (size_t)decrypted;
        return;
    }
    length += TB_RECORD_HEADER;
    if (overhead == 0 || length <= overhead || length - overhead > TB_RECORD_LENGTH)
        return;
    seen->prediction = length - overhead;
    if (seen->prediction == TB_RECORD_LENGTH && wanted > TB_RECORD_LENGTH) {
        size_t content = tb_membio_peek_content(self->incoming_queue, length, overhead, wanted);

        if (content > TB_RECORD_LENGTH)
            seen->prediction = content;
    }
    seen->release_gil |= tb_gil_turns_are_worth(&self->state->turns, smaller(seen->prediction, wanted));
}

static void look_ahead(tb_connection *self, size_t wanted, outlook *seen)
{
    memset(seen, 0, sizeof *seen);
    if (self->incoming_queue != NULL) {
        look_into_memory(self, wanted, seen);
        return;
    }
    seen->release_gil = 1;
}

/* ---- into a buffer ------------------------------------------------------------------------------------------------
 */

/* How the caller's buffer is filled.  A socket is asked for the next record to see whether it is there; a queue is
 * known to have as much as was predicted. */
static void plan_buffer(tb_connection *self, tb_request *request, const outlook *seen)
{
    if (self->incoming_queue == NULL) {
        request->reads_on = request->length > TB_RECORD_LENGTH;
    } else if (seen->prediction > TB_RECORD_LENGTH) {
        request->reads_on = 1;
        request->length = smaller(request->length, seen->prediction);
    }
}

PyObject *tb_connection_read_into(tb_connection *self, Py_ssize_t length, PyObject *buffer)
{
    PyObject *count = NULL;
    tb_request request;
    outlook seen;
    tb_view view;

    if (tb_view_get_writable(buffer, &view) < 0)
        return NULL;
    if (length <= 0 || length > view.length)
        length = view.length;
    memset(&request, 0, sizeof request);
    request.target = (char *)view.data;
    request.length = smaller((size_t)length, MOST_IN_A_BUFFER);
    if (length == 0) {
        count = tb_long_from_size(0);
        goto exit;
    }
    if (tb_raise_kept(self->deferred_exception) < 0)
        goto exit;
    look_ahead(self, request.length, &seen);
    if (seen.would_wait) {
        tb_raise_want_read(self->state);
        goto exit;
    }
    plan_buffer(self, &request, &seen);
    if (read_some(self, &request, seen.release_gil) == 0)
        count = tb_last_int_get(&self->read, request.done);
exit:
    tb_view_release(&view);
    return count;
}

/* ---- into a new object ----------------------------------------------------------------------------------------------
 */

static size_t decrypted_bytes(tb_connection *self)
{
    int pending, locked;

    locked = tb_connection_lock(self);
    pending = SSL_pending(self->ssl);
    tb_connection_unlock(self, locked);
    return (size_t)pending;
}

/* Where it cannot be told how much there will be, one record is copied out of the stack.  Not inlined: 16 KiB between
 * OpenSSL's frames and the caller's would keep what the last write has left in the processor's cache from being
 * used again. */
static PyObject *__attribute__((noinline)) read_unpredicted(tb_connection *self, size_t most, int release_gil)
{
    char record[TB_RECORD_LENGTH];
    tb_request request;

    memset(&request, 0, sizeof request);
    request.target = record;
    request.length = smaller(most, sizeof record);
    if (read_some(self, &request, release_gil) < 0)
        return NULL;
    return PyBytes_FromStringAndSize(record, (Py_ssize_t)request.done);
}

/* Mostly the object can be made in its final size. */
static PyObject *read_predicted(tb_connection *self, size_t length, const outlook *seen)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length), *shorter;
    tb_request request;

    if (bytes == NULL)
        return NULL;
    memset(&request, 0, sizeof request);
    request.target = TB_BYTES_DATA(bytes);
    request.length = length;
    request.reads_on = length > TB_RECORD_LENGTH;
    if (read_some(self, &request, seen->release_gil) < 0) {
        Py_DECREF(bytes);
        return NULL;
    }
    if (request.done == length)
        return bytes;
    shorter = PyBytes_FromStringAndSize(request.target, (Py_ssize_t)request.done);
    Py_DECREF(bytes);
    return shorter;
}

static PyObject *read_bytes(tb_connection *self, Py_ssize_t length)
{
    size_t wanted = smaller((size_t)length, MOST_IN_AN_OBJECT);
    outlook seen;

    if (length < 0) {
        PyErr_SetString(PyExc_ValueError, "size should not be negative");
        return NULL;
    }
    if (length == 0)
        return PyBytes_FromStringAndSize(NULL, 0);
    if (tb_raise_kept(self->deferred_exception) < 0)
        return NULL;
    look_ahead(self, wanted, &seen);
    if (seen.would_wait)
        return tb_raise_want_read(self->state);
    if (self->incoming_queue == NULL)
        seen.prediction = decrypted_bytes(self);
    if (seen.prediction == 0)
        return read_unpredicted(self, wanted, seen.release_gil);
    if (!self->much_waited)
        wanted = smaller(wanted, FEW_IN_AN_OBJECT);
    return read_predicted(self, smaller(wanted, seen.prediction), &seen);
}

/* ---- methods --------------------------------------------------------------------------------------------------------
 */

PyObject *tb_connection_read(PyObject *object, PyObject *length, PyObject *buffer)
{
    tb_connection *self = (tb_connection *)object;
    Py_ssize_t wanted = 1024;

    if (length != NULL) {
        wanted = PyNumber_AsSsize_t(length, PyExc_OverflowError);
        if (wanted == -1 && PyErr_Occurred())
            return NULL;
    }
    if (buffer != NULL && buffer != Py_None)
        return tb_connection_read_into(self, wanted, buffer);
    return read_bytes(self, wanted);
}

PyObject *tb_connection_pending(PyObject *object, PyObject *unused)
{
    (void)unused;
    return tb_long_from_size(decrypted_bytes((tb_connection *)object));
}
