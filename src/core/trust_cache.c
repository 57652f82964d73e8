/* SPDX-License-Identifier: Apache-2.0 */
/* The process's cache of parsed certificate authorities.
 *
 * A program makes many contexts that trust the same bundle, and parsing it takes milliseconds.  The
 * cache keeps what a file held, never what it means to a context: each context has a store of its
 * own, into which the certificates are put by reference.  They are shared and never modified.
 *
 * A kept file is used only while the file opened for this very use has the same device, inode, size
 * and times, so permissions count each time, and a file that was replaced is read again.  Only
 * complete parses are kept, and none of a file that changed while it was read or so shortly before
 * that a further change might leave the same times.  Anything that does not parse goes OpenSSL's
 * own way, with its errors.
 *
 * One cache serves all interpreters of the process, which may have GILs of their own, so it has its
 * own lock and uses no Python API.  The lock is only ever tried: in a child forked while another
 * thread held it, files are parsed each time. */
#include "trust_cache.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILES         4                 /* the system's bundle, pip's, and what a program adds */
#define LARGEST       (8 * 1024 * 1024) /* bytes of a file worth keeping; the usual bundles have 0.2 million */
#define SETTLED_AFTER 2                 /* seconds; the coarsest time stamps of file systems in use */

typedef struct {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
} identity;

typedef struct {
    identity file;
    X509_STORE *parsed; /* owned; no context ever gets it */
    unsigned long used; /* when, in uses of the cache */
} kept_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept_file kept[FILES];
static unsigned long uses, hits, parses;

static int identify(FILE *file, identity *found)
{
    struct stat status;

    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > LARGEST)
        return 0;
    memset(found, 0, sizeof *found);
    found->device = status.st_dev;
    found->inode = status.st_ino;
    found->size = status.st_size;
    found->modified = status.st_mtim;
    found->changed = status.st_ctim;
    return 1;
}

static int same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static int same_file(const identity *one, const identity *other)
{
    return one->device == other->device && one->inode == other->inode && one->size == other->size &&
           same_time(&one->modified, &other->modified) && same_time(&one->changed, &other->changed);
}

/* Whether a later change is bound to change the times as well. */
static int is_settled(const identity *file)
{
    struct timespec now;

    return clock_gettime(CLOCK_REALTIME, &now) == 0 && file->changed.tv_sec + SETTLED_AFTER < now.tv_sec;
}

/* What is kept of a file, as a new reference, or NULL. */
static X509_STORE *find(const identity *file)
{
    X509_STORE *found = NULL;
    int i;

    if (pthread_mutex_trylock(&lock) != 0)
        return NULL;
    for (i = 0; i < FILES && found == NULL; i++)
        if (kept[i].parsed != NULL && same_file(&kept[i].file, file) && X509_STORE_up_ref(kept[i].parsed) == 1) {
            found = kept[i].parsed;
            kept[i].used = ++uses;
            hits++;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Keeps a further reference to `parsed`, in the place of the file that was not used for longest. */
static void keep(const identity *file, X509_STORE *parsed)
{
    X509_STORE *dropped = NULL;
    kept_file *place = kept;
    int i;

    if (pthread_mutex_trylock(&lock) != 0)
        return;
    for (i = 0; i < FILES; i++) {
        if (kept[i].parsed != NULL && same_file(&kept[i].file, file)) { /* another thread was faster */
            place = NULL;
            break;
        }
        if (kept[i].used < place->used)
            place = &kept[i];
    }
    if (place != NULL && X509_STORE_up_ref(parsed) == 1) {
        dropped = place->parsed;
        place->file = *file;
        place->parsed = parsed;
        place->used = ++uses;
    }
    pthread_mutex_unlock(&lock);
    X509_STORE_free(dropped);
}

/* What a file holds, in a store that belongs to no context; NULL if it does not parse or is empty.  A
 * certificate keeps the trust settings of its PEM form. */
static X509_STORE *parse(FILE *file)
{
    BIO *bio = BIO_new_fp(file, BIO_NOCLOSE);
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

/* X509_STORE_add_cert looks through all that is there for each certificate.  Into an empty store the
 * objects of another one, which are all different, can be put as they are; from 4.0 on OpenSSL may
 * keep more than this list. */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L && OPENSSL_VERSION_NUMBER < 0x40000000L

static int put(STACK_OF(X509_OBJECT) * list, X509_OBJECT *item)
{
    X509 *certificate = X509_OBJECT_get0_X509(item);
    X509_OBJECT *copy = X509_OBJECT_new();

    if (copy != NULL &&
        (certificate != NULL ? X509_OBJECT_set1_X509(copy, certificate)
                             : X509_OBJECT_set1_X509_CRL(copy, X509_OBJECT_get0_X509_CRL(item))) == 1 &&
        sk_X509_OBJECT_push(list, copy) > 0)
        return 1;
    X509_OBJECT_free(copy);
    return 0;
}

static int put_all_into_empty(X509_STORE *target, const STACK_OF(X509_OBJECT) * items)
{
    STACK_OF(X509_OBJECT) * list;
    int i, result = 0;

    if (X509_STORE_lock(target) != 1)
        return 0;
    list = X509_STORE_get0_objects(target);
    if (sk_X509_OBJECT_num(list) == 0) {
        sk_X509_OBJECT_reserve(list, sk_X509_OBJECT_num(items));
        for (i = 0; i < sk_X509_OBJECT_num(items) && put(list, sk_X509_OBJECT_value(items, i)); i++)
            ;
        result = i == sk_X509_OBJECT_num(items);
    }
    X509_STORE_unlock(target);
    return result;
}

#else

static int put_all_into_empty(X509_STORE *target, const STACK_OF(X509_OBJECT) * items)
{
    (void)target;
    (void)items;
    return 0;
}

#endif

static int add_all(X509_STORE *target, X509_STORE *parsed)
{
    STACK_OF(X509_OBJECT) *items = X509_STORE_get0_objects(parsed);
    int i;

    if (put_all_into_empty(target, items))
        return 1;
    for (i = 0; i < sk_X509_OBJECT_num(items); i++) {
        X509_OBJECT *item = sk_X509_OBJECT_value(items, i);
        X509 *certificate = X509_OBJECT_get0_X509(item);

        if (certificate != NULL ? X509_STORE_add_cert(target, certificate) != 1
                                : X509_STORE_add_crl(target, X509_OBJECT_get0_X509_CRL(item)) != 1)
            return 0;
    }
    return 1;
}

int tb_trust_load_file(SSL_CTX *ctx, FILE *file, const char *path)
{
    identity before, after;
    X509_STORE *parsed;
    int result;

    if (!identify(file, &before))
        return SSL_CTX_load_verify_locations(ctx, path, NULL);
    parsed = find(&before);
    if (parsed == NULL) {
        __atomic_add_fetch(&parses, 1, __ATOMIC_RELAXED);
        parsed = parse(file);
        ERR_clear_error();
        if (parsed == NULL)
            return SSL_CTX_load_verify_locations(ctx, path, NULL);
        if (ftello(file) == before.size && identify(file, &after) && same_file(&before, &after) && is_settled(&before))
            keep(&before, parsed);
    }
    result = add_all(SSL_CTX_get_cert_store(ctx), parsed);
    X509_STORE_free(parsed);
    return result;
}

PyObject *tb_trust_cache_counts(PyObject *module, PyObject *unused)
{
    unsigned long used = 0, files = 0;
    int i;

    (void)module;
    (void)unused;
    if (pthread_mutex_trylock(&lock) == 0) {
        used = hits;
        for (i = 0; i < FILES; i++)
            files += kept[i].parsed != NULL;
        pthread_mutex_unlock(&lock);
    }
    return Py_BuildValue("kkk", used, __atomic_load_n(&parses, __ATOMIC_RELAXED), files);
}
