/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between CPython versions, behind the functions of python_compat.h. */
#include "python_compat.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned long tb_python_version;

#define TB_WRITABLE 1 /* PyBUF_WRITABLE; the name is not in the limited API of 3.4 */
#define TB_SIMPLE   0

/* ---- native str ------------------------------------------------------------------------------ */

#ifdef TB_PYTHON2

PyObject *tb_native_str_len(const char *utf8, Py_ssize_t length)
{
    return PyString_FromStringAndSize(utf8, length);
}

PyObject *tb_native_str_lossy(const char *text)
{
    return PyString_FromString(text);
}

int tb_native_str_check(PyObject *object)
{
    return PyString_Check(object);
}

int tb_native_str_check_exact(PyObject *object)
{
    return PyString_CheckExact(object);
}

const char *tb_native_str_data(PyObject *object, PyObject **holder)
{
    char *data = NULL;

    *holder = NULL;
    if (!PyString_Check(object)) {
        PyErr_Format(PyExc_TypeError, "str expected, not %.100s", Py_TYPE(object)->tp_name);
        return NULL;
    }
    /* A NULL length makes Python itself refuse embedded NUL bytes. */
    if (PyString_AsStringAndSize(object, &data, NULL) < 0)
        return NULL;
    return data;
}

PyObject *tb_native_environment(const char *value)
{
    return PyString_FromString(value);
}

PyObject *tb_native_path(PyObject *path)
{
    Py_INCREF(path);
    return path;
}

PyObject *tb_long_from_long(long value)
{
    return PyInt_FromLong(value);
}

#else

PyObject *tb_native_str_len(const char *utf8, Py_ssize_t length)
{
    return PyUnicode_DecodeUTF8(utf8, length, "strict");
}

PyObject *tb_native_str_lossy(const char *text)
{
    /* Decoding with backslashreplace works from 3.5 on only, so 3.4 gets replacement characters. */
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text),
                                tb_python_version >= 0x03050000 ? "backslashreplace" : "replace");
}

int tb_native_str_check(PyObject *object)
{
    return PyUnicode_Check(object);
}

int tb_native_str_check_exact(PyObject *object)
{
    return PyUnicode_CheckExact(object);
}

const char *tb_native_str_data(PyObject *object, PyObject **holder)
{
    char *data = NULL;

    *holder = NULL;
    if (!PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "str expected");
        return NULL;
    }
    *holder = PyUnicode_AsUTF8String(object);
    if (*holder == NULL)
        return NULL;
    if (PyBytes_AsStringAndSize(*holder, &data, NULL) < 0) {
        Py_CLEAR(*holder);
        return NULL;
    }
    return data;
}

PyObject *tb_native_environment(const char *value)
{
    return PyUnicode_DecodeFSDefault(value);
}

PyObject *tb_native_path(PyObject *path)
{
    if (!PyBytes_Check(path)) {
        Py_INCREF(path);
        return path;
    }
    return PyUnicode_DecodeFSDefaultAndSize(PyBytes_AsString(path), PyBytes_Size(path));
}

#endif

int tb_as_uint64(PyObject *object, unsigned long long *value)
{
    /* Not PyNumber_Long alone: it would read text. */
    PyObject *index = PyNumber_Index(object);
    PyObject *number = index == NULL ? NULL : PyNumber_Long(index);

    Py_XDECREF(index);
    if (number == NULL)
        return -1;
    *value = PyLong_AsUnsignedLongLongMask(number);
    Py_DECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

int tb_as_int(PyObject *object, int *value)
{
    long number = PyLong_AsLong(object);

    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number > INT_MAX || number < INT_MIN) {
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
        return -1;
    }
    *value = (int)number;
    return 0;
}

int tb_list_append(PyObject *list, PyObject *item)
{
    int result = item == NULL ? -1 : PyList_Append(list, item);

    Py_XDECREF(item);
    return result;
}

PyObject *tb_native_str(const char *utf8)
{
    return tb_native_str_len(utf8, (Py_ssize_t)strlen(utf8));
}

PyObject *tb_native_str_format(const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tb_native_str_lossy(text);
}

/* ---- buffers --------------------------------------------------------------------------------- */

#ifdef TB_PYTHON2

static int get_buffer(PyObject *object, tb_buffer_layout *layout, int flags)
{
    return PyObject_GetBuffer(object, (Py_buffer *)(void *)layout,
                              flags == TB_WRITABLE ? PyBUF_WRITABLE : PyBUF_SIMPLE);
}

static void release_buffer(tb_buffer_layout *layout)
{
    PyBuffer_Release((Py_buffer *)(void *)layout);
}

/* array, mmap and buffer objects of 2.7 have only the old protocol, which cannot keep the memory
 * from moving while the GIL is released: work on a copy. */
static int get_old_buffer(PyObject *object, tb_view *view, int flags)
{
    void *writable = NULL;
    const void *readable = NULL;
    Py_ssize_t length;

    if (flags == TB_WRITABLE) {
        if (PyObject_AsWriteBuffer(object, &writable, &length) < 0)
            return -1;
        readable = writable;
        view->target = object;
    } else if (PyObject_AsReadBuffer(object, &readable, &length) < 0) {
        return -1;
    }
    view->bounce = malloc(length ? (size_t)length : 1);
    if (view->bounce == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(view->bounce, readable, (size_t)length);
    view->data = view->bounce;
    view->length = length;
    return 0;
}

static void release_old_buffer(tb_view *view)
{
    void *writable;
    Py_ssize_t length;

    if (view->target != NULL) {
        PyObject *type, *value, *traceback;

        PyErr_Fetch(&type, &value, &traceback);
        if (PyObject_AsWriteBuffer(view->target, &writable, &length) == 0 && length == view->length)
            memcpy(writable, view->bounce, (size_t)length);
        PyErr_Restore(type, value, traceback);
    }
    free(view->bounce);
}

static int bind_buffers(void)
{
    return 0;
}

#else

static int (*get_buffer)(PyObject *, tb_buffer_layout *, int);
static void (*release_buffer)(tb_buffer_layout *);

static int bind_buffers(void)
{
    static const char sample[] = "layout";
    tb_buffer_layout layout;
    PyObject *bytes = NULL;
    int fits = 0;

    *(void **)&get_buffer = dlsym(RTLD_DEFAULT, "PyObject_GetBuffer");
    *(void **)&release_buffer = dlsym(RTLD_DEFAULT, "PyBuffer_Release");
    if (get_buffer != NULL && release_buffer != NULL) {
        bytes = PyBytes_FromStringAndSize(sample, sizeof sample);
        if (bytes == NULL)
            return -1;
        memset(&layout, 0, sizeof layout);
        if (get_buffer(bytes, &layout, TB_SIMPLE) == 0) {
            fits = layout.buf == (void *)PyBytes_AsString(bytes) && layout.obj == bytes &&
                   layout.len == (Py_ssize_t)sizeof sample && layout.itemsize == 1 && layout.readonly == 1;
            if (fits)
                release_buffer(&layout);
        }
        Py_DECREF(bytes);
    }
    if (!fits) {
        PyErr_Clear();
        PyErr_SetString(PyExc_ImportError, "_tls_bootstrap._core does not know this Python's buffer interface");
        return -1;
    }
    return 0;
}

#endif

static int get_view(PyObject *object, tb_view *view, int flags)
{
    view->held = 0;
    view->bytes = NULL;
    view->bounce = NULL;
    view->target = NULL;
    memset(&view->layout, 0, sizeof view->layout);
#ifdef TB_PYTHON2
    if (PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "a bytes-like object is required, not 'unicode'");
        return -1;
    }
    if (!PyObject_CheckBuffer(object))
        return get_old_buffer(object, view, flags);
#endif
    if (get_buffer(object, &view->layout, flags) < 0)
        return -1;
    view->held = 1;
    view->data = view->layout.buf;
    view->length = view->layout.len;
    return 0;
}

int tb_view_get_of_buffer(PyObject *object, tb_view *view)
{
    return get_view(object, view, TB_SIMPLE);
}

int tb_view_get_writable(PyObject *object, tb_view *view)
{
    return get_view(object, view, TB_WRITABLE);
}

void tb_view_release_buffer(tb_view *view)
{
    if (view->held)
        release_buffer(&view->layout);
#ifdef TB_PYTHON2
    if (view->bounce != NULL)
        release_old_buffer(view);
#endif
    view->held = 0;
    view->bounce = NULL;
}

/* ---- types ----------------------------------------------------------------------------------- */

#ifdef TB_PYTHON2

static int apply_slot(PyTypeObject *type, const PyType_Slot *slot)
{
    switch (slot->slot) {
    case Py_tp_dealloc:
        type->tp_dealloc = (destructor)slot->pfunc;
        return 0;
    case Py_tp_new:
        type->tp_new = (newfunc)slot->pfunc;
        return 0;
    case Py_tp_init:
        type->tp_init = (initproc)slot->pfunc;
        return 0;
    case Py_tp_methods:
        type->tp_methods = (PyMethodDef *)slot->pfunc;
        return 0;
    case Py_tp_getset:
        type->tp_getset = (PyGetSetDef *)slot->pfunc;
        return 0;
    case Py_tp_doc:
        type->tp_doc = (const char *)slot->pfunc;
        return 0;
    case Py_tp_traverse:
        type->tp_traverse = (traverseproc)slot->pfunc;
        return 0;
    case Py_tp_clear:
        type->tp_clear = (inquiry)slot->pfunc;
        return 0;
    case Py_tp_repr:
        type->tp_repr = (reprfunc)slot->pfunc;
        return 0;
    case Py_tp_hash:
        type->tp_hash = (hashfunc)slot->pfunc;
        return 0;
    case Py_tp_richcompare:
        type->tp_richcompare = (richcmpfunc)slot->pfunc;
        return 0;
    default:
        PyErr_Format(PyExc_SystemError, "slot %d is not known on Python 2", slot->slot);
        return -1;
    }
}

/* The types made so far: like a static type, each serves every interpreter that the process starts. */
static struct {
    const PyType_Spec *spec;
    PyTypeObject *type;
} known_types[8];

static PyObject *remember_type(const PyType_Spec *spec, PyTypeObject *type)
{
    size_t i;

    for (i = 0; i < sizeof known_types / sizeof known_types[0]; i++)
        if (known_types[i].spec == NULL) {
            known_types[i].spec = spec;
            known_types[i].type = type;
            Py_INCREF(type);
            break;
        }
    return (PyObject *)type;
}

PyObject *PyType_FromSpec(PyType_Spec *spec)
{
    PyTypeObject *type;
    const PyType_Slot *slot;
    size_t i;

    for (i = 0; i < sizeof known_types / sizeof known_types[0]; i++)
        if (known_types[i].spec == spec) {
            Py_INCREF(known_types[i].type);
            return (PyObject *)known_types[i].type;
        }
    type = calloc(1, sizeof *type);
    if (type == NULL)
        return PyErr_NoMemory();
    Py_REFCNT(type) = 1;
    Py_TYPE(type) = &PyType_Type;
    type->tp_name = spec->name;
    type->tp_basicsize = spec->basicsize;
    type->tp_itemsize = spec->itemsize;
    type->tp_flags = spec->flags;
    for (slot = spec->slots; slot->slot != 0; slot++)
        if (apply_slot(type, slot) < 0)
            goto error;
    if (PyType_Ready(type) < 0)
        goto error;
    return remember_type(spec, type);
error:
    free(type);
    return NULL;
}

void tb_type_free(PyObject *self, destructor running)
{
    (void)running;
    Py_TYPE(self)->tp_free(self);
}

int tb_type_visit(PyObject *self, visitproc visit, void *arg)
{
    (void)self;
    (void)visit;
    (void)arg;
    return 0;
}

static PyObject *the_module; /* borrowed: 2.7 keeps extension modules for ever */

destructor tb_type_dealloc(PyTypeObject *type)
{
    return type->tp_dealloc;
}

newfunc tb_type_new(PyTypeObject *type)
{
    return type->tp_new;
}

int tb_type_bind_module(PyObject *type, PyObject *module)
{
    (void)type;
    the_module = module;
    return 0;
}

PyObject *tb_type_module(PyTypeObject *type)
{
    (void)type;
    Py_INCREF(the_module);
    return the_module;
}

#else

void tb_type_free(PyObject *self, destructor running)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

    release(self);
    if (tb_python_version >= 0x03080000 || tb_type_dealloc(type) == running)
        Py_DECREF((PyObject *)type);
}

int tb_type_visit(PyObject *self, visitproc visit, void *arg)
{
    if (tb_python_version >= 0x03090000)
        Py_VISIT((PyObject *)Py_TYPE(self));
    return 0;
}

/* PyType_GetModule is 3.10: the type's dict carries the module. */
#define MODULE_ATTRIBUTE "_core"

destructor tb_type_dealloc(PyTypeObject *type)
{
    if (!(PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE))
        return NULL;
    return (destructor)PyType_GetSlot(type, Py_tp_dealloc);
}

newfunc tb_type_new(PyTypeObject *type)
{
    if (!(PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE))
        return NULL;
    return (newfunc)PyType_GetSlot(type, Py_tp_new);
}

int tb_type_bind_module(PyObject *type, PyObject *module)
{
    return PyObject_SetAttrString(type, MODULE_ATTRIBUTE, module);
}

PyObject *tb_type_module(PyTypeObject *type)
{
    return PyObject_GetAttrString((PyObject *)type, MODULE_ATTRIBUTE);
}

#endif

PyObject *tb_type_alloc(PyTypeObject *type)
{
    return PyType_GenericAlloc(type, 0);
}

/* ---- calls ----------------------------------------------------------------------------------- */

#define FASTCALL 0x0080 /* METH_FASTCALL; the name joins the limited API in 3.10, with this value */

void tb_prefer_fast_call(PyMethodDef *method, tb_fast_method fast)
{
    if (tb_python_version < 0x03060000)
        return;
    method->ml_meth = (PyCFunction)(void (*)(void))fast;
    /* In 3.6 the same function goes by the first flag alone, and the two together are refused. */
    method->ml_flags = tb_python_version < 0x03070000 ? FASTCALL : FASTCALL | METH_KEYWORDS;
}

PyObject *tb_call_with_tuple(PyCFunctionWithKeywords method, PyObject *self, PyObject *const *arguments,
                             Py_ssize_t count, PyObject *names)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names), i;
    PyObject *args = PyTuple_New(count), *kwargs = NULL, *result = NULL;

    if (args == NULL)
        return NULL;
    for (i = 0; i < count; i++) {
        Py_INCREF(arguments[i]);
        PyTuple_SetItem(args, i, arguments[i]);
    }
    if (named > 0) {
        kwargs = PyDict_New();
        if (kwargs == NULL)
            goto exit;
        for (i = 0; i < named; i++)
            if (PyDict_SetItem(kwargs, PyTuple_GetItem(names, i), arguments[count + i]) < 0)
                goto exit;
    }
    result = method(self, args, kwargs);
exit:
    Py_XDECREF(kwargs);
    Py_DECREF(args);
    return result;
}

/* ---- weak references ------------------------------------------------------------------------- */

PyObject *tb_weakref_get(PyObject *reference)
{
    PyObject *object;

    if (reference == NULL)
        return NULL;
    /* Deprecated in 3.13 for a function that is not in the limited API of 3.4. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    object = PyWeakref_GetObject(reference);
#pragma GCC diagnostic pop
    if (object == NULL) {
        PyErr_Clear();
        return NULL;
    }
    if (object == Py_None)
        return NULL;
    Py_INCREF(object);
    return object;
}

int tb_reset_is_end_of_file(void)
{
    return tb_python_version >= 0x030a0000;
}

int tb_send_returns_zero(void)
{
    return tb_python_version < 0x03000000;
}

/* ---- the module ------------------------------------------------------------------------------ */

static int read_python_version(void)
{
    PyObject *hexversion = PySys_GetObject("hexversion"); /* borrowed */

    if (hexversion == NULL) {
        PyErr_SetString(PyExc_ImportError, "sys.hexversion is missing");
        return -1;
    }
    tb_python_version = (unsigned long)PyLong_AsLong(hexversion);
    return PyErr_Occurred() ? -1 : 0;
}

static int execute(PyObject *module)
{
    if (read_python_version() < 0 || bind_buffers() < 0)
        return -1;
    return tb_module.exec(module);
}

#ifdef TB_PYTHON2

static void *the_state;

void *tb_module_state(PyObject *module)
{
    (void)module;
    return the_state;
}

/* PyMODINIT_FUNC does not set the visibility on 2.7. */
__attribute__((visibility("default"))) void init_core(void);

void init_core(void)
{
    PyObject *module;

    if (the_state == NULL)
        the_state = calloc(1, tb_module.state_size);
    if (the_state == NULL) {
        PyErr_NoMemory();
        return;
    }
    tb_module.free(the_state); /* what an interpreter that ended left in it */
    memset(the_state, 0, tb_module.state_size);
    module = Py_InitModule3(tb_module.name, tb_module.methods, tb_module.doc);
    if (module != NULL)
        execute(module);
}

#else

void *tb_module_state(PyObject *module)
{
    return PyModule_GetState(module);
}

static void free_module(void *module)
{
    void *state = PyModule_GetState((PyObject *)module);

    if (state != NULL)
        tb_module.free(state);
}

/* Multi-phase initialisation is 3.5; its names are not in the limited API of 3.4, so they are
 * declared here, and the function is a weak symbol that 3.4 leaves NULL. */
typedef struct {
    int slot;
    void *value;
} module_slot;
#define SLOT_EXEC                     2
#define SLOT_MULTIPLE_INTERPRETERS    3
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)

extern PyObject *PyModuleDef_Init(struct PyModuleDef *definition) __attribute__((weak));

static module_slot slots[3];
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL};

__attribute__((visibility("default"))) PyObject *PyInit__core(void);

PyObject *PyInit__core(void)
{
    PyObject *module;
    int single_phase = PyModuleDef_Init == NULL || secure_getenv("TLS_BOOTSTRAP_TEST_SINGLE_PHASE") != NULL;

    if (read_python_version() < 0)
        return NULL;
    definition.m_name = tb_module.name;
    definition.m_doc = tb_module.doc;
    definition.m_size = (Py_ssize_t)tb_module.state_size;
    definition.m_methods = tb_module.methods;
    definition.m_traverse = tb_module.traverse;
    definition.m_clear = tb_module.clear;
    definition.m_free = free_module;
    if (!single_phase) {
        slots[0].slot = SLOT_EXEC;
        slots[0].value = (void *)execute;
        if (tb_python_version >= 0x030c0000) {
            slots[1].slot = SLOT_MULTIPLE_INTERPRETERS;
            slots[1].value = PER_INTERPRETER_GIL_SUPPORTED;
        }
        /* The member before m_traverse is m_reload in 3.4's headers and m_slots in later ones. */
        *(void **)((char *)&definition + offsetof(struct PyModuleDef, m_traverse) - sizeof(void *)) = slots;
        return PyModuleDef_Init(&definition);
    }
    module = PyModule_Create(&definition);
    if (module != NULL && execute(module) < 0)
        Py_CLEAR(module);
    return module;
}

#endif
