/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/consumer.h - a consumer's parameters, put together again from the text it shares with its
 * siblings. */
#ifndef CTL_CONSUMER_H
#define CTL_CONSUMER_H

#include "ctl/model.h"

/* A new reference; NULL without memory. */
json_t *consumer_params(const struct consumer *consumer);

#endif
