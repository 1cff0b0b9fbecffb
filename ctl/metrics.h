/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/metrics.h - counters as Prometheus text and as JSON. Control thread; reads what workers
 * publish. */
#ifndef CTL_METRICS_H
#define CTL_METRICS_H

#include "ctl/control.h"

/* Exposition format 0.0.4; malloc'ed, NULL without memory. */
char *metrics_text(struct control *control);

/* {name: value} of one worker, of all workers together, of the control thread; drops by reason. */
json_t *metrics_worker(const struct worker_counters *counters);
json_t *metrics_worker_drops(const struct worker_counters *counters);
json_t *metrics_total(const struct control *control);
json_t *metrics_total_drops(const struct control *control);
json_t *metrics_control(struct control *control);

/* Resident memory of the process, 0 if the system does not say. */
uint64_t metrics_resident_bytes(void);

#endif
