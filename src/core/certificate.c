/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as Python sees them: the Certificate type, chains as lists of it, DER and PEM forms.
 * certificate_dict.c makes the getpeercert() dict. */
#include "constants.h"

#include "core.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

typedef struct {
    PyObject_HEAD core_state *state;
    PyObject *module;  /* owned; keeps state alive */
    X509 *certificate; /* owned */
} certificate_object;

/* Gives the bytes written to a memory BIO to `make`. */
static PyObject *memory_text(BIO *bio, PyObject *(*make)(const char *, Py_ssize_t))
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);

    return make(data, length);
}

PyObject *tb_certificate_to_der(core_state *state, X509 *certificate)
{
    unsigned char *der = NULL;
    PyObject *bytes;
    int length;

    ERR_clear_error();
    length = i2d_X509(certificate, &der);
    if (length < 0)
        return tb_raise_openssl(state);
    bytes = PyBytes_FromStringAndSize((const char *)der, length);
    OPENSSL_free(der);
    return bytes;
}

static PyObject *certificate_to_pem(core_state *state, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PyObject *text;

    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        text = tb_raise_openssl(state);
    else
        text = memory_text(bio, tb_native_str_len);
    BIO_free(bio);
    return text;
}

/* ---- the type -------------------------------------------------------------------------------- */

static PyObject *certificate_public_bytes(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"format", NULL};
    certificate_object *self = (certificate_object *)object;
    int format = TB_ENCODING_PEM;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:public_bytes", names, &format))
        return NULL;
    switch (format) {
    case TB_ENCODING_PEM:
        return certificate_to_pem(self->state, self->certificate);
    case TB_ENCODING_DER:
        return tb_certificate_to_der(self->state, self->certificate);
    default:
        PyErr_SetString(PyExc_ValueError, "Unsupported format");
        return NULL;
    }
}

static PyObject *certificate_get_info(PyObject *object, PyObject *unused)
{
    certificate_object *self = (certificate_object *)object;

    (void)unused;
    return tb_certificate_to_dict(self->state, self->certificate);
}

static PyObject *certificate_repr(PyObject *object)
{
    certificate_object *self = (certificate_object *)object;
    BIO *bio = BIO_new(BIO_s_mem());
    PyObject *text;

    ERR_clear_error();
    /* RFC 2253 order, but characters beyond ASCII stay readable. */
    if (bio == NULL || BIO_puts(bio, "<_tls_bootstrap._core.Certificate '") < 0 ||
        X509_NAME_print_ex(bio, X509_get_subject_name(self->certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) <
            0 ||
        BIO_puts(bio, "'>") < 0)
        text = tb_raise_openssl(self->state);
    else
        text = memory_text(bio, tb_native_str_len);
    BIO_free(bio);
    return text;
}

static Py_hash_t certificate_hash(PyObject *object)
{
    certificate_object *self = (certificate_object *)object;
    PyObject *der = tb_certificate_to_der(self->state, self->certificate);
    Py_hash_t hash;

    if (der == NULL)
        return -1;
    hash = PyObject_Hash(der);
    Py_DECREF(der);
    return hash;
}

static PyObject *certificate_compare(PyObject *left, PyObject *right, int operation)
{
    certificate_object *self = (certificate_object *)left;
    PyObject *result = Py_NotImplemented;

    if ((operation == Py_EQ || operation == Py_NE) && Py_TYPE(right) == self->state->certificate_type) {
        int equal = X509_cmp(self->certificate, ((certificate_object *)right)->certificate) == 0;

        result = equal == (operation == Py_EQ) ? Py_True : Py_False;
    }
    Py_INCREF(result);
    return result;
}

static void certificate_dealloc(PyObject *object)
{
    certificate_object *self = (certificate_object *)object;
    PyObject *module = self->module;

    X509_free(self->certificate);
    tb_type_free(object, certificate_dealloc);
    /* Last: the state lives in the module. */
    Py_DECREF(module);
}

static PyMethodDef certificate_methods[] = {
    {"public_bytes", (PyCFunction)(void (*)(void))certificate_public_bytes, METH_VARARGS | METH_KEYWORDS,
     "public_bytes(format=ENCODING_PEM)\n\nThe certificate as PEM text (str) or, with ENCODING_DER, as bytes."},
    {"get_info", certificate_get_info, METH_NOARGS,
     "get_info()\n\nThe certificate as the dict that SSLSocket.getpeercert() returns."},
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot certificate_slots[] = {
    {Py_tp_new, tb_refuse_new},
    {Py_tp_dealloc, certificate_dealloc},
    {Py_tp_repr, certificate_repr},
    {Py_tp_hash, certificate_hash},
    {Py_tp_richcompare, certificate_compare},
    {Py_tp_methods, certificate_methods},
    {Py_tp_doc, "One X.509 certificate of a chain.  Equal when the encoded certificates are equal."},
    {0, NULL},
};

static PyType_Spec certificate_spec = {"_tls_bootstrap._core.Certificate", sizeof(certificate_object), 0, TB_TYPE_FLAGS,
                                       certificate_slots};

int tb_certificate_type_add(PyObject *module, core_state *state)
{
    PyObject *type = PyType_FromSpec(&certificate_spec);

    if (type == NULL)
        return -1;
    state->certificate_type = (PyTypeObject *)type;
    if (tb_type_bind_module(type, module) < 0)
        return -1;
    return PyObject_SetAttrString(module, "Certificate", type);
}

/* A Certificate that shares `certificate` (its reference count is raised). */
static PyObject *certificate_wrap(core_state *state, PyObject *module, X509 *certificate)
{
    certificate_object *self = (certificate_object *)tb_type_alloc(state->certificate_type);

    if (self == NULL)
        return NULL;
    X509_up_ref(certificate);
    Py_INCREF(module);
    self->certificate = certificate;
    self->module = module;
    self->state = state;
    return (PyObject *)self;
}

PyObject *tb_chain_to_list(core_state *state, PyObject *module, const STACK_OF(X509) * chain)
{
    int count = sk_X509_num(chain);
    PyObject *list = PyList_New(count > 0 ? count : 0);
    int i;

    if (list == NULL)
        return NULL;
    for (i = 0; i < count; i++) {
        PyObject *item = certificate_wrap(state, module, sk_X509_value(chain, i));

        if (item == NULL || PyList_SetItem(list, i, item) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* ---- functions of the module ----------------------------------------------------------------- */

/* OpenSSL's default would ask for a password on the terminal. */
static int refuse_password(char *buffer, int size, int writing, void *unused)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)unused;
    return -1;
}

PyObject *tb_test_decode_cert(PyObject *module, PyObject *path)
{
    core_state *state = tb_module_state(module);
    char *file_name = NULL;
    X509 *certificate = NULL;
    PyObject *result;
    BIO *bio;
    int open_errno;

    if (!PyBytes_Check(path)) {
        PyErr_SetString(PyExc_TypeError, "path must be encoded");
        return NULL;
    }
    if (PyBytes_AsStringAndSize(path, &file_name, NULL) < 0)
        return NULL;
    ERR_clear_error();
    Py_BEGIN_ALLOW_THREADS
    tb_openssl_enter(NULL);
    errno = 0;
    bio = BIO_new_file(file_name, "rb");
    open_errno = errno;
    if (bio != NULL) {
        certificate = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
        BIO_free(bio);
    }
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (bio == NULL) {
        ERR_clear_error();
        return tb_raise(state, TB_SSL_ERROR, open_errno, __LINE__, "cannot open certificate file %s: %s", file_name,
                        strerror(open_errno));
    }
    if (certificate == NULL)
        return tb_raise_openssl(state);
    result = tb_certificate_to_dict(state, certificate);
    X509_free(certificate);
    return result;
}

PyObject *tb_decode_certificate_der(PyObject *module, PyObject *der)
{
    core_state *state = tb_module_state(module);
    const unsigned char *start, *end;
    PyObject *result;
    X509 *certificate;
    tb_view view;

    if (tb_view_get(der, &view) < 0)
        return NULL;
    ERR_clear_error();
    start = end = view.data;
    certificate = d2i_X509(NULL, &end, view.length > LONG_MAX ? LONG_MAX : (long)view.length);
    if (certificate == NULL)
        result = tb_raise_openssl(state);
    else if (end - start != view.length)
        result = tb_raise(state, TB_SSL_ERROR, SSL_ERROR_SSL, __LINE__, "%ld bytes follow the certificate",
                          (long)(view.length - (end - start)));
    else
        result = tb_certificate_to_dict(state, certificate);
    X509_free(certificate);
    tb_view_release(&view);
    return result;
}
