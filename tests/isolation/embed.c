/* SPDX-License-Identifier: Apache-2.0 */
/* A program with Python inside that it starts and ends many times.
 *
 *     embed CYCLES FILE CODE      runs CODE in each of CYCLES lives of the interpreter
 *     embed CYCLES FILE -         loads FILE (an extension module) and lets it go, without an interpreter
 *
 * With CODE, FILE is loaded and let go between the lives too, unless it is "-".  Prints, after a tenth of the cycles
 * and at the end, the bytes that malloc has given out and the resident memory in KiB: [[bytes, KiB], [bytes, KiB]]. */
#include <Python.h>

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    size_t given_out;
    long resident;
} memory;

static memory measure(void)
{
    struct mallinfo2 heap = mallinfo2();
    memory now = {heap.uordblks + heap.hblkhd, 0};
    long size, pages;
    FILE *stream = fopen("/proc/self/statm", "r");

    if (stream == NULL || fscanf(stream, "%ld %ld", &size, &pages) != 2)
        exit(70);
    fclose(stream);
    now.resident = pages * (sysconf(_SC_PAGESIZE) / 1024);
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
    memory early = {0, 0}, late;

    if (count != 4)
        return 64;
    cycles = atol(words[1]);
    for (i = 0; i < cycles; i++) {
        if (strcmp(words[2], "-") != 0)
            load_and_let_go(words[2]);
        if (strcmp(words[3], "-") != 0)
            live(words[3]);
        if (i == cycles / 10)
            early = measure();
    }
    late = measure();
    printf("[[%zu, %ld], [%zu, %ld]]\n", early.given_out, early.resident, late.given_out, late.resident);
    return 0;
}
