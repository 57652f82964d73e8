/* SPDX-License-Identifier: Apache-2.0 */
/* A bare module, which only moves the bytes: the limit that the interpreter sets.
 *
 * worker.py uses it as it uses _tls_bootstrap, with the same calls of methods: an object for each read, ssl's exception
 * where nothing waits.  It has the same queues, with as few copies and one call of OpenSSL's for a record, and the
 * cheapest way that this very Python has to call C; from there on, what a binary for all Pythons of a line can call.
 * It empties OpenSSL's queue of errors before each call of OpenSSL's, as SSL_get_error(3) asks.  But it is right only
 * for what the benchmark does: no locks, other threads kept out unless over a socket, no error but the one where
 * nothing waits, arguments as expected, records of one length, one object waiting.  A module which has to be right is
 * slower; what is out of reach here is out of its reach. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "common.h"

#define RECORD            16384
#define HEADER            5
#define MOST_IN_AN_OBJECT (4 * RECORD)
#define ALONE             4096        /* bytes, room for the usual flight of a handshake */
#define SLACK             (64 * 1024) /* what may be kept beyond twice what is pending: this is asked of a bare module too */
/* The longest record without its header: what is asked for beyond it is a header, OpenSSL reading ahead. */
#define LONGEST_REST      (SSL3_RT_MAX_PLAIN_LENGTH + SSL3_RT_MAX_ENCRYPTED_OVERHEAD)

/* Methods of two arguments: from 3.7 on without a tuple; 3.6 hands names over besides, which are not looked at. */
#if PY_VERSION_HEX >= 0x03060000
#define TWO_ARGUMENTS METH_FASTCALL
typedef PyObject *const *two_arguments;
#define ARGUMENT(arguments, number) ((arguments)[number])
#define FUNCTION_OF_TWO(name)       PyObject *name(PyObject *object, two_arguments arguments, Py_ssize_t count)
#define COUNT(arguments)            count
#else
#define TWO_ARGUMENTS               METH_VARARGS
typedef PyObject *two_arguments;
#define ARGUMENT(arguments, number) PyTuple_GET_ITEM(arguments, number)
#define FUNCTION_OF_TWO(name)       PyObject *name(PyObject *object, two_arguments arguments)
#define COUNT(arguments)            PyTuple_GET_SIZE(arguments)
#endif

#if PY_MAJOR_VERSION == 2
#define INT_FROM(size)    PyInt_FromSsize_t(size)
#define SIZE_FROM(object) PyInt_AsSsize_t(object)
#define BYTES_DATA        PyBytes_AS_STRING
#define BYTES_SIZE        PyBytes_GET_SIZE
#define BYTEARRAY_DATA    PyByteArray_AS_STRING
#define BYTEARRAY_SIZE    PyByteArray_GET_SIZE
#else /* without what looks into objects, which differ from one Python 3 to the next */
#define INT_FROM(size)    PyLong_FromSsize_t(size)
#define SIZE_FROM(object) PyLong_AsSsize_t(object)
#define BYTES_DATA        PyBytes_AsString
#define BYTES_SIZE        PyBytes_Size
#define BYTEARRAY_DATA    PyByteArray_AsString
#define BYTEARRAY_SIZE    PyByteArray_Size
#endif

/* SSLWantReadError, and its errno and strerror (ssl documentation, "Exceptions"). */
static PyObject *want, *want_arguments;

/* ---- MemoryBIO --------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD PyObject *waiting; /* what was written by the program */
    size_t start, end;
    PyObject *reserved; /* of the length of the write in progress, which OpenSSL fills */
    size_t filled;
    char *handshake; /* what OpenSSL writes else */
    size_t length, capacity;
} memory;

static int memory_put(BIO *bio, const char *data, int length)
{
    memory *self = BIO_get_data(bio);
    char *target;

    BIO_clear_retry_flags(bio);
    if (self->reserved != NULL) {
        target = BYTES_DATA(self->reserved) + self->filled;
        self->filled += (size_t)length;
    } else {
        if (self->length + (size_t)length > self->capacity) {
            self->capacity = ALONE + 2 * (self->length + (size_t)length);
            self->handshake = realloc(self->handshake, self->capacity);
            if (self->handshake == NULL)
                fail("realloc");
        }
        target = self->handshake + self->length;
        self->length += (size_t)length;
    }
    memcpy(target, data, (size_t)length);
    return length;
}

static size_t record_at(const char *header)
{
    return HEADER + ((size_t)(unsigned char)header[3] << 8 | (unsigned char)header[4]);
}

static int memory_get(BIO *bio, char *data, int length)
{
    memory *self = BIO_get_data(bio);
    size_t available = self->end - self->start, part = (size_t)length;

    BIO_clear_retry_flags(bio);
    if (available == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (part > LONGEST_REST) {
        part = available < HEADER ? HEADER : record_at(BYTES_DATA(self->waiting) + self->start);
        if (part > available || part > (size_t)length)
            part = HEADER;
    }
    if (part > available)
        part = available;
    memcpy(data, BYTES_DATA(self->waiting) + self->start, part);
    self->start += part;
    return (int)part;
}

static BIO *memory_bio(memory *self)
{
    static BIO_METHOD *method;

    return new_bio(&method, memory_put, memory_get, self);
}

static PyObject *memory_read(PyObject *object, PyObject *unused)
{
    memory *self = (memory *)object;
    PyObject *bytes = self->reserved;

    (void)unused;
    self->reserved = NULL;
    self->filled = 0;
    if (bytes == NULL) {
        bytes = PyBytes_FromStringAndSize(self->handshake, (Py_ssize_t)self->length);
        self->length = 0;
    }
    return bytes;
}

static PyObject *memory_write(PyObject *object, PyObject *data)
{
    memory *self = (memory *)object;

    if (self->start < self->end)
        fail("to write where something waits");
    Py_XDECREF(self->waiting);
    Py_INCREF(data);
    self->waiting = data;
    self->start = 0;
    self->end = (size_t)BYTES_SIZE(data);
    return INT_FROM((Py_ssize_t)self->end);
}

static void memory_dealloc(PyObject *object)
{
    memory *self = (memory *)object;

    Py_XDECREF(self->waiting);
    Py_XDECREF(self->reserved);
    free(self->handshake);
    PyObject_Del(object);
}

static PyMethodDef memory_methods[] = {
    {"read", memory_read, METH_NOARGS, NULL},
    {"write", memory_write, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject memory_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bare.MemoryBIO",
    .tp_basicsize = sizeof(memory),
    .tp_dealloc = memory_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = memory_methods,
};

static PyObject *new_memory(PyObject *module, PyObject *unused)
{
    memory *self = PyObject_New(memory, &memory_type);

    (void)module;
    (void)unused;
    if (self != NULL)
        memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    return (PyObject *)self;
}

/* ---- connections -------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD SSL *ssl;
    memory *in, *out; /* NULL over a socket */
    size_t overhead;  /* what encryption adds to a record, with its header; 0: not known yet */
} connection;

static size_t overhead(connection *self)
{
    if (self->overhead == 0) {
        self->overhead = HEADER + 16;
        if (SSL_version(self->ssl) == TLS1_3_VERSION)
            self->overhead += 1;
        else if (strstr(SSL_get_cipher_name(self->ssl), "CHACHA20") == NULL)
            self->overhead += 8;
    }
    return self->overhead;
}

/* Whether writes and reads in memory give up the GIL, which they keep else. */
static int gives_up_gil;

static PyThreadState *give_up_gil(void)
{
    return gives_up_gil ? PyEval_SaveThread() : NULL;
}

static void take_gil(PyThreadState *given_up)
{
    if (given_up != NULL)
        PyEval_RestoreThread(given_up);
}

static PyObject *would_wait(void)
{
    PyErr_SetObject(want, want_arguments);
    return NULL;
}

/* What an earlier call left would pass for this one's error.  To empty an empty queue takes longer than to look. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static PyObject *connection_do_handshake(PyObject *object, PyObject *unused)
{
    connection *self = (connection *)object;
    int result;

    (void)unused;
    forget_errors();
    Py_BEGIN_ALLOW_THREADS
    result = SSL_do_handshake(self->ssl);
    Py_END_ALLOW_THREADS
    if (result == 1)
        Py_RETURN_NONE;
    if (SSL_get_error(self->ssl, result) != SSL_ERROR_WANT_READ)
        fail("SSL_do_handshake");
    return would_wait();
}

static PyObject *connection_write(PyObject *object, PyObject *data)
{
    connection *self = (connection *)object;
    size_t length = (size_t)BYTES_SIZE(data), records = (length + RECORD - 1) / RECORD, done = 0;
    PyThreadState *given_up;
    int result;

    self->out->reserved = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(length + records * overhead(self)));
    if (self->out->reserved == NULL)
        return NULL;
    forget_errors();
    given_up = give_up_gil();
    result = SSL_write_ex(self->ssl, BYTES_DATA(data), length, &done);
    take_gil(given_up);
    if (result != 1)
        fail("SSL_write_ex");
    return INT_FROM((Py_ssize_t)done);
}

/* What a read of up to `most` bytes gives: the content of the next record, and of those behind a full one. */
static size_t content_ahead(connection *self, size_t most)
{
    const char *at = BYTES_DATA(self->in->waiting) + self->in->start;
    const char *end = BYTES_DATA(self->in->waiting) + self->in->end;
    size_t content = 0, record;

    do {
        record = record_at(at);
        content += record - overhead(self);
        at += record;
    } while (record == RECORD + overhead(self) && content < most && at < end);
    return content < most ? content : most;
}

/* Moves the rest of a mostly read object, so that the object can go. */
static void keep_little(memory *self)
{
    size_t rest = self->end - self->start;
    PyObject *moved = NULL;

    if ((size_t)BYTES_SIZE(self->waiting) <= 2 * rest + SLACK && rest > 0)
        return;
    if (rest > 0) {
        moved = PyBytes_FromStringAndSize(BYTES_DATA(self->waiting) + self->start, (Py_ssize_t)rest);
        if (moved == NULL)
            fail("PyBytes_FromStringAndSize");
    }
    Py_DECREF(self->waiting);
    self->waiting = moved;
    self->start = 0;
    self->end = rest;
}

/* 0, or -1 where there was no data but, say, a session ticket. */
static int read_records(connection *self, char *target, size_t length)
{
    size_t done = 0, part = 0;
    PyThreadState *given_up;
    int result;

    forget_errors();
    given_up = give_up_gil();
    do {
        result = SSL_read_ex(self->ssl, target + done, length - done, &part);
        done += part;
    } while (result == 1 && done < length);
    take_gil(given_up);
    if (result != 1)
        return -1;
    keep_little(self->in);
    return 0;
}

static PyObject *connection_read(PyObject *object, PyObject *length)
{
    connection *self = (connection *)object;
    size_t most = (size_t)SIZE_FROM(length);
    PyObject *bytes;

    if (self->in->start == self->in->end)
        return would_wait();
    most = content_ahead(self, most < MOST_IN_AN_OBJECT ? most : MOST_IN_AN_OBJECT);
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most);
    if (bytes != NULL && read_records(self, BYTES_DATA(bytes), most) < 0) {
        Py_DECREF(bytes);
        return would_wait();
    }
    return bytes;
}

/* (length, bytearray) */
static FUNCTION_OF_TWO(connection_read_into)
{
    connection *self = (connection *)object;
    size_t most = (size_t)SIZE_FROM(ARGUMENT(arguments, 0));

    if (COUNT(arguments) != 2)
        fail("read_into without a buffer");
    if (self->in->start == self->in->end)
        return would_wait();
    most = content_ahead(self, most);
    if (read_records(self, BYTEARRAY_DATA(ARGUMENT(arguments, 1)), most) < 0)
        return would_wait();
    return INT_FROM((Py_ssize_t)most);
}

static PyObject *connection_sendall(PyObject *object, PyObject *data)
{
    connection *self = (connection *)object;
    int result;

    forget_errors();
    Py_BEGIN_ALLOW_THREADS
    result = SSL_write(self->ssl, BYTES_DATA(data), (int)BYTES_SIZE(data));
    Py_END_ALLOW_THREADS
    if (result != BYTES_SIZE(data))
        fail("SSL_write");
    Py_RETURN_NONE;
}

/* (bytearray[, length]) */
static FUNCTION_OF_TWO(connection_recv_into)
{
    connection *self = (connection *)object;
    PyObject *target = ARGUMENT(arguments, 0);
    Py_ssize_t length = BYTEARRAY_SIZE(target);
    int result;

    if (COUNT(arguments) > 1 && SIZE_FROM(ARGUMENT(arguments, 1)) < length)
        length = SIZE_FROM(ARGUMENT(arguments, 1));
    forget_errors();
    Py_BEGIN_ALLOW_THREADS
    result = SSL_read(self->ssl, BYTEARRAY_DATA(target), (int)length);
    Py_END_ALLOW_THREADS
    if (result <= 0)
        fail("SSL_read");
    return INT_FROM(result);
}

static PyObject *connection_facts(PyObject *object, PyObject *unused)
{
    SSL *ssl = ((connection *)object)->ssl;

    (void)unused;
    return Py_BuildValue("{s:s, s:s, s:s}", "version", SSL_get_version(ssl), "cipher", SSL_get_cipher_name(ssl),
                         "group", SSL_get0_group_name(ssl));
}

static void connection_dealloc(PyObject *object)
{
    connection *self = (connection *)object;

    SSL_set_shutdown(self->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(self->ssl);
    Py_XDECREF(self->in);
    Py_XDECREF(self->out);
    PyObject_Del(object);
}

#define OF_TWO(function) (PyCFunction)(void (*)(void))(function), TWO_ARGUMENTS, NULL

static PyMethodDef connection_methods[] = {
    {"do_handshake", connection_do_handshake, METH_NOARGS, NULL},
    {"write", connection_write, METH_O, NULL},
    {"read", connection_read, METH_O, NULL},
    {"read_into", OF_TWO(connection_read_into)},
    {"sendall", connection_sendall, METH_O, NULL},
    {"recv_into", OF_TWO(connection_recv_into)},
    {"facts", connection_facts, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject connection_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bare.Connection",
    .tp_basicsize = sizeof(connection),
    .tp_dealloc = connection_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = connection_methods,
};

static connection *new_connection(PyObject *context, int server_side)
{
    connection *self = PyObject_New(connection, &connection_type);

    if (self == NULL)
        return NULL;
    self->in = self->out = NULL;
    self->overhead = 0;
    self->ssl = SSL_new(PyCapsule_GetPointer(context, NULL));
    if (self->ssl == NULL)
        fail("SSL_new");
    if (server_side) {
        SSL_set_accept_state(self->ssl);
    } else {
        SSL_set_connect_state(self->ssl);
        set_names(self->ssl);
    }
    return self;
}

/* (context, incoming, outgoing, server_side) */
static PyObject *wrap_bio(PyObject *module, PyObject *arguments)
{
    PyObject *context;
    memory *in, *out;
    connection *made;
    int server_side;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOOi", &context, &in, &out, &server_side))
        return NULL;
    made = new_connection(context, server_side);
    if (made == NULL)
        return NULL;
    Py_INCREF(in);
    Py_INCREF(out);
    made->in = in;
    made->out = out;
    SSL_set_read_ahead(made->ssl, 1);
    SSL_set_bio(made->ssl, memory_bio(in), memory_bio(out));
    return (PyObject *)made;
}

/* (context, descriptor, server_side) */
static PyObject *wrap_socket(PyObject *module, PyObject *arguments)
{
    PyObject *context;
    connection *made;
    int descriptor, server_side;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Oii", &context, &descriptor, &server_side))
        return NULL;
    made = new_connection(context, server_side);
    if (made != NULL && SSL_set_fd(made->ssl, descriptor) != 1)
        fail("SSL_set_fd");
    return (PyObject *)made;
}

/* (certificates, server, version, suite, key, group); lives as long as the process */
static PyObject *context(PyObject *module, PyObject *arguments)
{
    const char *directory, *version, *suite, *key, *group;
    settings wanted;
    SSL_CTX *made;
    int server;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "sissss", &directory, &server, &version, &suite, &key, &group))
        return NULL;
    certificates = directory;
    wanted.version = version_number(version);
    wanted.suite = suite;
    wanted.key = key;
    wanted.group = group;
    made = make_context(server, &wanted);
    keep_buffers(made);
    return PyCapsule_New(made, NULL, NULL);
}

static PyObject *openssl(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("s", OpenSSL_version(OPENSSL_VERSION));
}

static PyObject *set_gives_up_gil(PyObject *module, PyObject *flag)
{
    (void)module;
    gives_up_gil = PyObject_IsTrue(flag);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"MemoryBIO", new_memory, METH_NOARGS, NULL},
    {"wrap_bio", wrap_bio, METH_VARARGS, NULL},
    {"wrap_socket", wrap_socket, METH_VARARGS, NULL},
    {"context", context, METH_VARARGS, NULL},
    {"openssl", openssl, METH_NOARGS, NULL},
    {"set_gives_up_gil", set_gives_up_gil, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *fill(PyObject *module)
{
    PyObject *error;

    if (module == NULL || PyType_Ready(&memory_type) < 0 || PyType_Ready(&connection_type) < 0)
        return NULL;
    error = PyErr_NewException((char *)"bare.SSLError", PyExc_OSError, NULL);
    if (error == NULL)
        return NULL;
    want = PyErr_NewException((char *)"bare.WantRead", error, NULL);
    want_arguments = Py_BuildValue("is", SSL_ERROR_WANT_READ, "The operation did not complete (read)");
    Py_DECREF(error);
    Py_XINCREF(want);
    if (want == NULL || want_arguments == NULL || PyModule_AddObject(module, "WantRead", want) < 0)
        return NULL;
    return module;
}

#if PY_MAJOR_VERSION == 2
PyMODINIT_FUNC initbare(void)
{
    fill(Py_InitModule("bare", functions));
}
#else
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "bare", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_bare(void)
{
    return fill(PyModule_Create(&definition));
}
#endif
