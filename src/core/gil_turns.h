/* SPDX-License-Identifier: Apache-2.0 */
/* When the GIL is given up for work in memory, and how threads that do so take turns at it.
 *
 * A record takes 2 to 3 us with AES in hardware, 20 to 40 without and with ChaCha20 on old processors.  To give the GIL
 * up and take it back costs 0.15 to 0.3 us where nobody wants it, 2 to 4 % of a record.  So it is kept for what is one
 * record's work, as long as one thread does all of it; Python itself lets others wait for 5 ms.  Threads see each other
 * here: while there are several, each gives it up for a record too, and they work on as many processors.
 *
 * Who finds the GIL taken is put to sleep by Python and woken again, which takes longer than a record where the
 * processor is a virtual machine's: two threads were then slower than one.  Between two records a thread has the GIL
 * for less than a microsecond.  So there is a gate before it, which a thread of ours opens when it gives the GIL up,
 * and who comes back from OpenSSL waits a moment for that, awake; half as long after each time that it was in vain. The
 * gate protects nothing: it may be passed while it is shut. */
#ifndef TB_GIL_TURNS_H
#define TB_GIL_TURNS_H

#include "python_compat.h"

#include <pthread.h>

#define TB_WORTH_SHARING 8192  /* bytes; with fewer, two threads that give the GIL up are no faster than one */
#define TB_ALWAYS_SHARED 16384 /* bytes; more than that is more than a record */
#define TB_SHARED_FOR    256   /* times that a thread gives it up since it last saw another one */
#define TB_PATIENCE      100   /* looks at the gate: 1 to 4 us */

/* Of an interpreter; all but the last two with the GIL. */
typedef struct {
    pthread_t last_thread; /* that worked in memory */
    unsigned int shared;   /* how many times more it counts that it was another one before */
    int gate;              /* 1: shut, whoever shut it has the GIL or is about to; atomic */
    int patience;          /* how often to look at it; atomic */
} tb_gil_turns;

static inline void tb_gil_turns_begin(tb_gil_turns *self)
{
    self->last_thread = pthread_self();
}

/* Whether other threads may run while so many bytes are encrypted or decrypted in memory.  To be asked once for each
 * time. */
static inline int tb_gil_turns_are_worth(tb_gil_turns *self, size_t length)
{
    pthread_t thread;

    if (length < TB_WORTH_SHARING)
        return 0;
    thread = pthread_self();
    if (!pthread_equal(thread, self->last_thread)) {
        self->last_thread = thread;
        self->shared = TB_SHARED_FOR;
    } else if (self->shared > 0) {
        self->shared--;
    }
    return length > TB_ALWAYS_SHARED || self->shared > 0;
}

static inline void tb_spin(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline PyThreadState *tb_gil_give_up(tb_gil_turns *self)
{
    PyThreadState *thread = PyEval_SaveThread();

    __atomic_store_n(&self->gate, 0, __ATOMIC_RELAXED);
    return thread;
}

static inline int tb_gil_pass_gate(tb_gil_turns *self)
{
    return !__atomic_load_n(&self->gate, __ATOMIC_RELAXED) && !__atomic_exchange_n(&self->gate, 1, __ATOMIC_RELAXED);
}

static inline void tb_gil_take_back(tb_gil_turns *self, PyThreadState *thread)
{
    int patience = __atomic_load_n(&self->patience, __ATOMIC_RELAXED), looks = patience, passed;

    while (!(passed = tb_gil_pass_gate(self)) && looks-- > 0)
        tb_spin();
    patience = passed ? TB_PATIENCE : patience / 2;
    if (patience != __atomic_load_n(&self->patience, __ATOMIC_RELAXED))
        __atomic_store_n(&self->patience, patience, __ATOMIC_RELAXED);
    PyEval_RestoreThread(thread);
}

#endif
