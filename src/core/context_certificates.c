/* SPDX-License-Identifier: Apache-2.0 */
/* What a context loads from files and memory: its own certificate and key, trust anchors, DH
 * parameters; and what is loaded. */
#include "context.h"

#include "trust_cache.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_MAX 1023 /* PEM_BUFSIZE less the terminating NUL */

/* The file opened for reading, or NULL with TypeError, ValueError or OSError. */
static FILE *open_file(core_state *state, PyObject *path)
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
    FILE *file = open_file(state, path);

    if (file == NULL)
        return -1;
    fclose(file);
    return 0;
}

/* Whether the queue says only that there is no further BEGIN line. */
static int no_more_pem(void)
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
            result = no_more_pem();
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

/* ---- trust anchors ------------------------------------------------------------------------------------------ */

/* 1.1.0 and earlier refused what is already there; that is no error. */
static int add_to_store(X509_STORE *store, X509 *certificate)
{
    unsigned long code;

    if (X509_STORE_add_cert(store, certificate) == 1)
        return 0;
    code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_X509 || ERR_GET_REASON(code) != X509_R_CERT_ALREADY_IN_HASH_TABLE)
        return -1;
    ERR_clear_error();
    return 0;
}

/* Adds each certificate of `bio`; their number, or -1 with the queue telling why.  Data in which no
 * certificate begins at all counts as none; anything behind the first that is not one is an error. */
static int add_certificates(SSL_CTX *ctx, BIO *bio, int is_pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int added = 0;

    for (;;) {
        X509 *certificate;
        int stored;

        if (!is_pem && BIO_eof(bio))
            return added;
        certificate = is_pem ? PEM_read_bio_X509(bio, NULL, password_callback, NULL) : d2i_X509_bio(bio, NULL);
        if (certificate == NULL) {
            if (is_pem ? !no_more_pem() : added > 0)
                return -1;
            ERR_clear_error();
            return added;
        }
        stored = add_to_store(store, certificate);
        X509_free(certificate);
        if (stored < 0)
            return -1;
        added++;
    }
}

static int load_cadata(tb_context *self, PyObject *data, int is_pem)
{
    tb_view view;
    BIO *bio = NULL;
    int added = -1;

    if (tb_view_get(data, &view) < 0)
        return -1;
    if (view.length == 0 || view.length > INT_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        view.length == 0 ? "Empty certificate data" : "Certificate data is too long.");
        goto exit;
    }
    ERR_clear_error();
    bio = BIO_new_mem_buf(view.data, (int)view.length);
    if (bio != NULL)
        added = add_certificates(self->ctx, bio, is_pem);
    if (added < 0) {
        tb_raise_openssl(self->state);
    } else if (added == 0) {
        ERR_clear_error();
        tb_raise(self->state, TB_SSL_ERROR, 0, __LINE__, "%s",
                 is_pem ? "no start line: cadata does not contain a certificate"
                        : "not enough data: cadata does not contain a certificate");
        added = -1;
    }
exit:
    BIO_free(bio);
    tb_view_release(&view);
    return added < 0 ? -1 : 0;
}

PyObject *tb_context_load_verify_locations(PyObject *object, PyObject *args)
{
    tb_context *self = (tb_context *)object;
    PyObject *cafile, *capath, *cadata, *result = NULL;
    const char *file_name = NULL, *directory_name = NULL;
    FILE *file = NULL;
    int is_pem, done = 1;

    if (!PyArg_ParseTuple(args, "OOOi:_load_verify_locations", &cafile, &capath, &cadata, &is_pem))
        return NULL;
    if (cafile != Py_None) {
        file = open_file(self->state, cafile);
        if (file == NULL)
            return NULL;
        file_name = PyBytes_AsString(cafile);
    }
    if (capath != Py_None) {
        directory_name = PyBytes_AsString(capath);
        if (directory_name == NULL)
            goto exit;
    }
    if (cadata != Py_None && load_cadata(self, cadata, is_pem) < 0)
        goto exit;
    ERR_clear_error();
    Py_BEGIN_ALLOW_THREADS
    tb_openssl_enter(NULL);
    if (file != NULL)
        done = tb_trust_load_file(self->ctx, file, file_name);
    if (done == 1 && directory_name != NULL)
        done = SSL_CTX_load_verify_locations(self->ctx, NULL, directory_name);
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (done != 1) {
        tb_raise_openssl(self->state);
        goto exit;
    }
    Py_INCREF(Py_None);
    result = Py_None;
exit:
    if (file != NULL)
        fclose(file);
    return result;
}

PyObject *tb_context_set_default_verify_paths(PyObject *object, PyObject *unused)
{
    tb_context *self = (tb_context *)object;
    int done;

    (void)unused;
    ERR_clear_error();
    Py_BEGIN_ALLOW_THREADS
    tb_openssl_enter(NULL);
    done = SSL_CTX_set_default_verify_paths(self->ctx);
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (done != 1)
        return tb_raise_openssl(self->state);
    Py_RETURN_NONE;
}

/* ---- DH parameters --------------------------------------------------------------------------------------------- */

PyObject *tb_context_load_dh_params(PyObject *object, PyObject *path)
{
    tb_context *self = (tb_context *)object;
    FILE *file;
    DH *parameters;
    int done;

    file = open_file(self->state, path);
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

/* ---- what is loaded -----------------------------------------------------------------------------------------------
 */

PyObject *tb_context_cert_store_stats(PyObject *object, PyObject *unused)
{
    X509_STORE *store = SSL_CTX_get_cert_store(((tb_context *)object)->ctx);
    STACK_OF(X509_OBJECT) * objects;
    int i, certificates = 0, authorities = 0, lists = 0;

    (void)unused;
    X509_STORE_lock(store);
    objects = X509_STORE_get0_objects(store);
    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509_OBJECT *item = sk_X509_OBJECT_value(objects, i);

        switch (X509_OBJECT_get_type(item)) {
        case X509_LU_X509:
            certificates++;
            if (X509_check_ca(X509_OBJECT_get0_X509(item)))
                authorities++;
            break;
        case X509_LU_CRL:
            lists++;
            break;
        default:
            break;
        }
    }
    X509_STORE_unlock(store);
    return Py_BuildValue("{sisisi}", "x509", certificates, "crl", lists, "x509_ca", authorities);
}

PyObject *tb_context_get_ca_certs(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"binary_form", NULL};
    tb_context *self = (tb_context *)object;
    X509_STORE *store = SSL_CTX_get_cert_store(self->ctx);
    STACK_OF(X509_OBJECT) * objects;
    PyObject *binary_object = NULL, *list;
    int i, binary = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:get_ca_certs", names, &binary_object))
        return NULL;
    if (binary_object != NULL && (binary = PyObject_IsTrue(binary_object)) < 0)
        return NULL;
    list = PyList_New(0);
    X509_STORE_lock(store);
    objects = X509_STORE_get0_objects(store);
    for (i = 0; list != NULL && i < sk_X509_OBJECT_num(objects); i++) {
        X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        PyObject *item;

        if (certificate == NULL || !X509_check_ca(certificate))
            continue;
        item =
            binary ? tb_certificate_to_der(self->state, certificate) : tb_certificate_to_dict(self->state, certificate);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    X509_STORE_unlock(store);
    return list;
}
