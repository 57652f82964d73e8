/* SPDX-License-Identifier: Apache-2.0 */
/* Compares ChaCha20-Poly1305, whole texts and texts in pieces, with what RFC 8439 (section 2.8) makes it of: ChaCha20
 * and Poly1305 by themselves.  Prints how many texts it compared; ends with the first that differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define LONGEST   70000
#define TAG       16
#define NONCE     12
/* Beyond what fits beside Poly1305's key, and no whole number of blocks. */
#define ABANDONED 201

static const size_t first_pieces[] = {1, 17, 63, 64, 65, 100, 128, 191, 192, 193, 256, 1024, 33000};
static const size_t equal_pieces[] = {1, 7, 64, 100, 200, 1000};
/* From and to: what fits beside Poly1305's key, as many blocks as any processor makes at once, a record, and beyond. */
static const size_t ranges[][2] = {{0, 1100}, {2047, 2050}, {16384, 16386}, {32958, 32962}, {LONGEST, LONGEST}};

static unsigned char key[32], nonce[NONCE], aad[64];
static unsigned char text[LONGEST], encrypted[LONGEST], tag[TAG];
static size_t aad_length;

static void fail(const char *what, size_t length, size_t first, size_t others)
{
    fprintf(stderr, "%s: %zu bytes, the first piece %zu, the others %zu\n", what, length, first, others);
    exit(1);
}

static void need(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static void chacha20(unsigned counter, const unsigned char *in, unsigned char *out, size_t length)
{
    unsigned char iv[4 + NONCE] = {(unsigned char)counter};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int done;

    memcpy(iv + 4, nonce, NONCE);
    need(EVP_EncryptInit_ex(context, EVP_chacha20(), NULL, key, iv), "ChaCha20");
    need(EVP_EncryptUpdate(context, out, &done, in, (int)length), "ChaCha20");
    EVP_CIPHER_CTX_free(context);
}

static void little_endian(unsigned char *target, size_t value)
{
    int byte;

    for (byte = 0; byte < 8; byte++)
        target[byte] = (unsigned char)(value >> 8 * byte);
}

/* Fills encrypted and tag. */
static void compose(size_t length)
{
    static const unsigned char zeros[64];
    unsigned char one_time_key[64], lengths[16];
    EVP_MAC *poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(poly1305);
    size_t made;

    chacha20(0, zeros, one_time_key, sizeof one_time_key);
    chacha20(1, text, encrypted, length);
    little_endian(lengths, aad_length);
    little_endian(lengths + 8, length);
    need(EVP_MAC_init(context, one_time_key, 32, NULL), "Poly1305");
    need(EVP_MAC_update(context, aad, aad_length), "Poly1305");
    need(EVP_MAC_update(context, zeros, (16 - aad_length % 16) % 16), "Poly1305");
    need(EVP_MAC_update(context, encrypted, length), "Poly1305");
    need(EVP_MAC_update(context, zeros, (16 - length % 16) % 16), "Poly1305");
    need(EVP_MAC_update(context, lengths, sizeof lengths), "Poly1305");
    need(EVP_MAC_final(context, tag, &made, TAG), "Poly1305");
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(poly1305);
}

static void begin(EVP_CIPHER_CTX *context, int encrypt)
{
    int done;

    need(EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, encrypt), "a nonce");
    if (!encrypt)
        need(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag), "to set the tag");
    need(EVP_CipherUpdate(context, NULL, &done, aad, (int)aad_length), "additional data");
}

/* Where a copy of a context goes on, it must know all that the first one does. */
static EVP_CIPHER_CTX *copied(EVP_CIPHER_CTX *context)
{
    EVP_CIPHER_CTX *copy = EVP_CIPHER_CTX_new();

    need(EVP_CIPHER_CTX_copy(copy, context), "a copy");
    EVP_CIPHER_CTX_free(context);
    return copy;
}

/* Begins a text and leaves it, which the next nonce has to make forgotten. */
static void abandon(EVP_CIPHER_CTX *context, int encrypt, size_t length)
{
    static unsigned char out[ABANDONED];
    int done;

    begin(context, encrypt);
    need(EVP_CipherUpdate(context, out, &done, encrypt ? text : encrypted, (int)length), "a piece");
}

static void compare(EVP_CIPHER_CTX **context, int encrypt, size_t length, size_t first, size_t others)
{
    static unsigned char in[LONGEST], separate[LONGEST];
    const unsigned char *wanted = encrypt ? encrypted : text;
    unsigned char *out = length % 2 ? in : separate; /* TLS works in place */
    unsigned char made[TAG];
    size_t start = 0, piece = first;
    int done;

    memcpy(in, encrypt ? text : encrypted, length);
    abandon(*context, encrypt, length < ABANDONED ? length : ABANDONED);
    begin(*context, encrypt);
    while (start < length) {
        if (piece > length - start)
            piece = length - start;
        need(EVP_CipherUpdate(*context, out + start, &done, in + start, (int)piece), "a piece");
        if (start == 0 && first < length)
            *context = copied(*context);
        start += piece;
        piece = others;
    }
    if (EVP_CipherFinal_ex(*context, made, &done) != 1)
        fail("the tag is refused", length, first, others);
    if (memcmp(out, wanted, length) != 0)
        fail(encrypt ? "encrypted otherwise" : "decrypted otherwise", length, first, others);
    if (!encrypt)
        return;
    need(EVP_CIPHER_CTX_ctrl(*context, EVP_CTRL_AEAD_GET_TAG, TAG, made), "to get the tag");
    if (memcmp(made, tag, TAG) != 0)
        fail("another tag", length, first, others);
}

static void refuse(EVP_CIPHER_CTX *context, size_t length)
{
    static unsigned char in[LONGEST];
    unsigned char rest[TAG];
    int done;

    memcpy(in, encrypted, length);
    in[length / 2] ^= 1;
    begin(context, 0);
    need(EVP_CipherUpdate(context, in, &done, in, (int)length), "a changed text");
    if (EVP_CipherFinal_ex(context, rest, &done) == 1)
        fail("a changed text is accepted", length, length, 0);
}

static unsigned compare_all(size_t length)
{
    unsigned count = 0;
    int encrypt;
    size_t item;

    for (encrypt = 0; encrypt < 2; encrypt++) {
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

        need(EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), NULL, key, NULL, encrypt), "ChaCha20-Poly1305");
        compare(&context, encrypt, length, length, 1);
        for (item = 0; item < sizeof first_pieces / sizeof *first_pieces && first_pieces[item] < length;
             item++, count++)
            compare(&context, encrypt, length, first_pieces[item], length);
        for (item = 0; item < sizeof equal_pieces / sizeof *equal_pieces && length <= 2050; item++, count++)
            compare(&context, encrypt, length, equal_pieces[item], equal_pieces[item]);
        if (!encrypt && length > 0)
            refuse(context, length);
        EVP_CIPHER_CTX_free(context);
        count++;
    }
    return count;
}

/* RFC 8439, section 2.8.2: here it is known that both are right. */
static void known_answer(void)
{
    static const unsigned char additional[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    static const unsigned char known[TAG] = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                             0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};
    static const char said[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        "sunscreen would be it.";
    int byte;

    for (byte = 0; byte < 32; byte++)
        key[byte] = (unsigned char)(0x80 + byte);
    nonce[0] = 7;
    for (byte = 0; byte < 8; byte++)
        nonce[4 + byte] = (unsigned char)(0x40 + byte);
    aad_length = sizeof additional;
    memcpy(aad, additional, aad_length);
    memcpy(text, said, sizeof said - 1);
    compose(sizeof said - 1);
    need(memcmp(tag, known, TAG) == 0, "the RFC's example");
    compare_all(sizeof said - 1);
}

int main(void)
{
    unsigned count = 0;
    size_t range, length, byte;

    known_answer();
    for (byte = 0; byte < sizeof text; byte++)
        text[byte] = (unsigned char)(byte * 167 + byte / 251);
    for (range = 0; range < sizeof ranges / sizeof *ranges; range++) {
        for (length = ranges[range][0]; length <= ranges[range][1]; length++) {
            nonce[11] = (unsigned char)length;
            aad_length = length % (sizeof aad + 1);
            compose(length);
            count += compare_all(length);
        }
    }
    printf("%u\n", count);
    return 0;
}
