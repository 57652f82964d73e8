/* SPDX-License-Identifier: Apache-2.0 */
/* What a context loads for itself: its certificate and key, DH parameters. */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX 1023 /* PEM_BUFSIZE less the terminating NUL */

FILE *tb_open_file(core_state *state, PyObject *path)
{
    FILE *file;
    int error;

    if (!PyBytes_Check(path)) {
        PyErr_SetString(PyExc_TypeError, "a path as bytes is required");
        return NULL;
    }
    if ((Py_ssize_t)strlen(PyBytes_AsString(path)) != PyBytes_Size(path)) {
        PyErr_SetString(PyExc_ValueError, "embedded null byte");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    file = fopen(PyBytes_AsString(path), "re");
    error = errno;
    Py_END_ALLOW_THREADS
    if (file == NULL)
        tb_raise_errno_path(state, error, path);
    return file;
}

/* Tells a file that cannot be opened (OSError) from one that does not parse (SSLError). */
static int check_readable(core_state *state, PyObject *path)
{
    FILE *file = tb_open_file(state, path);

    if (file == NULL)
        return -1;
    fclose(file);
    return 0;
}

int tb_no_more_pem(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* ---- load_cert_chain ------------------------------------------------------------------------------------- */

typedef struct {
    PyObject *source;      /* borrowed: None, bytes, or a callable that returns bytes */
    PyThreadState *thread; /* of the loading in progress */
    PyObject *error[3];    /* what the callable raised */
} password_request;

/* Copies the password; its length, or -1 with an exception. */
static int copy_password(PyObject *password, char *buffer, int size)
{
    Py_ssize_t length;

    if (!PyBytes_Check(password)) {
        PyErr_SetString(PyExc_TypeError, "password callback must return bytes");
        return -1;
    }
    length = PyBytes_Size(password);
    if (length > PASSWORD_MAX || length > size) {
        PyErr_Format(PyExc_ValueError, "password cannot be longer than %d bytes", PASSWORD_MAX);
        return -1;
    }
    memcpy(buffer, PyBytes_AsString(password), (size_t)length);
    return (int)length;
}

/* pem_password_cb.  Without a password it fails: OpenSSL's own would ask on the terminal, and a
 * program that installs packages at night would wait for ever. */
static int password_callback(char *buffer, int size, int writing, void *data)
{
    password_request *request = data;
    PyObject *password = NULL;
    int length = -1;

    (void)writing;
    if (request == NULL || request->source == Py_None)
        return -1;
    if (request->error[0] != NULL) /* OpenSSL asks again for each form that the key might have */
        return -1;
    tb_openssl_leave();
    PyEval_RestoreThread(request->thread);
    if (PyBytes_Check(request->source)) {
        password = request->source;
        Py_INCREF(password);
    } else {
        password = PyObject_CallFunctionObjArgs(request->source, NULL);
    }
    if (password != NULL)
        length = copy_password(password, buffer, size);
    Py_XDECREF(password);
    if (length < 0)
        PyErr_Fetch(&request->error[0], &request->error[1], &request->error[2]);
    request->thread = PyEval_SaveThread();
    tb_openssl_enter(NULL);
    return length;
}

/* What the two files hold.  It is read without the GIL, and without touching the context: another
 * thread may be making a connection from that. */
typedef struct {
    X509 *certificate;
    STACK_OF(X509) * chain; /* the certificates behind it */
    EVP_PKEY *key;
} own_identity;

static void identity_free(own_identity *identity)
{
    X509_free(identity->certificate);
    sk_X509_pop_free(identity->chain, X509_free);
    EVP_PKEY_free(identity->key);
}

/* 1, or 0 with the queue telling why, as SSL_CTX_use_certificate_chain_file tells it. */
static int read_certificates(own_identity *identity, const char *path, password_request *request)
{
    BIO *bio = BIO_new_file(path, "re");
    int result = 0;

    if (bio == NULL) {
        tb_put_error(ERR_LIB_SSL, ERR_R_SYS_LIB);
        return 0;
    }
    identity->certificate = PEM_read_bio_X509_AUX(bio, NULL, password_callback, request);
    if (identity->certificate == NULL) {
        tb_put_error(ERR_LIB_SSL, ERR_R_PEM_LIB);
        goto exit;
    }
    identity->chain = sk_X509_new_null();
    while (identity->chain != NULL) {
        X509 *next = PEM_read_bio_X509(bio, NULL, password_callback, request);

        if (next == NULL) {
            result = tb_no_more_pem();
            break;
        }
        if (sk_X509_push(identity->chain, next) <= 0) {
            X509_free(next);
            break;
        }
    }
    if (result)
        ERR_clear_error();
exit:
    BIO_free(bio);
    return result;
}

/* The same, as SSL_CTX_use_PrivateKey_file. */
static int read_key(own_identity *identity, const char *path, password_request *request)
{
    BIO *bio = BIO_new_file(path, "re");

    if (bio == NULL) {
        tb_put_error(ERR_LIB_SSL, ERR_R_SYS_LIB);
        return 0;
    }
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, password_callback, request);
    BIO_free(bio);
    if (identity->key == NULL)
        tb_put_error(ERR_LIB_SSL, ERR_R_PEM_LIB);
    return identity->key != NULL;
}

/* Gives the context what was read.  Needs the GIL: connections are made with it. */
static int use_identity(SSL_CTX *ctx, const own_identity *identity)
{
    int i;

    if (SSL_CTX_use_certificate(ctx, identity->certificate) != 1 || SSL_CTX_clear_chain_certs(ctx) != 1)
        return 0;
    for (i = 0; i < sk_X509_num(identity->chain); i++)
        if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(identity->chain, i)) != 1)
            return 0;
    return SSL_CTX_use_PrivateKey(ctx, identity->key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

PyObject *tb_context_load_cert_chain(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"certfile", "keyfile", "password", NULL};
    tb_context *self = (tb_context *)object;
    PyObject *certfile, *keyfile = Py_None, *password = Py_None;
    PyObject *result = NULL;
    const char *certificate_path, *key_path;
    password_request request;
    own_identity identity = {NULL, NULL, NULL};
    int done;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:load_cert_chain", names, &certfile, &keyfile, &password))
        return NULL;
    if (keyfile == Py_None)
        keyfile = certfile;
    if (password != Py_None && !PyBytes_Check(password) && !PyCallable_Check(password)) {
        PyErr_SetString(PyExc_TypeError, "password should be a string or callable");
        return NULL;
    }
    if (PyBytes_Check(password) && PyBytes_Size(password) > PASSWORD_MAX)
        return PyErr_Format(PyExc_ValueError, "password cannot be longer than %d bytes", PASSWORD_MAX);
    if (check_readable(self->state, certfile) < 0 || check_readable(self->state, keyfile) < 0)
        return NULL;
    memset(&request, 0, sizeof request);
    request.source = password;
    certificate_path = PyBytes_AsString(certfile);
    key_path = PyBytes_AsString(keyfile);
    ERR_clear_error();
    request.thread = PyEval_SaveThread();
    tb_openssl_enter(NULL);
    done = read_certificates(&identity, certificate_path, &request) && read_key(&identity, key_path, &request);
    tb_openssl_leave();
    PyEval_RestoreThread(request.thread);
    if (request.error[0] != NULL) {
        ERR_clear_error();
        PyErr_Restore(request.error[0], request.error[1], request.error[2]);
    } else if (!done || !use_identity(self->ctx, &identity)) {
        tb_raise_openssl(self->state);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
    identity_free(&identity);
    return result;
}

/* ---- DH parameters --------------------------------------------------------------------------------------------- */

PyObject *tb_context_load_dh_params(PyObject *object, PyObject *path)
{
    tb_context *self = (tb_context *)object;
    FILE *file;
    DH *parameters;
    int done;

    file = tb_open_file(self->state, path);
    if (file == NULL)
        return NULL;
    ERR_clear_error();
    Py_BEGIN_ALLOW_THREADS
    tb_openssl_enter(NULL);
    parameters = PEM_read_DHparams(file, NULL, password_callback, NULL);
    fclose(file);
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (parameters == NULL)
        return tb_raise_openssl(self->state);
    done = (int)SSL_CTX_set_tmp_dh(self->ctx, parameters);
    DH_free(parameters);
    if (done != 1)
        return tb_raise_openssl(self->state);
    Py_RETURN_NONE;
}
