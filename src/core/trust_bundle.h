/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of certificate authorities held. */
#ifndef TB_TRUST_BUNDLE_H
#define TB_TRUST_BUNDLE_H

#include "openssl_compat.h"

#include <stddef.h>
#include <stdint.h>

/* Shared between contexts, threads and interpreters, and never modified but for what is parsed meanwhile. */
typedef struct tb_bundle tb_bundle;

/* The certificates and revocation lists in the text of a PEM file (RFC 7468), as a new reference; NULL if it does
 * not parse or is empty. */
tb_bundle *tb_bundle_new(const char *text, size_t length);
void tb_bundle_up_ref(tb_bundle *self);
void tb_bundle_free(tb_bundle *self);

/* Whether its certificates can be found by their subjects without all being parsed. */
int tb_bundle_is_searchable(const tb_bundle *self);

/* How many certificates a searchable one has, and one of them, parsed; borrowed from the bundle, NULL with the
 * queue telling why. */
size_t tb_bundle_count(const tb_bundle *self);
X509 *tb_bundle_certificate(tb_bundle *self, size_t position);

/* The next certificate from *position on that has this subject, parsed, or NULL; *position moves behind it.
 * Borrowed from the bundle. */
X509 *tb_bundle_find(tb_bundle *self, const X509_NAME *subject, size_t *position);

/* All that it holds, parsed, in a store that belongs to no context; borrowed, or NULL with the queue telling why. */
X509_STORE *tb_bundle_parse(tb_bundle *self);

/* Certificates of searchable bundles that this process parsed so far. */
unsigned long tb_bundle_parsed(void);

#endif
