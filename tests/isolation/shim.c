/* SPDX-License-Identifier: Apache-2.0 */
/* For LD_PRELOAD: records calls of libc with an effect on the whole process, and who made them, between two marks.
 * Each record is a line: call, argument, file of the caller, separated by tabs.  With AUDIT_NO_GETRANDOM=1 in the
 * environment the kernel seems to have no getrandom, as those of EL7 and Ubuntu 14.04 were released. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

static int recording;
static char text[1 << 18];
static size_t used;

EXPORT void audit_start(void)
{
    used = 0;
    text[0] = 0;
    __atomic_store_n(&recording, 1, __ATOMIC_SEQ_CST);
}

EXPORT const char *audit_stop(void)
{
    __atomic_store_n(&recording, 0, __ATOMIC_SEQ_CST);
    return text;
}

static void record(const char *call, const char *argument, void *caller)
{
    Dl_info found;
    const char *file = "?";
    int length, kept = errno;

    if (!__atomic_load_n(&recording, __ATOMIC_SEQ_CST))
        return;
    if (dladdr(caller, &found) && found.dli_fname)
        file = found.dli_fname;
    length = snprintf(text + used, sizeof text - used, "%s\t%s\t%s\n", call, argument ? argument : "", file);
    if (length > 0 && (size_t)length < sizeof text - used)
        used += (size_t)length;
    else
        memcpy(text, "overflow\t\t?\n", 12);
    errno = kept;
}

/* The next definition of a function, under the name `real`. */
#define REAL(result, function, ...)                                                                                    \
    static result (*real)(__VA_ARGS__);                                                                                \
    if (real == NULL)                                                                                                  \
    *(void **)&real = dlsym(RTLD_NEXT, #function)

static int no_getrandom(void)
{
    static int answer = -1;

    if (answer < 0) {
        const char *value = getenv("AUDIT_NO_GETRANDOM");
        answer = value != NULL && strcmp(value, "1") == 0;
    }
    return answer;
}

/* ---- what ends a process, forks it or reacts to signals ---- */

EXPORT int __cxa_atexit(void (*function)(void *), void *argument, void *handle)
{
    REAL(int, __cxa_atexit, void (*)(void *), void *, void *);
    record("atexit", NULL, *(void **)&function);
    return real(function, argument, handle);
}

EXPORT int on_exit(void (*function)(int, void *), void *argument)
{
    REAL(int, on_exit, void (*)(int, void *), void *);
    record("atexit", NULL, CALLER);
    return real(function, argument);
}

EXPORT int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *handle)
{
    REAL(int, __register_atfork, void (*)(void), void (*)(void), void (*)(void), void *);
    record("atfork", NULL, CALLER);
    return real(before, parent, child, handle);
}

EXPORT int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    REAL(int, pthread_atfork, void (*)(void), void (*)(void), void (*)(void));
    record("atfork", NULL, CALLER);
    return real(before, parent, child);
}

EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    char argument[16];
    REAL(int, sigaction, int, const struct sigaction *, struct sigaction *);
    snprintf(argument, sizeof argument, "%d", number);
    if (action != NULL)
        record("sigaction", argument, CALLER);
    return real(number, action, before);
}

EXPORT sighandler_t signal(int number, sighandler_t handler)
{
    char argument[16];
    REAL(sighandler_t, signal, int, sighandler_t);
    snprintf(argument, sizeof argument, "%d", number);
    record("sigaction", argument, CALLER);
    return real(number, handler);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *), void *argument)
{
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    record("thread", NULL, CALLER);
    return real(thread, how, start, argument);
}

EXPORT pid_t fork(void)
{
    REAL(pid_t, fork, void);
    record("fork", NULL, CALLER);
    return real();
}

/* ---- environment and locale ---- */

EXPORT int setenv(const char *name, const char *value, int replace)
{
    REAL(int, setenv, const char *, const char *, int);
    record("environment", name, CALLER);
    return real(name, value, replace);
}

EXPORT int unsetenv(const char *name)
{
    REAL(int, unsetenv, const char *);
    record("environment", name, CALLER);
    return real(name);
}

EXPORT int putenv(char *entry)
{
    REAL(int, putenv, char *);
    record("environment", entry, CALLER);
    return real(entry);
}

EXPORT char *setlocale(int category, const char *locale)
{
    REAL(char *, setlocale, int, const char *);
    if (locale != NULL)
        record("locale", locale, CALLER);
    return real(category, locale);
}

/* ---- files, sockets, memory of the system ---- */

#define OPEN(function)                                                                                                 \
    EXPORT int function(const char *path, int flags, ...)                                                              \
    {                                                                                                                  \
        va_list rest;                                                                                                  \
        int mode;                                                                                                      \
        REAL(int, function, const char *, int, ...);                                                                   \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, int);                                                                                      \
        va_end(rest);                                                                                                  \
        record("open", path, CALLER);                                                                                  \
        return real(path, flags, mode);                                                                                \
    }
OPEN(open)
OPEN(open64)

/* What glibc's headers make of open() when they check arguments. */
#define OPEN_CHECKED(function)                                                                                         \
    EXPORT int function(const char *path, int flags)                                                                   \
    {                                                                                                                  \
        REAL(int, function, const char *, int);                                                                        \
        record("open", path, CALLER);                                                                                  \
        return real(path, flags);                                                                                      \
    }
OPEN_CHECKED(__open_2)
OPEN_CHECKED(__open64_2)

EXPORT FILE *fopen(const char *path, const char *mode)
{
    REAL(FILE *, fopen, const char *, const char *);
    record("open", path, CALLER);
    return real(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    REAL(FILE *, fopen64, const char *, const char *);
    record("open", path, CALLER);
    return real(path, mode);
}

EXPORT int socket(int family, int type, int protocol)
{
    REAL(int, socket, int, int, int);
    record("socket", NULL, CALLER);
    return real(family, type, protocol);
}

EXPORT int shmget(key_t key, size_t size, int flags)
{
    REAL(int, shmget, key_t, size_t, int);
    record("shared memory", NULL, CALLER);
    return real(key, size, flags);
}

EXPORT void *shmat(int identifier, const void *address, int flags)
{
    REAL(void *, shmat, int, const void *, int);
    record("shared memory", NULL, CALLER);
    return real(identifier, address, flags);
}

/* ---- random numbers: for a kernel that has no call for them ---- */

EXPORT ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    if (no_getrandom()) {
        record("getrandom refused", NULL, CALLER);
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_getrandom, buffer, length, flags);
}

EXPORT int getentropy(void *buffer, size_t length)
{
    if (no_getrandom()) {
        record("getrandom refused", NULL, CALLER);
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_getrandom, buffer, length, 0) == (long)length ? 0 : -1;
}

EXPORT long syscall(long number, ...)
{
    va_list rest;
    long a[6];
    int i;
    REAL(long, syscall, long, ...);

    va_start(rest, number);
    for (i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_getrandom && no_getrandom()) {
        record("getrandom refused", NULL, CALLER);
        errno = ENOSYS;
        return -1;
    }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
