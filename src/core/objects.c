/* SPDX-License-Identifier: Apache-2.0 */
/* ASN.1 object identifiers (ssl.Purpose, and what certificates name). */
#include "core.h"

static PyObject *object_tuple(core_state *state, const ASN1_OBJECT *object)
{
    char stack[128];
    PyObject *oid, *result;
    char *text = stack;
    int length, nid = OBJ_obj2nid(object);

    if (nid == NID_undef) {
        PyErr_SetString(PyExc_ValueError, "Unknown object");
        return NULL;
    }
    length = OBJ_obj2txt(stack, sizeof stack, object, 1);
    if (length < 0)
        return tb_raise_openssl(state);
    if (length == 0)
        text[0] = '\0';
    oid = tb_native_str(text);
    if (oid == NULL)
        return NULL;
    result = Py_BuildValue("(issN)", nid, OBJ_nid2sn(nid), OBJ_nid2ln(nid), oid);
    return result;
}

PyObject *tb_txt2obj(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"txt", "name", NULL};
    PyObject *name_object = NULL, *result;
    const char *text;
    ASN1_OBJECT *object;
    int name = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|O:txt2obj", names, &text, &name_object))
        return NULL;
    if (name_object != NULL && (name = PyObject_IsTrue(name_object)) < 0)
        return NULL;
    object = OBJ_txt2obj(text, name ? 0 : 1);
    ERR_clear_error();
    if (object == NULL) {
        PyErr_Format(PyExc_ValueError, "unknown object '%.100s'", text);
        return NULL;
    }
    result = object_tuple(tb_module_state(module), object);
    ASN1_OBJECT_free(object);
    return result;
}

PyObject *tb_nid2obj(PyObject *module, PyObject *arg)
{
    const ASN1_OBJECT *object;
    int nid;

    if (tb_as_int(arg, &nid) < 0)
        return NULL;
    if (nid < NID_undef) {
        PyErr_SetString(PyExc_ValueError, "NID must be positive");
        return NULL;
    }
    object = OBJ_nid2obj(nid);
    ERR_clear_error();
    if (object == NULL || nid == NID_undef) {
        PyErr_Format(PyExc_ValueError, "unknown NID %d", nid);
        return NULL;
    }
    return object_tuple(tb_module_state(module), object);
}
