/* SPDX-License-Identifier: Apache-2.0 */
/* The BIO over a socket's descriptor.
 *
 * It never blocks and never raises SIGPIPE (MSG_NOSIGNAL; the process-wide disposition is not
 * ours to change): OpenSSL hears "retry", and connection.c waits with poll() where no lock is
 * held, so that one thread can write while another waits to read.  The callbacks run without the
 * GIL and use no Python API. */
#include "core.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

static int would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int fail(tb_socket_transport *transport, int error)
{
    transport->sys_errno = error;
    return -1;
}

static int socket_write(BIO *bio, const char *data, int length)
{
    tb_socket_transport *transport = BIO_get_data(bio);
    ssize_t sent;

    BIO_clear_retry_flags(bio);
    if (transport->fd < 0)
        return fail(transport, EBADF);
    sent = send(transport->fd, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0)
        return (int)sent;
    if (would_block(errno)) {
        BIO_set_retry_write(bio);
        return -1;
    }
    return fail(transport, errno);
}

static int socket_read(BIO *bio, char *data, int length)
{
    tb_socket_transport *transport = BIO_get_data(bio);
    ssize_t received;

    BIO_clear_retry_flags(bio);
    if (transport->fd < 0)
        return fail(transport, EBADF);
    received = recv(transport->fd, data, (size_t)length, MSG_DONTWAIT);
    if (received > 0)
        return (int)received;
    if (received == 0) {
        transport->at_eof = 1;
        return 0;
    }
    if (would_block(errno)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    return fail(transport, errno);
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    tb_socket_transport *transport = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_EOF:
        return transport->at_eof;
    default:
        return 0;
    }
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    static const tb_bio_functions functions = {socket_write, socket_read, socket_ctrl, NULL};

    method = tb_bio_method_new("tls-bootstrap socket", &functions);
}

BIO *tb_socket_new_bio(tb_socket_transport *transport)
{
    BIO *bio;

    pthread_once(&method_once, make_method);
    if (method == NULL)
        return NULL;
    bio = BIO_new(method);
    if (bio != NULL)
        BIO_set_data(bio, transport);
    return bio;
}
