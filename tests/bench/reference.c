/* SPDX-License-Identifier: Apache-2.0 */
/* The limit that no Python module can beat: the same work in C over the same OpenSSL.
 *
 *     reference CERTIFICATES
 *
 * Reads one command a line and answers each with one line of JSON, as worker.py does, so that the
 * two can be measured in turns.  CERTIFICATES is a directory with {ec,rsa}.{pem,crt}.  All times are
 * CPU times, of this process or of the two in `socket ... processes`, except in `threads`.
 *
 * Bulk, in MB/s through two connections and four BIO_s_mem; the second is the same, since C always reads into a buffer;
 * in the third one end reads what the other one wrote, with two copies less:
 *
 *     bulk VERSION SUITE LENGTH SECONDS
 *     bulk_into VERSION SUITE LENGTH SECONDS
 *     bulk_fewest VERSION SUITE LENGTH SECONDS
 *
 * MB/s of records encrypted and decrypted without TLS; handshakes/s, KIND being full or resumed; MB/s over a socket
 * pair, PLACE telling whether sender and receiver are two processes or two threads of one; ms for a context that trusts
 * FILE and DIRECTORY; KiB a connection, idle and after use; speed of two threads over that of one (wall):
 *
 *     cipher SUITE LENGTH SECONDS
 *     handshake VERSION KEY GROUP KIND SECONDS
 *     socket VERSION SUITE LENGTH MEGABYTES PLACE
 *     context FILE DIRECTORY
 *     memory VERSION PAIRS
 *     threads LENGTH SECONDS
 *
 * `hello` tells the version of OpenSSL. */
#define _GNU_SOURCE
#include "common.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (1 << 20)

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#define CPU CLOCK_PROCESS_CPUTIME_ID

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        fail("calloc");
    return memory;
}

/* ---- connections --------------------------------------------------------------------------------- */

typedef struct {
    SSL *client, *server;
    BIO *client_in, *client_out, *server_in, *server_out;
    char *moved; /* what is on its way between two BIOs; NULL: their ends share them */
} pair;

static BIO *new_memory(void)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL)
        fail("BIO_new");
    BIO_set_mem_eof_return(bio, -1);
    return bio;
}

/* The memory that one end writes and the other reads: no module can do with fewer copies than OpenSSL's two and one
 * into it and one out of it. */
typedef struct {
    char *data;
    size_t start, end;
} shared_memory;

#define SHARED_ROOM ((size_t)2 * LARGEST)

static int write_shared(BIO *bio, const char *data, int length)
{
    shared_memory *memory = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (memory->start == memory->end)
        memory->start = memory->end = 0;
    if ((size_t)length > SHARED_ROOM - memory->end)
        fail("sharing memory");
    memcpy(memory->data + memory->end, data, (size_t)length);
    memory->end += (size_t)length;
    return length;
}

static int read_shared(BIO *bio, char *data, int length)
{
    shared_memory *memory = BIO_get_data(bio);
    size_t waiting = memory->end - memory->start;

    BIO_clear_retry_flags(bio);
    if (waiting == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if ((size_t)length > waiting)
        length = (int)waiting;
    memcpy(data, memory->data + memory->start, (size_t)length);
    memory->start += (size_t)length;
    return length;
}

static BIO *new_shared(shared_memory *memory)
{
    static BIO_METHOD *method;

    return new_bio(&method, write_shared, read_shared, memory);
}

static shared_memory *allocate_shared(void)
{
    shared_memory *memory = allocate(sizeof *memory);

    memory->data = allocate(SHARED_ROOM);
    return memory;
}

static void make_bios(pair *made)
{
    if (made->moved != NULL) {
        made->client_in = new_memory();
        made->client_out = new_memory();
        made->server_in = new_memory();
        made->server_out = new_memory();
    } else {
        shared_memory *to_client = allocate_shared(), *to_server = allocate_shared();

        made->client_in = new_shared(to_client);
        made->client_out = new_shared(to_server);
        made->server_in = new_shared(to_server);
        made->server_out = new_shared(to_client);
    }
}

static void make_pair(pair *made, SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session, char *moved)
{
    made->client = SSL_new(client);
    made->server = SSL_new(server);
    if (made->client == NULL || made->server == NULL)
        fail("SSL_new");
    made->moved = moved;
    make_bios(made);
    SSL_set_bio(made->client, made->client_in, made->client_out);
    SSL_set_bio(made->server, made->server_in, made->server_out);
    SSL_set_connect_state(made->client);
    SSL_set_accept_state(made->server);
    set_names(made->client);
    if (session != NULL && SSL_set_session(made->client, session) != 1)
        fail("SSL_set_session");
}

static void free_pair(pair *done)
{
    /* Without it, freeing a connection makes its session unusable. */
    SSL_set_shutdown(done->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_set_shutdown(done->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(done->client);
    SSL_free(done->server);
}

static void pump(pair *moving, BIO *from, BIO *to)
{
    int length = moving->moved != NULL ? (int)BIO_ctrl_pending(from) : 0;

    if (length == 0)
        return;
    length = BIO_read(from, moving->moved, 2 * LARGEST);
    if (length <= 0 || BIO_write(to, moving->moved, length) != length)
        fail("pump");
}

static int step(SSL *end)
{
    int result = SSL_do_handshake(end);

    if (result != 1 && SSL_get_error(end, result) != SSL_ERROR_WANT_READ)
        fail("SSL_do_handshake");
    return result == 1;
}

static void shake_hands(pair *ends)
{
    int client = 0, server = 0;

    while (!client || !server) {
        if (!client)
            client = step(ends->client);
        pump(ends, ends->client_out, ends->server_in);
        if (!server)
            server = step(ends->server);
        pump(ends, ends->server_out, ends->client_in);
    }
}

/* Takes in the session tickets that follow a TLS 1.3 handshake. */
static void take_tickets(pair *ends)
{
    char unexpected[64];

    if (SSL_read(ends->client, unexpected, sizeof unexpected) > 0)
        fail("taking tickets");
    ERR_clear_error();
}

static void print_facts(const SSL *ssl)
{
    printf("\"version\": \"%s\", \"cipher\": \"%s\", \"group\": \"%s\"", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
           SSL_get0_group_name((SSL *)ssl) != NULL ? SSL_get0_group_name((SSL *)ssl) : "");
}

/* ---- bulk -------------------------------------------------------------------------------------------- */

#define READ_LENGTH 16384

static void transfer(pair *ends, const char *data, size_t length, char *target)
{
    size_t received = 0;

    if (SSL_write(ends->client, data, (int)length) != (int)length)
        fail("SSL_write");
    pump(ends, ends->client_out, ends->server_in);
    for (;;) {
        int part = SSL_read(ends->server, target, READ_LENGTH);

        if (part <= 0) {
            if (SSL_get_error(ends->server, part) != SSL_ERROR_WANT_READ)
                fail("SSL_read");
            break;
        }
        received += (size_t)part;
    }
    if (received != length)
        fail("transfer");
}

static double bulk_speed(pair *ends, size_t length, double limit, clockid_t clock)
{
    char *data = allocate(length), *target = allocate(READ_LENGTH);
    int each = length >= 65536 ? 8 : 32, i;
    double started, passed, total = 0;

    memset(data, 'x', length);
    for (i = 0; i < each; i++) /* what is measured begins with its memory at hand */
        transfer(ends, data, length, target);
    started = seconds(clock);
    do {
        for (i = 0; i < each; i++)
            transfer(ends, data, length, target);
        total += (double)length * each;
        passed = seconds(clock) - started;
    } while (passed < limit);
    free(data);
    free(target);
    return total / passed / 1e6;
}

#define SHARING 2 /* the number of pairs that share their memory and keep OpenSSL's buffers, as ours do */

/* The connected pair number `which` for these settings, made once. */
static pair *standing_pair(const char *version, const char *suite_name, int which)
{
    static struct {
        char name[40];
        pair ends;
    } known[16];
    settings wanted = {version_number(version), suite_name, "rsa", "X25519"};
    SSL_CTX *client, *server;
    char name[40];
    size_t i;

    snprintf(name, sizeof name, "%s %s %d", version, suite_name, which);
    for (i = 0; i < sizeof known / sizeof known[0] && known[i].name[0] != '\0'; i++)
        if (strcmp(known[i].name, name) == 0)
            return &known[i].ends;
    if (i == sizeof known / sizeof known[0])
        fail("too many kinds of connections");
    strcpy(known[i].name, name);
    client = make_context(0, &wanted);
    server = make_context(1, &wanted);
    if (which == SHARING) {
        keep_buffers(client);
        keep_buffers(server);
    }
    make_pair(&known[i].ends, client, server, NULL, which == SHARING ? NULL : allocate(2 * LARGEST));
    shake_hands(&known[i].ends);
    take_tickets(&known[i].ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return &known[i].ends;
}

static void measure_bulk_of(int which, char **words)
{
    pair *ends = standing_pair(words[0], words[1], which);
    double value = bulk_speed(ends, strtoul(words[2], NULL, 10), atof(words[3]), CPU);

    printf("{\"value\": %.6g, ", value);
    print_facts(ends->client);
    printf("}\n");
}

static void measure_bulk(char **words)
{
    measure_bulk_of(0, words);
}

static void measure_fewest(char **words)
{
    measure_bulk_of(SHARING, words);
}

/* ---- the cipher alone ------------------------------------------------------------------------------------ */

#define RECORD 16384

/* As TLS 1.3 begins one: a nonce, and the header as what is authenticated besides. */
static void begin_record(EVP_CIPHER_CTX *context)
{
    static const unsigned char nonce[12], header[5] = {23, 3, 3};
    int done;

    if (EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, -1) != 1 ||
        EVP_CipherUpdate(context, NULL, &done, header, sizeof header) != 1)
        fail("EVP_CipherInit_ex");
}

/* Encrypts the data and decrypts them again, record by record. */
static void cipher_transfer(EVP_CIPHER_CTX *out, EVP_CIPHER_CTX *in, const unsigned char *data, size_t length,
                            unsigned char *target)
{
    unsigned char tag[16];
    size_t at;
    int done;

    for (at = 0; at < length; at += RECORD) {
        int part = length - at < RECORD ? (int)(length - at) : RECORD;

        begin_record(out);
        if (EVP_CipherUpdate(out, target, &done, data + at, part) != 1 ||
            EVP_CipherFinal_ex(out, target + done, &done) != 1 ||
            EVP_CIPHER_CTX_ctrl(out, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1)
            fail("encryption");
        begin_record(in);
        if (EVP_CIPHER_CTX_ctrl(in, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1 ||
            EVP_CipherUpdate(in, target, &done, target, part) != 1 || EVP_CipherFinal_ex(in, target + done, &done) != 1)
            fail("decryption");
    }
}

static EVP_CIPHER_CTX *cipher_context(const char *suite_name, int encrypt)
{
    const EVP_CIPHER *cipher = EVP_get_cipherbyname(find_suite(suite_name)->aead);
    static const unsigned char key[32];
    EVP_CIPHER_CTX *made = EVP_CIPHER_CTX_new();

    if (made == NULL || cipher == NULL || EVP_CipherInit_ex(made, cipher, NULL, key, NULL, encrypt) != 1)
        fail(suite_name);
    return made;
}

static void measure_cipher(char **words)
{
    EVP_CIPHER_CTX *out = cipher_context(words[0], 1), *in = cipher_context(words[0], 0);
    size_t length = strtoul(words[1], NULL, 10);
    unsigned char *data = allocate(length), *target = allocate(RECORD);
    double started, passed, total = 0, limit = atof(words[2]);
    int i;

    for (i = 0; i < 32; i++)
        cipher_transfer(out, in, data, length, target);
    started = seconds(CPU);
    do {
        for (i = 0; i < 32; i++)
            cipher_transfer(out, in, data, length, target);
        total += (double)length * 32;
        passed = seconds(CPU) - started;
    } while (passed < limit);
    EVP_CIPHER_CTX_free(out);
    EVP_CIPHER_CTX_free(in);
    free(data);
    free(target);
    printf("{\"value\": %.6g}\n", total / passed / 1e6);
}

/* ---- handshakes ----------------------------------------------------------------------------------------- */

static void measure_handshake(char **words)
{
    settings wanted = {version_number(words[0]), "aes128", words[1], words[2]};
    SSL_CTX *client = make_context(0, &wanted), *server = make_context(1, &wanted);
    int resumed = strcmp(words[3], "resumed") == 0, count = 0;
    char *moved = allocate(2 * LARGEST);
    SSL_SESSION *session = NULL;
    double started, passed;
    pair ends, next;

    make_pair(&ends, client, server, NULL, moved);
    shake_hands(&ends);
    take_tickets(&ends);
    if (resumed)
        session = SSL_get1_session(ends.client);
    started = seconds(CPU);
    do {
        make_pair(&next, client, server, session, moved);
        shake_hands(&next);
        if (SSL_session_reused(next.client) != resumed)
            fail("resumption");
        free_pair(&ends);
        ends = next;
        count++;
        passed = seconds(CPU) - started;
    } while (passed < atof(words[4]));
    printf("{\"value\": %.6g, ", count / passed);
    print_facts(ends.client);
    printf("}\n");
    free_pair(&ends);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    free(moved);
}

/* ---- sockets --------------------------------------------------------------------------------------------- */

typedef struct {
    SSL *ssl;
    size_t length, count;
} sending;

static void *send_all(void *argument)
{
    sending *job = argument;
    char *data = allocate(job->length);
    size_t i;

    for (i = 0; i < job->count; i++)
        if (SSL_write(job->ssl, data, (int)job->length) != (int)job->length)
            fail("SSL_write");
    free(data);
    return NULL;
}

static double receive(SSL *client, char *target, size_t length, size_t total)
{
    double started = seconds(CPU);

    while (total > 0) {
        int part = SSL_read(client, target, (int)length);

        if (part <= 0)
            fail("SSL_read");
        total -= (size_t)part;
    }
    return seconds(CPU) - started;
}

/* CPU seconds of sender and receiver as two threads of this process.  Closes the sender's descriptor. */
static double in_threads(SSL *client, char *target, sending *job)
{
    double started = seconds(CPU);
    pthread_t thread;

    if (pthread_create(&thread, NULL, send_all, job) != 0)
        fail("pthread_create");
    receive(client, target, job->length, job->length * job->count);
    pthread_join(thread, NULL);
    close(SSL_get_fd(job->ssl));
    return seconds(CPU) - started;
}

/* The same of two processes.  Each does a part of the work before: after fork() pages are copied when first written. */
static double in_processes(SSL *client, char *target, sending *job)
{
    sending first = {job->ssl, job->length, job->count / 16 + 1};
    double spent, others;
    int answer[2];
    pid_t child;

    if (pipe(answer) != 0 || (child = fork()) < 0)
        fail("fork");
    if (child == 0) {
        send_all(&first);
        others = seconds(CPU);
        send_all(job);
        others = seconds(CPU) - others;
        _exit(write(answer[1], &others, sizeof others) == sizeof others ? 0 : 70);
    }
    close(answer[1]);
    close(SSL_get_fd(job->ssl)); /* the child's is the only one: where it fails, what is read ends */
    receive(client, target, first.length, first.length * first.count);
    spent = receive(client, target, job->length, job->length * job->count);
    if (read(answer[0], &others, sizeof others) != sizeof others)
        fail("sending process");
    close(answer[0]);
    waitpid(child, NULL, 0);
    return spent + others;
}

static void *accept_one(void *ssl)
{
    if (SSL_do_handshake(ssl) != 1)
        fail("SSL_accept");
    return NULL;
}

static void measure_socket(char **words)
{
    settings wanted = {version_number(words[0]), words[1], "rsa", "X25519"};
    size_t length = strtoul(words[2], NULL, 10), total = strtoul(words[3], NULL, 10) << 20;
    SSL_CTX *client_context = make_context(0, &wanted), *server_context = make_context(1, &wanted);
    SSL *client = SSL_new(client_context), *server = SSL_new(server_context);
    sending job = {server, length, total / length};
    char *target = allocate(length);
    int descriptors[2];
    double spent;
    pthread_t thread;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, descriptors) != 0 || SSL_set_fd(client, descriptors[0]) != 1 ||
        SSL_set_fd(server, descriptors[1]) != 1)
        fail("socketpair");
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    set_names(client);
    if (pthread_create(&thread, NULL, accept_one, server) != 0 || SSL_do_handshake(client) != 1)
        fail("handshake over a socket");
    pthread_join(thread, NULL);
    spent = (strcmp(words[4], "processes") == 0 ? in_processes : in_threads)(client, target, &job);
    printf("{\"value\": %.6g, ", (double)(job.length * job.count) / spent / 1e6);
    print_facts(client);
    printf("}\n");
    SSL_free(client);
    SSL_free(server);
    close(descriptors[0]); /* the sender's is closed */
    SSL_CTX_free(client_context);
    SSL_CTX_free(server_context);
    free(target);
}

/* ---- contexts and memory ------------------------------------------------------------------------------------ */

static void measure_context(char **words)
{
    double started = seconds(CPU);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || SSL_CTX_load_verify_locations(context, words[0], NULL) != 1 ||
        SSL_CTX_load_verify_locations(context, NULL, words[1]) != 1)
        fail("context");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    printf("{\"value\": %.6g, ", (seconds(CPU) - started) * 1e3);
    printf("\"trusted\": %d}\n", sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))));
    SSL_CTX_free(context);
}

static double resident(void)
{
    FILE *stream = fopen("/proc/self/statm", "r");
    long size, pages;

    if (stream == NULL || fscanf(stream, "%ld %ld", &size, &pages) != 2)
        fail("statm");
    fclose(stream);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void exchange(SSL *from, SSL *to, pair *ends, BIO *out, BIO *in)
{
    static char data[READ_LENGTH];

    if (SSL_write(from, data, sizeof data) != (int)sizeof data)
        fail("SSL_write");
    pump(ends, out, in);
    if (SSL_read(to, data, sizeof data) != (int)sizeof data)
        fail("SSL_read");
}

static void measure_memory(char **words)
{
    settings wanted = {version_number(words[0]), "aes128", "ec", "X25519"};
    SSL_CTX *client = make_context(0, &wanted), *server = make_context(1, &wanted);
    long count = atol(words[1]), i;
    pair *pairs = allocate((size_t)(count + 1) * sizeof *pairs);
    char *moved = allocate(2 * LARGEST);
    double before = 0, idle, used;

    memset(moved, 1, 2 * LARGEST);
    memset(pairs, 0, (size_t)(count + 1) * sizeof *pairs);
    for (i = 0; i <= count; i++) { /* the first one pays what is paid once */
        make_pair(&pairs[i], client, server, NULL, moved);
        shake_hands(&pairs[i]);
        take_tickets(&pairs[i]);
        if (i == 0) {
            malloc_trim(0);
            before = resident();
        }
    }
    idle = resident() - before;
    for (i = 0; i <= count; i++) {
        pair *ends = &pairs[i];

        exchange(ends->client, ends->server, ends, ends->client_out, ends->server_in);
        exchange(ends->server, ends->client, ends, ends->server_out, ends->client_in);
    }
    used = resident() - before;
    printf("{\"value\": %.6g, \"used\": %.6g}\n", idle / (double)count / 2, used / (double)count / 2);
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

typedef struct {
    pair *ends;
    size_t length;
    double limit, speed;
} thread_job;

static void *run_thread(void *argument)
{
    thread_job *job = argument;

    job->speed = bulk_speed(job->ends, job->length, job->limit, CLOCK_MONOTONIC);
    return NULL;
}

static void measure_threads(char **words)
{
    thread_job jobs[2];
    pthread_t threads[2];
    double alone = 0;
    int i;

    for (i = 0; i < 2; i++) {
        jobs[i].ends = standing_pair("tls13", "aes128", i);
        jobs[i].length = strtoul(words[0], NULL, 10);
        jobs[i].limit = atof(words[1]);
    }
    for (i = 0; i < 2; i++) {
        run_thread(&jobs[i]);
        alone += jobs[i].speed / 2;
    }
    for (i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, run_thread, &jobs[i]) != 0)
            fail("pthread_create");
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("{\"value\": %.6g}\n", (jobs[0].speed + jobs[1].speed) / alone);
}

/* ---- commands ------------------------------------------------------------------------------------------------------
 */

static void say_hello(char **words)
{
    (void)words;
    printf("{\"openssl\": \"%s\"}\n", OpenSSL_version(OPENSSL_VERSION));
}

static const struct {
    const char *name;
    int words;
    void (*act)(char **words);
} commands[] = {
    {"hello", 0, say_hello},
    {"bulk", 4, measure_bulk},
    {"handshake", 5, measure_handshake},
    {"socket", 5, measure_socket},
    {"context", 2, measure_context},
    {"memory", 2, measure_memory},
    {"threads", 2, measure_threads},
    {"cipher", 3, measure_cipher},
    {"bulk_into", 4, measure_bulk},
    {"bulk_fewest", 4, measure_fewest},
};

static void obey(char *line)
{
    char *words[8] = {NULL}, *rest = NULL, *word = strtok_r(line, " \n", &rest);
    const char *name = word != NULL ? word : "";
    int count = 0;
    size_t i;

    while (count < 8 && (word = strtok_r(NULL, " \n", &rest)) != NULL)
        words[count++] = word;
    for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0 && commands[i].words == count) {
            commands[i].act(words);
            fflush(stdout);
            return;
        }
    fail(name);
}

int main(int count, char **words)
{
    char line[8192];

    if (count != 2) {
        fprintf(stderr, "usage: reference CERTIFICATES\n");
        return 64;
    }
    certificates = words[1];
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
        fail("OPENSSL_init_ssl");
    while (fgets(line, sizeof line, stdin) != NULL)
        obey(line);
    return 0;
}
