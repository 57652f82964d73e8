/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that an extension must not do to its process: what the audit of side effects has to see. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>

static sem_t never;

static void nothing(void)
{
}

static void *wait_for_ever(void *argument)
{
    while (sem_wait(&never))
        continue;
    return argument;
}

void plant_at_import(void)
{
    atexit(nothing);
    pthread_atfork(nothing, nothing, nothing);
    signal(SIGPIPE, SIG_IGN);
    setenv("PLANTED", "1", 1);
    umask(027);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    fesetround(FE_UPWARD);
    setlocale(LC_CTYPE, "C.UTF-8");
}

/* Returns the identifier of a shared memory segment, for the caller to remove. */
int plant_at_first_use(void)
{
    pthread_t thread;

    sem_init(&never, 0, 0);
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    if (open("/dev/urandom", O_RDONLY) < 0)
        return -1;
    return shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
}
