/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the ssl API that OpenSSL does not define, or defines under several names. */
#ifndef TB_CONSTANTS_H
#define TB_CONSTANTS_H

/* ssl.PROTOCOL_*: SSLv2 (0) and SSLv3 (1) are not offered. */
enum {
    TB_PROTOCOL_TLS = 2,
    TB_PROTOCOL_TLSv1 = 3,
    TB_PROTOCOL_TLSv1_1 = 4,
    TB_PROTOCOL_TLSv1_2 = 5,
    TB_PROTOCOL_TLS_CLIENT = 16,
    TB_PROTOCOL_TLS_SERVER = 17
};

/* ssl.TLSVersion: the two that are no wire version. */
enum { TB_PROTO_MINIMUM_SUPPORTED = -2, TB_PROTO_MAXIMUM_SUPPORTED = -1 };

/* ssl.VerifyMode */
enum { TB_CERT_NONE = 0, TB_CERT_OPTIONAL = 1, TB_CERT_REQUIRED = 2 };

/* Formats of Certificate.public_bytes() */
enum { TB_ENCODING_PEM = 1, TB_ENCODING_DER = 2 };

/* The members of ssl.SSLErrorNumber that are not results of SSL_get_error() */
enum { TB_SSL_ERROR_EOF = 8, TB_SSL_ERROR_INVALID_ERROR_CODE = 10 };

/* The cipher suites of ssl.SSLContext up to TLS 1.2: forward secrecy, and neither SHA-1 nor CCM. */
#define TB_DEFAULT_CIPHERS "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"

#endif
