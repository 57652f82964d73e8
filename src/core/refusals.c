/* SPDX-License-Identifier: Apache-2.0 */
/* What our types refuse: to be instantiated by programs, to be copied or pickled, to have an attribute deleted. */
#include "core.h"

PyObject *tb_refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)type, "__module__");
    PyObject *name = PyObject_GetAttrString((PyObject *)type, "__name__");
    PyObject *module_holder = NULL, *name_holder = NULL;
    const char *module_text, *name_text;

    (void)args;
    (void)kwargs;
    if (module == NULL || name == NULL)
        goto exit;
    module_text = tb_native_str_data(module, &module_holder);
    name_text = tb_native_str_data(name, &name_holder);
    if (module_text != NULL && name_text != NULL)
        PyErr_Format(PyExc_TypeError, "cannot create '%.100s.%.100s' instances", module_text, name_text);
exit:
    Py_XDECREF(name_holder);
    Py_XDECREF(module_holder);
    Py_XDECREF(name);
    Py_XDECREF(module);
    return NULL;
}

const char tb_refuse_pickle_doc[] = "__getstate__()\n\nTypeError: what OpenSSL has can be neither copied nor pickled.";

PyObject *tb_refuse_pickle(PyObject *object, PyObject *unused)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__name__");
    PyObject *holder = NULL;
    const char *text;

    (void)unused;
    if (name == NULL)
        return NULL;
    text = tb_native_str_data(name, &holder);
    if (text != NULL)
        PyErr_Format(PyExc_TypeError, "cannot pickle '%.100s' object", text);
    Py_XDECREF(holder);
    Py_DECREF(name);
    return NULL;
}

int tb_refuse_delete(PyObject *value)
{
    if (value != NULL)
        return 0;
    PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
    return -1;
}
