/* SPDX-License-Identifier: Apache-2.0 */
/* The int that a method returned last, to be returned again.
 *
 * A program mostly writes and reads pieces of one length, and to make and free an int for each is 1 % of the work on
 * a small record. */
#ifndef TB_LAST_INT_H
#define TB_LAST_INT_H

#include "python_compat.h"

typedef struct {
    PyObject *object; /* owned, or NULL before the first */
    size_t value;
} tb_last_int;

/* A new reference to an int of `value`; NULL with MemoryError. */
static inline PyObject *tb_last_int_get(tb_last_int *self, size_t value)
{
    if (self->object == NULL || self->value != value) {
        PyObject *made = tb_long_from_size(value), *former = self->object;

        if (made == NULL)
            return NULL;
        self->object = made;
        self->value = value;
        Py_XDECREF(former);
    }
    Py_INCREF(self->object);
    return self->object;
}

#endif
