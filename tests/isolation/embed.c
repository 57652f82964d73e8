/* SPDX-License-Identifier: Apache-2.0 */
/* A program with Python inside that it starts and ends many times.
 *
 *     embed CYCLES FILE CODE      runs CODE in each of CYCLES lives of the interpreter
 *     embed CYCLES FILE -         loads FILE (an extension module) and lets it go, without an interpreter
 *
 * With CODE, FILE is loaded and let go between the lives too, unless it is "-".  Prints, a line of two numbers for
 * each tenth of the cycles, the bytes that malloc has given out and the bytes that are mapped beside its heap and the
 * stack.  They mean something where malloc keeps no cache and maps nothing itself (GLIBC_TUNABLES) and
 * PYTHONMALLOC=malloc. */
#include <Python.h>

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

/* Every object from malloc, since Python's own allocator keeps what it has.  From 3.8 on PYTHONMALLOC says so; before,
 * that is for `python` alone. */
#if PY_MAJOR_VERSION == 2
/* In the place of the library's own, for the library and for extension modules. */
void *PyObject_Malloc(size_t size)
{
    return malloc(size != 0 ? size : 1);
}

void *PyObject_Realloc(void *block, size_t size)
{
    return realloc(block, size != 0 ? size : 1);
}

void PyObject_Free(void *block)
{
    free(block);
}

#endif

#if PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION < 8
static void use_malloc(void)
{
    PyMemAllocatorEx plain;

    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &plain);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &plain);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &plain);
}
#else
static void use_malloc(void)
{
}
#endif

/* Sets of objects go by their addresses: where each run has the same ones, each gives the same figures. */
static void fix_addresses(char **words)
{
    int now = personality(0xffffffff);

    if (now != -1 && !(now & ADDR_NO_RANDOMIZE) && personality(now | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", words);
}

#define TENTHS 10

typedef struct {
    size_t given_out;
    size_t mapped;
} memory;

static memory measure(void)
{
    memory now = {mallinfo2().uordblks, 0};
    FILE *stream = fopen("/proc/self/maps", "r");
    unsigned long start, end;
    char line[8192];

    if (stream == NULL)
        exit(70);
    while (fgets(line, sizeof line, stream) != NULL) {
        if (sscanf(line, "%lx-%lx ", &start, &end) != 2)
            exit(70);
        if (strstr(line, " [heap]") == NULL && strstr(line, " [stack]") == NULL)
            now.mapped += end - start;
    }
    fclose(stream);
    return now;
}

static void load_and_let_go(const char *file)
{
    void *library = dlopen(file, RTLD_NOW);

    if (library == NULL || dlclose(library) != 0) {
        fprintf(stderr, "%s\n", dlerror());
        exit(71);
    }
}

static void live(const char *code)
{
    Py_Initialize();
    if (PyRun_SimpleString(code) != 0)
        exit(72);
    Py_Finalize();
}

int main(int count, char **words)
{
    long cycles, i;
    memory found[TENTHS];
    int tenth = 0;

    if (count != 4 || (cycles = atol(words[1])) < TENTHS)
        return 64;
    fix_addresses(words);
    use_malloc();
    for (i = 0; i < cycles; i++) {
        if (strcmp(words[2], "-") != 0)
            load_and_let_go(words[2]);
        if (strcmp(words[3], "-") != 0)
            live(words[3]);
        if (i + 1 == cycles * (tenth + 1) / TENTHS)
            found[tenth++] = measure(); /* printed at the end: stdout has a buffer */
    }
    for (i = 0; i < TENTHS; i++)
        printf("%zu %zu\n", found[i].given_out, found[i].mapped);
    return 0;
}
