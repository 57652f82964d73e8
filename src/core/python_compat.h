/* SPDX-License-Identifier: Apache-2.0 */
/* Every difference between CPython versions that the C half has to know.
 *
 * Python 3 is compiled against the limited API of 3.4, so that one file serves 3.4 and everything
 * later; Python 2.7 is compiled against its full API minus whatever depends on the width of
 * unicode, so that one file serves UCS2 and UCS4 builds.  No other file tests a Python version. */
#ifndef TB_PYTHON_COMPAT_H
#define TB_PYTHON_COMPAT_H

#define PY_SSIZE_T_CLEAN
#if !defined(TB_PYTHON2) && !defined(Py_LIMITED_API)
#define Py_LIMITED_API 0x03040000
#endif
#include <Python.h>

#include <stddef.h>

#if defined(TB_PYTHON2) != (PY_MAJOR_VERSION < 3)
#error "TB_PYTHON2 must be defined exactly when the headers are Python 2.7's"
#endif

/* Of what is known to be a tuple or an exact bytes object: a call in the stable ABI, a look into the object on 2.7. */
#ifdef TB_PYTHON2
#define TB_TUPLE_SIZE   PyTuple_GET_SIZE
#define TB_TUPLE_ITEM   PyTuple_GET_ITEM
#define TB_BYTES_DATA   PyString_AS_STRING
#define TB_BYTES_LENGTH PyString_GET_SIZE
#else
#define TB_TUPLE_SIZE   PyTuple_Size
#define TB_TUPLE_ITEM   PyTuple_GetItem
#define TB_BYTES_DATA   PyBytes_AsString
#define TB_BYTES_LENGTH PyBytes_Size
#endif

/* ---- buffers --------------------------------------------------------------------------------
 * Py_buffer joined the limited API in 3.11 only, but its layout has not changed since 3.3 and the
 * functions are exported by every Python 3.  The struct is therefore declared here, the functions
 * are looked up at import, and the layout is tested once before it is trusted. */
typedef struct {
    void *buf;
    PyObject *obj; /* owned by the view */
    Py_ssize_t len;
    Py_ssize_t itemsize;
    int readonly;
    int ndim;
    char *format;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    Py_ssize_t *suboffsets;
    void *internal;
    Py_ssize_t spare[4]; /* 2.7's struct is longer (smalltable); room is all it needs */
} tb_buffer_layout;

typedef struct {
    tb_buffer_layout layout;
    const void *data; /* valid until tb_view_release() */
    Py_ssize_t length;
    int held;         /* layout must be released */
    PyObject *bytes;  /* owned: an exact bytes object, which needs no layout */
    void *bounce;     /* 2.7: private copy for an object that knows only the old buffer protocol */
    PyObject *target; /* 2.7: where the bounce buffer is written back to; borrowed */
} tb_view;

int tb_view_get_of_buffer(PyObject *object, tb_view *view);
void tb_view_release_buffer(tb_view *view);

/* Takes a view of any bytes-like object.  On 2.7 unicode is refused: the old buffer protocol would
 * expose its internal UCS2/UCS4 representation.  Returns 0, or -1 with TypeError/BufferError. */
static inline int tb_view_get(PyObject *object, tb_view *view)
{
    if (!PyBytes_CheckExact(object))
        return tb_view_get_of_buffer(object, view);
    /* It cannot change: a reference is enough.  The layout, which is most of a view, stays as it is: clearing it takes
     * longer than everything else here. */
    Py_INCREF(object);
    view->bytes = object;
    view->data = TB_BYTES_DATA(object);
    view->length = TB_BYTES_LENGTH(object);
    return 0;
}

/* The same for writing; the memory may be written through (void *)view->data. */
int tb_view_get_writable(PyObject *object, tb_view *view);

static inline void tb_view_release(tb_view *view)
{
    if (view->bytes != NULL)
        Py_CLEAR(view->bytes);
    else
        tb_view_release_buffer(view);
}

/* ---- native str: `str` of the running Python ------------------------------------------------- */
PyObject *tb_native_str(const char *utf8);
PyObject *tb_native_str_len(const char *utf8, Py_ssize_t length);
/* Like tb_native_str, for text of unknown encoding: undecodable bytes become backslash escapes. */
PyObject *tb_native_str_lossy(const char *text);
int tb_native_str_check(PyObject *object);
int tb_native_str_check_exact(PyObject *object);
/* Borrowed pointer into a native str.  On Python 3 the UTF-8 form is kept alive through *holder,
 * which the caller decrefs after use (NULL on 2.7).  NULL with TypeError/ValueError (embedded NUL). */
const char *tb_native_str_data(PyObject *object, PyObject **holder);
/* A native str for a path that came in as bytes (str on 2.7), decoded as the file system's names. */
PyObject *tb_native_path(PyObject *path);
/* A native str for an environment variable's value. */
PyObject *tb_native_environment(const char *value);
/* An int of up to 64 bits.  0, or -1 with TypeError, or OverflowError for negative and larger ones. */
int tb_as_uint64(PyObject *object, unsigned long long *value);
/* An int as C int.  0, or -1 with TypeError or OverflowError. */
int tb_as_int(PyObject *object, int *value);
/* Appends `item` and takes over the reference; -1 with an exception, which NULL means to be set already. */
int tb_list_append(PyObject *list, PyObject *item);
/* printf to a native str; unlike PyErr_Format("%s") it takes all of C's conversions. */
PyObject *tb_native_str_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#ifdef TB_PYTHON2
#define TB_NATIVE_FORMAT  "s" /* Py_BuildValue of a C string to native str: the same letter on both */
#define tb_long_from_size PyInt_FromSize_t
PyObject *tb_long_from_long(long value); /* an int where it fits, as 2.7's own modules return */
#else
#define tb_long_from_size PyLong_FromSize_t
#define tb_long_from_long PyLong_FromLong
#endif

/* ---- types ----------------------------------------------------------------------------------- */
#ifdef TB_PYTHON2
typedef struct {
    int slot;
    void *pfunc;
} PyType_Slot;
typedef struct {
    const char *name;
    int basicsize;
    int itemsize;
    unsigned int flags;
    PyType_Slot *slots;
} PyType_Spec;
enum {
    Py_tp_dealloc = 1,
    Py_tp_new,
    Py_tp_init,
    Py_tp_methods,
    Py_tp_getset,
    Py_tp_doc,
    Py_tp_traverse,
    Py_tp_clear,
    Py_tp_repr,
    Py_tp_hash,
    Py_tp_richcompare
};
PyObject *PyType_FromSpec(PyType_Spec *spec);
typedef long Py_hash_t;
#endif

/* The flags of every type.  Headers from 3.10 on take it for granted that a type's attributes may be cached, and leave
 * the flag out that says so.  Earlier Pythons, which run what was compiled with such headers, would look each one
 * up anew, and 3.8 gives up a reference too many where a class with a metaclass of its own has such a base. */
#define TB_TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VERSION_TAG)

/* tp_alloc of `type` (never called with a static type). */
PyObject *tb_type_alloc(PyTypeObject *type);
/* Ends a tp_dealloc: frees the memory and gives up the instance's reference to its type.  `running` is
 * the tp_dealloc that calls.  Before 3.8 a Python subclass's dealloc drops that reference
 * itself, so it must be dropped here for exact instances only. */
void tb_type_free(PyObject *self, destructor running);
/* tp_dealloc of `type`, NULL where this Python does not tell it (before 3.10, of static types). */
destructor tb_type_dealloc(PyTypeObject *type);
/* The same for tp_new. */
newfunc tb_type_new(PyTypeObject *type);
/* Heap types must visit their type from 3.9 on, and must not before. */
int tb_type_visit(PyObject *self, visitproc visit, void *arg);
/* The module that made `type` or one of its bases; new reference. */
int tb_type_bind_module(PyObject *type, PyObject *module);
PyObject *tb_type_module(PyTypeObject *type);

/* ---- calls ----------------------------------------------------------------------------------------
 * From 3.6 on a method can get its arguments without a tuple (METH_FASTCALL | METH_KEYWORDS): positional
 * ones, then those that the tuple `names` names. */
typedef PyObject *(*tb_fast_method)(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names);
/* Lets this Python call `fast` in the place of a method that takes a tuple and keywords, if it can.  To be
 * called before the type is made. */
void tb_prefer_fast_call(PyMethodDef *method, tb_fast_method fast);
/* Calls the form with tuple and keywords from the fast one, which leaves unusual arguments to it. */
PyObject *tb_call_with_tuple(PyCFunctionWithKeywords method, PyObject *self, PyObject *const *arguments,
                             Py_ssize_t count, PyObject *names);
/* Stores up to `most` positional arguments, borrowed, and returns their number; -1, without an exception, where
 * there are more or keywords.  PyArg_ParseTupleAndKeywords, which then tells what is wrong, costs 0.2 us. */
static inline Py_ssize_t tb_plain_arguments(PyObject *args, PyObject *kwargs, PyObject **arguments, Py_ssize_t most)
{
    Py_ssize_t count = TB_TUPLE_SIZE(args), i;

    if (kwargs != NULL || count > most)
        return -1;
    for (i = 0; i < count; i++)
        arguments[i] = TB_TUPLE_ITEM(args, i);
    return count;
}

/* A method's documentation; Python 3 makes its signature of the first line. */
#ifdef TB_PYTHON2
#define TB_METHOD_DOC(name, parameters, text) name "(" parameters ")\n\n" text
#else
#define TB_METHOD_DOC(name, parameters, text) name "($self, " parameters ")\n--\n\n" text
#endif

/* A running interpreter's version, PY_VERSION_HEX style (the headers tell only what we were compiled with). */
extern unsigned long tb_python_version;

/* Whether this Python's own ssl reports a connection that was reset as SSLEOFError (3.10 and
 * later), which SSLSocket may suppress, or as ConnectionResetError. */
int tb_reset_is_end_of_file(void);

/* Whether SSLSocket.send() on a socket that is not ready returns 0 (until 3.5, and 2.7's asyncore counts on
 * it) or raises SSLWantReadError or SSLWantWriteError. */
int tb_send_returns_zero(void);

/* A weak reference's referent as a new reference, or NULL without an exception if it is gone. */
PyObject *tb_weakref_get(PyObject *reference);

/* ---- the module ------------------------------------------------------------------------------
 * python_compat.c holds the init function; module.c describes the module through these. */
typedef struct {
    const char *name;
    const char *doc;
    size_t state_size;
    PyMethodDef *methods;
    int (*exec)(PyObject *module);
    traverseproc traverse;
    inquiry clear;
    void (*free)(void *state); /* gives up what the state owns; called once, with the state alone */
} tb_module_description;

extern const tb_module_description tb_module;

void *tb_module_state(PyObject *module);

#endif
