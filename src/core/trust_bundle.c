/* SPDX-License-Identifier: Apache-2.0 */
/* A file of certificate authorities, parsed no further than it is used.
 *
 * Of a file with nothing but certificates of the plainest form, as systems' bundles are, each certificate is
 * parsed when it is first asked for.  Anything else is parsed by OpenSSL at once, as a whole. */
#define _GNU_SOURCE /* memmem */
#include "trust_bundle.h"

#include "der_certificate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_ANY   "-----BEGIN"
#define BEGIN       "-----BEGIN CERTIFICATE-----"
#define END         "-----END CERTIFICATE-----"
#define LINE_LENGTH 64 /* characters, RFC 7468 section 2 */
#define DECODED     48 /* bytes in a full line */

typedef struct {
    size_t start; /* in der */
    size_t length;
    uint32_t subject; /* tb_der_name_hash */
    X509 *parsed;     /* owned, NULL before it is asked for; set once, by whoever is first */
} entry;

struct tb_bundle {
    int references;
    X509_STORE *whole; /* owned, NULL before all is asked for; set once */
    /* Of a searchable one: */
    unsigned char *der;
    size_t length, allocated;
    entry *entries;
    size_t count, room;
};

static unsigned long parsed;

/* ---- PEM ---------------------------------------------------------------------------------------------- */

typedef struct {
    const char *at, *end;
} lines;

/* The next line without its newline; 0 behind the last one. */
static int next_line(lines *from, const char **line, size_t *length)
{
    const char *newline;

    if (from->at == from->end)
        return 0;
    newline = memchr(from->at, '\n', (size_t)(from->end - from->at));
    *line = from->at;
    *length = (size_t)((newline != NULL ? newline : from->end) - from->at);
    from->at = newline != NULL ? newline + 1 : from->end;
    return 1;
}

static int is_line(const char *line, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(line, text, length) == 0;
}

typedef enum { NO_BASE64, FULL_LINE, LAST_LINE } line_kind;

/* Decodes one line of base64 behind what the bundle has. */
static line_kind decode(tb_bundle *self, const char *line, size_t length)
{
    size_t padding = 0;
    int decoded;

    while (padding < 2 && padding < length && line[length - 1 - padding] == '=')
        padding++;
    if (length == 0 || length % 4 != 0 || length > LINE_LENGTH || memchr(line, '=', length - padding) != NULL ||
        self->allocated - self->length < DECODED)
        return NO_BASE64;
    decoded = EVP_DecodeBlock(self->der + self->length, (const unsigned char *)line, (int)length);
    /* It passes over spaces and dashes at the ends, and then has less. */
    if (decoded < 0 || (size_t)decoded != length / 4 * 3)
        return NO_BASE64;
    self->length += (size_t)decoded - padding;
    return padding == 0 && length == LINE_LENGTH ? FULL_LINE : LAST_LINE;
}

static int add_entry(tb_bundle *self, size_t start)
{
    entry *added;

    if (self->count == self->room) {
        size_t room = self->room == 0 ? 16 : self->room * 2;
        entry *larger = realloc(self->entries, room * sizeof *larger);

        if (larger == NULL)
            return 0;
        self->entries = larger;
        self->room = room;
    }
    added = &self->entries[self->count];
    added->start = start;
    added->length = self->length - start;
    added->parsed = NULL;
    if (!tb_der_is_plain_certificate(self->der + start, added->length, &added->subject))
        return 0;
    self->count++;
    return 1;
}

/* A certificate behind its first line. */
static int read_certificate(tb_bundle *self, lines *from)
{
    const char *line;
    size_t length, start = self->length;
    line_kind before = FULL_LINE;

    while (next_line(from, &line, &length)) {
        if (is_line(line, length, END))
            return add_entry(self, start);
        if (before != FULL_LINE || (before = decode(self, line, length)) == NO_BASE64)
            return 0;
    }
    return 0;
}

/* Whether the text is nothing but certificates of the plainest form and text that OpenSSL passes over. */
static int read_searchable(tb_bundle *self, const char *text, size_t length)
{
    lines from = {text, text + length};
    const char *line;
    size_t size;

    self->allocated = length / 4 * 3 + DECODED;
    self->der = malloc(self->allocated);
    if (self->der == NULL)
        return 0;
    while (next_line(&from, &line, &size)) {
        if (is_line(line, size, BEGIN)) {
            if (!read_certificate(self, &from))
                return 0;
        } else if (memmem(line, size, BEGIN_ANY, sizeof BEGIN_ANY - 1) != NULL) {
            return 0;
        }
    }
    return self->count > 0;
}

static void forget_entries(tb_bundle *self)
{
    size_t i;

    for (i = 0; i < self->count; i++)
        X509_free(self->entries[i].parsed);
    free(self->entries);
    free(self->der);
    self->entries = NULL;
    self->der = NULL;
    self->count = 0;
}

/* What a PEM file holds, read by OpenSSL; NULL if it does not parse or is empty.  A certificate keeps the trust
 * settings of its PEM form. */
static X509_STORE *read_whole(const char *text, size_t length)
{
    BIO *bio = length > INT_MAX ? NULL : BIO_new_mem_buf(text, (int)length);
    STACK_OF(X509_INFO) *items = bio == NULL ? NULL : PEM_X509_INFO_read_bio(bio, NULL, NULL, (void *)"");
    X509_STORE *store = items == NULL ? NULL : X509_STORE_new();
    int i, added = 0, failed = store == NULL;

    for (i = 0; !failed && i < sk_X509_INFO_num(items); i++) {
        X509_INFO *item = sk_X509_INFO_value(items, i);

        failed = (item->x509 != NULL && X509_STORE_add_cert(store, item->x509) != 1) ||
                 (item->crl != NULL && X509_STORE_add_crl(store, item->crl) != 1);
        added += (item->x509 != NULL) + (item->crl != NULL);
    }
    sk_X509_INFO_pop_free(items, X509_INFO_free);
    BIO_free(bio);
    if (failed || added == 0) {
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}

/* ---- the bundle ------------------------------------------------------------------------------------------- */

tb_bundle *tb_bundle_new(const char *text, size_t length)
{
    tb_bundle *self = calloc(1, sizeof *self);

    if (self == NULL)
        return NULL;
    self->references = 1;
    if (read_searchable(self, text, length))
        return self;
    forget_entries(self);
    self->whole = read_whole(text, length);
    if (self->whole == NULL) {
        tb_bundle_free(self);
        return NULL;
    }
    return self;
}

void tb_bundle_up_ref(tb_bundle *self)
{
    __atomic_add_fetch(&self->references, 1, __ATOMIC_RELAXED);
}

void tb_bundle_free(tb_bundle *self)
{
    if (self == NULL || __atomic_sub_fetch(&self->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    forget_entries(self);
    X509_STORE_free(self->whole);
    free(self);
}

int tb_bundle_is_searchable(const tb_bundle *self)
{
    return self->entries != NULL;
}

size_t tb_bundle_count(const tb_bundle *self)
{
    return self->count;
}

X509 *tb_bundle_certificate(tb_bundle *self, size_t position)
{
    entry *wanted = &self->entries[position];
    X509 *there = __atomic_load_n(&wanted->parsed, __ATOMIC_ACQUIRE), *made;
    const unsigned char *der = self->der + wanted->start;

    if (there != NULL)
        return there;
    made = d2i_X509(NULL, &der, (long)wanted->length);
    if (made == NULL)
        return NULL;
    __atomic_add_fetch(&parsed, 1, __ATOMIC_RELAXED);
    if (__atomic_compare_exchange_n(&wanted->parsed, &there, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    X509_free(made); /* another thread was faster */
    return there;
}

X509 *tb_bundle_find(tb_bundle *self, const X509_NAME *subject, size_t *position)
{
    uint32_t hash = 0;
    int is_known = tb_der_name_hash(subject, &hash);

    while (*position < self->count) {
        size_t here = (*position)++;
        X509 *certificate;

        if (is_known && self->entries[here].subject != hash)
            continue;
        certificate = tb_bundle_certificate(self, here);
        if (certificate != NULL && X509_NAME_cmp(X509_get_subject_name(certificate), subject) == 0)
            return certificate;
    }
    return NULL;
}

X509_STORE *tb_bundle_parse(tb_bundle *self)
{
    X509_STORE *there = __atomic_load_n(&self->whole, __ATOMIC_ACQUIRE), *made;
    size_t i;

    if (there != NULL)
        return there;
    made = X509_STORE_new();
    for (i = 0; made != NULL && i < self->count; i++) {
        X509 *certificate = tb_bundle_certificate(self, i);

        if (certificate == NULL || X509_STORE_add_cert(made, certificate) != 1) {
            X509_STORE_free(made);
            made = NULL;
        }
    }
    if (made == NULL || __atomic_compare_exchange_n(&self->whole, &there, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    X509_STORE_free(made); /* another thread was faster */
    return there;
}

unsigned long tb_bundle_parsed(void)
{
    return __atomic_load_n(&parsed, __ATOMIC_RELAXED);
}
