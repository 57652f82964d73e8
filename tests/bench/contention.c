/* SPDX-License-Identifier: Apache-2.0 */
/* Counts how often the C half, OpenSSL inside it included, takes a mutex and finds a lock taken; to be preloaded.
 *
 * tls_bootstrap_taken() and tls_bootstrap_contended() tell the numbers so far. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int (*real_lock)(pthread_mutex_t *);
static int (*real_trylock)(pthread_mutex_t *);
static int (*real_read)(pthread_rwlock_t *);
static int (*real_write)(pthread_rwlock_t *);
static int (*try_read)(pthread_rwlock_t *);
static int (*try_write)(pthread_rwlock_t *);
static long taken, contended;

static void *find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

__attribute__((constructor)) static void start(void)
{
    *(void **)&real_trylock = find("pthread_mutex_trylock");
    *(void **)&real_lock = find("pthread_mutex_lock");
    *(void **)&real_read = find("pthread_rwlock_rdlock");
    *(void **)&real_write = find("pthread_rwlock_wrlock");
    *(void **)&try_read = find("pthread_rwlock_tryrdlock");
    *(void **)&try_write = find("pthread_rwlock_trywrlock");
}

static void note(const void *caller, long *counter)
{
    Dl_info where;

    if (dladdr(caller, &where) != 0 && where.dli_fname != NULL && strstr(where.dli_fname, "/_core.") != NULL)
        __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

long tls_bootstrap_taken(void)
{
    return __atomic_load_n(&taken, __ATOMIC_RELAXED);
}

long tls_bootstrap_contended(void)
{
    return __atomic_load_n(&contended, __ATOMIC_RELAXED);
}

int pthread_mutex_trylock(pthread_mutex_t *lock)
{
    int result = real_trylock(lock);

    note(__builtin_return_address(0), result == EBUSY ? &contended : &taken);
    return result;
}

int pthread_mutex_lock(pthread_mutex_t *lock)
{
    if (real_trylock == NULL) /* before start() */
        start();
    note(__builtin_return_address(0), &taken);
    if (real_trylock(lock) == 0)
        return 0;
    note(__builtin_return_address(0), &contended);
    return real_lock(lock);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    if (try_read == NULL)
        start();
    if (try_read(lock) == 0)
        return 0;
    note(__builtin_return_address(0), &contended);
    return real_read(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (try_write == NULL)
        start();
    if (try_write(lock) == 0)
        return 0;
    note(__builtin_return_address(0), &contended);
    return real_write(lock);
}
