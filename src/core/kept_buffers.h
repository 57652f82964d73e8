/* SPDX-License-Identifier: Apache-2.0 */
/* The connections whose buffers OpenSSL keeps.
 *
 * OpenSSL needs 17 KiB for a record that it makes, and as much for one that it gets.  With SSL_MODE_RELEASE_BUFFERS it
 * frees them behind each record, so that an idle connection has none, and gets them again for the next one, which is
 * too large for malloc()'s cache of the thread: 4 to 7 % of the work at 1 KiB, 1 % at 16 KiB.  Here a few connections
 * that work again and again keep theirs until others do: 10,000 connections have buffers for TB_KEPT.  Four, for two
 * relays in two threads.
 *
 * Where many take turns, each had better free its buffers behind every operation: the next one's are in the processor's
 * cache then.  So who is new among the few keeps nothing before he has written and read TB_TURNS times, and those who
 * answer one request each never do. */
#ifndef TB_KEPT_BUFFERS_H
#define TB_KEPT_BUFFERS_H

#include "core.h"

#define TB_TURNS 8

/* Counts a turn of a connection, which comes among the few by it. */
void tb_buffers_count_turn(tb_connection *self);
/* Frees the buffers of a connection, unless somebody uses it, who will come here himself, or a part of a record is in
 * them. */
void tb_buffers_free(tb_connection *self);
/* Of a connection that goes. */
void tb_buffers_forget(tb_connection *self);

/* Before a write or read.  With the GIL. */
static inline void tb_buffers_keep(tb_connection *self)
{
    if (self->turns < TB_TURNS)
        tb_buffers_count_turn(self);
    self->worked_lately = 1;
}

/* Behind each operation: others may have worked meanwhile.  With the GIL. */
static inline void tb_buffers_release(tb_connection *self)
{
    if (self->turns < TB_TURNS)
        tb_buffers_free(self);
}

#endif
