/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of SSLSocket that a program calls for every record.
 *
 * SSLSocket is a Python class (_socket.py) that extends socket.socket, so it cannot have a base in C with
 * fields of its own, as SSLObject has.  Instead these methods are put into the class, and find the
 * connection in the slot that the class has for it.  They do the ordinary case: an instance of exactly that
 * class, TLS in use, no flags.  For everything else, and wherever a subclass may have methods that must be
 * called, they call the general method of the class. */
#include "connection.h"

#define SLOT "_sslobj"

/* Where the slot is in an instance.  The same in all interpreters of a process; 0 until it is known. */
static Py_ssize_t slot_offset;

static PyObject *slot_of(PyObject *self)
{
    return *(PyObject **)((char *)self + slot_offset);
}

/* The connection as a new reference, since another thread may empty the slot while this one has no GIL;
 * NULL, without an exception, where the general method has to be called. */
static tb_connection *direct_connection(PyObject *self)
{
    PyObject *connection = slot_of(self);

    if (connection == NULL || !tb_is_connection(connection) ||
        Py_TYPE(self) != ((tb_connection *)connection)->state->ssl_socket_type)
        return NULL;
    Py_INCREF(connection);
    return (tb_connection *)connection;
}

static PyObject *call_general(PyObject *self, const char *name, PyObject *args, PyObject *kwargs)
{
    PyObject *method = PyObject_GetAttrString(self, name);
    PyObject *result = method == NULL ? NULL : PyObject_Call(method, args, kwargs);

    Py_XDECREF(method);
    return result;
}

/* Whether a read that has raised is to be told as the end of the data: the connection ended without close_notify,
 * and this socket passes over that.  The exception is then gone. */
static int is_suppressed_end(PyObject *self, core_state *state)
{
    PyObject *exception[3], *suppress;
    int suppressed, i;

    if (!PyErr_ExceptionMatches(state->exceptions[TB_EOF_ERROR]))
        return 0;
    PyErr_Fetch(&exception[0], &exception[1], &exception[2]);
    suppress = PyObject_GetAttrString(self, "suppress_ragged_eofs");
    suppressed = suppress == NULL ? -1 : PyObject_IsTrue(suppress);
    Py_XDECREF(suppress);
    if (suppressed == 0) {
        PyErr_Restore(exception[0], exception[1], exception[2]);
        return 0;
    }
    for (i = 0; i < 3; i++)
        Py_XDECREF(exception[i]);
    return suppressed > 0; /* or what the attribute raised is raised */
}

/* ---- receiving ---------------------------------------------------------------------------------------- */

static PyObject *receive(PyObject *self, tb_connection *connection, PyObject *length)
{
    PyObject *data = tb_connection_read((PyObject *)connection, length, NULL);

    if (data == NULL && is_suppressed_end(self, connection->state))
        data = PyBytes_FromStringAndSize(NULL, 0);
    Py_DECREF((PyObject *)connection);
    return data;
}

static PyObject *ssl_socket_recv(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *length = NULL;
    tb_connection *connection;

    if (tb_plain_arguments(args, kwargs, &length, 1) < 0 || (connection = direct_connection(self)) == NULL)
        return call_general(self, "_general_recv", args, kwargs);
    return receive(self, connection, length);
}

static PyObject *ssl_socket_recv_fast(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    tb_connection *connection;

    if (names != NULL || count > 1 || (connection = direct_connection(self)) == NULL)
        return tb_call_with_tuple(ssl_socket_recv, self, arguments, count, names);
    return receive(self, connection, count > 0 ? arguments[0] : NULL);
}

/* Without a length, or with 0, as much as the buffer takes. */
static PyObject *receive_into(PyObject *self, tb_connection *connection, PyObject *buffer, PyObject *length)
{
    Py_ssize_t wanted = 0;
    PyObject *count = NULL;

    if (length != NULL && length != Py_None) {
        wanted = PyNumber_AsSsize_t(length, PyExc_OverflowError);
        if (wanted == -1 && PyErr_Occurred())
            goto exit;
    }
    count = tb_connection_read_into(connection, wanted, buffer);
    if (count == NULL && is_suppressed_end(self, connection->state))
        count = tb_long_from_size(0);
exit:
    Py_DECREF((PyObject *)connection);
    return count;
}

static PyObject *ssl_socket_recv_into(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *given[2] = {NULL, NULL}; /* buffer, length */
    tb_connection *connection;

    if (tb_plain_arguments(args, kwargs, given, 2) < 1 || given[0] == Py_None ||
        (connection = direct_connection(self)) == NULL)
        return call_general(self, "_general_recv_into", args, kwargs);
    return receive_into(self, connection, given[0], given[1]);
}

static PyObject *ssl_socket_recv_into_fast(PyObject *self, PyObject *const *arguments, Py_ssize_t count,
                                           PyObject *names)
{
    tb_connection *connection;

    if (names != NULL || count < 1 || count > 2 || arguments[0] == Py_None ||
        (connection = direct_connection(self)) == NULL)
        return tb_call_with_tuple(ssl_socket_recv_into, self, arguments, count, names);
    return receive_into(self, connection, arguments[0], count > 1 ? arguments[1] : NULL);
}

/* ---- sending -------------------------------------------------------------------------------------------- */

static PyObject *send_some(tb_connection *connection, PyObject *data)
{
    core_state *state = connection->state;
    PyObject *written = tb_connection_write((PyObject *)connection, data);

    Py_DECREF((PyObject *)connection);
    if (written == NULL && tb_send_returns_zero() &&
        (PyErr_ExceptionMatches(state->exceptions[TB_WANT_READ_ERROR]) ||
         PyErr_ExceptionMatches(state->exceptions[TB_WANT_WRITE_ERROR]))) {
        PyErr_Clear();
        written = tb_long_from_size(0);
    }
    return written;
}

static PyObject *ssl_socket_send(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *data;
    tb_connection *connection;

    if (tb_plain_arguments(args, kwargs, &data, 1) != 1 || (connection = direct_connection(self)) == NULL)
        return call_general(self, "_general_send", args, kwargs);
    return send_some(connection, data);
}

static PyObject *ssl_socket_send_fast(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    tb_connection *connection;

    if (names != NULL || count != 1 || (connection = direct_connection(self)) == NULL)
        return tb_call_with_tuple(ssl_socket_send, self, arguments, count, names);
    return send_some(connection, arguments[0]);
}

/* Of bytes OpenSSL takes all, or the write raises; other objects' length in bytes is the general method's to find out.
 */
static PyObject *send_bytes(tb_connection *connection, PyObject *data)
{
    PyObject *written = tb_connection_write((PyObject *)connection, data);

    Py_DECREF((PyObject *)connection);
    if (written == NULL)
        return NULL;
    Py_DECREF(written);
    Py_RETURN_NONE;
}

static PyObject *ssl_socket_sendall(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *data;
    tb_connection *connection;

    if (tb_plain_arguments(args, kwargs, &data, 1) != 1 || !PyBytes_CheckExact(data) ||
        (connection = direct_connection(self)) == NULL)
        return call_general(self, "_general_sendall", args, kwargs);
    return send_bytes(connection, data);
}

static PyObject *ssl_socket_sendall_fast(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    tb_connection *connection;

    if (names != NULL || count != 1 || !PyBytes_CheckExact(arguments[0]) ||
        (connection = direct_connection(self)) == NULL)
        return tb_call_with_tuple(ssl_socket_sendall, self, arguments, count, names);
    return send_bytes(connection, arguments[0]);
}

/* ---- the class -------------------------------------------------------------------------------------------- */

enum { RECV, RECV_INTO, SEND, SENDALL, COUNT };

static PyMethodDef socket_methods[COUNT] = {
    [RECV] = {"recv", (PyCFunction)(void (*)(void))ssl_socket_recv, METH_VARARGS | METH_KEYWORDS,
              TB_METHOD_DOC("recv", "buflen=1024, flags=0", "Like socket.recv(), through TLS; flags must be 0.")},
    [RECV_INTO] = {"recv_into", (PyCFunction)(void (*)(void))ssl_socket_recv_into, METH_VARARGS | METH_KEYWORDS,
                   TB_METHOD_DOC("recv_into", "buffer, nbytes=None, flags=0",
                                 "Like socket.recv_into(), through TLS; flags must be 0.")},
    [SEND] = {"send", (PyCFunction)(void (*)(void))ssl_socket_send, METH_VARARGS | METH_KEYWORDS,
              TB_METHOD_DOC("send", "data, flags=0",
                            "Like socket.send(), through TLS; flags must be 0.\n\n"
                            "On a non-blocking socket that is not ready: SSLWantReadError or SSLWantWriteError; on 2.7 "
                            "it returns 0.")},
    [SENDALL] = {"sendall", (PyCFunction)(void (*)(void))ssl_socket_sendall, METH_VARARGS | METH_KEYWORDS,
                 TB_METHOD_DOC("sendall", "data, flags=0", "Like socket.sendall(), through TLS; flags must be 0.")},
};

static Py_ssize_t size_attribute(PyObject *type, const char *name)
{
    PyObject *value = PyObject_GetAttrString(type, name);
    Py_ssize_t size = value == NULL ? -1 : PyNumber_AsSsize_t(value, PyExc_OverflowError);

    Py_XDECREF(value);
    return size;
}

/* Where the slot of `type` is: a class that adds one slot to its base has it where the base's instances end.
 * That is tried with an instance before it is trusted.  0 where it is not so, -1 with an exception. */
static Py_ssize_t find_slot(PyObject *type)
{
    PyObject *base = PyObject_GetAttrString(type, "__base__"), *instance = NULL;
    Py_ssize_t offset, size, result = -1;

    if (base == NULL)
        return -1;
    offset = size_attribute(base, "__basicsize__");
    size = size_attribute(type, "__basicsize__");
    if (offset < 0 || size < 0)
        goto exit;
    result = 0;
    if (size < offset + (Py_ssize_t)sizeof(PyObject *))
        goto exit;
    result = -1;
    instance = PyObject_CallMethod(type, (char *)"__new__", (char *)"O", type);
    if (instance == NULL || PyObject_SetAttrString(instance, SLOT, type) < 0)
        goto exit;
    result = *(PyObject **)((char *)instance + offset) == type ? offset : 0;
exit:
    Py_XDECREF(instance);
    Py_DECREF(base);
    return result;
}

const char tb_add_socket_methods_doc[] =
    "add_socket_methods(cls)\n\nGives SSLSocket the methods that a program calls for every record; cls has a slot "
    "_sslobj.  False, with nothing done, where that is not found in its instances.";

PyObject *tb_add_socket_methods(PyObject *module, PyObject *type)
{
    core_state *state = tb_module_state(module);
    Py_ssize_t offset;
    int i;

    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "add_socket_methods() needs a class");
        return NULL;
    }
    offset = find_slot(type);
    if (offset < 0)
        return NULL;
    if (offset == 0 || (slot_offset != 0 && slot_offset != offset))
        Py_RETURN_FALSE;
    slot_offset = offset;
    tb_prefer_fast_call(&socket_methods[RECV], ssl_socket_recv_fast);
    tb_prefer_fast_call(&socket_methods[RECV_INTO], ssl_socket_recv_into_fast);
    tb_prefer_fast_call(&socket_methods[SEND], ssl_socket_send_fast);
    tb_prefer_fast_call(&socket_methods[SENDALL], ssl_socket_sendall_fast);
    for (i = 0; i < COUNT; i++) {
        PyObject *method = PyDescr_NewMethod((PyTypeObject *)type, &socket_methods[i]);
        int failed = method == NULL || PyObject_SetAttrString(type, socket_methods[i].ml_name, method) < 0;

        Py_XDECREF(method);
        if (failed)
            return NULL;
    }
    state->ssl_socket_type = (PyTypeObject *)type;
    Py_RETURN_TRUE;
}
