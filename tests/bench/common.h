/* SPDX-License-Identifier: Apache-2.0 */
/* What reference.c and bare.c have in common: a context for the words of a command, and BIOs over memory of their own.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *certificates; /* a directory with {ec,rsa}.{pem,crt}; set before a context is made */

static void fail(const char *what)
{
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "%s failed\n", what);
    exit(70);
}

typedef struct {
    const char *name, *suite, *cipher_rsa, *cipher_ec, *aead;
} suite;

static const suite suites[] = {
    {"aes128", "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", "AES-128-GCM"},
    {"aes256", "TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES-256-GCM"},
    {"chacha20", "TLS_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305",
     "ChaCha20-Poly1305"},
};

static const suite *find_suite(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof suites / sizeof suites[0]; i++)
        if (strcmp(suites[i].name, name) == 0)
            return &suites[i];
    fail(name);
    return NULL;
}

typedef struct {
    int version;
    const char *suite, *key, *group;
} settings;

static int version_number(const char *name)
{
    return strcmp(name, "tls13") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* With X25519 goes the curve of the ECDSA certificate, which TLS 1.2 asks for among the groups. */
static const char *groups(const char *name)
{
    return strcmp(name, "X25519") == 0 ? "X25519:P-256" : name;
}

/* With what the module sets; see its context.c and connection.c. */
static SSL_CTX *make_context(int server, const settings *wanted)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    const suite *chosen = find_suite(wanted->suite);
    char path[4096];

    if (context == NULL)
        fail("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context, wanted->version);
    SSL_CTX_set_max_proto_version(context, wanted->version);
    if (SSL_CTX_set_ciphersuites(context, chosen->suite) != 1 ||
        SSL_CTX_set_cipher_list(context, strcmp(wanted->key, "ec") == 0 ? chosen->cipher_ec : chosen->cipher_rsa) !=
            1 ||
        SSL_CTX_set1_groups_list(context, groups(wanted->group)) != 1)
        fail("ciphers or groups");
    SSL_CTX_set_options(context, SSL_OP_ALL | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"reference", 9);
    snprintf(path, sizeof path, "%s/%s.%s", certificates, wanted->key, server ? "pem" : "crt");
    if (server) {
        if (SSL_CTX_use_certificate_chain_file(context, path) != 1 ||
            SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1)
            fail(path);
    } else {
        if (SSL_CTX_load_verify_locations(context, path, NULL) != 1)
            fail(path);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    return context;
}

/* Connections of this context keep OpenSSL's buffers from now on, as ours do as long as they are few. */
static inline void keep_buffers(SSL_CTX *context)
{
    SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

static void set_names(SSL *client)
{
    if (SSL_set1_host(client, "localhost") != 1 || SSL_set_tlsext_host_name(client, "localhost") != 1)
        fail("host name");
}

static long control_memory(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

/* A BIO over `memory`; *method is made the first time. */
static BIO *new_bio(BIO_METHOD **method, int (*write)(BIO *, const char *, int), int (*read)(BIO *, char *, int),
                    void *memory)
{
    BIO *bio;

    if (*method == NULL) {
        *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory of the benchmark");
        if (*method == NULL || !BIO_meth_set_write(*method, write) || !BIO_meth_set_read(*method, read) ||
            !BIO_meth_set_ctrl(*method, control_memory))
            fail("BIO_meth_new");
    }
    bio = BIO_new(*method);
    if (bio == NULL)
        fail("BIO_new");
    BIO_set_data(bio, memory);
    BIO_set_init(bio, 1);
    return bio;
}

#endif
