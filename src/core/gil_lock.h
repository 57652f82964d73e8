/* SPDX-License-Identifier: Apache-2.0 */
/* A mutex that is passed by where the GIL keeps everybody else out.
 *
 * Most of what is done with a connection and its MemoryBIOs is short and done with the GIL held.  `exposed` counts
 * those who work without it, or who have the mutex and may give the GIL up; it changes only while the GIL is held.
 * So who holds the GIL and finds 0 stays alone until he gives it up himself, and needs no mutex.  Who works without
 * the GIL is counted himself, finds more than 0, and takes it.  Objects are never shared by interpreters with GILs of
 * their own. */
#ifndef TB_GIL_LOCK_H
#define TB_GIL_LOCK_H

#include <pthread.h>

typedef struct {
    pthread_mutex_t mutex;
    int exposed;
} tb_gil_lock;

/* With the GIL: somebody begins (1) or ends (-1) to work without it. */
static inline void tb_gil_lock_expose(tb_gil_lock *self, int change)
{
    __atomic_store_n(&self->exposed, self->exposed + change, __ATOMIC_RELAXED);
}

/* Whether the mutex has to be taken.  With the GIL, or by somebody who is counted. */
static inline int tb_gil_lock_is_exposed(const tb_gil_lock *self)
{
    return __atomic_load_n(&self->exposed, __ATOMIC_RELAXED) > 0;
}

/* For short work in which the GIL is neither taken nor given up.  Returns what the release needs: whether the mutex
 * was taken. */
static inline int tb_gil_lock_take(tb_gil_lock *self)
{
    int needed = tb_gil_lock_is_exposed(self);

    if (needed)
        pthread_mutex_lock(&self->mutex);
    return needed;
}

static inline void tb_gil_lock_release(tb_gil_lock *self, int taken)
{
    if (taken)
        pthread_mutex_unlock(&self->mutex);
}

#endif
