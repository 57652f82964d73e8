/* SPDX-License-Identifier: Apache-2.0 */
/* How a bundle's certificates come into the store of a context. */
#ifndef TB_TRUST_STORE_H
#define TB_TRUST_STORE_H

#include "trust_bundle.h"

/* All of these: 1, or 0 with the queue telling why. */

/* Makes a new store able to search a bundle. */
int tb_trust_store_prepare(X509_STORE *store);
/* From now on a verification puts those of the bundle's certificates into the store that it looks for.  Once for
 * each store, with a searchable bundle, of which the store keeps a reference. */
int tb_trust_store_search(X509_STORE *store, tb_bundle *bundle);
/* Puts the rest of the searched bundle into the store, if there is one. */
int tb_trust_store_complete(X509_STORE *store);
/* Puts all of a bundle into the store. */
int tb_trust_store_add(X509_STORE *store, tb_bundle *bundle);

/* The bundle that is searched, borrowed, or NULL. */
tb_bundle *tb_trust_store_searched(X509_STORE *store);

#endif
