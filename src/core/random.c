/* SPDX-License-Identifier: Apache-2.0 */
/* The RAND_* functions (ssl documentation, "Random generation"). */
#include "core.h"

#include <limits.h>
#include <string.h>

static PyObject *random_bytes(PyObject *module, Py_ssize_t length)
{
    PyObject *bytes;
    int done;

    if (length < 0) {
        PyErr_SetString(PyExc_ValueError, "num must be positive");
        return NULL;
    }
    if (length > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "num is too large");
        return NULL;
    }
    bytes = PyBytes_FromStringAndSize(NULL, length);
    if (bytes == NULL)
        return NULL;
    ERR_clear_error();
    done = RAND_bytes((unsigned char *)PyBytes_AsString(bytes), (int)length);
    if (done == 1)
        return bytes;
    Py_DECREF(bytes);
    return tb_raise_openssl((core_state *)tb_module_state(module));
}

PyObject *tb_rand_bytes(PyObject *module, PyObject *args)
{
    Py_ssize_t length;

    if (!PyArg_ParseTuple(args, "n:RAND_bytes", &length))
        return NULL;
    return random_bytes(module, length);
}

PyObject *tb_rand_pseudo_bytes(PyObject *module, PyObject *args)
{
    Py_ssize_t length;
    PyObject *bytes;

    if (!PyArg_ParseTuple(args, "n:RAND_pseudo_bytes", &length))
        return NULL;
    bytes = random_bytes(module, length);
    return bytes == NULL ? NULL : Py_BuildValue("(NO)", bytes, Py_True);
}

PyObject *tb_rand_add(PyObject *module, PyObject *args)
{
    PyObject *data;
    double entropy;
    tb_view view;
    Py_ssize_t done = 0;

    (void)module;
    if (!PyArg_ParseTuple(args, "Od:RAND_add", &data, &entropy))
        return NULL;
    /* Text is taken as UTF-8, as ssl does. */
    if (tb_native_str_check(data)) {
        PyObject *holder;
        const char *text = tb_native_str_data(data, &holder);

        if (text == NULL)
            return NULL;
        RAND_add(text, (int)strlen(text), entropy);
        Py_XDECREF(holder);
        Py_RETURN_NONE;
    }
    if (tb_view_get(data, &view) < 0)
        return NULL;
    while (done < view.length) {
        Py_ssize_t part = view.length - done < INT_MAX ? view.length - done : INT_MAX;

        RAND_add((const char *)view.data + done, (int)part, entropy);
        done += part;
    }
    tb_view_release(&view);
    Py_RETURN_NONE;
}

PyObject *tb_rand_status(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyBool_FromLong(RAND_status() == 1);
}
