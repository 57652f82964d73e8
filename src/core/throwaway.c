/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority and one server certificate, made in memory for a test on loopback.
 *
 * `tls-bootstrap check` must run on a machine that has neither the openssl command nor the
 * cryptography package, so the core makes them itself.  The chain satisfies VERIFY_X509_STRICT
 * (RFC 5280), which Python 3.13 and later switch on by default. */
#include "core.h"

#include <string.h>

#define CLOCK_SKEW_SECONDS 3600
#define SERIAL_BYTES       16
#define MAX_DAYS           36500
#define AUTHORITY_NAME     "tls-bootstrap throw-away authority"
#define SERVER_NAME        "tls-bootstrap throw-away server"

typedef struct {
    EVP_PKEY *key;
    X509 *certificate;
} identity;

static void identity_clear(identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->certificate);
}

static EVP_PKEY *new_p256_key(void)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1)
        EVP_PKEY_keygen(context, &key);
    EVP_PKEY_CTX_free(context);
    return key;
}

static int set_random_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    int done = 0;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return 0;
    /* Positive and of constant length: RFC 5280, section 4.1.2.2. */
    bytes[0] = (unsigned char)((bytes[0] & 0x7F) | 0x40);
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    if (number != NULL)
        done = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

static X509_NAME *new_common_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();

    if (name != NULL &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) != 1) {
        X509_NAME_free(name);
        name = NULL;
    }
    return name;
}

/* Everything but the extensions and the signature.  Returns 1, or 0 with OpenSSL's queue filled. */
static int begin_certificate(identity *id, const char *subject, const char *issuer, int days)
{
    X509_NAME *subject_name = new_common_name(subject);
    X509_NAME *issuer_name = new_common_name(issuer);
    int done = 0;

    id->key = new_p256_key();
    id->certificate = X509_new();
    if (subject_name != NULL && issuer_name != NULL && id->key != NULL && id->certificate != NULL)
        done = X509_set_version(id->certificate, 2) == 1 && set_random_serial(id->certificate) &&
               X509_set_subject_name(id->certificate, subject_name) == 1 &&
               X509_set_issuer_name(id->certificate, issuer_name) == 1 &&
               X509_set_pubkey(id->certificate, id->key) == 1 &&
               X509_gmtime_adj(X509_getm_notBefore(id->certificate), -CLOCK_SKEW_SECONDS) != NULL &&
               X509_time_adj_ex(X509_getm_notAfter(id->certificate), days, 0, NULL) != NULL;
    X509_NAME_free(subject_name);
    X509_NAME_free(issuer_name);
    return done;
}

static int add_extension(X509 *issuer, X509 *subject, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    int done;

    X509V3_set_ctx(&context, issuer, subject, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    done = extension != NULL && X509_add_ext(subject, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static int make_authority(identity *authority, int days)
{
    if (!begin_certificate(authority, AUTHORITY_NAME, AUTHORITY_NAME, days))
        return 0;
    return add_extension(authority->certificate, authority->certificate, NID_basic_constraints,
                         "critical,CA:TRUE,pathlen:0") &&
           add_extension(authority->certificate, authority->certificate, NID_key_usage,
                         "critical,keyCertSign,cRLSign") &&
           add_extension(authority->certificate, authority->certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(authority->certificate, authority->key, EVP_sha256()) != 0;
}

/* `alternatives` are the DNS names and addresses, already validated. */
static int make_server(identity *server, const identity *authority, GENERAL_NAMES *alternatives, int days)
{
    if (!begin_certificate(server, SERVER_NAME, AUTHORITY_NAME, days))
        return 0;
    return add_extension(authority->certificate, server->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(authority->certificate, server->certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(authority->certificate, server->certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(authority->certificate, server->certificate, NID_subject_key_identifier, "hash") &&
           add_extension(authority->certificate, server->certificate, NID_authority_key_identifier, "keyid:always") &&
           X509_add1_ext_i2d(server->certificate, NID_subject_alt_name, alternatives, 0, 0) == 1 &&
           X509_sign(server->certificate, authority->key, EVP_sha256()) != 0;
}

/* ---- Python values in and out ------------------------------------------------------------------ */

static int is_host_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*_";

    return text[0] != '\0' && strspn(text, allowed) == strlen(text);
}

/* An IP literal becomes an address, a host name a DNS name.  Returns 0, or -1 with an exception set. */
static int append_alternative(core_state *state, GENERAL_NAMES *alternatives, const char *text)
{
    ASN1_STRING *value = a2i_IPADDRESS(text);
    GENERAL_NAME *name = NULL;
    int type = value != NULL ? GEN_IPADD : GEN_DNS;

    if (type == GEN_DNS) {
        ERR_clear_error();
        if (!is_host_name(text)) {
            PyErr_Format(PyExc_ValueError, "'%.200s' is neither a host name nor an address", text);
            return -1;
        }
        value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
        if (value == NULL || ASN1_STRING_set(value, text, -1) != 1)
            goto error;
    }
    name = GENERAL_NAME_new();
    if (name == NULL)
        goto error;
    GENERAL_NAME_set0_value(name, type, value);
    value = NULL;
    if (sk_GENERAL_NAME_push(alternatives, name) > 0)
        return 0;
error:
    ASN1_STRING_free(value);
    GENERAL_NAME_free(name);
    tb_raise_openssl(state);
    return -1;
}

/* The stack of what the sequence `names` holds, or NULL with an exception set. */
static GENERAL_NAMES *read_names(core_state *state, PyObject *names)
{
    GENERAL_NAMES *alternatives = NULL;
    PyObject *list;
    Py_ssize_t count, i;

    if (tb_native_str_check(names)) {
        PyErr_SetString(PyExc_TypeError, "names must be a list of str, not one str");
        return NULL;
    }
    list = PySequence_List(names);
    if (list == NULL)
        return NULL;
    count = PyList_Size(list);
    if (count == 0) {
        PyErr_SetString(PyExc_ValueError, "names must hold at least one host name or address");
        goto error;
    }
    alternatives = sk_GENERAL_NAME_new_null();
    if (alternatives == NULL) {
        PyErr_NoMemory();
        goto error;
    }
    for (i = 0; i < count; i++) {
        PyObject *holder;
        const char *text = tb_native_str_data(PyList_GetItem(list, i), &holder);
        int failed;

        if (text == NULL)
            goto error;
        failed = append_alternative(state, alternatives, text);
        Py_XDECREF(holder);
        if (failed)
            goto error;
    }
    Py_DECREF(list);
    return alternatives;
error:
    GENERAL_NAMES_free(alternatives);
    Py_DECREF(list);
    return NULL;
}

static PyObject *memory_bytes(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);

    return PyBytes_FromStringAndSize(data, length);
}

static PyObject *certificate_pem(core_state *state, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PyObject *pem;

    if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        pem = tb_raise_openssl(state);
    else
        pem = memory_bytes(bio);
    BIO_free(bio);
    return pem;
}

static PyObject *key_pem(core_state *state, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    PyObject *pem;

    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        pem = tb_raise_openssl(state);
    else
        pem = memory_bytes(bio);
    BIO_free(bio);
    return pem;
}

static PyObject *pem_triple(core_state *state, const identity *authority, const identity *server)
{
    PyObject *authority_text = certificate_pem(state, authority->certificate);
    PyObject *server_text = NULL, *key_text = NULL, *result = NULL;

    if (authority_text != NULL)
        server_text = certificate_pem(state, server->certificate);
    if (server_text != NULL)
        key_text = key_pem(state, server->key);
    if (key_text != NULL)
        result = PyTuple_Pack(3, authority_text, server_text, key_text);
    Py_XDECREF(authority_text);
    Py_XDECREF(server_text);
    Py_XDECREF(key_text);
    return result;
}

PyObject *tb_make_throwaway_chain(PyObject *module, PyObject *args)
{
    core_state *state = tb_module_state(module);
    identity authority = {NULL, NULL};
    identity server = {NULL, NULL};
    GENERAL_NAMES *alternatives;
    PyObject *names, *result;
    int days;

    if (!PyArg_ParseTuple(args, "Oi:make_throwaway_chain", &names, &days))
        return NULL;
    if (days < 1 || days > MAX_DAYS) {
        PyErr_Format(PyExc_ValueError, "days must be 1 to %d, not %d", MAX_DAYS, days);
        return NULL;
    }
    ERR_clear_error();
    alternatives = read_names(state, names);
    if (alternatives == NULL)
        return NULL;
    if (make_authority(&authority, days) && make_server(&server, &authority, alternatives, days))
        result = pem_triple(state, &authority, &server);
    else
        result = tb_raise_openssl(state);
    GENERAL_NAMES_free(alternatives);
    identity_clear(&authority);
    identity_clear(&server);
    return result;
}
