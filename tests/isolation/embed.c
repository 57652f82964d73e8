/* SPDX-License-Identifier: Apache-2.0 */
/* A program with Python inside that it starts and ends many times.
 *
 *     embed CYCLES FILE CODE      runs CODE in each of CYCLES lives of the interpreter
 *     embed CYCLES FILE -         loads FILE (an extension module) and lets it go, without an interpreter
 *
 * With CODE, FILE is loaded and let go between the lives too, unless it is "-".  Prints the resident memory in KiB
 * after a tenth of the cycles and at the end. */
#include <Python.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long resident(void)
{
    long size = 0, pages = -1;
    FILE *stream = fopen("/proc/self/statm", "r");

    if (stream == NULL || fscanf(stream, "%ld %ld", &size, &pages) != 2)
        exit(70);
    fclose(stream);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
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
    long cycles, i, early = 0;

    if (count != 4)
        return 64;
    cycles = atol(words[1]);
    for (i = 0; i < cycles; i++) {
        if (strcmp(words[2], "-") != 0)
            load_and_let_go(words[2]);
        if (strcmp(words[3], "-") != 0)
            live(words[3]);
        if (i == cycles / 10)
            early = resident();
    }
    printf("[%ld, %ld]\n", early, resident());
    return 0;
}
