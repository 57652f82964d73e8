/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the bytes that a process copies in large pieces; to be preloaded.
 *
 * tls_bootstrap_copied() tells the number so far. */
#include <stddef.h>
#include <string.h>

#define LARGE 512 /* the least piece that counts: less are headers and the like */

static long copied;

long tls_bootstrap_copied(void)
{
    return __atomic_load_n(&copied, __ATOMIC_RELAXED);
}

void *memcpy(void *target, const void *source, size_t length)
{
    if (length >= LARGE)
        __atomic_add_fetch(&copied, (long)length, __ATOMIC_RELAXED);
    return memmove(target, source, length); /* which is not counted, so nothing is counted twice */
}

void *__memcpy_chk(void *target, const void *source, size_t length, size_t room)
{
    if (length > room)
        __builtin_trap();
    return memcpy(target, source, length);
}
