/* SPDX-License-Identifier: Apache-2.0 */
/* Every difference between OpenSSL versions (1.1.1 to 3.x and later) that the core has to know.
 * No other file tests an OpenSSL version. */
#ifndef TB_OPENSSL_COMPAT_H
#define TB_OPENSSL_COMPAT_H

/* dh and low-level key functions are deprecated in 3.0 and still there; their replacements are
 * not in 1.1.1. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/bio.h>
#include <openssl/comp.h>
#include <openssl/crypto.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/opensslv.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#if OPENSSL_VERSION_NUMBER < 0x10101000L
#error "OpenSSL 1.1.1 or later is needed"
#endif

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#define SSL_get1_peer_certificate SSL_get_peer_certificate
typedef X509_NAME tb_wanted_name; /* what the store of a verification is asked for */
#else
typedef const X509_NAME tb_wanted_name;
#endif

/* Options that came with 3.0; as nothing, they can be set and have no effect. */
#ifndef SSL_OP_IGNORE_UNEXPECTED_EOF
#define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#endif
#ifndef SSL_OP_ENABLE_KTLS
#define SSL_OP_ENABLE_KTLS 0
#endif

/* The reason of an end of file without close_notify: an error of its own from 3.0 on, a syscall
 * error without errno before. */
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
#define TB_REASON_IS_EOF(reason) ((reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
#else
#define TB_REASON_IS_EOF(reason) 0
#endif

/* What 3.2 and later put over the error that tells the cause. */
#ifdef SSL_R_RECORD_LAYER_FAILURE
#define TB_REASON_IS_VAGUE(reason) ((reason) == SSL_R_RECORD_LAYER_FAILURE)
#else
#define TB_REASON_IS_VAGUE(reason) 0
#endif

/* Reasons like "PEM lib" that name only the library below; they have no name of their own. */
#ifdef ERR_RFLAG_COMMON
#define TB_REASON_IS_COMMON(reason) (((reason) & ERR_RFLAG_COMMON) != 0 || (reason) < 100)
#else
#define TB_REASON_IS_COMMON(reason) ((reason) < 100)
#endif

/* Client-initiated renegotiation (CVE-2009-3555, CVE-2011-1473) is refused by default from 3.0 on;
 * 1.1.1 needs a flag, which the `options` attribute does not show. */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#define TB_DEFAULT_NO_RENEGOTIATION 0
#else
#define TB_DEFAULT_NO_RENEGOTIATION SSL_OP_NO_RENEGOTIATION
#endif

/* SSL_free_buffers() frees what is used afterwards in releases before June 2024 (CVE-2024-4741).  Where it might,
 * OpenSSL frees its buffers by itself, behind each record. */
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
#define TB_MODE_OF_BUFFERS       0
#define tb_ssl_free_buffers(ssl) ((void)SSL_free_buffers(ssl))
#else
#define TB_MODE_OF_BUFFERS       SSL_MODE_RELEASE_BUFFERS
#define tb_ssl_free_buffers(ssl) ((void)(ssl))
#endif

/* Whether an X509_STORE's objects are one list; from 4.0 on it may keep more than that. */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L && OPENSSL_VERSION_NUMBER < 0x40000000L
#define TB_STORE_IS_A_LIST 1
#else
#define TB_STORE_IS_A_LIST 0
#endif

/* Whether this build carries its own OpenSSL. */
#ifdef TB_BUNDLED_OPENSSL
#define TB_BUNDLED 1
#else
#define TB_BUNDLED 0
#endif

/* The negotiated key exchange group's name, NULL where this OpenSSL cannot tell. */
const char *tb_ssl_group_name(SSL *ssl);

/* The name of the compression in use, NULL for none; the bundled OpenSSL cannot compress. */
static inline const char *tb_ssl_compression_name(SSL *ssl)
{
#ifndef OPENSSL_NO_COMP
    const COMP_METHOD *method = SSL_get_current_compression(ssl);
    int type = method != NULL ? COMP_get_type(method) : NID_undef;

    return type != NID_undef ? OBJ_nid2sn(type) : NULL;
#else
    (void)ssl;
    return NULL;
#endif
}

/* The names of the signature algorithms that this side and the peer used, NULL for none. */
const char *tb_ssl_signature_name(SSL *ssl);
const char *tb_ssl_peer_signature_name(SSL *ssl);

/* The names of the groups a context could use.  They belong to OpenSSL; only the array is ours. */
typedef struct {
    const char **items;
    size_t count;
    void *stack; /* OpenSSL's own list, of which items is a copy */
} tb_text_list;

/* 0, or -1 where this OpenSSL cannot tell. */
int tb_ssl_ctx_list_groups(SSL_CTX *ctx, int include_aliases, tb_text_list *list);
void tb_text_list_free(tb_text_list *list);

/* The built-in signature algorithms' names, separated by colons, to be freed by OPENSSL_free; NULL
 * where this OpenSSL cannot tell. */
char *tb_ssl_builtin_sigalgs(void);

/* Puts an error on top of the queue, as OpenSSL's own functions do. */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#define tb_put_error(library, reason) ERR_raise(library, reason)
#else
#define tb_put_error(library, reason) ERR_put_error(library, 0, reason, __FILE__, __LINE__)
#endif

#endif
