/* SPDX-License-Identifier: Apache-2.0 */
/* The integer, boolean and text constants of the ssl module, as plain values; the Python half makes
 * enums of them.  Protocol, CERT_* and alert numbers are those of the ssl module and of RFC 8446;
 * options, verify flags and host flags are those of the OpenSSL that is linked. */
#include "constants.h"

#include "core.h"

#include <limits.h>
#include <string.h>

struct signed_constant {
    const char *name;
    long value;
};

struct flag_constant {
    const char *name;
    unsigned long long value;
};

struct bool_constant {
    const char *name;
    int value;
};

/* What "configured without" means for OpenSSL: the macro may be defined empty, so presence decides. */
#ifdef OPENSSL_NO_SSL3
#define HAVE_SSL3 0
#else
#define HAVE_SSL3 1
#endif
#ifdef OPENSSL_NO_TLS1
#define HAVE_TLS1 0
#else
#define HAVE_TLS1 1
#endif
#ifdef OPENSSL_NO_TLS1_1
#define HAVE_TLS1_1 0
#else
#define HAVE_TLS1_1 1
#endif
#ifdef OPENSSL_NO_TLS1_2
#define HAVE_TLS1_2 0
#else
#define HAVE_TLS1_2 1
#endif
#ifdef OPENSSL_NO_TLS1_3
#define HAVE_TLS1_3 0
#else
#define HAVE_TLS1_3 1
#endif
#ifdef OPENSSL_NO_PSK
#define HAVE_PSK 0
#else
#define HAVE_PSK 1
#endif

static const struct signed_constant signed_constants[] = {
    {"PROTOCOL_SSLv23", TB_PROTOCOL_TLS},
    {"PROTOCOL_TLS", TB_PROTOCOL_TLS},
    {"PROTOCOL_TLS_CLIENT", TB_PROTOCOL_TLS_CLIENT},
    {"PROTOCOL_TLS_SERVER", TB_PROTOCOL_TLS_SERVER},
    {"PROTOCOL_TLSv1", TB_PROTOCOL_TLSv1},
    {"PROTOCOL_TLSv1_1", TB_PROTOCOL_TLSv1_1},
    {"PROTOCOL_TLSv1_2", TB_PROTOCOL_TLSv1_2},
    {"PROTO_MINIMUM_SUPPORTED", TB_PROTO_MINIMUM_SUPPORTED},
    {"PROTO_MAXIMUM_SUPPORTED", TB_PROTO_MAXIMUM_SUPPORTED},
    {"PROTO_SSLv3", SSL3_VERSION},
    {"PROTO_TLSv1", TLS1_VERSION},
    {"PROTO_TLSv1_1", TLS1_1_VERSION},
    {"PROTO_TLSv1_2", TLS1_2_VERSION},
    {"PROTO_TLSv1_3", TLS1_3_VERSION},
    {"CERT_NONE", TB_CERT_NONE},
    {"CERT_OPTIONAL", TB_CERT_OPTIONAL},
    {"CERT_REQUIRED", TB_CERT_REQUIRED},
    {"ENCODING_PEM", TB_ENCODING_PEM},
    {"ENCODING_DER", TB_ENCODING_DER},
    {"SSL_ERROR_SSL", SSL_ERROR_SSL},
    {"SSL_ERROR_WANT_READ", SSL_ERROR_WANT_READ},
    {"SSL_ERROR_WANT_WRITE", SSL_ERROR_WANT_WRITE},
    {"SSL_ERROR_WANT_X509_LOOKUP", SSL_ERROR_WANT_X509_LOOKUP},
    {"SSL_ERROR_SYSCALL", SSL_ERROR_SYSCALL},
    {"SSL_ERROR_ZERO_RETURN", SSL_ERROR_ZERO_RETURN},
    {"SSL_ERROR_WANT_CONNECT", SSL_ERROR_WANT_CONNECT},
    {"SSL_ERROR_EOF", TB_SSL_ERROR_EOF},
    {"SSL_ERROR_INVALID_ERROR_CODE", TB_SSL_ERROR_INVALID_ERROR_CODE},
    {"ALERT_DESCRIPTION_CLOSE_NOTIFY", SSL_AD_CLOSE_NOTIFY},
    {"ALERT_DESCRIPTION_UNEXPECTED_MESSAGE", SSL_AD_UNEXPECTED_MESSAGE},
    {"ALERT_DESCRIPTION_BAD_RECORD_MAC", SSL_AD_BAD_RECORD_MAC},
    {"ALERT_DESCRIPTION_RECORD_OVERFLOW", SSL_AD_RECORD_OVERFLOW},
    {"ALERT_DESCRIPTION_DECOMPRESSION_FAILURE", SSL_AD_DECOMPRESSION_FAILURE},
    {"ALERT_DESCRIPTION_HANDSHAKE_FAILURE", SSL_AD_HANDSHAKE_FAILURE},
    {"ALERT_DESCRIPTION_BAD_CERTIFICATE", SSL_AD_BAD_CERTIFICATE},
    {"ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE", SSL_AD_UNSUPPORTED_CERTIFICATE},
    {"ALERT_DESCRIPTION_CERTIFICATE_REVOKED", SSL_AD_CERTIFICATE_REVOKED},
    {"ALERT_DESCRIPTION_CERTIFICATE_EXPIRED", SSL_AD_CERTIFICATE_EXPIRED},
    {"ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN", SSL_AD_CERTIFICATE_UNKNOWN},
    {"ALERT_DESCRIPTION_ILLEGAL_PARAMETER", SSL_AD_ILLEGAL_PARAMETER},
    {"ALERT_DESCRIPTION_UNKNOWN_CA", SSL_AD_UNKNOWN_CA},
    {"ALERT_DESCRIPTION_ACCESS_DENIED", SSL_AD_ACCESS_DENIED},
    {"ALERT_DESCRIPTION_DECODE_ERROR", SSL_AD_DECODE_ERROR},
    {"ALERT_DESCRIPTION_DECRYPT_ERROR", SSL_AD_DECRYPT_ERROR},
    {"ALERT_DESCRIPTION_PROTOCOL_VERSION", SSL_AD_PROTOCOL_VERSION},
    {"ALERT_DESCRIPTION_INSUFFICIENT_SECURITY", SSL_AD_INSUFFICIENT_SECURITY},
    {"ALERT_DESCRIPTION_INTERNAL_ERROR", SSL_AD_INTERNAL_ERROR},
    {"ALERT_DESCRIPTION_USER_CANCELLED", SSL_AD_USER_CANCELLED},
    {"ALERT_DESCRIPTION_NO_RENEGOTIATION", SSL_AD_NO_RENEGOTIATION},
    {"ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION", SSL_AD_UNSUPPORTED_EXTENSION},
    {"ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE", SSL_AD_CERTIFICATE_UNOBTAINABLE},
    {"ALERT_DESCRIPTION_UNRECOGNIZED_NAME", SSL_AD_UNRECOGNIZED_NAME},
    {"ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE", SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE},
    {"ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE", SSL_AD_BAD_CERTIFICATE_HASH_VALUE},
    {"ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY", SSL_AD_UNKNOWN_PSK_IDENTITY},
};

static const struct flag_constant flag_constants[] = {
    {"VERIFY_DEFAULT", 0},
    {"VERIFY_CRL_CHECK_LEAF", X509_V_FLAG_CRL_CHECK},
    {"VERIFY_CRL_CHECK_CHAIN", X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL},
    {"VERIFY_X509_STRICT", X509_V_FLAG_X509_STRICT},
    {"VERIFY_ALLOW_PROXY_CERTS", X509_V_FLAG_ALLOW_PROXY_CERTS},
    {"VERIFY_X509_TRUSTED_FIRST", X509_V_FLAG_TRUSTED_FIRST},
    {"VERIFY_X509_PARTIAL_CHAIN", X509_V_FLAG_PARTIAL_CHAIN},
    /* The ssl module takes the empty-fragments countermeasure out of "all": with it, CBC
       connections of TLS 1.0 would be open to BEAST. */
    {"OP_ALL", SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS},
    {"OP_NO_SSLv2", SSL_OP_NO_SSLv2},
    {"OP_NO_SSLv3", SSL_OP_NO_SSLv3},
    {"OP_NO_TLSv1", SSL_OP_NO_TLSv1},
    {"OP_NO_TLSv1_1", SSL_OP_NO_TLSv1_1},
    {"OP_NO_TLSv1_2", SSL_OP_NO_TLSv1_2},
    {"OP_NO_TLSv1_3", SSL_OP_NO_TLSv1_3},
    {"OP_CIPHER_SERVER_PREFERENCE", SSL_OP_CIPHER_SERVER_PREFERENCE},
    {"OP_SINGLE_DH_USE", SSL_OP_SINGLE_DH_USE},
    {"OP_SINGLE_ECDH_USE", SSL_OP_SINGLE_ECDH_USE},
    {"OP_NO_TICKET", SSL_OP_NO_TICKET},
    {"OP_NO_COMPRESSION", SSL_OP_NO_COMPRESSION},
    {"OP_NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION},
    {"OP_ENABLE_MIDDLEBOX_COMPAT", SSL_OP_ENABLE_MIDDLEBOX_COMPAT},
    {"OP_LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"HOSTFLAG_ALWAYS_CHECK_SUBJECT", X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT},
    {"HOSTFLAG_NEVER_CHECK_SUBJECT", X509_CHECK_FLAG_NEVER_CHECK_SUBJECT},
    {"HOSTFLAG_NO_WILDCARDS", X509_CHECK_FLAG_NO_WILDCARDS},
    {"HOSTFLAG_NO_PARTIAL_WILDCARDS", X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS},
    {"HOSTFLAG_MULTI_LABEL_WILDCARDS", X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS},
    {"HOSTFLAG_SINGLE_LABEL_SUBDOMAINS", X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS},
};

/* Zero in an OpenSSL that does not have them; then the name is absent, so that hasattr() tells. */
static const struct flag_constant optional_flag_constants[] = {
    {"OP_IGNORE_UNEXPECTED_EOF", SSL_OP_IGNORE_UNEXPECTED_EOF},
    {"OP_ENABLE_KTLS", SSL_OP_ENABLE_KTLS},
};

static const struct bool_constant bool_constants[] = {
    {"HAS_SNI", 1},
    {"HAS_ECDH", 1},
    {"HAS_ALPN", 1},
    {"HAS_NPN", 0},
    {"HAS_TLS_UNIQUE", 1},
    {"HAS_NEVER_CHECK_COMMON_NAME", 1},
    {"HAS_SSLv2", 0},
    {"HAS_SSLv3", HAVE_SSL3},
    {"HAS_TLSv1", HAVE_TLS1},
    {"HAS_TLSv1_1", HAVE_TLS1_1},
    {"HAS_TLSv1_2", HAVE_TLS1_2},
    {"HAS_TLSv1_3", HAVE_TLS1_3},
    {"HAS_PSK", HAVE_PSK},
    {"HAS_PSK_TLS13", HAVE_PSK &&HAVE_TLS1_3},
    {"HAS_PHA", HAVE_TLS1_3},
};

/* Libraries and reasons whose names programs compare with SSLError.library and SSLError.reason.
 * The names themselves come from errors.c when an error is raised; these tables only serve code that
 * looks the numbers up. */
#define HIGHEST_LIBRARY ERR_LIB_USER

struct reason_code {
    const char *name;
    int library;
    int reason;
};

#define SSL_REASON(name) {#name, ERR_LIB_SSL, SSL_R_##name}
static const struct reason_code reason_codes[] = {
    SSL_REASON(BAD_SIGNATURE),
    SSL_REASON(CA_MD_TOO_WEAK),
    SSL_REASON(CERTIFICATE_VERIFY_FAILED),
    SSL_REASON(DATA_LENGTH_TOO_LONG),
    SSL_REASON(DECRYPTION_FAILED_OR_BAD_RECORD_MAC),
    SSL_REASON(DH_KEY_TOO_SMALL),
    SSL_REASON(EE_KEY_TOO_SMALL),
    SSL_REASON(HTTPS_PROXY_REQUEST),
    SSL_REASON(HTTP_REQUEST),
    SSL_REASON(INAPPROPRIATE_FALLBACK),
    SSL_REASON(LENGTH_MISMATCH),
    SSL_REASON(NO_CIPHERS_AVAILABLE),
    SSL_REASON(NO_CIPHER_MATCH),
    SSL_REASON(NO_PROTOCOLS_AVAILABLE),
    SSL_REASON(NO_SHARED_CIPHER),
    SSL_REASON(PARSE_TLSEXT),
    SSL_REASON(PEER_DID_NOT_RETURN_A_CERTIFICATE),
    SSL_REASON(PROTOCOL_IS_SHUTDOWN),
    SSL_REASON(PSK_IDENTITY_NOT_FOUND),
    SSL_REASON(SSLV3_ALERT_BAD_RECORD_MAC),
    SSL_REASON(SSLV3_ALERT_CERTIFICATE_EXPIRED),
    SSL_REASON(SSLV3_ALERT_CERTIFICATE_REVOKED),
    SSL_REASON(SSLV3_ALERT_CERTIFICATE_UNKNOWN),
    SSL_REASON(SSLV3_ALERT_HANDSHAKE_FAILURE),
    SSL_REASON(TLSV13_ALERT_CERTIFICATE_REQUIRED),
    SSL_REASON(TLSV1_ALERT_ACCESS_DENIED),
    SSL_REASON(TLSV1_ALERT_DECODE_ERROR),
    SSL_REASON(TLSV1_ALERT_INTERNAL_ERROR),
    SSL_REASON(TLSV1_ALERT_PROTOCOL_VERSION),
    SSL_REASON(TLSV1_ALERT_UNKNOWN_CA),
    SSL_REASON(TLSV1_UNRECOGNIZED_NAME),
    SSL_REASON(UNEXPECTED_MESSAGE),
    SSL_REASON(UNEXPECTED_RECORD),
    SSL_REASON(UNINITIALIZED),
    SSL_REASON(UNKNOWN_PROTOCOL),
    SSL_REASON(UNSUPPORTED_PROTOCOL),
    SSL_REASON(VERSION_TOO_LOW),
    SSL_REASON(WRONG_VERSION_NUMBER),
#undef SSL_REASON
    {"KEY_VALUES_MISMATCH", ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH},
    {"KEY_TYPE_MISMATCH", ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH},
    {"CERT_ALREADY_IN_HASH_TABLE", ERR_LIB_X509, X509_R_CERT_ALREADY_IN_HASH_TABLE},
    {"NO_CERTIFICATE_OR_CRL_FOUND", ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND},
    {"BAD_BASE64_DECODE", ERR_LIB_PEM, PEM_R_BAD_BASE64_DECODE},
    {"BAD_DECRYPT", ERR_LIB_PEM, PEM_R_BAD_DECRYPT},
    {"BAD_END_LINE", ERR_LIB_PEM, PEM_R_BAD_END_LINE},
    {"BAD_PASSWORD_READ", ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ},
    {"NO_START_LINE", ERR_LIB_PEM, PEM_R_NO_START_LINE},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Steals `value`; NULL means that an exception is already set. */
static int add_value(PyObject *module, const char *name, PyObject *value)
{
    int failed;

    if (value == NULL)
        return -1;
    failed = PyObject_SetAttrString(module, name, value);
    Py_DECREF(value);
    return failed;
}

/* 2.7's int where it fits, so that repr() shows no L. */
static PyObject *unsigned_int(unsigned long long value)
{
    if (value <= LONG_MAX)
        return tb_long_from_long((long)value);
    return PyLong_FromUnsignedLongLong(value);
}

/* (major, minor, fix, patch, status) out of OpenSSL's packed number, as ssl.OPENSSL_VERSION_INFO. */
static PyObject *version_info(unsigned long number)
{
    return Py_BuildValue("(iiiii)", (int)(number >> 28 & 0xF), (int)(number >> 20 & 0xFF), (int)(number >> 12 & 0xFF),
                         (int)(number >> 4 & 0xFF), (int)(number & 0xF));
}

static int add_versions(PyObject *module)
{
    unsigned long number = OpenSSL_version_num();

    if (add_value(module, "OPENSSL_VERSION_NUMBER", unsigned_int(number)) < 0)
        return -1;
    if (add_value(module, "OPENSSL_VERSION_INFO", version_info(number)) < 0)
        return -1;
    if (add_value(module, "_OPENSSL_API_VERSION", version_info(OPENSSL_VERSION_NUMBER)) < 0)
        return -1;
    if (add_value(module, "OPENSSL_VERSION", tb_native_str(OpenSSL_version(OPENSSL_VERSION))) < 0)
        return -1;
    return add_value(module, "_DEFAULT_CIPHERS", tb_native_str(TB_DEFAULT_CIPHERS));
}

static int add_reason(PyObject *codes_to_names, PyObject *names_to_codes, const struct reason_code *entry)
{
    int failed = -1;
    PyObject *name = tb_native_str(entry->name);
    PyObject *code = Py_BuildValue("(ii)", entry->library, entry->reason);

    if (name != NULL && code != NULL && PyDict_SetItem(codes_to_names, code, name) == 0 &&
        PyDict_SetItem(names_to_codes, name, code) == 0)
        failed = 0;
    Py_XDECREF(name);
    Py_XDECREF(code);
    return failed;
}

static int add_library(PyObject *codes_to_names, int library)
{
    const char *text = tb_library_name(library);
    PyObject *name, *code;
    int failed = -1;

    if (text == NULL)
        return 0;
    name = tb_native_str(text);
    code = tb_long_from_long(library);
    if (name != NULL && code != NULL)
        failed = PyDict_SetItem(codes_to_names, code, name);
    Py_XDECREF(name);
    Py_XDECREF(code);
    return failed;
}

static int add_error_tables(PyObject *module)
{
    int failed = -1;
    int library;
    size_t i;
    PyObject *codes_to_names = PyDict_New();
    PyObject *names_to_codes = PyDict_New();
    PyObject *libraries = PyDict_New();

    if (codes_to_names == NULL || names_to_codes == NULL || libraries == NULL)
        goto done;
    for (i = 0; i < COUNT(reason_codes); i++) {
        if (add_reason(codes_to_names, names_to_codes, &reason_codes[i]) < 0)
            goto done;
    }
    for (library = 1; library <= HIGHEST_LIBRARY; library++) {
        if (add_library(libraries, library) < 0)
            goto done;
    }
    if (PyObject_SetAttrString(module, "err_codes_to_names", codes_to_names) == 0 &&
        PyObject_SetAttrString(module, "err_names_to_codes", names_to_codes) == 0)
        failed = PyObject_SetAttrString(module, "lib_codes_to_names", libraries);
done:
    Py_XDECREF(codes_to_names);
    Py_XDECREF(names_to_codes);
    Py_XDECREF(libraries);
    return failed;
}

/* Gives each integer whose name begins with `prefix` to `take`, which steals the value. */
static int each_integer(const char *prefix, int (*take)(PyObject *target, const char *name, PyObject *value),
                        PyObject *target)
{
    size_t length = strlen(prefix), i;

    for (i = 0; i < COUNT(signed_constants); i++) {
        const struct signed_constant *entry = &signed_constants[i];

        if (strncmp(entry->name, prefix, length) == 0 && take(target, entry->name, tb_long_from_long(entry->value)) < 0)
            return -1;
    }
    for (i = 0; i < COUNT(flag_constants); i++) {
        const struct flag_constant *entry = &flag_constants[i];

        if (strncmp(entry->name, prefix, length) == 0 && take(target, entry->name, unsigned_int(entry->value)) < 0)
            return -1;
    }
    for (i = 0; i < COUNT(optional_flag_constants); i++) {
        const struct flag_constant *entry = &optional_flag_constants[i];

        if (entry->value != 0 && strncmp(entry->name, prefix, length) == 0 &&
            take(target, entry->name, unsigned_int(entry->value)) < 0)
            return -1;
    }
    return 0;
}

/* Puts every constant and error table into `module`.  Returns 0, or -1 with an exception set. */
int tb_add_constants(PyObject *module)
{
    size_t i;

    if (each_integer("", add_value, module) < 0)
        return -1;
    for (i = 0; i < COUNT(bool_constants); i++) {
        const struct bool_constant *entry = &bool_constants[i];

        if (add_value(module, entry->name, PyBool_FromLong(entry->value)) < 0)
            return -1;
    }
    if (add_versions(module) < 0)
        return -1;
    return add_error_tables(module);
}

/* ---- for enumerations ------------------------------------------------------------------------------------ */

const char tb_constants_doc[] =
    "constants(prefix)\n\n(name, value) of each integer of this module whose name begins with the prefix.";

static int append_pair(PyObject *list, const char *name, PyObject *value)
{
    return tb_list_append(list, value == NULL ? NULL : Py_BuildValue("(sN)", name, value));
}

PyObject *tb_constants(PyObject *module, PyObject *prefix)
{
    PyObject *list = NULL, *holder = NULL;
    const char *text = tb_native_str_data(prefix, &holder);

    (void)module;
    if (text == NULL)
        return NULL;
    list = PyList_New(0);
    if (list != NULL && each_integer(text, append_pair, list) < 0)
        Py_CLEAR(list);
    Py_XDECREF(holder);
    return list;
}
