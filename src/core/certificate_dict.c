/* SPDX-License-Identifier: Apache-2.0 */
/* The dict that getpeercert() returns: one X.509 certificate as tuples of native str
 * (ssl documentation, SSLSocket.getpeercert; RFC 5280). */
#include "core.h"

#include <string.h>

#define OBJECT_TEXT_MAX 256
#define UNSUPPORTED     "<unsupported>"

/* Both arguments are stolen; a NULL one means that an exception is set. */
static PyObject *pair(PyObject *first, PyObject *second)
{
    PyObject *result = NULL;

    if (first != NULL && second != NULL)
        result = PyTuple_Pack(2, first, second);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return result;
}

static PyObject *labelled(const char *label, PyObject *value)
{
    return value == NULL ? NULL : pair(tb_native_str(label), value);
}

/* Steals `value`; NULL means that an exception is set. */
static int set_item(PyObject *dict, const char *key, PyObject *value)
{
    int failed;

    if (value == NULL)
        return -1;
    failed = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return failed;
}

static PyObject *list_to_tuple(PyObject *list)
{
    PyObject *tuple = PyList_AsTuple(list);

    Py_DECREF(list);
    return tuple;
}

/* Python decodes strictly: a name that is not UTF-8 is an error, never a different name.  Embedded
 * NUL bytes are kept, so that "good.example\0.evil" does not compare equal to "good.example". */
static PyObject *string_value(const ASN1_STRING *string)
{
    return tb_native_str_len((const char *)ASN1_STRING_get0_data(string), ASN1_STRING_length(string));
}

/* The long name of a known object identifier, the dotted numbers of any other. */
static PyObject *object_text(core_state *state, const ASN1_OBJECT *object)
{
    char text[OBJECT_TEXT_MAX];
    char *longer;
    PyObject *result;
    int length = OBJ_obj2txt(text, (int)sizeof text, object, 0);

    if (length < 0)
        return tb_raise_openssl(state);
    if (length < (int)sizeof text)
        return tb_native_str_len(text, length);
    longer = OPENSSL_malloc((size_t)length + 1);
    if (longer == NULL)
        return PyErr_NoMemory();
    OBJ_obj2txt(longer, length + 1, object, 0);
    result = tb_native_str_len(longer, length);
    OPENSSL_free(longer);
    return result;
}

static PyObject *attribute_value(core_state *state, const ASN1_STRING *value)
{
    unsigned char *text = NULL;
    PyObject *result;
    int length;

    /* A unique identifier is bits, not characters. */
    if (ASN1_STRING_type(value) == V_ASN1_BIT_STRING)
        return PyBytes_FromStringAndSize((const char *)ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
    length = ASN1_STRING_to_UTF8(&text, value);
    if (length < 0)
        return tb_raise_openssl(state);
    result = tb_native_str_len((const char *)text, length);
    OPENSSL_free(text);
    return result;
}

static PyObject *attribute(core_state *state, const X509_NAME_ENTRY *entry)
{
    PyObject *name = object_text(state, X509_NAME_ENTRY_get_object(entry));

    if (name == NULL)
        return NULL;
    return pair(name, attribute_value(state, X509_NAME_ENTRY_get_data(entry)));
}

/* A distinguished name: a tuple of relative names, each a tuple of (type, value) pairs. */
static PyObject *distinguished_name(core_state *state, const X509_NAME *name)
{
    PyObject *names = PyList_New(0);
    PyObject *relative = NULL;
    int current_set = -1;
    int count = X509_NAME_entry_count(name);
    int i;

    if (names == NULL)
        return NULL;
    for (i = 0; i < count; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        int set = X509_NAME_ENTRY_set(entry);

        if (relative != NULL && set != current_set) {
            if (tb_list_append(names, list_to_tuple(relative)) < 0) {
                Py_DECREF(names);
                return NULL;
            }
            relative = NULL;
        }
        current_set = set;
        if (relative == NULL && (relative = PyList_New(0)) == NULL)
            goto error;
        if (tb_list_append(relative, attribute(state, entry)) < 0)
            goto error;
    }
    if (relative != NULL && tb_list_append(names, list_to_tuple(relative)) < 0) {
        relative = NULL;
        goto error;
    }
    return list_to_tuple(names);
error:
    Py_XDECREF(relative);
    Py_DECREF(names);
    return NULL;
}

static PyObject *ip_address_text(const ASN1_OCTET_STRING *address)
{
    const unsigned char *b = ASN1_STRING_get0_data(address);

    switch (ASN1_STRING_length(address)) {
    case 4:
        return tb_native_str_format("%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    case 16:
        return tb_native_str_format("%X:%X:%X:%X:%X:%X:%X:%X", b[0] << 8 | b[1], b[2] << 8 | b[3], b[4] << 8 | b[5],
                                    b[6] << 8 | b[7], b[8] << 8 | b[9], b[10] << 8 | b[11], b[12] << 8 | b[13],
                                    b[14] << 8 | b[15]);
    default:
        return tb_native_str("<invalid>");
    }
}

static PyObject *general_name(core_state *state, const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return labelled("DNS", string_value(name->d.dNSName));
    case GEN_EMAIL:
        return labelled("email", string_value(name->d.rfc822Name));
    case GEN_URI:
        return labelled("URI", string_value(name->d.uniformResourceIdentifier));
    case GEN_DIRNAME:
        return labelled("DirName", distinguished_name(state, name->d.directoryName));
    case GEN_IPADD:
        return labelled("IP Address", ip_address_text(name->d.iPAddress));
    case GEN_RID:
        return labelled("Registered ID", object_text(state, name->d.registeredID));
    case GEN_X400:
        return labelled("X400Name", tb_native_str(UNSUPPORTED));
    case GEN_EDIPARTY:
        return labelled("EdiPartyName", tb_native_str(UNSUPPORTED));
    default:
        return labelled("othername", tb_native_str(UNSUPPORTED));
    }
}

/* Adds subjectAltName; a certificate without a readable one gets no such key. */
static int add_alternative_names(core_state *state, PyObject *dict, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    PyObject *list;
    int failed = -1;
    int i;

    if (names == NULL)
        return 0;
    list = PyList_New(0);
    if (list == NULL)
        goto done;
    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (tb_list_append(list, general_name(state, sk_GENERAL_NAME_value(names, i))) < 0) {
            Py_DECREF(list);
            goto done;
        }
    }
    failed = set_item(dict, "subjectAltName", list_to_tuple(list));
done:
    GENERAL_NAMES_free(names);
    return failed;
}

/* Sets `key` to the tuple of `list` unless that is empty.  Steals `list`. */
static int set_tuple_unless_empty(PyObject *dict, const char *key, PyObject *list)
{
    if (PyList_Size(list) == 0) {
        Py_DECREF(list);
        return 0;
    }
    return set_item(dict, key, list_to_tuple(list));
}

/* Adds the URIs of one access method of the authority information access extension. */
static int add_access_uris(PyObject *dict, const char *key, X509 *certificate, int method)
{
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    PyObject *list;
    int failed = -1;
    int i;

    if (access == NULL)
        return 0;
    list = PyList_New(0);
    if (list == NULL)
        goto done;
    for (i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
        const ACCESS_DESCRIPTION *description = sk_ACCESS_DESCRIPTION_value(access, i);

        if (OBJ_obj2nid(description->method) != method || description->location->type != GEN_URI)
            continue;
        if (tb_list_append(list, string_value(description->location->d.uniformResourceIdentifier)) < 0) {
            Py_DECREF(list);
            goto done;
        }
    }
    failed = set_tuple_unless_empty(dict, key, list);
done:
    AUTHORITY_INFO_ACCESS_free(access);
    return failed;
}

static int append_point_uris(PyObject *list, const DIST_POINT *point)
{
    const GENERAL_NAMES *names;
    int i;

    /* Type 0 is a full name; type 1 is relative to the issuer and has no URI. */
    if (point->distpoint == NULL || point->distpoint->type != 0)
        return 0;
    names = point->distpoint->name.fullname;
    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI && tb_list_append(list, string_value(name->d.uniformResourceIdentifier)) < 0)
            return -1;
    }
    return 0;
}

static int add_crl_points(PyObject *dict, X509 *certificate)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    PyObject *list;
    int failed = -1;
    int i;

    if (points == NULL)
        return 0;
    list = PyList_New(0);
    if (list == NULL)
        goto done;
    for (i = 0; i < sk_DIST_POINT_num(points); i++) {
        if (append_point_uris(list, sk_DIST_POINT_value(points, i)) < 0) {
            Py_DECREF(list);
            goto done;
        }
    }
    failed = set_tuple_unless_empty(dict, "crlDistributionPoints", list);
done:
    CRL_DIST_POINTS_free(points);
    return failed;
}

/* "Aug 29 14:23:15 2028 GMT"; OpenSSL's "Bad time value" for what is not a time. */
static PyObject *time_text(core_state *state, const ASN1_TIME *time)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PyObject *result;
    char *text;
    long length;

    if (bio == NULL)
        return tb_raise_openssl(state);
    ASN1_TIME_print(bio, time);
    length = BIO_get_mem_data(bio, &text);
    result = tb_native_str_len(text, length);
    BIO_free(bio);
    return result;
}

/* Upper-case hexadecimal digits of the magnitude, two a byte, with a minus where it is negative. */
static PyObject *serial_text(const ASN1_INTEGER *serial)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char *bytes = ASN1_STRING_get0_data(serial);
    int length = ASN1_STRING_length(serial);
    int negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;
    char *text, *end;
    PyObject *result;
    int i;

    if (length == 0)
        return tb_native_str("00");
    text = end = OPENSSL_malloc((size_t)length * 2 + 1);
    if (text == NULL)
        return PyErr_NoMemory();
    if (negative)
        *end++ = '-';
    for (i = 0; i < length; i++) {
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 15];
    }
    result = tb_native_str_len(text, end - text);
    OPENSSL_free(text);
    return result;
}

static int add_basic_fields(core_state *state, PyObject *dict, X509 *certificate)
{
    if (set_item(dict, "subject", distinguished_name(state, X509_get_subject_name(certificate))) < 0)
        return -1;
    if (set_item(dict, "issuer", distinguished_name(state, X509_get_issuer_name(certificate))) < 0)
        return -1;
    if (set_item(dict, "version", tb_long_from_long(X509_get_version(certificate) + 1)) < 0)
        return -1;
    if (set_item(dict, "serialNumber", serial_text(X509_get0_serialNumber(certificate))) < 0)
        return -1;
    if (set_item(dict, "notBefore", time_text(state, X509_get0_notBefore(certificate))) < 0)
        return -1;
    return set_item(dict, "notAfter", time_text(state, X509_get0_notAfter(certificate)));
}

PyObject *tb_certificate_to_dict(core_state *state, X509 *certificate)
{
    PyObject *dict = PyDict_New();

    if (dict == NULL)
        return NULL;
    ERR_clear_error();
    if (add_basic_fields(state, dict, certificate) < 0 || add_alternative_names(state, dict, certificate) < 0 ||
        add_access_uris(dict, "OCSP", certificate, NID_ad_OCSP) < 0 ||
        add_access_uris(dict, "caIssuers", certificate, NID_ad_ca_issuers) < 0 || add_crl_points(dict, certificate) < 0)
        Py_CLEAR(dict);
    /* Unreadable extensions and times leave traces that no later operation may report as its own. */
    ERR_clear_error();
    return dict;
}
