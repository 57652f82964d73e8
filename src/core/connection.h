/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of a connection, for its method table in connection.c. */
#ifndef TB_CONNECTION_H
#define TB_CONNECTION_H

#include "core.h"

/* connection_io.c */
PyObject *tb_connection_do_handshake(PyObject *self, PyObject *unused);
PyObject *tb_connection_write(PyObject *self, PyObject *data);
/* Up to `length` bytes (an int; NULL: 1024), into `buffer` unless that is NULL or None. */
PyObject *tb_connection_read(PyObject *self, PyObject *length, PyObject *buffer);
/* Up to `length` bytes into `buffer`; as much as it takes where that is 0, negative or more.  Their number. */
PyObject *tb_connection_read_into(tb_connection *self, Py_ssize_t length, PyObject *buffer);
PyObject *tb_connection_pending(PyObject *self, PyObject *unused);
PyObject *tb_connection_shutdown(PyObject *self, PyObject *unused);
PyObject *tb_connection_verify_client_post_handshake(PyObject *self, PyObject *unused);

/* connection_info.c */
PyObject *tb_connection_getpeercert(PyObject *self, PyObject *args);
PyObject *tb_connection_get_verified_chain(PyObject *self, PyObject *unused);
PyObject *tb_connection_get_unverified_chain(PyObject *self, PyObject *unused);
PyObject *tb_connection_cipher(PyObject *self, PyObject *unused);
PyObject *tb_connection_shared_ciphers(PyObject *self, PyObject *unused);
PyObject *tb_connection_compression(PyObject *self, PyObject *unused);
PyObject *tb_connection_version(PyObject *self, PyObject *unused);
PyObject *tb_connection_group(PyObject *self, PyObject *unused);
PyObject *tb_connection_client_sigalg(PyObject *self, PyObject *unused);
PyObject *tb_connection_server_sigalg(PyObject *self, PyObject *unused);
PyObject *tb_connection_selected_alpn_protocol(PyObject *self, PyObject *unused);
PyObject *tb_connection_selected_npn_protocol(PyObject *self, PyObject *unused);
PyObject *tb_connection_extended_master_secret(PyObject *self, PyObject *unused);
PyObject *tb_connection_get_channel_binding(PyObject *self, PyObject *args);
PyObject *tb_connection_export_keying_material(PyObject *self, PyObject *args);
PyObject *tb_connection_get_session_reused(PyObject *self, void *closure);
PyObject *tb_connection_get_server_side(PyObject *self, void *closure);
PyObject *tb_connection_get_server_hostname(PyObject *self, void *closure);

#endif
