/* SPDX-License-Identifier: Apache-2.0 */
/* The base of SSLObject: the methods that a sans-IO program calls for every record.
 *
 * As Python functions around the connection's own they cost more than all the rest of ours: a frame
 * for a write, one for each read, one for the read that finds nothing.  Everything else of SSLObject is
 * Python (_object.py). */
#include "connection.h"

typedef struct {
    PyObject_HEAD PyObject *connection; /* owned; a tb_connection, or NULL before it is assigned */
} ssl_object;

static PyObject *ssl_object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args; /* __init__'s */
    (void)kwargs;
    return tb_type_alloc(type);
}

PyObject *tb_ssl_object_new(tb_context *context, PyTypeObject *class)
{
    PyObject *made;

    if (tb_type_new(class) == ssl_object_new)
        return tb_type_alloc(class);
    made = PyObject_CallMethod((PyObject *)class, "__new__", "O", (PyObject *)class);
    if (made != NULL && !PyObject_TypeCheck(made, context->state->ssl_object_type)) {
        Py_DECREF(made);
        PyErr_SetString(PyExc_TypeError, "what sslobject_class makes is no SSLObject");
        return NULL;
    }
    return made;
}

void tb_ssl_object_adopt(PyObject *object, PyObject *connection)
{
    ssl_object *self = (ssl_object *)object;
    PyObject *previous = self->connection;

    self->connection = connection;
    Py_XDECREF(previous);
}

static int ssl_object_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((ssl_object *)object)->connection);
    return tb_type_visit(object, visit, arg);
}

static int ssl_object_clear(PyObject *object)
{
    Py_CLEAR(((ssl_object *)object)->connection);
    return 0;
}

static void ssl_object_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    ssl_object_clear(object);
    tb_type_free(object, ssl_object_dealloc);
}

/* The connection, borrowed; NULL with AttributeError before there is one. */
static PyObject *connection_of(PyObject *object)
{
    PyObject *connection = ((ssl_object *)object)->connection;

    if (connection == NULL)
        PyErr_SetString(PyExc_AttributeError, "_sslobj");
    return connection;
}

static PyObject *ssl_object_get_connection(PyObject *object, void *closure)
{
    PyObject *connection = connection_of(object);

    (void)closure;
    Py_XINCREF(connection);
    return connection;
}

static int ssl_object_set_connection(PyObject *object, PyObject *value, void *closure)
{
    (void)closure;
    if (tb_refuse_delete(value) < 0)
        return -1;
    if (!tb_is_connection(value)) {
        PyErr_SetString(PyExc_TypeError, "_sslobj must be a connection of the C half");
        return -1;
    }
    Py_INCREF(value);
    tb_ssl_object_adopt(object, value);
    return 0;
}

/* Both keep the connection: in a callback, or in another thread meanwhile, the object may be given another one. */

static PyObject *read_from(PyObject *connection, PyObject *length, PyObject *buffer)
{
    PyObject *data;

    Py_INCREF(connection);
    data = tb_connection_read(connection, length, buffer);
    Py_DECREF(connection);
    return data;
}

static PyObject *write_to(PyObject *connection, PyObject *data)
{
    PyObject *written;

    Py_INCREF(connection);
    written = tb_connection_write(connection, data);
    Py_DECREF(connection);
    return written;
}

static PyObject *ssl_object_read(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"len", "buffer", NULL};
    PyObject *connection = connection_of(object);
    PyObject *given[2] = {NULL, NULL}; /* length, buffer */

    if (connection == NULL || (tb_plain_arguments(args, kwargs, given, 2) < 0 &&
                               !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:read", names, &given[0], &given[1])))
        return NULL;
    return read_from(connection, given[0], given[1]);
}

static PyObject *ssl_object_read_fast(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    PyObject *connection = ((ssl_object *)object)->connection;

    if (names != NULL || count > 2 || connection == NULL)
        return tb_call_with_tuple(ssl_object_read, object, arguments, count, names);
    return read_from(connection, count > 0 ? arguments[0] : NULL, count > 1 ? arguments[1] : NULL);
}

static PyObject *ssl_object_write(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"data", NULL};
    PyObject *connection = connection_of(object);
    PyObject *data;

    if (connection == NULL || (tb_plain_arguments(args, kwargs, &data, 1) != 1 &&
                               !PyArg_ParseTupleAndKeywords(args, kwargs, "O:write", names, &data)))
        return NULL;
    return write_to(connection, data);
}

static PyObject *ssl_object_write_fast(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    PyObject *connection = ((ssl_object *)object)->connection;

    if (names != NULL || count != 1 || connection == NULL)
        return tb_call_with_tuple(ssl_object_write, object, arguments, count, names);
    return write_to(connection, arguments[0]);
}

static PyObject *ssl_object_do_handshake(PyObject *object, PyObject *unused)
{
    PyObject *connection = connection_of(object);
    PyObject *result;

    if (connection == NULL)
        return NULL;
    Py_INCREF(connection); /* as above */
    result = tb_connection_do_handshake(connection, unused);
    Py_DECREF(connection);
    return result;
}

enum { READ, WRITE, REST };

static PyMethodDef ssl_object_methods[] = {
    [READ] = {"read", (PyCFunction)(void (*)(void))ssl_object_read, METH_VARARGS | METH_KEYWORDS,
              TB_METHOD_DOC("read", "len=1024, buffer=None",
                            "Returns up to len bytes of decrypted data, or reads them into buffer and returns their "
                            "number.")},
    [WRITE] = {"write", (PyCFunction)(void (*)(void))ssl_object_write, METH_VARARGS | METH_KEYWORDS,
               TB_METHOD_DOC("write", "data", "Encrypts bytes-like data; returns how many of its bytes were taken.")},
    [REST] = {"do_handshake", ssl_object_do_handshake, METH_NOARGS,
              TB_METHOD_DOC("do_handshake", "", "Starts or continues the handshake.")},
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef ssl_object_getset[] = {
    {"_sslobj", ssl_object_get_connection, ssl_object_set_connection, "The connection of the C half.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot ssl_object_slots[] = {
    {Py_tp_new, (void *)ssl_object_new},
    {Py_tp_dealloc, (void *)ssl_object_dealloc},
    {Py_tp_traverse, (void *)ssl_object_traverse},
    {Py_tp_clear, (void *)ssl_object_clear},
    {Py_tp_methods, ssl_object_methods},
    {Py_tp_getset, ssl_object_getset},
    {Py_tp_doc, "The base of SSLObject, with what it does for every record."},
    {0, NULL},
};

static PyType_Spec ssl_object_spec = {
    "_tls_bootstrap._core._SSLObject",
    sizeof(ssl_object),
    0,
    TB_TYPE_FLAGS | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    ssl_object_slots,
};

int tb_ssl_object_type_add(PyObject *module, core_state *state)
{
    tb_prefer_fast_call(&ssl_object_methods[READ], ssl_object_read_fast);
    tb_prefer_fast_call(&ssl_object_methods[WRITE], ssl_object_write_fast);
    state->ssl_object_type = (PyTypeObject *)PyType_FromSpec(&ssl_object_spec);
    if (state->ssl_object_type == NULL)
        return -1;
    return tb_type_bind_module((PyObject *)state->ssl_object_type, module);
}
