/* SPDX-License-Identifier: Apache-2.0 */
/* Threads inside OpenSSL without the GIL, and the end of the interpreter.
 *
 * A daemon thread may be inside OpenSSL when the program ends.  Then exit() runs the clean-up that
 * the distribution's libcrypto registered for itself, and the thread works with freed locks and
 * tables; or the interpreter, tidying up, frees the connection that the thread is working with.  So
 * the module holds an object that dies while the interpreter takes its modules apart, before exit():
 * its destructor shuts OpenSSL to the other threads and waits until none of them is inside.  None can
 * come back either, since Python gives the GIL to nobody else from then on. */
#include "core.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ATTRIBUTE "_ending"
#define PATIENCE  5.0     /* seconds: far more than any step takes, except reading a file that blocks */
#define PAUSE     200000L /* nanoseconds between two looks */

/* Of the process: interpreters that have GILs of their own share OpenSSL. */
static int inside; /* threads */
static int shut;
static pthread_t shut_by;

static int is_shut_for_me(void)
{
    return __atomic_load_n(&shut, __ATOMIC_SEQ_CST) && !pthread_equal(pthread_self(), shut_by);
}

/* What Python itself does with such a thread from 3.14 on.  To end it, as earlier versions do, would run
 * OpenSSL's destructor of the thread's data, perhaps beside OpenSSL's clean-up. */
static void stay_here(void)
{
    for (;;)
        pause();
}

void tb_openssl_enter(pthread_mutex_t *held)
{
    __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (is_shut_for_me()) {
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        if (held != NULL)
            pthread_mutex_unlock(held);
        stay_here();
    }
}

void tb_openssl_leave(void)
{
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (is_shut_for_me())
        stay_here();
}

/* A child that was forked while threads were inside has their number, but not them. */
static int is_alone(void)
{
    struct stat tasks;

    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

static void wait_for_threads(void)
{
    const struct timespec moment = {0, PAUSE};
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        if (__atomic_load_n(&inside, __ATOMIC_SEQ_CST) == 0 || is_alone())
            return;
        nanosleep(&moment, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < PATIENCE);
}

static void interpreter_ends(PyObject *capsule)
{
    (void)capsule;
    if (Py_IsInitialized()) /* only this module ends, or an interpreter inside the interpreter */
        return;
    shut_by = pthread_self();
    __atomic_store_n(&shut, 1, __ATOMIC_SEQ_CST);
    wait_for_threads();
}

int tb_add_ending(PyObject *module)
{
    PyObject *ending = PyCapsule_New(&inside, NULL, interpreter_ends);

    if (ending == NULL)
        return -1;
    __atomic_store_n(&shut, 0, __ATOMIC_SEQ_CST); /* a program may start Python again */
    if (PyModule_AddObject(module, ATTRIBUTE, ending) < 0) {
        Py_DECREF(ending);
        return -1;
    }
    return 0;
}
