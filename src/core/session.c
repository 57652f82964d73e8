/* SPDX-License-Identifier: Apache-2.0 */
/* SSLSession: a session that a later connection of the same context can resume.
 *
 * The SSL_SESSION is shared by reference and never duplicated. */
#include "core.h"

#include <string.h>

typedef struct {
    PyObject_HEAD core_state *state;
    PyObject *module;
    tb_context *context; /* owned: a session is of use with its own context only */
    SSL_SESSION *session;
} tb_session;

PyObject *tb_session_wrap(core_state *state, PyObject *module, tb_context *context, SSL_SESSION *session)
{
    tb_session *self = (tb_session *)tb_type_alloc(state->session_type);

    if (self == NULL) {
        SSL_SESSION_free(session);
        return NULL;
    }
    self->state = state;
    Py_INCREF(module);
    self->module = module;
    Py_INCREF((PyObject *)context);
    self->context = context;
    self->session = session;
    return (PyObject *)self;
}

SSL_SESSION *tb_session_get(PyObject *session)
{
    return ((tb_session *)session)->session;
}

tb_context *tb_session_context(PyObject *session)
{
    return ((tb_session *)session)->context;
}

static int session_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)((tb_session *)object)->context);
    return tb_type_visit(object, visit, arg);
}

static void session_dealloc(PyObject *object)
{
    tb_session *self = (tb_session *)object;
    PyObject *module = self->module;

    PyObject_GC_UnTrack(object);
    SSL_SESSION_free(self->session);
    Py_XDECREF((PyObject *)self->context);
    tb_type_free(object, session_dealloc);
    Py_XDECREF(module);
}

static PyObject *session_richcompare(PyObject *left, PyObject *right, int operation)
{
    const unsigned char *left_id, *right_id;
    unsigned int left_length, right_length;
    int equal;

    /* Both arguments are sessions of this very type, or Python is asked to try elsewhere. */
    if (Py_TYPE(left) != Py_TYPE(right) || (operation != Py_EQ && operation != Py_NE)) {
        Py_INCREF(Py_NotImplemented);
        return Py_NotImplemented;
    }
    left_id = SSL_SESSION_get_id(tb_session_get(left), &left_length);
    right_id = SSL_SESSION_get_id(tb_session_get(right), &right_length);
    equal = left == right || (left_length == right_length && memcmp(left_id, right_id, left_length) == 0);
    return PyBool_FromLong(operation == Py_EQ ? equal : !equal);
}

static PyObject *session_get_id(PyObject *object, void *closure)
{
    const unsigned char *id;
    unsigned int length;

    (void)closure;
    id = SSL_SESSION_get_id(tb_session_get(object), &length);
    return PyBytes_FromStringAndSize((const char *)id, (Py_ssize_t)length);
}

static PyObject *session_get_time(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long(SSL_SESSION_get_time(tb_session_get(object)));
}

static PyObject *session_get_timeout(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_long(SSL_SESSION_get_timeout(tb_session_get(object)));
}

static PyObject *session_get_ticket_lifetime_hint(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_size(SSL_SESSION_get_ticket_lifetime_hint(tb_session_get(object)));
}

static PyObject *session_get_has_ticket(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(SSL_SESSION_has_ticket(tb_session_get(object)));
}

static PyMethodDef session_methods[] = {
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef session_getset[] = {
    {"id", session_get_id, NULL, "The session's identifier, bytes.", NULL},
    {"time", session_get_time, NULL, "When it was made, seconds since the epoch.", NULL},
    {"timeout", session_get_timeout, NULL, "How long it is valid, seconds.", NULL},
    {"ticket_lifetime_hint", session_get_ticket_lifetime_hint, NULL, "The ticket's lifetime, seconds.", NULL},
    {"has_ticket", session_get_has_ticket, NULL, "Whether a session ticket is there (RFC 5077).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_new, (void *)tb_refuse_new},
    {Py_tp_dealloc, (void *)session_dealloc},
    {Py_tp_traverse, (void *)session_traverse},
    {Py_tp_richcompare, (void *)session_richcompare},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {Py_tp_doc, "A TLS session (ssl documentation, \"SSL session\")."},
    {0, NULL},
};

static PyType_Spec session_spec = {
    "_tls_bootstrap._core.SSLSession", sizeof(tb_session), 0, TB_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC, session_slots,
};

int tb_session_type_add(PyObject *module, core_state *state)
{
    state->session_type = (PyTypeObject *)PyType_FromSpec(&session_spec);
    if (state->session_type == NULL)
        return -1;
    return tb_type_bind_module((PyObject *)state->session_type, module);
}
