/* SPDX-License-Identifier: Apache-2.0 */
/* Which setting would let through what our security defaults refused.
 *
 * Other programs of the machine may reach the same server, by an older OpenSSL or a laxer policy:
 * whoever reads the error has to learn that it is this module's policy, and where that is changed. */
#include "core.h"

#include <string.h>

#define POLICY_FILE " in /etc/tls-bootstrap/openssl.cnf"

static const struct {
    const char *reason;
    const char *hint;
} hints[] = {
    {"UNSUPPORTED_PROTOCOL", "what is allowed here is said by MinProtocol and MaxProtocol" POLICY_FILE},
    {"TLSV1_ALERT_PROTOCOL_VERSION", "what is allowed here is said by MinProtocol and MaxProtocol" POLICY_FILE},
    {"WRONG_SSL_VERSION", "what is allowed here is said by MinProtocol and MaxProtocol" POLICY_FILE},
    {"UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "Options = UnsafeLegacyServerConnect" POLICY_FILE " allows it"},
    {"DH_KEY_TOO_SMALL", "CipherString = DEFAULT:@SECLEVEL=1, or 0," POLICY_FILE " allows it"},
    {"EE_KEY_TOO_SMALL", "CipherString = DEFAULT:@SECLEVEL=1, or 0," POLICY_FILE " allows it"},
    {"CA_KEY_TOO_SMALL", "CipherString = DEFAULT:@SECLEVEL=1, or 0," POLICY_FILE " allows it"},
    {"CA_MD_TOO_WEAK", "CipherString = DEFAULT:@SECLEVEL=1, or 0," POLICY_FILE " allows it"},
    {"WRONG_SIGNATURE_TYPE", "CipherString = DEFAULT:@SECLEVEL=1, or 0," POLICY_FILE " allows it"},
    {"SSLV3_ALERT_HANDSHAKE_FAILURE", "what is offered from here is said by CipherString and Groups" POLICY_FILE},
};

const char *tb_policy_hint(const char *reason, long verify_code)
{
    size_t i;

    /* The system flavour's policy is the distribution's, which has its own places and names for it. */
    if (!TB_BUNDLED)
        return NULL;
    if (verify_code == X509_V_ERR_EE_KEY_TOO_SMALL || verify_code == X509_V_ERR_CA_KEY_TOO_SMALL ||
        verify_code == X509_V_ERR_CA_MD_TOO_WEAK)
        reason = "CA_MD_TOO_WEAK";
    for (i = 0; reason != NULL && i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].reason, reason) == 0)
            return hints[i].hint;
    return NULL;
}
