/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where exceptions are made.
 *
 * The classes live in Python.  Each instance gets the attributes of ssl.SSLError (ssl
 * documentation, "Exceptions"): errno and strerror through OSError's constructor, library and
 * reason, and for a failed verification verify_code and verify_message. */
#include "core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Numbers that the ssl API adds to OpenSSL's SSL_ERROR_* (enum SSLErrorNumber). */
#define SSL_ERROR_NUMBER_EOF     8
#define SSL_ERROR_NUMBER_INVALID 10

/* Programs compare `library` with these names, so they do not follow OpenSSL's own texts. */
static const struct {
    int code;
    const char *name;
} libraries[] = {
    {ERR_LIB_ASN1, "ASN1"},     {ERR_LIB_BIO, "BIO"},       {ERR_LIB_BN, "BN"},         {ERR_LIB_BUF, "BUF"},
    {ERR_LIB_CMS, "CMS"},       {ERR_LIB_COMP, "COMP"},     {ERR_LIB_CONF, "CONF"},     {ERR_LIB_CRYPTO, "CRYPTO"},
    {ERR_LIB_DH, "DH"},         {ERR_LIB_DSA, "DSA"},       {ERR_LIB_DSO, "DSO"},       {ERR_LIB_EC, "EC"},
    {ERR_LIB_ENGINE, "ENGINE"}, {ERR_LIB_EVP, "EVP"},       {ERR_LIB_OBJ, "OBJ"},       {ERR_LIB_OCSP, "OCSP"},
    {ERR_LIB_PEM, "PEM"},       {ERR_LIB_PKCS12, "PKCS12"}, {ERR_LIB_PKCS7, "PKCS7"},   {ERR_LIB_RAND, "RAND"},
    {ERR_LIB_RSA, "RSA"},       {ERR_LIB_SSL, "SSL"},       {ERR_LIB_SYS, "SYS"},       {ERR_LIB_TS, "TS"},
    {ERR_LIB_UI, "UI"},         {ERR_LIB_X509, "X509"},     {ERR_LIB_X509V3, "X509V3"},
};

const char *tb_library_name(int library)
{
    size_t i;

    for (i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
        if (libraries[i].code == library)
            return libraries[i].name;
    return NULL;
}

/* ---- set_exceptions ---------------------------------------------------------------------------- */

const char tb_set_exceptions_doc[] =
    "set_exceptions(mapping)\n\nHands the exception classes of _errors.py to the core, by name.";

static const char *const exception_names[TB_EXCEPTION_COUNT] = {
    "SSLError",    "SSLZeroReturnError",       "SSLWantReadError", "SSLWantWriteError", "SSLSyscallError",
    "SSLEOFError", "SSLCertVerificationError", "OSError",          "timeout",
};

PyObject *tb_set_exceptions(PyObject *module, PyObject *mapping)
{
    core_state *state = tb_module_state(module);
    PyObject *modules = PySys_GetObject("modules"); /* borrowed; one for each interpreter */
    int i;

    /* Before 3.5 all interpreters of a process share this state: a second one would take the classes
     * of the first away, and leave it dead ones when it ends. */
    if (state->exceptions[0] != NULL && state->interpreter != modules) {
        PyErr_SetString(PyExc_ImportError, "_tls_bootstrap: another interpreter of this process uses it; more than "
                                           "one can do so with Python 3.5 and later only");
        return NULL;
    }
    state->interpreter = modules;
    for (i = 0; i < TB_EXCEPTION_COUNT; i++) {
        PyObject *class = PyMapping_GetItemString(mapping, (char *)exception_names[i]);
        PyObject *previous = state->exceptions[i];

        if (class == NULL)
            return NULL;
        state->exceptions[i] = class;
        Py_XDECREF(previous);
    }
    Py_RETURN_NONE;
}

/* ---- making an instance -------------------------------------------------------------------------- */

typedef struct {
    tb_exception which;
    int errno_value;
    const char *library; /* or NULL */
    const char *reason;  /* or NULL */
    long verify_code;
    const char *verify_message; /* NULL unless a verification failed */
    int line;
    const char *text;
} error_description;

static int set_text_attribute(PyObject *object, const char *name, const char *text)
{
    PyObject *value;
    int result;

    if (text != NULL) {
        value = tb_native_str_lossy(text);
        if (value == NULL)
            return -1;
    } else {
        value = Py_None;
        Py_INCREF(value);
    }
    result = PyObject_SetAttrString(object, name, value);
    Py_DECREF(value);
    return result;
}

static PyObject *describe(const error_description *error)
{
    const char *hint = tb_policy_hint(error->reason, error->verify_code);
    char where[192];
    char prefix[160];

    /* The hint comes last: programs search the text for what `ssl` has in it. */
    snprintf(where, sizeof where, "(_ssl.c:%d)%s%s", error->line, hint != NULL ? "; " : "", hint != NULL ? hint : "");
    if (error->library != NULL && error->reason != NULL)
        snprintf(prefix, sizeof prefix, "[%s: %s] ", error->library, error->reason);
    else if (error->library != NULL)
        snprintf(prefix, sizeof prefix, "[%s] ", error->library);
    else
        prefix[0] = '\0';
    if (error->verify_message != NULL)
        return tb_native_str_format("%s%s: %s %s", prefix, error->text, error->verify_message, where);
    return tb_native_str_format("%s%s %s", prefix, error->text, where);
}

static PyObject *raise_error(core_state *state, const error_description *error)
{
    PyObject *class = state->exceptions[error->which];
    PyObject *text = NULL, *instance = NULL, *code = NULL;

    if (class == NULL) {
        PyErr_Format(PyExc_RuntimeError, "set_exceptions() was not called: %s", error->text);
        return NULL;
    }
    text = describe(error);
    if (text == NULL)
        goto exit;
    instance = PyObject_CallFunction(class, "iO", error->errno_value, text);
    if (instance == NULL)
        goto exit;
    if (set_text_attribute(instance, "library", error->library) < 0 ||
        set_text_attribute(instance, "reason", error->reason) < 0)
        goto exit;
    if (error->verify_message != NULL) {
        code = tb_long_from_long(error->verify_code);
        if (code == NULL || PyObject_SetAttrString(instance, "verify_code", code) < 0 ||
            set_text_attribute(instance, "verify_message", error->verify_message) < 0)
            goto exit;
    }
    PyErr_SetObject(class, instance);
exit:
    Py_XDECREF(code);
    Py_XDECREF(instance);
    Py_XDECREF(text);
    return NULL;
}

PyObject *tb_raise(core_state *state, tb_exception which, int errno_value, int line, const char *format, ...)
{
    char text[512];
    va_list arguments;
    error_description error;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memset(&error, 0, sizeof error);
    error.which = which;
    error.errno_value = errno_value;
    error.line = line;
    error.text = text;
    return raise_error(state, &error);
}

static PyObject *raise_os_error(core_state *state, int errno_value, PyObject *filename)
{
    PyObject *class = state->exceptions[TB_OS_ERROR];
    PyObject *instance;

    if (class == NULL)
        class = PyExc_OSError;
    /* On Python 3 the constructor picks ConnectionResetError and its like from the number. */
    if (filename != NULL)
        /* Files are IOError's on 2.7; on Python 3 that is OSError. */
        instance = PyObject_CallFunction(PyExc_IOError, "isO", errno_value, strerror(errno_value), filename);
    else
        instance = PyObject_CallFunction(class, "is", errno_value, strerror(errno_value));
    if (instance != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(instance), instance);
        Py_DECREF(instance);
    }
    return NULL;
}

PyObject *tb_raise_errno(core_state *state, int errno_value)
{
    return raise_os_error(state, errno_value, NULL);
}

PyObject *tb_raise_errno_path(core_state *state, int errno_value, PyObject *path)
{
    PyObject *filename = tb_native_path(path);

    if (filename != NULL) {
        raise_os_error(state, errno_value, filename);
        Py_DECREF(filename);
    }
    return NULL;
}

/* ---- from OpenSSL's queue --------------------------------------------------------------------------- */

/* The reason's macro name, which programs compare with: its text in capitals.  OpenSSL 3.2 reworded
 * the alerts of SSLv3 but kept the macros' names. */
static const char *reason_name(unsigned long code, char *name, size_t size)
{
    static const char reworded[] = "ssl/tls alert ";
    static const char original[] = "sslv3 alert ";
    const char *text = ERR_reason_error_string(code);
    size_t used = 0;

    if (text == NULL || TB_REASON_IS_COMMON(ERR_GET_REASON(code)))
        return NULL;
    if (strncmp(text, reworded, sizeof reworded - 1) == 0) {
        used = (size_t)snprintf(name, size, "%s", original);
        text += sizeof reworded - 1;
    }
    snprintf(name + used, size - used, "%s", text);
    for (used = 0; name[used] != '\0'; used++) {
        char c = name[used];

        if (c >= 'a' && c <= 'z')
            name[used] = (char)(c - 'a' + 'A');
        else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            name[used] = '_';
    }
    return name;
}

static PyObject *raise_code(core_state *state, unsigned long code, tb_exception which, int errno_value, SSL *ssl,
                            const char *fallback, int line)
{
    error_description error;
    char reason[128];
    char verify_message[256];
    PyObject *holder = NULL;

    memset(&error, 0, sizeof error);
    error.which = which;
    error.errno_value = errno_value;
    error.line = line;
    error.text = fallback;
    if (code != 0) {
        const char *text = ERR_reason_error_string(code);

        error.library = tb_library_name(ERR_GET_LIB(code));
        error.reason = reason_name(code, reason, sizeof reason);
        error.text = text != NULL ? text : "unknown error";
    }
    if (which == TB_CERT_VERIFICATION_ERROR && ssl != NULL) {
        tb_connection *connection = tb_connection_of_ssl(ssl);
        const char *host = NULL;

        error.verify_code = SSL_get_verify_result(ssl);
        if (connection != NULL && connection->server_hostname != NULL)
            host = tb_native_str_data(connection->server_hostname, &holder);
        if (host == NULL)
            PyErr_Clear();
        if (error.verify_code == X509_V_ERR_HOSTNAME_MISMATCH && host != NULL)
            snprintf(verify_message, sizeof verify_message, "Hostname mismatch, certificate is not valid for '%s'.",
                     host);
        else if (error.verify_code == X509_V_ERR_IP_ADDRESS_MISMATCH && host != NULL)
            snprintf(verify_message, sizeof verify_message, "IP address mismatch, certificate is not valid for '%s'.",
                     host);
        else
            snprintf(verify_message, sizeof verify_message, "%s", X509_verify_cert_error_string(error.verify_code));
        error.verify_message = verify_message;
    }
    raise_error(state, &error);
    Py_XDECREF(holder);
    return NULL;
}

PyObject *tb_raise_openssl_at(core_state *state, int line)
{
    unsigned long code = ERR_peek_last_error();

    raise_code(state, code, TB_SSL_ERROR, ERR_GET_REASON(code), NULL, "unknown error", line);
    ERR_clear_error();
    return NULL;
}

void tb_clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static PyObject *raise_end_of_file(core_state *state, int line)
{
    return raise_code(state, 0, TB_EOF_ERROR, SSL_ERROR_NUMBER_EOF, NULL, "EOF occurred in violation of protocol",
                      line);
}

static PyObject *raise_syscall(core_state *state, const tb_outcome *outcome, unsigned long code, int line)
{
    /* At the end of the file OpenSSL still tries to send an alert, whose failure is not the cause. */
    if (outcome->end_of_file)
        return raise_end_of_file(state, line);
    /* From 3.0 on OpenSSL also queues the errno; the transport knows it better. */
    if (outcome->sys_errno != 0)
        return tb_raise_errno(state, outcome->sys_errno);
    if (code != 0)
        return raise_code(state, code, TB_SYSCALL_ERROR, SSL_ERROR_SYSCALL, NULL, NULL, line);
    return raise_end_of_file(state, line);
}

static PyObject *raise_protocol(core_state *state, SSL *ssl, const tb_outcome *outcome, unsigned long code, int line)
{
    int reason = ERR_GET_REASON(code);

    if (code == 0)
        return raise_code(state, 0, TB_SSL_ERROR, SSL_ERROR_SSL, NULL, "A failure in the SSL library occurred", line);
    if (ERR_GET_LIB(code) == ERR_LIB_SYS && (outcome->end_of_file || outcome->sys_errno != 0))
        return raise_syscall(state, outcome, code, line);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && TB_REASON_IS_EOF(reason))
        return raise_code(state, code, TB_EOF_ERROR, SSL_ERROR_NUMBER_EOF, NULL, NULL, line);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return raise_code(state, code, TB_CERT_VERIFICATION_ERROR, SSL_ERROR_SSL, ssl, NULL, line);
    return raise_code(state, code, TB_SSL_ERROR, SSL_ERROR_SSL, NULL, NULL, line);
}

static int is_vague(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && TB_REASON_IS_VAGUE(ERR_GET_REASON(code));
}

/* Empties the queue; the last error in it that tells a cause, 0 if there was none. */
static unsigned long take_cause(void)
{
    unsigned long code, cause = 0;

    while ((code = ERR_get_error()) != 0)
        if (cause == 0 || !is_vague(code))
            cause = code;
    return cause;
}

/* "Would block" is raised once per read of a busy sans-IO program: its arguments are made once, and
 * library and reason are None by the class. */
static PyObject *raise_want(core_state *state, int ssl_error)
{
    static const char *const texts[2] = {"The operation did not complete (read)",
                                         "The operation did not complete (write)"};
    int writing = ssl_error == SSL_ERROR_WANT_WRITE;
    PyObject **arguments = &state->want_arguments[writing];

    if (*arguments == NULL) {
        PyObject *text = tb_native_str_format("%s (_ssl.c:%d)", texts[writing], __LINE__);

        if (text == NULL)
            return NULL;
        *arguments = Py_BuildValue("(iN)", ssl_error, text);
        if (*arguments == NULL)
            return NULL;
    }
    PyErr_SetObject(state->exceptions[writing ? TB_WANT_WRITE_ERROR : TB_WANT_READ_ERROR], *arguments);
    return NULL;
}

PyObject *tb_raise_want_read(core_state *state)
{
    return raise_want(state, SSL_ERROR_WANT_READ);
}

PyObject *tb_raise_outcome_at(core_state *state, SSL *ssl, const tb_outcome *outcome, int line)
{
    unsigned long code;

    /* Raised in each turn of a handshake.  SSL_get_error() says so only where the queue is empty. */
    if (outcome->ssl_error == SSL_ERROR_WANT_READ || outcome->ssl_error == SSL_ERROR_WANT_WRITE)
        return raise_want(state, outcome->ssl_error);
    code = take_cause();
    switch (outcome->ssl_error) {
    case SSL_ERROR_ZERO_RETURN:
        raise_code(state, 0, TB_ZERO_RETURN_ERROR, outcome->ssl_error, NULL, "TLS/SSL connection has been closed (EOF)",
                   line);
        break;
    case SSL_ERROR_WANT_X509_LOOKUP:
        raise_code(state, 0, TB_SSL_ERROR, outcome->ssl_error, NULL, "The operation did not complete (X509 lookup)",
                   line);
        break;
    case SSL_ERROR_WANT_CONNECT:
        raise_code(state, 0, TB_SSL_ERROR, outcome->ssl_error, NULL, "The operation did not complete (connect)", line);
        break;
    case SSL_ERROR_SYSCALL:
        raise_syscall(state, outcome, code, line);
        break;
    case SSL_ERROR_SSL:
        raise_protocol(state, ssl, outcome, code, line);
        break;
    default:
        raise_code(state, 0, TB_SSL_ERROR, SSL_ERROR_NUMBER_INVALID, NULL, "Invalid error code", line);
        break;
    }
    tb_clear_errors();
    return NULL;
}
