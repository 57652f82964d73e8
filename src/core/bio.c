/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of BIO, over memory and over a socket, have in common. */
#include "core.h"

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *tb_bio_method_new(const char *name, const tb_bio_functions *functions)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);

    if (made != NULL && BIO_meth_set_write(made, functions->write) && BIO_meth_set_read(made, functions->read) &&
        BIO_meth_set_ctrl(made, functions->ctrl) && BIO_meth_set_create(made, create) &&
        BIO_meth_set_destroy(made, functions->destroy))
        return made;
    BIO_meth_free(made);
    return NULL;
}
