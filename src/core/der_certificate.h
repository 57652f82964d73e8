/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a certificate without parsing it. */
#ifndef TB_DER_CERTIFICATE_H
#define TB_DER_CERTIFICATE_H

#include "openssl_compat.h"

#include <stddef.h>
#include <stdint.h>

/* Whether these bytes are exactly one certificate of the plainest form (RFC 5280 section 4.1 in DER, ITU-T
 * X.690), which OpenSSL is sure to parse.  *subject receives a hash of its subject.  0 says only that
 * OpenSSL has to be asked. */
int tb_der_is_plain_certificate(const unsigned char *der, size_t length, uint32_t *subject);

/* The same hash of a name; names that OpenSSL takes for equal have equal hashes.  0 where it cannot be told. */
int tb_der_name_hash(const X509_NAME *name, uint32_t *hash);

#endif
