/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the core share. */
#ifndef TB_CORE_H
#define TB_CORE_H

#include "python_compat.h"

#include "gil_lock.h"
#include "gil_turns.h"
#include "last_int.h"
#include "openssl_compat.h"

#include <pthread.h>

/* The exception classes, defined in Python (_errors.py) and handed over once. */
typedef enum {
    TB_SSL_ERROR,
    TB_ZERO_RETURN_ERROR,
    TB_WANT_READ_ERROR,
    TB_WANT_WRITE_ERROR,
    TB_SYSCALL_ERROR,
    TB_EOF_ERROR,
    TB_CERT_VERIFICATION_ERROR,
    TB_OS_ERROR,
    TB_TIMEOUT,
    TB_EXCEPTION_COUNT
} tb_exception;

typedef struct tb_connection tb_connection;

/* Connections that may have OpenSSL keep their buffers: kept_buffers.h says why. */
#define TB_KEPT 4
typedef struct {
    tb_connection *of[TB_KEPT]; /* borrowed, or NULL */
    int hand;                   /* whose turn it is to leave, unless he has worked since he last had it */
} tb_kept_buffers;

/* Per-interpreter state of the module; each member is an owned reference but the last four. */
typedef struct {
    PyTypeObject *memory_bio_type;
    PyTypeObject *context_type;
    PyTypeObject *connection_type;
    PyTypeObject *ssl_object_type;
    PyTypeObject *session_type;
    PyTypeObject *certificate_type;
    PyObject *exceptions[TB_EXCEPTION_COUNT];
    PyObject *want_arguments[2];   /* of SSLWantReadError and SSLWantWriteError, made when first raised */
    PyObject *handshake_completed; /* functions of the Python half, or NULL */
    PyObject *handshake_refused;
    PyObject *gettimeout_name;
    PyObject *fileno_name;
    const PyTypeObject *ssl_socket_type; /* the class SSLSocket, only to compare */
    const void *interpreter;             /* whose state it is: the address of its sys.modules, only to compare */
    tb_kept_buffers kept_buffers;
    tb_gil_turns turns;
} core_state;

/* The state behind an instance's type; *module receives a new reference that keeps it alive. */
core_state *tb_state_of_type(PyTypeObject *type, PyObject **module);

/* ---- errors.c: the one place where exceptions are made --------------------------------------- */

/* Raises `which` with errno_value and printf-style text; library and reason are None.  NULL. */
PyObject *tb_raise(core_state *state, tb_exception which, int errno_value, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Raises SSLError from OpenSSL's error queue and empties it.  NULL. */
PyObject *tb_raise_openssl_at(core_state *state, int line);
#define tb_raise_openssl(state) tb_raise_openssl_at((state), __LINE__)
/* Raises OSError(errno_value).  NULL. */
PyObject *tb_raise_errno(core_state *state, int errno_value);
/* The same with the file's name: `path` as it came in, bytes (2.7: str). */
PyObject *tb_raise_errno_path(core_state *state, int errno_value, PyObject *path);
/* Empties OpenSSL's error queue.  Mostly it is empty, and to find that out costs a tenth of emptying it. */
void tb_clear_errors(void);
/* Raises SSLWantReadError for an operation that OpenSSL was not asked to try.  NULL. */
PyObject *tb_raise_want_read(core_state *state);
/* Raises the exception for the result of an operation on a connection; `connection_text` parts as
 * needed by certificate verification come from `ssl`.  NULL. */
typedef struct {
    int result;      /* what the SSL_* function returned */
    int ssl_error;   /* SSL_get_error() of it */
    int sys_errno;   /* errno saved by the transport, 0 if it did not fail */
    int end_of_file; /* the transport ended during the operation */
} tb_outcome;
PyObject *tb_raise_outcome_at(core_state *state, SSL *ssl, const tb_outcome *outcome, int line);
#define tb_raise_outcome(state, ssl, outcome) tb_raise_outcome_at((state), (ssl), (outcome), __LINE__)
/* The METH_O function set_exceptions(mapping). */
PyObject *tb_set_exceptions(PyObject *module, PyObject *mapping);
extern const char tb_set_exceptions_doc[];
/* The name of an error library as programs know it ("SSL", "PEM", ...), or NULL. */
const char *tb_library_name(int library);

/* ---- hints.c: what would let through what was refused ------------------------------------------ */

/* Names the setting that could allow what failed for this reason (may be NULL) or with this verify result; or NULL. */
const char *tb_policy_hint(const char *reason, long verify_code);

/* ---- bio.c --------------------------------------------------------------------------------------- */

typedef struct {
    int (*write)(BIO *bio, const char *data, int length);
    int (*read)(BIO *bio, char *data, int length);
    long (*ctrl)(BIO *bio, int command, long number, void *pointer);
    int (*destroy)(BIO *bio); /* or NULL */
} tb_bio_functions;

/* A new kind of BIO, or NULL.  Once per process for each: OpenSSL never gives type numbers back. */
BIO_METHOD *tb_bio_method_new(const char *name, const tb_bio_functions *functions);

/* ---- membio.c: MemoryBIO and the BIO that OpenSSL sees of it ---------------------------------- */

#define TB_RECORD_HEADER 5 /* bytes: type, version, length (RFC 8446 section 5.1) */

typedef struct tb_membio tb_membio;

int tb_membio_type_add(PyObject *module, core_state *state);
/* The queue of a MemoryBIO instance; borrowed. */
tb_membio *tb_membio_of(PyObject *memory_bio);
/* A new BIO over the queue; it owns a reference to the queue, not to the Python object. */
BIO *tb_membio_new_bio(tb_membio *queue);
/* Prepares one bytes object of exactly `length` for what OpenSSL will write next, so that it is
 * copied once.  Needs the GIL.  Failure to reserve is not an error. */
void tb_membio_reserve(tb_membio *queue, size_t length);
/* Ends a reservation and drops references to consumed bytes objects.  Needs the GIL. */
void tb_membio_settle(tb_membio *queue);
/* Somebody begins (1) or ends (-1) to use the queue without the GIL.  Needs the GIL. */
void tb_membio_expose(tb_membio *queue, int change);
/* Bytes waiting in the queue. */
size_t tb_membio_pending(tb_membio *queue);
/* The length that the header of the next record states, if that is the next thing in the queue and holds
 * application data, else 0.  *pending receives the bytes waiting, *ended whether their end was marked.
 * at_record: whether OpenSSL has read all that came before, so that it may get the next record as a whole. */
size_t tb_membio_peek_record(tb_membio *queue, int at_record, size_t *pending, int *ended);
/* The bytes of content in whole records that wait, each `overhead` longer than its content with its header: those of
 * `full` bytes that come first, and the shorter one behind them.  No record is looked at behind `most` bytes of
 * content. */
size_t tb_membio_peek_content(tb_membio *queue, size_t full, size_t overhead, size_t most);
/* Changes when OpenSSL gets a record of a handshake. */
unsigned int tb_membio_others(const tb_membio *queue);
/* How many records OpenSSL has got of it, perhaps a few more. */
unsigned int tb_membio_records(const tb_membio *queue);

/* ---- socketbio.c: the BIO over a socket's descriptor ------------------------------------------ */

typedef struct {
    int fd;        /* -1 once the socket was closed or detached */
    int sys_errno; /* errno of the last call that failed for good */
    int at_eof;
} tb_socket_transport;

BIO *tb_socket_new_bio(tb_socket_transport *transport);

/* ---- context.c and its neighbours -------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD core_state *state;
    PyObject *module; /* keeps state alive */
    SSL_CTX *ctx;
    int protocol;
    int check_hostname;
    int post_handshake_auth;
    unsigned int host_flags;
    unsigned char *alpn; /* wire format, as the server's callback needs it */
    unsigned int alpn_length;
    PyObject *sni_callback;
    PyObject *msg_callback;
    PyObject *psk_client_callback;
    PyObject *psk_server_callback;
    PyObject *keylog_filename;
    BIO *keylog;
    pthread_mutex_t keylog_lock;
    int store_changes; /* atomic: how often something was loaded into the store of trusted certificates */
} tb_context;

int tb_context_type_add(PyObject *module, core_state *state);

/* METH_NOARGS: (uses of a kept file of authorities, files read, files kept, certificates parsed one by one) of this
 * process. */
PyObject *tb_context_trust_counts(PyObject *module, PyObject *unused);

/* Gives a connection the message callback of the context it now belongs to. */
void tb_context_attach_msg_callback(tb_context *self, SSL *ssl);

/* ---- session.c --------------------------------------------------------------------------------- */

int tb_session_type_add(PyObject *module, core_state *state);
/* Wraps a session; takes over the reference to `session` even when it fails. */
PyObject *tb_session_wrap(core_state *state, PyObject *module, tb_context *context, SSL_SESSION *session);
SSL_SESSION *tb_session_get(PyObject *session);    /* borrowed */
tb_context *tb_session_context(PyObject *session); /* borrowed */

/* ---- connection.c and its neighbours ------------------------------------------------------------ */

struct tb_connection {
    PyObject_HEAD core_state *state;
    PyObject *module;    /* keeps state alive */
    tb_context *context; /* owned */
    SSL *ssl;
    PyObject *owner;                            /* weak reference to the SSLObject or SSLSocket, or NULL */
    PyObject *socket;                           /* weak reference, or NULL over MemoryBIOs */
    PyObject *server_hostname;                  /* native str or NULL */
    PyObject *incoming, *outgoing;              /* MemoryBIO, owned, NULL over a socket */
    tb_membio *incoming_queue, *outgoing_queue; /* borrowed from the two */
    tb_socket_transport transport;
    tb_gil_lock lock;                /* held during every use of `ssl` */
    int *locked;                     /* of the operation in progress: whether it has the lock's mutex */
    PyThreadState *thread;           /* of the operation in progress, while it runs without the GIL */
    PyObject *pending_exception[3];  /* raised by a callback during the operation in progress */
    PyObject *deferred_exception[3]; /* what failed behind the data of the last read */
    size_t overhead;                 /* what encryption adds to a record, bytes; 0: not predictable */
    int overhead_is_known;           /* from the end of the handshake on, as long as the next one stays the same */
    unsigned int others;             /* tb_membio_others() then */
    int much_waited;                 /* since incoming_queue was empty: connection_read.c says how much */
    int turns;                       /* of kept_buffers.h: writes and reads since it came among the few */
    int worked_lately;               /* and whether one of them was lately */
    tb_last_int written, read;       /* what writes, and reads into a buffer, return */
    int server_side;
    int shutdown_seen_zero;
};

int tb_connection_type_add(PyObject *module, core_state *state);
int tb_is_connection(PyObject *object);
/* The METH_O function add_socket_methods(cls), in sslsocket.c. */
PyObject *tb_add_socket_methods(PyObject *module, PyObject *type);
extern const char tb_add_socket_methods_doc[];
PyObject *tb_connection_new(tb_context *context, PyObject *socket, PyObject *incoming, PyObject *outgoing,
                            int server_side, PyObject *server_hostname, PyObject *owner, PyObject *session);
/* The connection an SSL belongs to, for callbacks; borrowed. */
tb_connection *tb_connection_of_ssl(const SSL *ssl);
/* For callbacks: takes the GIL if the operation in progress released it, and gives it back. */
void tb_connection_enter_python(tb_connection *self);
void tb_connection_leave_python(tb_connection *self);
/* Keeps the current exception to be raised when the operation in progress returns. */
void tb_connection_keep_exception(tb_connection *self);
/* The mutex itself.  With the GIL, which others may have while it is waited for. */
void tb_connection_take_mutex(tb_connection *self);
void tb_connection_give_mutex(tb_connection *self);

/* Locks `ssl` for a short use with the GIL held, in which nothing of Python's is called that may run other code or give
 * the GIL up.  Returns what unlocking needs. */
static inline int tb_connection_lock(tb_connection *self)
{
    int needed = tb_gil_lock_is_exposed(&self->lock);

    if (needed)
        tb_connection_take_mutex(self);
    return needed;
}

static inline void tb_connection_unlock(tb_connection *self, int locked)
{
    if (locked)
        tb_connection_give_mutex(self);
}

/* ---- sslobject.c -------------------------------------------------------------------------------- */

int tb_ssl_object_type_add(PyObject *module, core_state *state);
/* A new instance of `class` without a connection yet; TypeError unless that is a subclass of _SSLObject. */
PyObject *tb_ssl_object_new(tb_context *context, PyTypeObject *class);
/* Gives it the connection; takes over the reference. */
void tb_ssl_object_adopt(PyObject *object, PyObject *connection);

/* ---- handshake_hooks.c: what the Python half adds to a handshake -------------------------------- */

/* The METH_VARARGS function set_handshake_hooks(completed, refused). */
PyObject *tb_set_handshake_hooks(PyObject *module, PyObject *args);
extern const char tb_set_handshake_hooks_doc[];
/* To be called after a handshake: -1 with an exception if the hook raises. */
int tb_handshake_completed(tb_connection *self);
/* To be called with the exception of a handshake that failed; it, or one that the hook raises, is set afterwards. */
void tb_handshake_refused(tb_connection *self);

/* ---- hostname.c: names of servers ---------------------------------------------------------------- */

/* The METH_O function is_plain_hostname(name). */
PyObject *tb_is_plain_hostname(PyObject *module, PyObject *name);
/* Sets the name in the SNI extension, and to be verified if the context wants that; -1 with an exception. */
int tb_configure_hostname(tb_context *context, SSL *ssl, PyObject *name);

/* ---- ending.c: OpenSSL without the GIL ------------------------------------------------------------ */

/* Around every use of OpenSSL without the GIL.  A thread that comes when the interpreter ends does not
 * return: it gives up the lock it holds (NULL: none) and stays. */
void tb_openssl_enter(pthread_mutex_t *held);
void tb_openssl_leave(void);
/* Puts into the module what waits, when the interpreter ends, for the threads that are inside. */
int tb_add_ending(PyObject *module);

/* ---- certificate.c ------------------------------------------------------------------------------ */

int tb_certificate_type_add(PyObject *module, core_state *state);
/* The getpeercert() dict. */
PyObject *tb_certificate_to_dict(core_state *state, X509 *certificate);
PyObject *tb_certificate_to_der(core_state *state, X509 *certificate);
/* A list of Certificate; takes no ownership of the stack. */
PyObject *tb_chain_to_list(core_state *state, PyObject *module, const STACK_OF(X509) * chain);
/* METH_O: the dict of the first certificate in a PEM file (path as bytes / str). */
PyObject *tb_test_decode_cert(PyObject *module, PyObject *path);
/* METH_O: the dict of a DER certificate. */
PyObject *tb_decode_certificate_der(PyObject *module, PyObject *der);

/* ---- refusals.c -------------------------------------------------------------------------------------- */

/* tp_new of a type that only the core itself may instantiate (with tb_type_alloc). */
PyObject *tb_refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
/* The method __getstate__ of all types.  Python itself refuses to copy and pickle them from 3.6 on.  Before, a copy
 * was what the class makes without arguments: of a context that verifies certificates, one that does not. */
PyObject *tb_refuse_pickle(PyObject *object, PyObject *unused);
extern const char tb_refuse_pickle_doc[];
#define TB_REFUSE_PICKLE {"__getstate__", tb_refuse_pickle, METH_NOARGS, tb_refuse_pickle_doc}
/* For setters: -1 with AttributeError set where value is NULL, else 0. */
int tb_refuse_delete(PyObject *value);

/* ---- constants.c, throwaway.c, random.c, objects.c, policy.c -------------------------------------- */

int tb_add_constants(PyObject *module);
/* METH_VARARGS: make_throwaway_chain(names, days). */
PyObject *tb_make_throwaway_chain(PyObject *module, PyObject *args);
/* Functions of the module, as its method table in module.c describes them. */
PyObject *tb_get_sigalgs(PyObject *module, PyObject *unused); /* context_algorithms.c */
extern const char tb_constants_doc[], tb_file_states_doc[];
PyObject *tb_constants(PyObject *module, PyObject *prefix);
PyObject *tb_file_states(PyObject *module, PyObject *args);
PyObject *tb_rand_bytes(PyObject *module, PyObject *args);
PyObject *tb_rand_pseudo_bytes(PyObject *module, PyObject *args);
PyObject *tb_rand_add(PyObject *module, PyObject *args);
PyObject *tb_rand_status(PyObject *module, PyObject *unused);
PyObject *tb_txt2obj(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *tb_nid2obj(PyObject *module, PyObject *nid);
PyObject *tb_read_configuration(PyObject *module, PyObject *args);

#endif
