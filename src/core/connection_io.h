/* SPDX-License-Identifier: Apache-2.0 */
/* What reading shares with the other operations of a connection: connection_io.c has the functions. */
#ifndef TB_CONNECTION_IO_H
#define TB_CONNECTION_IO_H

#include "connection.h"

#include <time.h>

#define TB_RECORD_LENGTH 16384 /* the most plaintext of a TLS record, bytes: RFC 8446 section 5.1 */

/* What an operation works on; all 0 where there is nothing. */
typedef struct {
    char *target;
    const char *source;
    size_t length;
    size_t done;
    int is_write_to_memory;
    int reads_on;    /* a full record is followed by the next one while `length` leaves room */
    int later_error; /* SSL_get_error() of the record behind those that were read, 0 if none failed */
    int raised_late; /* a callback raised behind the first record: not to be raised now, the data would be lost */
} tb_request;

/* What OpenSSL is asked for; without the GIL, so no Python API.  Its result as SSL_get_error() takes it. */
typedef int (*tb_operation)(tb_connection *self, tb_request *request);

/* How an operation may wait. */
typedef struct {
    const char *timeout_text;
    int release_gil;
    PyObject *socket; /* NULL over MemoryBIOs */
    int deadline_known;
    struct timespec deadline;
} tb_patience;

/* Repeats `act` until it succeeds (0), fails for good (1: *outcome says how, nothing is raised yet),
 * or raised an exception (-1). */
int tb_run(tb_connection *self, tb_operation act, tb_request *request, tb_patience *limits, tb_outcome *outcome);
/* Reading and writing follow this Python's own ssl in how a reset connection is reported. */
void tb_take_reset_as_end_of_file(tb_outcome *outcome);
/* What encryption adds to a record to come, bytes with its header; 0 where that cannot be told, as in a handshake.
 * Over memory.  Needs the lock. */
size_t tb_record_overhead(tb_connection *self);
/* Moves three references to an exception to where an operation finds it; -1 if there was one, which is raised. */
int tb_raise_what_is_kept(PyObject **kept);
static inline int tb_raise_kept(PyObject **kept)
{
    return kept[0] == NULL ? 0 : tb_raise_what_is_kept(kept);
}

#endif
