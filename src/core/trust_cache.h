/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificate authorities, read once per process. */
#ifndef TB_TRUST_CACHE_H
#define TB_TRUST_CACHE_H

#include "trust_bundle.h"

#include <stdio.h>

/* What `file` holds, from its start, as a new reference; NULL where OpenSSL has to load it itself, as what is
 * not a regular file, is too long or does not parse. */
tb_bundle *tb_trust_cache_read(FILE *file);

/* (uses of a kept file, files read, files kept) of this process. */
void tb_trust_cache_counts(unsigned long counts[3]);

#endif
