/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's policy: reading OpenSSL configuration files and applying their SSL_CONF
 * commands to one context.  Which file, and what of it, is _policy.py's business.
 *
 * OpenSSL's own loader is not used: it would configure the library for the whole process, and it
 * ignores without a word a file whose form it does not expect. */
#include "context.h"

#include <openssl/conf.h>

static PyObject *section_to_list(const STACK_OF(CONF_VALUE) * section)
{
    PyObject *list = PyList_New(0);
    int i;

    for (i = 0; list != NULL && i < sk_CONF_VALUE_num(section); i++) {
        const CONF_VALUE *entry = sk_CONF_VALUE_value(section, i);

        if (tb_list_append(list, Py_BuildValue("(ss)", entry->name, entry->value)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

PyObject *tb_read_configuration(PyObject *module, PyObject *args)
{
    PyObject *path, *result = NULL;
    const char *section_name, *path_text;
    STACK_OF(CONF_VALUE) * section;
    CONF *configuration;
    long error_line = 0;

    if (!PyArg_ParseTuple(args, "Os:read_configuration", &path, &section_name))
        return NULL;
    path_text = PyBytes_AsString(path);
    if (path_text == NULL)
        return NULL;
    configuration = NCONF_new(NULL);
    if (configuration == NULL)
        return PyErr_NoMemory();
    ERR_clear_error();
    if (NCONF_load(configuration, path_text, &error_line) <= 0) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = ERR_reason_error_string(code);

        ERR_clear_error();
        tb_raise(tb_module_state(module), TB_SSL_ERROR, SSL_ERROR_SSL, __LINE__, "%s:%ld: %s", path_text, error_line,
                 reason != NULL ? reason : "cannot be read");
        goto exit;
    }
    section = NCONF_get_section(configuration, section_name);
    ERR_clear_error();
    if (section != NULL) {
        result = section_to_list(section);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
exit:
    NCONF_free(configuration);
    return result;
}

PyObject *tb_context_configure(PyObject *object, PyObject *args)
{
    tb_context *self = (tb_context *)object;
    const char *command, *value;
    SSL_CONF_CTX *commands;
    unsigned int flags = SSL_CONF_FLAG_FILE;
    int status;

    if (!PyArg_ParseTuple(args, "ss:_configure", &command, &value))
        return NULL;
    commands = SSL_CONF_CTX_new();
    if (commands == NULL)
        return PyErr_NoMemory();
    if (!tb_context_is_server_only(self))
        flags |= SSL_CONF_FLAG_CLIENT;
    if (!tb_context_is_client_only(self))
        flags |= SSL_CONF_FLAG_SERVER;
    SSL_CONF_CTX_set_flags(commands, flags);
    SSL_CONF_CTX_set_ssl_ctx(commands, self->ctx);
    ERR_clear_error();
    status = SSL_CONF_cmd(commands, command, value);
    SSL_CONF_CTX_free(commands);
    tb_context_keep_fixed_version(self);
    if (status == -2) {
        ERR_clear_error();
        Py_RETURN_FALSE;
    }
    if (status <= 0)
        return tb_raise_openssl(self->state);
    Py_RETURN_TRUE;
}
