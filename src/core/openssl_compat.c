/* SPDX-License-Identifier: Apache-2.0 */
/* What came with 1.1.1a, 3.2 and 3.5, and what stands in for it before.
 *
 * The bundled OpenSSL has all of it.  The system flavour must not name the functions, whichever headers it is compiled
 * with: a process has one library of each name, and where Python loaded an older one, a file that asks for a newer
 * symbol cannot be loaded.  It asks the very library it is linked to at run time, so that a file made for 3.0 also
 * gains the names where a newer library is. */
#define _GNU_SOURCE
#include "openssl_compat.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of the ABI of 3.5; a library without them answers 0. */
#ifndef SSL_CTRL_GET0_IMPLEMENTED_GROUPS
#define SSL_CTRL_GET0_IMPLEMENTED_GROUPS 139
#define SSL_CTRL_GET_SIGNATURE_NAME      140
#define SSL_CTRL_GET_PEER_SIGNATURE_NAME 141
#endif

static struct {
    const char *(*group_name)(SSL *);
    char *(*builtin_sigalgs)(void *);
    int (*signature_nid)(const SSL *, int *); /* came with 1.1.1a */
} newer;

#if TB_BUNDLED

static void bind_newer(void)
{
    newer.group_name = SSL_get0_group_name;
    *(void **)&newer.builtin_sigalgs = (void *)SSL_get1_builtin_sigalgs;
    newer.signature_nid = SSL_get_signature_type_nid;
}

#else

static void bind_newer(void)
{
    Dl_info where;
    void *library;

    /* Not RTLD_DEFAULT: another program's OpenSSL may come first there. */
    if (dladdr((void *)SSL_CTX_new, &where) == 0)
        return;
    library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return;
    *(void **)&newer.group_name = dlsym(library, "SSL_get0_group_name");
    *(void **)&newer.builtin_sigalgs = dlsym(library, "SSL_get1_builtin_sigalgs");
    *(void **)&newer.signature_nid = dlsym(library, "SSL_get_signature_type_nid");
    /* We stay linked to it, so the addresses outlive this handle. */
    dlclose(library);
}

#endif

static void find_newer(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, bind_newer);
}

const char *tb_ssl_group_name(SSL *ssl)
{
    find_newer();
    if (newer.group_name != NULL)
        return newer.group_name(ssl);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    return SSL_group_to_name(ssl, SSL_get_negotiated_group(ssl));
#else
    return NULL;
#endif
}

const char *tb_ssl_signature_name(SSL *ssl)
{
    const char *name = NULL;
    int nid;

    if (SSL_ctrl(ssl, SSL_CTRL_GET_SIGNATURE_NAME, 0, &name) == 1)
        return name;
    find_newer();
    return newer.signature_nid != NULL && newer.signature_nid(ssl, &nid) == 1 ? OBJ_nid2sn(nid) : NULL;
}

const char *tb_ssl_peer_signature_name(SSL *ssl)
{
    const char *name = NULL;
    int nid;

    if (SSL_ctrl(ssl, SSL_CTRL_GET_PEER_SIGNATURE_NAME, 0, &name) == 1)
        return name;
    return SSL_get_peer_signature_type_nid(ssl, &nid) == 1 ? OBJ_nid2sn(nid) : NULL;
}

int tb_ssl_ctx_list_groups(SSL_CTX *ctx, int include_aliases, tb_text_list *list)
{
    STACK_OF(OPENSSL_CSTRING) *stack = sk_OPENSSL_CSTRING_new_null();
    int i, count;

    memset(list, 0, sizeof *list);
    if (stack == NULL || SSL_CTX_ctrl(ctx, SSL_CTRL_GET0_IMPLEMENTED_GROUPS, include_aliases, stack) != 1)
        goto error;
    count = sk_OPENSSL_CSTRING_num(stack);
    list->items = calloc(count > 0 ? (size_t)count : 1, sizeof *list->items);
    if (list->items == NULL)
        goto error;
    for (i = 0; i < count; i++)
        list->items[i] = sk_OPENSSL_CSTRING_value(stack, i);
    list->count = (size_t)count;
    list->stack = stack;
    return 0;
error:
    sk_OPENSSL_CSTRING_free(stack);
    return -1;
}

void tb_text_list_free(tb_text_list *list)
{
    free(list->items);
    sk_OPENSSL_CSTRING_free((STACK_OF(OPENSSL_CSTRING) *)list->stack);
}

char *tb_ssl_builtin_sigalgs(void)
{
    find_newer();
    return newer.builtin_sigalgs != NULL ? newer.builtin_sigalgs(NULL) : NULL;
}
