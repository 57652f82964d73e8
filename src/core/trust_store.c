/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a searched bundle come into the store just before OpenSSL looks for them there.
 *
 * A verification asks its store for certificates by a name in two functions, which a store may have replaced
 * (X509_STORE_set_get_issuer(3)).  Ours put every certificate of that name there first and then do what OpenSSL's
 * own do.  So what a thread finds does not depend on what others, or a directory, have put there meanwhile: an
 * X509_LOOKUP would not be asked once there is any certificate of the name. */
#include "trust_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What a store of ours has beside its certificates. */
typedef struct {
    tb_bundle *bundle;       /* owned, NULL before there is one; set once */
    unsigned char *is_there; /* for each certificate of it: in the store */
    size_t missing;          /* how many are not */
    pthread_mutex_t lock;    /* of who puts certificates there: all of a name together, and each once */
} search;

static int search_index = -1; /* of the search in a store's extra data */
static pthread_once_t index_once = PTHREAD_ONCE_INIT;

static search *search_of(X509_STORE *store)
{
    return X509_STORE_get_ex_data(store, search_index);
}

tb_bundle *tb_trust_store_searched(X509_STORE *store)
{
    return __atomic_load_n(&search_of(store)->bundle, __ATOMIC_SEQ_CST);
}

/* Whether there is nothing, or nothing more, to be put into the store. */
static int is_complete(const search *self)
{
    return __atomic_load_n(&self->missing, __ATOMIC_SEQ_CST) == 0;
}

/* With the lock: puts a certificate of the bundle into the store, unless it is there. */
static int put_once(X509_STORE *store, search *self, size_t position, X509 *certificate)
{
    if (self->is_there[position])
        return 1;
    if (certificate == NULL || X509_STORE_add_cert(store, certificate) != 1)
        return 0;
    __atomic_store_n(&self->is_there[position], 1, __ATOMIC_RELEASE);
    __atomic_sub_fetch(&self->missing, 1, __ATOMIC_RELEASE);
    return 1;
}

/* ---- while a certificate is verified ------------------------------------------------------------------------ */

static void put_named(X509_STORE *store, const X509_NAME *subject)
{
    search *self = search_of(store);
    X509 *certificate;
    size_t position = 0;
    int locked = 0;

    if (is_complete(self))
        return;
    ERR_set_mark();
    while ((certificate = tb_bundle_find(self->bundle, subject, &position)) != NULL) {
        if (__atomic_load_n(&self->is_there[position - 1], __ATOMIC_ACQUIRE))
            continue;
        if (!locked)
            locked = pthread_mutex_lock(&self->lock) == 0;
        put_once(store, self, position - 1, certificate); /* without memory the verification fails */
    }
    if (locked)
        pthread_mutex_unlock(&self->lock);
    ERR_pop_to_mark();
}

static int get_issuer(X509 **issuer, X509_STORE_CTX *verification, X509 *certificate)
{
    put_named(X509_STORE_CTX_get0_store(verification), X509_get_issuer_name(certificate));
    return X509_STORE_CTX_get1_issuer(issuer, verification, certificate);
}

static STACK_OF(X509) * lookup_certificates(X509_STORE_CTX *verification, tb_wanted_name *subject)
{
    put_named(X509_STORE_CTX_get0_store(verification), subject);
    return X509_STORE_CTX_get1_certs(verification, subject);
}

/* ---- before ----------------------------------------------------------------------------------------------------- */

static void release(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument)
{
    search *self = pointer;

    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)argument;
    if (self == NULL) /* a store that is not a context's */
        return;
    tb_bundle_free(self->bundle);
    free(self->is_there);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void make_index(void)
{
    search_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_X509_STORE, 0, NULL, NULL, NULL, release);
}

int tb_trust_store_prepare(X509_STORE *store)
{
    search *self;

    pthread_once(&index_once, make_index);
    if (search_index < 0)
        return 0;
    self = calloc(1, sizeof *self);
    if (self == NULL)
        return 0;
    pthread_mutex_init(&self->lock, NULL);
    if (X509_STORE_set_ex_data(store, search_index, self) != 1) {
        pthread_mutex_destroy(&self->lock);
        free(self);
        return 0;
    }
    X509_STORE_set_get_issuer(store, get_issuer);
    X509_STORE_set_lookup_certs(store, lookup_certificates);
    return 1;
}

int tb_trust_store_search(X509_STORE *store, tb_bundle *bundle)
{
    search *self = search_of(store);

    self->is_there = calloc(tb_bundle_count(bundle), 1);
    if (self->is_there == NULL)
        return 0;
    tb_bundle_up_ref(bundle);
    __atomic_store_n(&self->bundle, bundle, __ATOMIC_SEQ_CST);
    __atomic_store_n(&self->missing, tb_bundle_count(bundle), __ATOMIC_SEQ_CST);
    return 1;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------
 */

/* X509_STORE_add_cert looks through all that is there for each certificate.  Into an empty store the
 * objects of another one, which are all different, can be put as they are. */
#if TB_STORE_IS_A_LIST

static int put(STACK_OF(X509_OBJECT) * list, X509_OBJECT *item)
{
    X509 *certificate = X509_OBJECT_get0_X509(item);
    X509_OBJECT *copy = X509_OBJECT_new();

    if (copy != NULL &&
        (certificate != NULL ? X509_OBJECT_set1_X509(copy, certificate)
                             : X509_OBJECT_set1_X509_CRL(copy, X509_OBJECT_get0_X509_CRL(item))) == 1 &&
        sk_X509_OBJECT_push(list, copy) > 0)
        return 1;
    X509_OBJECT_free(copy);
    return 0;
}

static int put_all_into_empty(X509_STORE *target, const STACK_OF(X509_OBJECT) * items)
{
    STACK_OF(X509_OBJECT) * list;
    int i, result = 0;

    if (X509_STORE_lock(target) != 1)
        return 0;
    list = X509_STORE_get0_objects(target);
    if (sk_X509_OBJECT_num(list) == 0) {
        sk_X509_OBJECT_reserve(list, sk_X509_OBJECT_num(items));
        for (i = 0; i < sk_X509_OBJECT_num(items) && put(list, sk_X509_OBJECT_value(items, i)); i++)
            ;
        result = i == sk_X509_OBJECT_num(items);
    }
    X509_STORE_unlock(target);
    return result;
}

#else

static int put_all_into_empty(X509_STORE *target, const STACK_OF(X509_OBJECT) * items)
{
    (void)target;
    (void)items;
    return 0;
}

#endif

int tb_trust_store_add(X509_STORE *store, tb_bundle *bundle)
{
    X509_STORE *whole = tb_bundle_parse(bundle);
    STACK_OF(X509_OBJECT) * items;
    int i;

    if (whole == NULL)
        return 0;
    items = X509_STORE_get0_objects(whole);
    if (put_all_into_empty(store, items))
        return 1;
    for (i = 0; i < sk_X509_OBJECT_num(items); i++) {
        X509_OBJECT *item = sk_X509_OBJECT_value(items, i);
        X509 *certificate = X509_OBJECT_get0_X509(item);

        if (certificate != NULL ? X509_STORE_add_cert(store, certificate) != 1
                                : X509_STORE_add_crl(store, X509_OBJECT_get0_X509_CRL(item)) != 1)
            return 0;
    }
    return 1;
}

int tb_trust_store_complete(X509_STORE *store)
{
    search *self = search_of(store);
    X509_STORE *whole;
    size_t i;
    int done;

    if (is_complete(self))
        return 1;
    whole = tb_bundle_parse(self->bundle);
    if (whole == NULL || pthread_mutex_lock(&self->lock) != 0)
        return 0;
    if (put_all_into_empty(store, X509_STORE_get0_objects(whole))) {
        memset(self->is_there, 1, tb_bundle_count(self->bundle));
        __atomic_store_n(&self->missing, 0, __ATOMIC_RELEASE);
    }
    /* Not tb_trust_store_add: X509_STORE_add_cert looks for the same certificate only among neighbours of one name. */
    for (i = 0, done = 1; done && i < tb_bundle_count(self->bundle); i++)
        done = put_once(store, self, i, tb_bundle_certificate(self->bundle, i));
    pthread_mutex_unlock(&self->lock);
    return done;
}
