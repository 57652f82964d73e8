/* SPDX-License-Identifier: Apache-2.0 */
/* MemoryBIO, and the BIO through which OpenSSL uses it.
 *
 * The bytes wait in a queue of chunks that lives on its own: an SSL holds a reference to the queue,
 * so the Python object may be dropped first, shared between connections, or serve as incoming and
 * outgoing at once.  A byte is copied only between OpenSSL and the queue: an exact bytes object that is written
 * is kept by reference, and a bytes object of the predicted ciphertext length is reserved before
 * OpenSSL writes, filled in place, and handed out by read().  Only where a large object has mostly been
 * read its rest moves into memory of its own.
 *
 * BIO callbacks run without the GIL.  They use no Python API and drop no reference: space is
 * reserved before them, and consumed objects wait in `spent` for the next call that has the GIL. */
#include "core.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BELOW   512 /* smaller writes are copied: cheaper than a chunk of their own */
/* What is kept beyond twice what is pending: at most 64 KiB with both of these, however data came and were read. */
#define MAX_SLACK    (32 * 1024) /* of the first chunk, which may have been mostly read */
#define MAX_SPARE    (16 * 1024) /* of the last one, for what is written later */
#define ALONE        960 /* room of a chunk made without Python, where nothing waits: malloc() has such at hand */
#define BEHIND       64  /* the same behind an object: many may follow in turns */
/* The longest record that OpenSSL takes, without its header.  It asks for more only where it reads ahead, and wants a
 * header or what is missing of one: its buffer has room for at least 5 bytes more. */
#define LONGEST_REST (SSL3_RT_MAX_PLAIN_LENGTH + SSL3_RT_MAX_ENCRYPTED_OVERHEAD)

typedef struct chunk {
    struct chunk *next;
    PyObject *bytes; /* owned; NULL for a chunk whose data follows in `room` */
    char *data;
    size_t start, end; /* the unread part */
    size_t capacity;
} chunk;

struct tb_membio {
    tb_gil_lock lock;
    int references; /* changed with the GIL */
    int eof_written;
    int at_record; /* what waits begins with a record; where this is wrong OpenSSL only gets more or less at once */
    unsigned int records; /* how many OpenSSL got, perhaps a few more */
    unsigned int others;  /* how many of these were no data of an application */
    size_t pending;
    chunk *first, *last;
    chunk *reserved; /* an element of the queue, the last, while OpenSSL may fill it */
    chunk *spent;    /* consumed, waiting for the GIL */
    int unsettled;   /* set under lock where tb_membio_settle() has something to do */
};

typedef struct {
    PyObject_HEAD tb_membio *queue;
    tb_last_int written; /* what writes return */
} memory_bio;

/* ---- the queue --------------------------------------------------------------------------------- */

static chunk *chunk_new_plain(size_t capacity)
{
    chunk *made = malloc(sizeof *made + capacity);

    if (made == NULL)
        return NULL;
    memset(made, 0, sizeof *made);
    made->data = (char *)(made + 1);
    made->capacity = capacity;
    return made;
}

/* A chunk of a bytes object of `length`, of which `end` hold data.  Steals the reference to `bytes`, also when it
 * fails.  Needs the GIL. */
static chunk *chunk_new_bytes(PyObject *bytes, char *data, size_t length, size_t end)
{
    chunk *made = malloc(sizeof *made);

    if (made == NULL) {
        Py_DECREF(bytes);
        return NULL;
    }
    /* Each member by itself: the compiler makes calloc() of malloc() and memset(), and glibc's calloc() passes by
     * the thread's cache of freed memory, which costs a tenth of a write and read of 1 KiB. */
    made->next = NULL;
    made->bytes = bytes;
    made->data = data;
    made->start = 0;
    made->end = end;
    made->capacity = length;
    return made;
}

static void queue_append(tb_membio *queue, chunk *added)
{
    if (queue->last != NULL)
        queue->last->next = added;
    else
        queue->first = added;
    queue->last = added;
}

/* Takes the first chunk out; its memory is freed now or, if Python owns it, later. */
static void queue_drop_first(tb_membio *queue)
{
    chunk *dropped = queue->first;

    queue->first = dropped->next;
    if (queue->first == NULL)
        queue->last = NULL;
    if (dropped == queue->reserved)
        queue->reserved = NULL;
    if (dropped->bytes != NULL) {
        dropped->next = queue->spent;
        queue->spent = dropped;
        __atomic_store_n(&queue->unsettled, 1, __ATOMIC_RELAXED);
    } else {
        free(dropped);
    }
}

/* Whether a chunk keeps much more memory than its unread part needs. */
static int is_wasteful(const chunk *item)
{
    return item->capacity > 2 * (item->end - item->start) + MAX_SLACK;
}

static size_t queue_take(tb_membio *queue, char *target, size_t length)
{
    size_t taken = 0;

    while (taken < length && queue->first != NULL) {
        chunk *from = queue->first;
        size_t available = from->end - from->start;
        size_t part = available < length - taken ? available : length - taken;

        if (part == 0) {
            if (from == queue->reserved)
                break;
            queue_drop_first(queue);
            continue;
        }
        memcpy(target + taken, from->data + from->start, part);
        from->start += part;
        taken += part;
        if (part == available && from != queue->reserved)
            queue_drop_first(queue);
    }
    queue->pending -= taken;
    if (queue->first != NULL && is_wasteful(queue->first))
        __atomic_store_n(&queue->unsettled, 1, __ATOMIC_RELAXED);
    return taken;
}

/* Ends a reservation that was filled to its end, as all are whose length was predicted; then there is mostly
 * nothing left to settle. */
static void queue_close_full_reservation(tb_membio *queue)
{
    if (queue->reserved == NULL || queue->reserved->end < queue->reserved->capacity)
        return;
    queue->reserved = NULL;
    if (queue->spent == NULL && !is_wasteful(queue->first))
        __atomic_store_n(&queue->unsettled, 0, __ATOMIC_RELAXED);
}

/* How much room the next chunk without Python has: twice that of a full one before it. */
static size_t room_behind(const chunk *last)
{
    if (last == NULL)
        return ALONE;
    if (last->bytes != NULL)
        return BEHIND;
    return last->capacity < MAX_SPARE / 2 ? 2 * last->capacity : MAX_SPARE;
}

/* Copies data in, without Python.  0, or -1 when memory is out. */
static int queue_put(tb_membio *queue, const char *data, size_t length)
{
    chunk *last = queue->last;
    size_t room = 0;

    if (last != NULL && (last == queue->reserved || last->bytes == NULL)) {
        room = last->capacity - last->end;
        if (room > length)
            room = length;
        /* A reservation is for whole results: half a record in it would only be copied again. */
        if (last == queue->reserved && room < length)
            room = 0;
        memcpy(last->data + last->end, data, room);
        last->end += room;
        queue_close_full_reservation(queue);
    }
    if (room < length) {
        size_t wanted = length - room;
        size_t usual = room_behind(last);
        chunk *added = chunk_new_plain(wanted < usual ? usual : wanted);

        if (added == NULL) {
            if (room)
                last->end -= room;
            return -1;
        }
        memcpy(added->data, data + room, wanted);
        added->end = wanted;
        queue->reserved = NULL;
        queue_append(queue, added);
    }
    queue->pending += length;
    return 0;
}

static void chunks_free(chunk *list)
{
    while (list != NULL) {
        chunk *next = list->next;

        Py_XDECREF(list->bytes);
        free(list);
        list = next;
    }
}

/* Needs the GIL: connections and MemoryBIO objects are deallocated with it. */
static void queue_release(tb_membio *queue)
{
    if (--queue->references > 0)
        return;
    chunks_free(queue->first);
    chunks_free(queue->spent);
    pthread_mutex_destroy(&queue->lock.mutex);
    free(queue);
}

void tb_membio_expose(tb_membio *queue, int change)
{
    tb_gil_lock_expose(&queue->lock, change);
}

size_t tb_membio_pending(tb_membio *queue)
{
    size_t pending;
    int locked;

    locked = tb_gil_lock_take(&queue->lock);
    pending = queue->pending;
    tb_gil_lock_release(&queue->lock, locked);
    return pending;
}

/* A place in the queue, for looking ahead.  Under lock. */
typedef struct {
    const chunk *item;
    size_t passed; /* of the unread part of `item` */
} place;

/* Goes on by up to `length` bytes, which are copied unless `copy` is NULL; by how many there were. */
static size_t place_advance(place *at, unsigned char *copy, size_t length)
{
    size_t done = 0;

    while (at->item != NULL && done < length) {
        size_t part = at->item->end - at->item->start - at->passed;

        if (part > length - done)
            part = length - done;
        if (copy != NULL)
            memcpy(copy + done, at->item->data + at->item->start + at->passed, part);
        done += part;
        at->passed += part;
        if (at->passed == at->item->end - at->item->start) {
            at->item = at->item->next;
            at->passed = 0;
        }
    }
    return done;
}

/* Reads the header at `at`; the length of what follows it, 0 where no data of an application follow. */
static size_t place_take_header(place *at)
{
    const unsigned char *header;
    unsigned char copy[TB_RECORD_HEADER];

    if (at->item != NULL && at->passed + TB_RECORD_HEADER < at->item->end - at->item->start) { /* and more: as mostly */
        header = (unsigned char *)at->item->data + at->item->start + at->passed;
        at->passed += TB_RECORD_HEADER;
    } else {
        if (place_advance(at, copy, sizeof copy) < sizeof copy)
            return 0;
        header = copy;
    }
    return header[0] != SSL3_RT_APPLICATION_DATA ? 0 : (size_t)header[3] << 8 | header[4];
}

size_t tb_membio_peek_record(tb_membio *queue, int at_record, size_t *pending, int *ended)
{
    size_t length;
    place at = {NULL, 0};
    int locked;

    locked = tb_gil_lock_take(&queue->lock);
    *pending = queue->pending;
    *ended = queue->eof_written;
    queue->at_record = at_record;
    at.item = queue->first;
    length = queue->pending > 0 ? place_take_header(&at) : 0;
    tb_gil_lock_release(&queue->lock, locked);
    return length;
}

unsigned int tb_membio_others(const tb_membio *queue)
{
    return __atomic_load_n(&queue->others, __ATOMIC_RELAXED);
}

unsigned int tb_membio_records(const tb_membio *queue)
{
    return __atomic_load_n(&queue->records, __ATOMIC_RELAXED);
}

size_t tb_membio_peek_content(tb_membio *queue, size_t full, size_t overhead, size_t most)
{
    size_t content = 0, rest, length;
    place at = {NULL, 0};
    int locked;

    locked = tb_gil_lock_take(&queue->lock);
    at.item = queue->first;
    do {
        rest = place_take_header(&at);
        length = TB_RECORD_HEADER + rest;
        if (length <= overhead || length > full || place_advance(&at, NULL, rest) < rest)
            break;
        content += length - overhead;
    } while (length == full && content < most);
    tb_gil_lock_release(&queue->lock, locked);
    return content;
}

void tb_membio_reserve(tb_membio *queue, size_t length)
{
    PyObject *bytes;
    chunk *reserved;
    int locked;

    /* An object and its chunk are more than a small record: it has them only where nothing waits. */
    if (length < COPY_BELOW && tb_membio_pending(queue) > 0)
        return;
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL) {
        PyErr_Clear();
        return;
    }
    reserved = chunk_new_bytes(bytes, TB_BYTES_DATA(bytes), length, 0);
    if (reserved == NULL)
        return;
    locked = tb_gil_lock_take(&queue->lock);
    if (queue->reserved == NULL) {
        queue_append(queue, reserved);
        queue->reserved = reserved;
        __atomic_store_n(&queue->unsettled, 1, __ATOMIC_RELAXED);
        reserved = NULL;
    }
    tb_gil_lock_release(&queue->lock, locked);
    chunks_free(reserved); /* another thread's reservation stands */
}

/* Copies of the unread part of `from`, in pieces that are never wasteful themselves; *last receives the last one.
 * NULL when memory is out. */
static chunk *copy_in_pieces(const chunk *from, chunk **last)
{
    chunk *first = NULL, **link = &first;
    size_t at = from->start;

    while (at < from->end) {
        size_t length = from->end - at < MAX_SLACK ? from->end - at : MAX_SLACK;
        chunk *piece = chunk_new_plain(length);

        if (piece == NULL) {
            chunks_free(first);
            return NULL;
        }
        memcpy(piece->data, from->data + at, length);
        piece->end = length;
        at += length;
        *link = *last = piece;
        link = &piece->next;
    }
    return first;
}

/* Moves the rest of the first chunk, a mostly consumed object, into memory of its own. */
static void queue_move_first(tb_membio *queue)
{
    chunk *large = queue->first;
    chunk *pieces, *last = NULL;

    pieces = copy_in_pieces(large, &last);
    if (pieces == NULL)
        return;
    last->next = large->next;
    if (queue->last == large)
        queue->last = last;
    queue->first = pieces;
    if (large->bytes != NULL) {
        large->next = queue->spent;
        queue->spent = large;
    } else {
        free(large);
    }
}

/* Not inlined, for the sake of those who find nothing to do. */
static void __attribute__((noinline)) settle(tb_membio *queue)
{
    chunk *spent;
    int locked;

    locked = tb_gil_lock_take(&queue->lock);
    __atomic_store_n(&queue->unsettled, 0, __ATOMIC_RELAXED);
    if (queue->reserved != NULL) {
        chunk *reserved = queue->reserved;

        queue->reserved = NULL;
        if (reserved->start == reserved->end) {
            chunk **link = &queue->first;
            chunk *before = NULL;

            while (*link != reserved) {
                before = *link;
                link = &before->next;
            }
            *link = reserved->next;
            if (queue->last == reserved)
                queue->last = before;
            reserved->next = queue->spent;
            queue->spent = reserved;
        }
    }
    if (queue->first != NULL && queue->first != queue->reserved && is_wasteful(queue->first))
        queue_move_first(queue);
    spent = queue->spent;
    queue->spent = NULL;
    tb_gil_lock_release(&queue->lock, locked);
    chunks_free(spent);
}

void tb_membio_settle(tb_membio *queue)
{
    /* Whoever leaves something to do settles it himself afterwards, so a glance without the lock is enough. */
    if (__atomic_load_n(&queue->unsettled, __ATOMIC_RELAXED))
        settle(queue);
}

/* ---- what OpenSSL sees ----------------------------------------------------------------------------- */

static int bio_write(BIO *bio, const char *data, int length)
{
    tb_membio *queue = BIO_get_data(bio);
    int result, locked;

    BIO_clear_retry_flags(bio);
    if (length <= 0)
        return 0;
    locked = tb_gil_lock_take(&queue->lock);
    result = queue_put(queue, data, (size_t)length);
    tb_gil_lock_release(&queue->lock, locked);
    return result < 0 ? -1 : length;
}

/* OpenSSL is told to read ahead, so that where it wants a header it asks for as much as its buffer takes.  It gets a
 * record as a whole then, which saves it a second call, but not a byte of the next one: what follows a close_notify
 * belongs to others. */
static int header_or_record(tb_membio *queue, int length)
{
    place at = {queue->first, 0};
    size_t record;

    if (queue->at_record) {
        record = TB_RECORD_HEADER + place_take_header(&at);
        if (record > TB_RECORD_HEADER && record <= queue->pending && record <= (size_t)length)
            return (int)record;
        queue->at_record = 0;
    }
    return TB_RECORD_HEADER;
}

static int bio_read(BIO *bio, char *data, int length)
{
    tb_membio *queue = BIO_get_data(bio);
    int eof, locked, header_wanted = length > LONGEST_REST;
    size_t taken;

    BIO_clear_retry_flags(bio);
    if (length <= 0)
        return 0;
    locked = tb_gil_lock_take(&queue->lock);
    if (header_wanted)
        length = header_or_record(queue, length);
    taken = queue_take(queue, data, (size_t)length);
    if (header_wanted && taken > 0) {
        __atomic_store_n(&queue->records, queue->records + 1, __ATOMIC_RELAXED);
        if ((unsigned char)data[0] != SSL3_RT_APPLICATION_DATA)
            __atomic_store_n(&queue->others, queue->others + 1, __ATOMIC_RELAXED);
    }
    eof = queue->eof_written;
    tb_gil_lock_release(&queue->lock, locked);
    if (taken > 0)
        return (int)taken;
    if (eof)
        return 0;
    BIO_set_retry_read(bio);
    return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    tb_membio *queue = BIO_get_data(bio);
    long result;
    int locked;

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_PENDING:
        return (long)tb_membio_pending(queue);
    case BIO_CTRL_EOF:
        locked = tb_gil_lock_take(&queue->lock);
        result = queue->eof_written && queue->pending == 0;
        tb_gil_lock_release(&queue->lock, locked);
        return result;
    default:
        return 0;
    }
}

static int bio_destroy(BIO *bio)
{
    tb_membio *queue = BIO_get_data(bio);

    if (queue != NULL)
        queue_release(queue);
    return 1;
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    static const tb_bio_functions functions = {bio_write, bio_read, bio_ctrl, bio_destroy};

    method = tb_bio_method_new("tls-bootstrap memory", &functions);
}

BIO *tb_membio_new_bio(tb_membio *queue)
{
    BIO *bio;

    pthread_once(&method_once, make_method);
    if (method == NULL)
        return NULL;
    bio = BIO_new(method);
    if (bio != NULL) {
        queue->references++;
        BIO_set_data(bio, queue);
    }
    return bio;
}

/* ---- MemoryBIO ---------------------------------------------------------------------------------------- */

tb_membio *tb_membio_of(PyObject *object)
{
    return ((memory_bio *)object)->queue;
}

static PyObject *memory_bio_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    memory_bio *self;

    if (PyTuple_Size(args) != 0 || (kwargs != NULL && PyDict_Size(kwargs) != 0)) {
        PyErr_SetString(PyExc_TypeError, "MemoryBIO() takes no arguments");
        return NULL;
    }
    self = (memory_bio *)tb_type_alloc(type);
    if (self == NULL)
        return NULL;
    self->queue = calloc(1, sizeof *self->queue);
    if (self->queue == NULL) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    pthread_mutex_init(&self->queue->lock.mutex, NULL);
    self->queue->references = 1;
    return (PyObject *)self;
}

static void memory_bio_dealloc(PyObject *object)
{
    memory_bio *self = (memory_bio *)object;

    if (self->queue != NULL)
        queue_release(self->queue);
    Py_XDECREF(self->written.object);
    tb_type_free(object, memory_bio_dealloc);
}

/* The first chunk's object itself, where it is the whole answer to a read of `length` bytes. */
static PyObject *take_whole_object(tb_membio *queue, size_t length)
{
    chunk *first = queue->first;
    PyObject *bytes;

    if (first == NULL || first->bytes == NULL || first == queue->reserved || first->start != 0 ||
        first->end != first->capacity || first->end != length)
        return NULL;
    bytes = first->bytes;
    first->bytes = NULL;
    queue->pending -= first->end;
    queue_drop_first(queue);
    return bytes;
}

static PyObject *take(tb_membio *queue, Py_ssize_t size)
{
    size_t length, taken;
    PyObject *bytes;
    int locked;

    locked = tb_gil_lock_take(&queue->lock);
    length = queue->pending;
    if (size >= 0 && (size_t)size < length)
        length = (size_t)size;
    bytes = take_whole_object(queue, length);
    tb_gil_lock_release(&queue->lock, locked);
    if (bytes != NULL)
        return bytes;
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (bytes == NULL || length == 0)
        return bytes;
    locked = tb_gil_lock_take(&queue->lock);
    taken = queue_take(queue, PyBytes_AsString(bytes), length);
    tb_gil_lock_release(&queue->lock, locked);
    if (taken < length) { /* another thread was faster */
        PyObject *shorter = PyBytes_FromStringAndSize(PyBytes_AsString(bytes), (Py_ssize_t)taken);

        Py_DECREF(bytes);
        bytes = shorter;
    }
    tb_membio_settle(queue);
    return bytes;
}

static PyObject *memory_bio_read(PyObject *object, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t size = -1;

    if (kwargs != NULL && PyDict_Size(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "read() takes no keyword arguments");
        return NULL;
    }
    if (TB_TUPLE_SIZE(args) > 0 && !PyArg_ParseTuple(args, "|n:read", &size)) /* mostly all is wanted */
        return NULL;
    return take(((memory_bio *)object)->queue, size);
}

static PyObject *memory_bio_read_fast(PyObject *object, PyObject *const *arguments, Py_ssize_t count, PyObject *names)
{
    if (count > 0 || names != NULL)
        return tb_call_with_tuple(memory_bio_read, object, arguments, count, names);
    return take(((memory_bio *)object)->queue, -1);
}

/* `view` is of an exact bytes object. */
static int put_reference(tb_membio *queue, const tb_view *view)
{
    size_t length = (size_t)view->length;
    chunk *added;
    int locked;

    Py_INCREF(view->bytes);
    added = chunk_new_bytes(view->bytes, (char *)view->data, length, length);
    if (added == NULL)
        return -1;
    locked = tb_gil_lock_take(&queue->lock);
    queue->reserved = NULL;
    queue_append(queue, added);
    queue->pending += added->end;
    tb_gil_lock_release(&queue->lock, locked);
    return 0;
}

/* A MemoryBIO is made for each direction of each connection, and has use for the module's state here alone. */
static PyObject *refuse_behind_the_end(PyObject *object)
{
    PyObject *module;
    core_state *state = tb_state_of_type(Py_TYPE(object), &module);

    if (state == NULL)
        return NULL;
    tb_raise(state, TB_SSL_ERROR, 0, __LINE__, "cannot write() after write_eof()");
    Py_DECREF(module);
    return NULL;
}

static PyObject *memory_bio_write(PyObject *object, PyObject *data)
{
    memory_bio *self = (memory_bio *)object;
    tb_view view;
    Py_ssize_t length;
    int result, locked;

    if (tb_view_get(data, &view) < 0)
        return NULL;
    length = view.length;
    if (length > INT_MAX) {
        PyErr_Format(PyExc_OverflowError, "string longer than %d bytes", INT_MAX);
        tb_view_release(&view);
        return NULL;
    }
    if (self->queue->eof_written) {
        tb_view_release(&view);
        return refuse_behind_the_end(object);
    }
    if (length >= COPY_BELOW && view.bytes != NULL) {
        result = put_reference(self->queue, &view);
    } else {
        locked = tb_gil_lock_take(&self->queue->lock);
        result = length > 0 ? queue_put(self->queue, view.data, (size_t)length) : 0;
        tb_gil_lock_release(&self->queue->lock, locked);
    }
    tb_view_release(&view);
    tb_membio_settle(self->queue);
    if (result < 0)
        return PyErr_NoMemory();
    return tb_last_int_get(&self->written, (size_t)length);
}

static PyObject *memory_bio_write_eof(PyObject *object, PyObject *unused)
{
    tb_membio *queue = ((memory_bio *)object)->queue;
    int locked;

    (void)unused;
    locked = tb_gil_lock_take(&queue->lock);
    queue->eof_written = 1;
    tb_gil_lock_release(&queue->lock, locked);
    Py_RETURN_NONE;
}

static PyObject *memory_bio_get_pending(PyObject *object, void *closure)
{
    (void)closure;
    return tb_long_from_size(tb_membio_pending(((memory_bio *)object)->queue));
}

static PyObject *memory_bio_get_eof(PyObject *object, void *closure)
{
    tb_membio *queue = ((memory_bio *)object)->queue;
    int eof, locked;

    (void)closure;
    locked = tb_gil_lock_take(&queue->lock);
    eof = queue->eof_written && queue->pending == 0;
    tb_gil_lock_release(&queue->lock, locked);
    return PyBool_FromLong(eof);
}

enum { READ, REST };

static PyMethodDef memory_bio_methods[] = {
    [READ] = {"read", (PyCFunction)(void (*)(void))memory_bio_read, METH_VARARGS | METH_KEYWORDS,
              "read(size=-1)\n\nRemoves and returns up to size bytes; all of them if size is negative."},
    [REST] = {"write", memory_bio_write, METH_O,
              "write(b)\n\nAppends the bytes-like object and returns its length.  SSLError after write_eof()."},
    {"write_eof", memory_bio_write_eof, METH_NOARGS,
     "write_eof()\n\nMarks the end: once all data was read, eof is True."},
    TB_REFUSE_PICKLE,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef memory_bio_getset[] = {
    {"pending", memory_bio_get_pending, NULL, "The number of bytes waiting.", NULL},
    {"eof", memory_bio_get_eof, NULL, "Whether the end was marked and reached.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot memory_bio_slots[] = {
    {Py_tp_new, (void *)memory_bio_new},
    {Py_tp_dealloc, (void *)memory_bio_dealloc},
    {Py_tp_methods, memory_bio_methods},
    {Py_tp_getset, memory_bio_getset},
    {Py_tp_doc, "A memory buffer for TLS without sockets (ssl documentation, \"Memory BIO Support\")."},
    {0, NULL},
};

static PyType_Spec memory_bio_spec = {
    "_tls_bootstrap._core.MemoryBIO", sizeof(memory_bio), 0, TB_TYPE_FLAGS | Py_TPFLAGS_BASETYPE, memory_bio_slots,
};

int tb_membio_type_add(PyObject *module, core_state *state)
{
    tb_prefer_fast_call(&memory_bio_methods[READ], memory_bio_read_fast);
    state->memory_bio_type = (PyTypeObject *)PyType_FromSpec(&memory_bio_spec);
    if (state->memory_bio_type == NULL)
        return -1;
    return tb_type_bind_module((PyObject *)state->memory_bio_type, module);
}
