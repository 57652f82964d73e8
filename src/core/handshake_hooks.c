/* SPDX-License-Identifier: Apache-2.0 */
/* What the Python half adds to a handshake: evidence of one that was completed (_trace.py), and to the error of one
 * that was refused which names the certificate has (_hostname.py).
 *
 * It is called from here and not by a do_handshake() of its own around the connection's, which every turn of every
 * handshake would pass through: a frame, and for "would block" a part of the traceback. */
#include "core.h"

const char tb_set_handshake_hooks_doc[] =
    "set_handshake_hooks(completed, refused)\n\n"
    "completed(connection), or None, is called after each handshake; refused(error, connection) where a certificate\n"
    "was not accepted, before the error is raised.";

PyObject *tb_set_handshake_hooks(PyObject *module, PyObject *args)
{
    core_state *state = tb_module_state(module);
    PyObject *given[2], *previous[2] = {state->handshake_completed, state->handshake_refused};

    if (!PyArg_ParseTuple(args, "OO:set_handshake_hooks", &given[0], &given[1]))
        return NULL;
    Py_INCREF(given[1]);
    state->handshake_refused = given[1];
    state->handshake_completed = NULL;
    if (given[0] != Py_None) {
        Py_INCREF(given[0]);
        state->handshake_completed = given[0];
    }
    Py_XDECREF(previous[0]);
    Py_XDECREF(previous[1]);
    Py_RETURN_NONE;
}

static int call(PyObject *hook, PyObject *first, PyObject *second)
{
    PyObject *result;

    Py_INCREF(hook); /* another thread may set another one */
    result = PyObject_CallFunctionObjArgs(hook, first, second, NULL);
    Py_DECREF(hook);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int tb_handshake_completed(tb_connection *self)
{
    PyObject *hook = self->state->handshake_completed;

    return hook == NULL ? 0 : call(hook, (PyObject *)self, NULL);
}

void tb_handshake_refused(tb_connection *self)
{
    PyObject *hook = self->state->handshake_refused;
    PyObject *type, *value, *traceback;

    if (hook == NULL || !PyErr_ExceptionMatches(self->state->exceptions[TB_CERT_VERIFICATION_ERROR]))
        return;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (call(hook, value, (PyObject *)self) == 0) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(type); /* what the hook raised is raised */
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}
