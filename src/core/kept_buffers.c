/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections' buffers OpenSSL keeps, and when it frees them; kept_buffers.h says why. */
#include "kept_buffers.h"

void tb_buffers_free(tb_connection *self)
{
    int exposed = tb_gil_lock_is_exposed(&self->lock);

    if (exposed && pthread_mutex_trylock(&self->lock.mutex) != 0)
        return;
    if (self->locked == NULL) /* else a callback of an operation of this very thread led here */
        tb_ssl_free_buffers(self->ssl);
    if (exposed)
        pthread_mutex_unlock(&self->lock.mutex);
}

/* Gives a connection the place of one that has not worked since the hand last pointed at it. */
static void enter(tb_connection *self)
{
    tb_kept_buffers *few = &self->state->kept_buffers;
    tb_connection *leaves;

    while ((leaves = few->of[few->hand]) != NULL && leaves->worked_lately) {
        leaves->worked_lately = 0;
        few->hand = (few->hand + 1) % TB_KEPT;
    }
    few->of[few->hand] = self;
    few->hand = (few->hand + 1) % TB_KEPT;
    if (leaves != NULL) {
        int kept = leaves->turns == TB_TURNS;

        leaves->turns = 0;
        if (kept)
            tb_buffers_free(leaves);
    }
}

void tb_buffers_count_turn(tb_connection *self)
{
    if (self->turns++ == 0)
        enter(self);
}

void tb_buffers_forget(tb_connection *self)
{
    tb_kept_buffers *few = &self->state->kept_buffers;
    int i;

    for (i = 0; self->turns > 0 && i < TB_KEPT; i++)
        if (few->of[i] == self)
            few->of[i] = NULL;
}
