/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between OpenSSL versions and is too long for openssl_compat.h. */
#include "openssl_compat.h"

#include <stdlib.h>
#include <string.h>

#if OPENSSL_VERSION_NUMBER >= 0x30500000L

int tb_ssl_ctx_list_groups(SSL_CTX *ctx, int include_aliases, tb_text_list *list)
{
    STACK_OF(OPENSSL_CSTRING) *stack = sk_OPENSSL_CSTRING_new_null();
    int i, count;

    memset(list, 0, sizeof *list);
    if (stack == NULL)
        return -1;
    if (SSL_CTX_get0_implemented_groups(ctx, include_aliases, stack) != 1)
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

#else

int tb_ssl_ctx_list_groups(SSL_CTX *ctx, int include_aliases, tb_text_list *list)
{
    (void)ctx;
    (void)include_aliases;
    memset(list, 0, sizeof *list);
    return -1;
}

void tb_text_list_free(tb_text_list *list)
{
    free(list->items);
}

#endif
