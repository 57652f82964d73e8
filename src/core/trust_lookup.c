/* SPDX-License-Identifier: Apache-2.0 */
/* The X509_LOOKUP_METHOD that finds a bundle's certificates by their subjects, as OpenSSL's own method does in a
 * directory of certificates (X509_LOOKUP_meth_new(3)). */
#include "trust_lookup.h"

#include <pthread.h>

static X509_LOOKUP_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

/* Puts every certificate with this subject into the store, and the first one into *found.  All of them, since the
 * store asks no further once it has one. */
static int find_by_subject(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, tb_wanted_name *subject, X509_OBJECT *found)
{
    tb_bundle *bundle = X509_LOOKUP_get_method_data(lookup);
    X509 *certificate, *first = NULL;
    size_t position = 0;

    if (type != X509_LU_X509 || bundle == NULL)
        return 0;
    ERR_set_mark();
    while ((certificate = tb_bundle_find(bundle, subject, &position)) != NULL)
        if (X509_STORE_add_cert(X509_LOOKUP_get_store(lookup), certificate) == 1 && first == NULL)
            first = certificate;
    ERR_pop_to_mark();
    if (first == NULL || X509_OBJECT_set1_X509(found, first) != 1)
        return 0;
    X509_free(first); /* what is found belongs to the store; the caller takes a reference of its own */
    return 1;
}

static void release(X509_LOOKUP *lookup)
{
    tb_bundle_free(X509_LOOKUP_get_method_data(lookup));
    X509_LOOKUP_set_method_data(lookup, NULL);
}

static void make_method(void)
{
    X509_LOOKUP_METHOD *made = X509_LOOKUP_meth_new("certificates of a bundle by their subjects");

    if (made != NULL && X509_LOOKUP_meth_set_get_by_subject(made, find_by_subject) == 1 &&
        X509_LOOKUP_meth_set_free(made, release) == 1)
        method = made;
    else
        X509_LOOKUP_meth_free(made);
}

int tb_trust_lookup_attach(X509_STORE *store, tb_bundle *bundle)
{
    X509_LOOKUP *lookup;

    pthread_once(&method_once, make_method);
    lookup = method == NULL ? NULL : X509_STORE_add_lookup(store, method);
    if (lookup == NULL)
        return 0;
    tb_bundle_up_ref(bundle);
    return X509_LOOKUP_set_method_data(lookup, bundle);
}
