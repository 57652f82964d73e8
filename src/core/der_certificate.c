/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates recognised without being parsed.
 *
 * OpenSSL needs 40 µs to parse a certificate, most of it for the public key, and a program verifies against one
 * or two of the 150 in the system's bundle.  Here only their form is looked at.  What is accepted is much less
 * than OpenSSL accepts: each doubt, each form that is not seen in today's bundles, is answered with no. */
#include "der_certificate.h"

#include <string.h>

#define BOOLEAN          0x01
#define INTEGER          0x02
#define BIT_STRING       0x03
#define OCTET_STRING     0x04
#define NULL_VALUE       0x05
#define OBJECT_ID        0x06
#define UTF8_STRING      0x0c
#define PRINTABLE_STRING 0x13
#define T61_STRING       0x14
#define IA5_STRING       0x16
#define UTC_TIME         0x17
#define GENERALIZED_TIME 0x18
#define SEQUENCE         0x30
#define SET              0x31
#define EXPLICIT(number) (0xa0 + (number))

#define FNV_BASIS 2166136261u
#define FNV_PRIME 16777619u

/* Bytes still to be read. */
typedef struct {
    const unsigned char *at, *end;
} span;

static int at_end(const span *from)
{
    return from->at == from->end;
}

static int next_is(const span *from, unsigned int tag)
{
    return !at_end(from) && *from->at == tag;
}

/* Moves behind the next element, which must have this tag and a length in its shortest form of up to 65,535;
 * *content receives what is in it. */
static int take(span *from, unsigned int tag, span *content)
{
    size_t size = (size_t)(from->end - from->at), header = 2, length;

    if (size < header || from->at[0] != tag)
        return 0;
    length = from->at[1];
    if (length == 0x81 && size > 2 && from->at[2] >= 0x80) {
        header = 3;
        length = from->at[2];
    } else if (length == 0x82 && size > 3 && from->at[2] != 0) {
        header = 4;
        length = (size_t)from->at[2] << 8 | from->at[3];
    } else if (length >= 0x80) {
        return 0;
    }
    if (length > size - header)
        return 0;
    content->at = from->at + header;
    content->end = content->at + length;
    from->at = content->end;
    return 1;
}

static int take_object_id(span *from, span *content)
{
    const unsigned char *at;
    int starts = 1; /* a number of the identifier */

    if (!take(from, OBJECT_ID, content) || at_end(content) || (content->end[-1] & 0x80) != 0)
        return 0;
    for (at = content->at; at < content->end; at++) {
        if (starts && *at == 0x80)
            return 0;
        starts = (*at & 0x80) == 0;
    }
    return 1;
}

/* AlgorithmIdentifier; parameters inside a SEQUENCE are nothing that OpenSSL looks at while it parses. */
static int take_algorithm(span *from)
{
    span algorithm, ignored;

    if (!take(from, SEQUENCE, &algorithm) || !take_object_id(&algorithm, &ignored))
        return 0;
    if (next_is(&algorithm, NULL_VALUE))
        return take(&algorithm, NULL_VALUE, &ignored) && at_end(&ignored) && at_end(&algorithm);
    if (next_is(&algorithm, OBJECT_ID))
        return take_object_id(&algorithm, &ignored) && at_end(&algorithm);
    return at_end(&algorithm) || (take(&algorithm, SEQUENCE, &ignored) && at_end(&algorithm));
}

/* A BIT STRING of whole bytes. */
static int take_bits(span *from)
{
    span bits;

    return take(from, BIT_STRING, &bits) && !at_end(&bits) && *bits.at == 0;
}

/* A serial number, without a needless byte in front.  Negative ones are against RFC 5280, and there. */
static int take_serial(span *from)
{
    span number;
    size_t length;

    if (!take(from, INTEGER, &number) || at_end(&number) || *number.at == 0xff)
        return 0;
    length = (size_t)(number.end - number.at);
    return *number.at != 0 || length == 1 || (number.at[1] & 0x80) != 0;
}

static int take_time(span *from)
{
    span text;
    size_t length = next_is(from, UTC_TIME) ? sizeof "YYMMDDhhmmss" - 1 : sizeof "YYYYMMDDhhmmss" - 1;

    if (!take(from, UTC_TIME, &text) && !take(from, GENERALIZED_TIME, &text))
        return 0;
    if ((size_t)(text.end - text.at) != length + 1 || text.end[-1] != 'Z')
        return 0;
    for (; text.at < text.end - 1; text.at++)
        if (*text.at < '0' || *text.at > '9')
            return 0;
    return 1;
}

static int take_validity(span *from)
{
    span validity;

    return take(from, SEQUENCE, &validity) && take_time(&validity) && take_time(&validity) && at_end(&validity);
}

/* The length of one UTF-8 character of more than a byte (RFC 3629 section 4), 0 if it is none. */
static size_t character_length(const unsigned char *at, const unsigned char *end)
{
    unsigned int first = *at, lowest = 0x80, highest = 0xbf;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, i;

    if (first < 0xc2 || first > 0xf4 || (size_t)(end - at) < length)
        return 0;
    if (first == 0xe0)
        lowest = 0xa0;
    else if (first == 0xed)
        highest = 0x9f;
    else if (first == 0xf0)
        lowest = 0x90;
    else if (first == 0xf4)
        highest = 0x8f;
    for (i = 1; i < length; i++) {
        if (at[i] < lowest || at[i] > highest)
            return 0;
        lowest = 0x80;
        highest = 0xbf;
    }
    return length;
}

static void mix(uint32_t *hash, const unsigned char *at, size_t length)
{
    for (; length > 0; length--)
        *hash = (*hash ^ *at++) * FNV_PRIME;
}

/* Text of a name.  X509_NAME_cmp passes over the kind of string, the case of ASCII letters and the number of
 * spaces, so the hash has none of them. */
static int take_text(span *from, uint32_t *hash)
{
    span text;
    int is_utf8 = next_is(from, UTF8_STRING);

    if (!take(from, UTF8_STRING, &text) && !take(from, PRINTABLE_STRING, &text) && !take(from, T61_STRING, &text) &&
        !take(from, IA5_STRING, &text))
        return 0;
    if (at_end(&text))
        return 0;
    while (!at_end(&text)) {
        unsigned char byte = *text.at;
        size_t length = 1;

        if (byte < 0x20 || byte == 0x7f)
            return 0;
        if (byte >= 0x80) {
            length = is_utf8 ? character_length(text.at, text.end) : 0;
            if (length == 0)
                return 0;
            mix(hash, text.at, length);
        } else if (byte != ' ') {
            if (byte >= 'A' && byte <= 'Z')
                byte += 'a' - 'A';
            mix(hash, &byte, 1);
        }
        text.at += length;
    }
    return 1;
}

static int take_name(span *from, uint32_t *hash)
{
    span name, set, attribute, type;

    *hash = FNV_BASIS;
    if (!take(from, SEQUENCE, &name))
        return 0;
    while (!at_end(&name)) {
        /* One attribute in each set: X509_NAME_cmp puts several in an order of its own. */
        if (!take(&name, SET, &set) || !take(&set, SEQUENCE, &attribute) || !at_end(&set) ||
            !take_object_id(&attribute, &type))
            return 0;
        mix(hash, type.at, (size_t)(type.end - type.at));
        if (!take_text(&attribute, hash) || !at_end(&attribute))
            return 0;
    }
    return 1;
}

static int take_public_key(span *from)
{
    span key;

    return take(from, SEQUENCE, &key) && take_algorithm(&key) && take_bits(&key) && at_end(&key);
}

static int take_extension(span *from)
{
    span extension, part;

    if (!take(from, SEQUENCE, &extension) || !take_object_id(&extension, &part))
        return 0;
    if (next_is(&extension, BOOLEAN) &&
        !(take(&extension, BOOLEAN, &part) && part.end - part.at == 1 && *part.at == 0xff))
        return 0;
    return take(&extension, OCTET_STRING, &part) && at_end(&extension);
}

/* The extensions of version 3; before, a certificate has none and does not state its version. */
static int take_extensions(span *from)
{
    span tagged, list;

    if (!take(from, EXPLICIT(3), &tagged) || !take(&tagged, SEQUENCE, &list) || at_end(&list) || !at_end(&tagged))
        return 0;
    while (!at_end(&list))
        if (!take_extension(&list))
            return 0;
    return 1;
}

int tb_der_is_plain_certificate(const unsigned char *der, size_t length, uint32_t *subject)
{
    static const unsigned char version_3[] = {EXPLICIT(0), 3, INTEGER, 1, 2};
    span whole = {der, der + length}, certificate, body;
    uint32_t issuer;
    int is_version_3;

    if (!take(&whole, SEQUENCE, &certificate) || !at_end(&whole) || !take(&certificate, SEQUENCE, &body))
        return 0;
    is_version_3 = (size_t)(body.end - body.at) > sizeof version_3 && memcmp(body.at, version_3, sizeof version_3) == 0;
    if (is_version_3)
        body.at += sizeof version_3;
    return take_serial(&body) && take_algorithm(&body) && take_name(&body, &issuer) && take_validity(&body) &&
           take_name(&body, subject) && take_public_key(&body) && (!is_version_3 || take_extensions(&body)) &&
           at_end(&body) && take_algorithm(&certificate) && take_bits(&certificate) && at_end(&certificate);
}

int tb_der_name_hash(const X509_NAME *name, uint32_t *hash)
{
    const unsigned char *der;
    size_t length;
    span whole;

    if (X509_NAME_get0_der((X509_NAME *)name, &der, &length) != 1)
        return 0;
    whole.at = der;
    whole.end = der + length;
    return take_name(&whole, hash) && at_end(&whole);
}
