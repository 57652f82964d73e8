/* SPDX-License-Identifier: Apache-2.0 */
/* The name of the server that a client wants to talk to. */
#include "core.h"

#include <openssl/x509v3.h>

#include <string.h>

#define LONGEST_LABEL 63 /* RFC 1035 section 2.3.4 */

/* Whether labels of 1 to 63 characters of ASCII are separated by dots; the last one may be empty. */
static int is_in_labels(const char *name)
{
    size_t length = 0;

    for (; *name != '\0'; name++) {
        if ((unsigned char)*name >= 0x80)
            return 0;
        if (*name != '.')
            length++;
        else if (length == 0 || length > LONGEST_LABEL)
            return 0;
        else
            length = 0;
    }
    return length <= LONGEST_LABEL;
}

PyObject *tb_is_plain_hostname(PyObject *module, PyObject *name)
{
    PyObject *holder = NULL;
    const char *text;
    int plain = 0;

    (void)module;
    if (tb_native_str_check_exact(name)) {
        text = tb_native_str_data(name, &holder);
        if (text == NULL)
            PyErr_Clear(); /* a null character, or half of a surrogate pair: to be told by who asks for the reason */
        else
            plain = text[0] != '\0' && is_in_labels(text);
    }
    Py_XDECREF(holder);
    return PyBool_FromLong(plain);
}

/* An IP literal is verified as such and not sent as SNI (RFC 6066 section 3). */
int tb_configure_hostname(tb_context *context, SSL *ssl, PyObject *name)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    PyObject *holder = NULL;
    ASN1_OCTET_STRING *address;
    const char *text = tb_native_str_data(name, &holder);
    int result = -1;

    if (text == NULL)
        return -1;
    address = a2i_IPADDRESS(text);
    if (address == NULL)
        tb_clear_errors();
    if (address == NULL && SSL_set_tlsext_host_name(ssl, text) != 1)
        goto openssl;
    if (context->check_hostname) {
        if (address == NULL ? X509_VERIFY_PARAM_set1_host(parameters, text, strlen(text)) != 1
                            : X509_VERIFY_PARAM_set1_ip(parameters, ASN1_STRING_get0_data(address),
                                                        (size_t)ASN1_STRING_length(address)) != 1)
            goto openssl;
    }
    result = 0;
    goto exit;
openssl:
    tb_raise_openssl(context->state);
exit:
    ASN1_OCTET_STRING_free(address);
    Py_XDECREF(holder);
    return result;
}
