/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/consumer.h - a consumer's parameters, put together again from the text it shares with its
 * siblings, and the answer to who has asked for it. */
#ifndef CTL_CONSUMER_H
#define CTL_CONSUMER_H

#include "ctl/control.h"

/* A new reference; NULL without memory. */
json_t *consumer_params(const struct consumer *consumer);

/* Answers consumer->asker: it is open, or could not be (-errno); then it is closed. */
void consumer_answer(struct control *control, struct consumer *consumer, int result);

#endif
