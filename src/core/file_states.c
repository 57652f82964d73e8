/* SPDX-License-Identifier: Apache-2.0 */
/* What tells a file from any other that takes its place, for _late.py: thirty files at each import of the package, for
 * each of which os.stat() would make an object of a score of numbers.  Nothing is opened, not even the directory: an
 * import opens no file. */
#include "core.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

const char tb_file_states_doc[] =
    "file_states(directory, names)\n\nFor each of the names (size in bytes, device, inode, seconds and nanoseconds of "
    "the last modification), None where there is no such file.  directory: as bytes, on 2.7 str; names: a list of str.";

/* `name` is a borrowed reference, or NULL with an exception. */
static PyObject *state_of(const char *directory, PyObject *name)
{
    PyObject *holder = NULL;
    const char *text = name == NULL ? NULL : tb_native_str_data(name, &holder);
    char path[PATH_MAX];
    struct stat status;
    int length, found;

    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeError))
            return NULL;
        PyErr_Clear(); /* bytes that are no text, somebody else's file */
        Py_RETURN_NONE;
    }
    length = snprintf(path, sizeof path, "%s/%s", directory, text);
    found = length > 0 && (size_t)length < sizeof path && stat(path, &status) == 0;
    Py_XDECREF(holder);
    if (!found)
        Py_RETURN_NONE;
    return Py_BuildValue("(LKKLl)", (long long)status.st_size, (unsigned long long)status.st_dev,
                         (unsigned long long)status.st_ino, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

PyObject *tb_file_states(PyObject *module, PyObject *args)
{
    PyObject *path, *names, *list = NULL;
    const char *directory;
    Py_ssize_t i;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO:file_states", &path, &names))
        return NULL;
    directory = PyBytes_AsString(path);
    if (directory == NULL)
        return NULL;
    list = PyList_New(0);
    for (i = 0; list != NULL && i < PyList_Size(names); i++) {
        if (tb_list_append(list, state_of(directory, PyList_GetItem(names, i))) < 0)
            Py_CLEAR(list);
    }
    return list;
}
