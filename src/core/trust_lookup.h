/* SPDX-License-Identifier: Apache-2.0 */
/* How the store of a context gets at the certificates of a bundle. */
#ifndef TB_TRUST_LOOKUP_H
#define TB_TRUST_LOOKUP_H

#include "trust_bundle.h"

/* Lets the store ask the bundle for the issuers it does not have.  1, or 0 with the queue telling why.  The
 * store keeps a reference to the bundle. */
int tb_trust_lookup_attach(X509_STORE *store, tb_bundle *bundle);

#endif
