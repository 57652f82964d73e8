/* SPDX-License-Identifier: Apache-2.0 */
/* The module _core: its functions, its state, its start. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

core_state *tb_state_of_type(PyTypeObject *type, PyObject **module)
{
    *module = tb_type_module(type);
    return *module == NULL ? NULL : tb_module_state(*module);
}

/* ---- functions ------------------------------------------------------------------------------------------ */

/* Empty in programs that gained privileges: their environment is the caller's. */
static PyObject *core_secure_getenv(PyObject *module, PyObject *arg)
{
    PyObject *holder = NULL;
    const char *name = tb_native_str_data(arg, &holder);
    const char *value;

    (void)module;
    if (name == NULL)
        return NULL;
    value = secure_getenv(name);
    Py_XDECREF(holder);
    if (value == NULL)
        Py_RETURN_NONE;
    return tb_native_environment(value);
}

static PyObject *core_get_default_verify_paths(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(ssss)", X509_get_default_cert_file_env(), X509_get_default_cert_file(),
                         X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
}

static PyMethodDef methods[] = {
    {"set_exceptions", tb_set_exceptions, METH_O, tb_set_exceptions_doc},
    {"set_handshake_hooks", tb_set_handshake_hooks, METH_VARARGS, tb_set_handshake_hooks_doc},
    {"is_plain_hostname", tb_is_plain_hostname, METH_O,
     "is_plain_hostname(name)\n\nWhether it is a str in A-label form already: ASCII, labels of 1 to 63 characters."},
    {"add_socket_methods", tb_add_socket_methods, METH_O, tb_add_socket_methods_doc},
    {"constants", tb_constants, METH_O, tb_constants_doc},
    {"file_states", tb_file_states, METH_VARARGS, tb_file_states_doc},
    {"secure_getenv", core_secure_getenv, METH_O,
     "secure_getenv(name)\n\nAn environment variable, None if unset or if this process gained privileges."},
    {"get_default_verify_paths", core_get_default_verify_paths, METH_NOARGS,
     "get_default_verify_paths()\n\nOpenSSL's (file variable, file, directory variable, directory)."},
    {"_test_decode_cert", tb_test_decode_cert, METH_O,
     "_test_decode_cert(path)\n\nThe getpeercert() dict of the first certificate in a PEM file."},
    {"decode_certificate_der", tb_decode_certificate_der, METH_O,
     "decode_certificate_der(der)\n\nThe getpeercert() dict of a DER certificate."},
    {"make_throwaway_chain", tb_make_throwaway_chain, METH_VARARGS,
     "make_throwaway_chain(names, days)\n\n(CA, certificate, key) as PEM, for a server that lives for one test."},
    {"read_configuration", tb_read_configuration, METH_VARARGS,
     "read_configuration(path, section)\n\n(name, value) pairs of a section of an OpenSSL configuration file, None "
     "without that section.  SSLError with file and line if it does not parse."},
    {"get_sigalgs", tb_get_sigalgs, METH_NOARGS,
     "get_sigalgs()\n\nThe names of the signature algorithms that TLS can use (added in 3.15).  NotImplementedError "
     "before OpenSSL 3.5."},
    {"_trust_counts", tb_context_trust_counts, METH_NOARGS,
     "_trust_counts()\n\n(uses of a kept file of authorities, files read, files kept, certificates parsed one by one) "
     "of this process."},
    {"RAND_bytes", tb_rand_bytes, METH_VARARGS, "RAND_bytes(num)\n\nnum cryptographically strong random bytes."},
    {"RAND_pseudo_bytes", tb_rand_pseudo_bytes, METH_VARARGS,
     "RAND_pseudo_bytes(num)\n\n(bytes, True): since OpenSSL 1.1.0 there is one generator."},
    {"RAND_add", tb_rand_add, METH_VARARGS, "RAND_add(bytes, entropy)\n\nMixes bytes into the generator."},
    {"RAND_status", tb_rand_status, METH_NOARGS, "RAND_status()\n\nWhether the generator was seeded."},
    {"txt2obj", (PyCFunction)(void (*)(void))tb_txt2obj, METH_VARARGS | METH_KEYWORDS,
     "txt2obj(txt, name=False)\n\n(nid, short name, long name, dotted OID).  ValueError if unknown."},
    {"nid2obj", tb_nid2obj, METH_O,
     "nid2obj(nid)\n\n(nid, short name, long name, dotted OID).  ValueError if unknown."},
    {NULL, NULL, 0, NULL},
};

/* ---- state ---------------------------------------------------------------------------------------------------- */

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = tb_module_state(module);
    int i;

    if (state == NULL) /* not executed yet */
        return 0;
    Py_VISIT((PyObject *)state->memory_bio_type);
    Py_VISIT((PyObject *)state->context_type);
    Py_VISIT((PyObject *)state->connection_type);
    Py_VISIT((PyObject *)state->ssl_object_type);
    Py_VISIT((PyObject *)state->session_type);
    Py_VISIT((PyObject *)state->certificate_type);
    for (i = 0; i < TB_EXCEPTION_COUNT; i++)
        Py_VISIT(state->exceptions[i]);
    Py_VISIT(state->handshake_completed);
    Py_VISIT(state->handshake_refused);
    return 0;
}

static int module_clear(PyObject *module)
{
    core_state *state = tb_module_state(module);
    int i;

    if (state == NULL)
        return 0;
    /* The types stay: instances that outlive the module still need them to be deallocated, and each
     * instance keeps the module, so nothing is left when this is reached in a collection. */
    for (i = 0; i < TB_EXCEPTION_COUNT; i++)
        Py_CLEAR(state->exceptions[i]);
    Py_CLEAR(state->want_arguments[0]);
    Py_CLEAR(state->want_arguments[1]);
    Py_CLEAR(state->handshake_completed);
    Py_CLEAR(state->handshake_refused);
    return 0;
}

/* The end of the module itself: no instance is left, since each of them keeps it. */
static void module_free(void *memory)
{
    core_state *state = memory;
    int i;

    for (i = 0; i < TB_EXCEPTION_COUNT; i++)
        Py_CLEAR(state->exceptions[i]);
    Py_CLEAR(state->want_arguments[0]);
    Py_CLEAR(state->want_arguments[1]);
    Py_CLEAR(state->handshake_completed);
    Py_CLEAR(state->handshake_refused);
    Py_CLEAR(state->gettimeout_name);
    Py_CLEAR(state->fileno_name);
    Py_CLEAR(state->memory_bio_type);
    Py_CLEAR(state->context_type);
    Py_CLEAR(state->connection_type);
    Py_CLEAR(state->ssl_object_type);
    Py_CLEAR(state->session_type);
    Py_CLEAR(state->certificate_type);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

/* Publishes a type; its reference stays with the state. */
static int publish(PyObject *module, const char *name, PyTypeObject *type)
{
    Py_INCREF((PyObject *)type);
    if (PyModule_AddObject(module, name, (PyObject *)type) < 0) {
        Py_DECREF((PyObject *)type);
        return -1;
    }
    return 0;
}

static int add_names(PyObject *module, core_state *state)
{
    static const char *const names[] = {"gettimeout", "fileno"};

    state->gettimeout_name = tb_native_str(names[0]);
    state->fileno_name = tb_native_str(names[1]);
    if (state->gettimeout_name == NULL || state->fileno_name == NULL)
        return -1;
    if (PyModule_AddStringConstant(module, "package_version", TB_VERSION) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "flavour", TB_BUNDLED ? "bundled" : "system");
}

/* Without configuration file and atexit handler: the first would let another program's settings in,
 * the second would run in a library that may be in use by other threads.  The system flavour must not
 * choose either for the other users of the library. */
static int start_openssl(void)
{
    if (!TB_BUNDLED)
        return OPENSSL_init_ssl(0, NULL) == 1 ? 0 : -1;
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1 ? 0 : -1;
}

static int module_exec(PyObject *module)
{
    core_state *state = tb_module_state(module);

    if (start_openssl() < 0) {
        ERR_clear_error();
        PyErr_SetString(PyExc_ImportError, "_tls_bootstrap._core: OpenSSL cannot be initialised");
        return -1;
    }
    tb_gil_turns_begin(&state->turns);
    if (add_names(module, state) < 0 || tb_add_ending(module) < 0 || tb_add_constants(module) < 0 ||
        tb_membio_type_add(module, state) < 0 || tb_context_type_add(module, state) < 0 ||
        tb_connection_type_add(module, state) < 0 || tb_ssl_object_type_add(module, state) < 0 ||
        tb_session_type_add(module, state) < 0 || tb_certificate_type_add(module, state) < 0)
        return -1;
    if (publish(module, "MemoryBIO", state->memory_bio_type) < 0 ||
        publish(module, "_SSLContext", state->context_type) < 0 ||
        publish(module, "_SSLSocket", state->connection_type) < 0 ||
        publish(module, "_SSLObject", state->ssl_object_type) < 0 ||
        publish(module, "SSLSession", state->session_type) < 0 ||
        publish(module, "Certificate", state->certificate_type) < 0)
        return -1;
    return 0;
}

const tb_module_description tb_module = {
    "_tls_bootstrap._core",
    "The C half of _tls_bootstrap: OpenSSL's objects, input and output, buffers.",
    sizeof(core_state),
    methods,
    module_exec,
    module_traverse,
    module_clear,
    module_free,
};
