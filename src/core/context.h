/* SPDX-License-Identifier: Apache-2.0 */
/* The methods and attributes of a context, for its tables in context.c. */
#ifndef TB_CONTEXT_H
#define TB_CONTEXT_H

#include "core.h"

#include <stdio.h>

#define CONTEXT_METHOD(name)          PyObject *tb_context_##name(PyObject *self, PyObject *arg)
#define CONTEXT_METHOD_KEYWORDS(name) PyObject *tb_context_##name(PyObject *self, PyObject *args, PyObject *kwargs)
#define CONTEXT_ATTRIBUTE(name)                                                                                        \
    PyObject *tb_context_get_##name(PyObject *self, void *closure);                                                    \
    int tb_context_set_##name(PyObject *self, PyObject *value, void *closure)

/* context.c */
int tb_context_has_fixed_version(const tb_context *self);
/* A policy may narrow the versions of a context with a fixed one, and never widens them. */
void tb_context_keep_fixed_version(tb_context *self);
int tb_context_is_client_only(const tb_context *self);
int tb_context_is_server_only(const tb_context *self);

/* context_settings.c: protocol versions, options, verification, limits */
CONTEXT_ATTRIBUTE(options);
CONTEXT_ATTRIBUTE(verify_mode);
CONTEXT_ATTRIBUTE(verify_flags);
CONTEXT_ATTRIBUTE(check_hostname);
CONTEXT_ATTRIBUTE(host_flags);
CONTEXT_ATTRIBUTE(minimum_version);
CONTEXT_ATTRIBUTE(maximum_version);
CONTEXT_ATTRIBUTE(num_tickets);
CONTEXT_ATTRIBUTE(post_handshake_auth);
PyObject *tb_context_get_protocol(PyObject *self, void *closure);
PyObject *tb_context_get_security_level(PyObject *self, void *closure);
CONTEXT_METHOD(session_stats);

/* context_algorithms.c: ciphers, groups, signature algorithms */
CONTEXT_METHOD(set_ciphers);
CONTEXT_METHOD(set_ciphersuites);
CONTEXT_METHOD(get_ciphers);
CONTEXT_METHOD(set_groups);
CONTEXT_METHOD_KEYWORDS(get_groups);
CONTEXT_METHOD(set_client_sigalgs);
CONTEXT_METHOD(set_server_sigalgs);
CONTEXT_METHOD(set_ecdh_curve);
int tb_context_default_algorithms(tb_context *self);

/* context_certificates.c: what a context loads for itself */
CONTEXT_METHOD_KEYWORDS(load_cert_chain);
CONTEXT_METHOD(load_dh_params);
/* A file opened for reading, or NULL with TypeError, ValueError or OSError; `path` is bytes. */
FILE *tb_open_file(core_state *state, PyObject *path);
/* Whether OpenSSL's queue says only that there is no further BEGIN line. */
int tb_no_more_pem(void);

/* context_trust.c: whom a context trusts */
CONTEXT_METHOD(load_verify_locations);
CONTEXT_METHOD(set_default_verify_paths);
CONTEXT_METHOD(cert_store_stats);
CONTEXT_METHOD_KEYWORDS(get_ca_certs);

/* policy.c */
CONTEXT_METHOD(configure);

/* context_callbacks.c: what OpenSSL calls back into Python for */
CONTEXT_METHOD(set_alpn_protocols);
CONTEXT_METHOD(set_npn_protocols);
CONTEXT_METHOD_KEYWORDS(set_psk_client_callback);
CONTEXT_METHOD_KEYWORDS(set_psk_server_callback);
CONTEXT_ATTRIBUTE(sni_callback);
CONTEXT_ATTRIBUTE(msg_callback);
CONTEXT_ATTRIBUTE(keylog_filename);

#endif
