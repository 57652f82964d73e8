/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificate authorities, parsed once per process. */
#ifndef TB_TRUST_CACHE_H
#define TB_TRUST_CACHE_H

#include "core.h"

#include <stdio.h>

/* Adds the certificates and revocation lists of a PEM file to the store of `ctx`, as
 * SSL_CTX_load_verify_locations(ctx, path, NULL) does.  `file` is `path` opened just now, at its
 * start; it stays the caller's.  1, or 0 with OpenSSL's error queue telling why.  Without the GIL. */
int tb_trust_load_file(SSL_CTX *ctx, FILE *file, const char *path);

/* METH_NOARGS: (uses of a kept file, files parsed, files kept) of this process. */
PyObject *tb_trust_cache_counts(PyObject *module, PyObject *unused);

#endif
