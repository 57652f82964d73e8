/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a context trusts: what is loaded into its store, and what is in there.
 *
 * The first file with nothing but plain certificates, mostly the system's bundle or certifi's, is not put into
 * the store: a verification puts there what it looks for (trust_store.c).  Before anything else is loaded, and
 * before anyone looks at what is there, all of the file is put there. */
#include "context.h"

#include "trust_cache.h"
#include "trust_store.h"

#include <limits.h>
#include <stdio.h>

/* ---- the store ------------------------------------------------------------------------------------------------ */

/* To be called before the store is read or gets more than it has: 0, or -1 with SSLError. */
static int complete_or_raise(tb_context *self)
{
    int done;

    ERR_clear_error();
    Py_BEGIN_ALLOW_THREADS
    tb_openssl_enter(NULL);
    done = tb_trust_store_complete(SSL_CTX_get_cert_store(self->ctx));
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (!done)
        tb_raise_openssl(self->state);
    return done ? 0 : -1;
}

/* Counts what comes into the store; how much did before. */
static int count_change(tb_context *self)
{
    return __atomic_fetch_add(&self->store_changes, 1, __ATOMIC_SEQ_CST);
}

/* 1, or 0 with the queue telling why.  Without the GIL. */
static int add_file(tb_context *self, FILE *file, const char *path)
{
    X509_STORE *store = SSL_CTX_get_cert_store(self->ctx);
    int is_first = count_change(self) == 0, done;
    tb_bundle *bundle = tb_trust_cache_read(file);

    if (bundle == NULL)
        return tb_trust_store_complete(store) && SSL_CTX_load_verify_locations(self->ctx, path, NULL) == 1;
    if (bundle == tb_trust_store_searched(store)) {
        done = 1;
    } else if (is_first && tb_bundle_is_searchable(bundle)) {
        done = tb_trust_store_search(store, bundle);
        /* Another thread may have put something there since the change was counted. */
        if (done && __atomic_load_n(&self->store_changes, __ATOMIC_SEQ_CST) > 1)
            done = tb_trust_store_complete(store);
    } else {
        done = tb_trust_store_complete(store) && tb_trust_store_add(store, bundle);
    }
    tb_bundle_free(bundle);
    return done;
}

/* The same of a directory, in which the store looks for what it does not find elsewhere. */
static int add_directory(tb_context *self, const char *path)
{
    count_change(self);
    return SSL_CTX_load_verify_locations(self->ctx, NULL, path) == 1;
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

/* Without it OpenSSL would ask for a password on the terminal. */
static int no_password(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

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
        certificate = is_pem ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : d2i_X509_bio(bio, NULL);
        if (certificate == NULL) {
            if (is_pem ? !tb_no_more_pem() : added > 0)
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

    count_change(self);
    if (complete_or_raise(self) < 0 || tb_view_get(data, &view) < 0)
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
        file = tb_open_file(self->state, cafile);
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
        done = add_file(self, file, file_name);
    if (done && directory_name != NULL)
        done = add_directory(self, directory_name);
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (!done) {
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
    count_change(self);
    done =
        tb_trust_store_complete(SSL_CTX_get_cert_store(self->ctx)) && SSL_CTX_set_default_verify_paths(self->ctx) == 1;
    tb_openssl_leave();
    Py_END_ALLOW_THREADS
    if (!done)
        return tb_raise_openssl(self->state);
    Py_RETURN_NONE;
}

/* ---- what is loaded ----------------------------------------------------------------------------------------- */

PyObject *tb_context_cert_store_stats(PyObject *object, PyObject *unused)
{
    tb_context *self = (tb_context *)object;
    X509_STORE *store = SSL_CTX_get_cert_store(self->ctx);
    STACK_OF(X509_OBJECT) * objects;
    int i, certificates = 0, authorities = 0, lists = 0;

    (void)unused;
    if (complete_or_raise(self) < 0)
        return NULL;
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
    if (complete_or_raise(self) < 0)
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
        if (tb_list_append(list, item) < 0)
            Py_CLEAR(list);
    }
    X509_STORE_unlock(store);
    return list;
}

PyObject *tb_context_trust_counts(PyObject *module, PyObject *unused)
{
    unsigned long counts[3];

    (void)module;
    (void)unused;
    tb_trust_cache_counts(counts);
    return Py_BuildValue("kkkk", counts[0], counts[1], counts[2], tb_bundle_parsed());
}
