/* SPDX-License-Identifier: Apache-2.0 */
/* The process's cache of files of certificate authorities.
 *
 * A program makes many contexts that trust the same bundle, and reading it takes time.  The cache
 * keeps what a file held, never what it means to a context: each context has a store of its own, into
 * which the certificates are put by reference.  They are shared and never modified.
 *
 * A kept file is used only while the file opened for this very use has the same device, inode, size
 * and times, so permissions count each time, and a file that was replaced is read again.  Only
 * complete files are kept, and none that changed while it was read or so shortly before that a further
 * change might leave the same times.  Anything that does not parse goes OpenSSL's own way, with its
 * errors.
 *
 * One cache serves all interpreters of the process, which may have GILs of their own, so it has its
 * own lock and uses no Python API.  The lock is only ever tried: in a child forked while another
 * thread held it, files are read each time. */
#include "trust_cache.h"

#include <pthread.h>
#include <stdlib.h>
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
    tb_bundle *held;    /* owned */
    unsigned long used; /* when, in uses of the cache */
} kept_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept_file kept[FILES];
static unsigned long uses, hits, reads;

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
static tb_bundle *find(const identity *file)
{
    tb_bundle *found = NULL;
    int i;

    if (pthread_mutex_trylock(&lock) != 0)
        return NULL;
    for (i = 0; i < FILES && found == NULL; i++)
        if (kept[i].held != NULL && same_file(&kept[i].file, file)) {
            found = kept[i].held;
            tb_bundle_up_ref(found);
            kept[i].used = ++uses;
            hits++;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Keeps a further reference to `bundle`, in the place of the file that was not used for longest. */
static void keep(const identity *file, tb_bundle *bundle)
{
    tb_bundle *dropped = NULL;
    kept_file *place = kept;
    int i;

    if (pthread_mutex_trylock(&lock) != 0)
        return;
    for (i = 0; i < FILES; i++) {
        if (kept[i].held != NULL && same_file(&kept[i].file, file)) { /* another thread was faster */
            place = NULL;
            break;
        }
        if (kept[i].used < place->used)
            place = &kept[i];
    }
    if (place != NULL) {
        dropped = place->held;
        tb_bundle_up_ref(bundle);
        place->file = *file;
        place->held = bundle;
        place->used = ++uses;
    }
    pthread_mutex_unlock(&lock);
    tb_bundle_free(dropped);
}

tb_bundle *tb_trust_cache_read(FILE *file)
{
    identity before, after;
    tb_bundle *bundle = NULL;
    size_t size, length;
    char *text;

    if (!identify(file, &before))
        return NULL;
    bundle = find(&before);
    if (bundle != NULL)
        return bundle;
    __atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
    size = (size_t)before.size;
    text = malloc(size + 1);
    if (text == NULL)
        return NULL;
    length = fread(text, 1, size + 1, file); /* one more than there was, to see whether it grew */
    /* OpenSSL takes a zero byte for the end of a line, or of the file, as it comes. */
    if (!ferror(file) && memchr(text, '\0', length) == NULL)
        bundle = tb_bundle_new(text, length);
    free(text);
    ERR_clear_error();
    if (bundle != NULL && length == size && identify(file, &after) && same_file(&before, &after) && is_settled(&before))
        keep(&before, bundle);
    return bundle;
}

void tb_trust_cache_counts(unsigned long counts[3])
{
    int i;

    memset(counts, 0, 3 * sizeof *counts);
    if (pthread_mutex_trylock(&lock) == 0) {
        counts[0] = hits;
        for (i = 0; i < FILES; i++)
            counts[2] += kept[i].held != NULL;
        pthread_mutex_unlock(&lock);
    }
    counts[1] = __atomic_load_n(&reads, __ATOMIC_RELAXED);
}
