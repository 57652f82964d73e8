/* SPDX-License-Identifier: Apache-2.0 */
/* A context's algorithms: ciphers, key exchange groups, signature algorithms. */
#include "context.h"

#include "constants.h"

#include <string.h>

int tb_context_default_algorithms(tb_context *self)
{
    /* The system flavour leaves both to the distribution's configuration, which SSL_CTX_new applied. */
    if (!TB_BUNDLED)
        return 0;
    if (!tb_context_has_fixed_version(self) && SSL_CTX_set_min_proto_version(self->ctx, TLS1_2_VERSION) != 1)
        return -1;
    return SSL_CTX_set_cipher_list(self->ctx, TB_DEFAULT_CIPHERS) == 1 ? 0 : -1;
}

/* ---- setters by a list in a native str ---------------------------------------------------------------- */

static PyObject *set_by_list(PyObject *object, PyObject *arg, int (*set)(SSL_CTX *ctx, const char *list),
                             const char *refusal)
{
    tb_context *self = (tb_context *)object;
    PyObject *holder = NULL;
    const char *list = tb_native_str_data(arg, &holder);
    int done;

    if (list == NULL)
        return NULL;
    ERR_clear_error();
    done = set(self->ctx, list);
    Py_XDECREF(holder);
    if (done != 1) {
        if (refusal == NULL)
            return tb_raise_openssl(self->state);
        ERR_clear_error();
        return tb_raise(self->state, TB_SSL_ERROR, 0, __LINE__, "%s", refusal);
    }
    Py_RETURN_NONE;
}

static int set_cipher_list(SSL_CTX *ctx, const char *list)
{
    return SSL_CTX_set_cipher_list(ctx, list);
}

static int set_ciphersuites(SSL_CTX *ctx, const char *list)
{
    return SSL_CTX_set_ciphersuites(ctx, list);
}

static int set_groups_list(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_groups_list(ctx, list);
}

static int set_client_sigalgs_list(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_client_sigalgs_list(ctx, list);
}

static int set_sigalgs_list(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_sigalgs_list(ctx, list);
}

PyObject *tb_context_set_ciphers(PyObject *object, PyObject *arg)
{
    return set_by_list(object, arg, set_cipher_list, "No cipher can be selected.");
}

PyObject *tb_context_set_ciphersuites(PyObject *object, PyObject *arg)
{
    return set_by_list(object, arg, set_ciphersuites, "No cipher suite can be selected.");
}

PyObject *tb_context_set_groups(PyObject *object, PyObject *arg)
{
    return set_by_list(object, arg, set_groups_list, "unrecognized group");
}

PyObject *tb_context_set_client_sigalgs(PyObject *object, PyObject *arg)
{
    return set_by_list(object, arg, set_client_sigalgs_list, "unrecognized signature algorithm");
}

PyObject *tb_context_set_server_sigalgs(PyObject *object, PyObject *arg)
{
    return set_by_list(object, arg, set_sigalgs_list, "unrecognized signature algorithm");
}

PyObject *tb_context_set_ecdh_curve(PyObject *object, PyObject *arg)
{
    tb_context *self = (tb_context *)object;
    PyObject *holder = NULL;
    const char *name = tb_native_str_data(arg, &holder);
    int nid, done;

    if (name == NULL)
        return NULL;
    nid = OBJ_sn2nid(name);
    if (nid == NID_undef) {
        PyErr_Format(PyExc_ValueError, "unknown elliptic curve name '%.100s'", name);
        Py_XDECREF(holder);
        return NULL;
    }
    Py_XDECREF(holder);
    ERR_clear_error();
    done = (int)SSL_CTX_set1_groups(self->ctx, &nid, 1);
    if (done != 1)
        return tb_raise_openssl(self->state);
    Py_RETURN_NONE;
}

/* ---- what is enabled ------------------------------------------------------------------------------------ */

static PyObject *cipher_name(int nid)
{
    if (nid == NID_undef)
        Py_RETURN_NONE;
    return tb_native_str(OBJ_nid2ln(nid));
}

/* Steals the reference to value. */
static int set_item(PyObject *dict, const char *key, PyObject *value)
{
    int result;

    if (value == NULL)
        return -1;
    result = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return result;
}

static PyObject *cipher_dict(const SSL_CIPHER *cipher)
{
    char description[512] = "";
    int bits, algorithm_bits;
    PyObject *dict = PyDict_New();

    if (dict == NULL)
        return NULL;
    if (SSL_CIPHER_description(cipher, description, sizeof description) != NULL)
        description[strcspn(description, "\n")] = '\0';
    bits = SSL_CIPHER_get_bits(cipher, &algorithm_bits);
    if (set_item(dict, "id", tb_long_from_size(SSL_CIPHER_get_id(cipher))) < 0 ||
        set_item(dict, "name", tb_native_str(SSL_CIPHER_get_name(cipher))) < 0 ||
        set_item(dict, "protocol", tb_native_str(SSL_CIPHER_get_version(cipher))) < 0 ||
        set_item(dict, "description", tb_native_str(description)) < 0 ||
        set_item(dict, "strength_bits", tb_long_from_long(bits)) < 0 ||
        set_item(dict, "alg_bits", tb_long_from_long(algorithm_bits)) < 0 ||
        set_item(dict, "aead", PyBool_FromLong(SSL_CIPHER_is_aead(cipher))) < 0 ||
        set_item(dict, "symmetric", cipher_name(SSL_CIPHER_get_cipher_nid(cipher))) < 0 ||
        set_item(dict, "digest", cipher_name(SSL_CIPHER_get_digest_nid(cipher))) < 0 ||
        set_item(dict, "kea", cipher_name(SSL_CIPHER_get_kx_nid(cipher))) < 0 ||
        set_item(dict, "auth", cipher_name(SSL_CIPHER_get_auth_nid(cipher))) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyObject *tb_context_get_ciphers(PyObject *object, PyObject *unused)
{
    STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(((tb_context *)object)->ctx);
    PyObject *list = PyList_New(0);
    int i;

    (void)unused;
    for (i = 0; list != NULL && i < sk_SSL_CIPHER_num(ciphers); i++) {
        if (tb_list_append(list, cipher_dict(sk_SSL_CIPHER_value(ciphers, i))) < 0)
            Py_CLEAR(list);
    }
    return list;
}

PyObject *tb_context_get_groups(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"include_aliases", NULL};
    tb_context *self = (tb_context *)object;
    PyObject *list = NULL;
    PyObject *aliases = NULL;
    tb_text_list groups;
    int include_aliases = 0;
    size_t i;

    if (PyTuple_Size(args) > 0) {
        PyErr_SetString(PyExc_TypeError, "get_groups() takes no positional arguments");
        return NULL;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:get_groups", names, &aliases))
        return NULL;
    if (aliases != NULL && (include_aliases = PyObject_IsTrue(aliases)) < 0)
        return NULL;
    if (tb_ssl_ctx_list_groups(self->ctx, include_aliases, &groups) < 0) {
        PyErr_SetString(PyExc_NotImplementedError, "get_groups() needs OpenSSL 3.5 or later");
        return NULL;
    }
    list = PyList_New(0);
    for (i = 0; list != NULL && i < groups.count; i++)
        if (tb_list_append(list, tb_native_str(groups.items[i])) < 0)
            Py_CLEAR(list);
    tb_text_list_free(&groups);
    return list;
}

PyObject *tb_get_sigalgs(PyObject *module, PyObject *unused)
{
    char *names = tb_ssl_builtin_sigalgs();
    char *name, *end;
    PyObject *list;

    (void)module;
    (void)unused;
    if (names == NULL) {
        ERR_clear_error();
        PyErr_SetString(PyExc_NotImplementedError, "get_sigalgs() needs OpenSSL 3.5 or later");
        return NULL;
    }
    list = PyList_New(0);
    for (name = names; list != NULL && name != NULL; name = end) {
        end = strchr(name, ':');
        if (end != NULL)
            *end++ = '\0';
        if (tb_list_append(list, tb_native_str(name)) < 0)
            Py_CLEAR(list);
    }
    OPENSSL_free(names);
    return list;
}
