/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/apply.h - commands of the control thread carried out between turns.
 *
 * The control thread has checked what it can; what only the worker knows (a full table, an address
 * that another transport has) is answered with -errno and leaves nothing behind. Threads: the
 * owning worker. */
#ifndef NET_APPLY_H
#define NET_APPLY_H

#include "net/state.h"

enum { APPLY_PER_TURN = 64 };

/* Takes commands while there is room for their outcomes, at most APPLY_PER_TURN. */
void apply_commands(struct worker *w);

/* Closes whatever is open: the worker stops. */
void apply_close_all(struct worker *w);

#endif
