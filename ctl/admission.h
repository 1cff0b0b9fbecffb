/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/admission.h - may another object come into the relay? Refusals name the limit, its value and
 * the worker.
 *
 * Threads: the control thread's. */
#ifndef CTL_ADMISSION_H
#define CTL_ADMISSION_H

#include "ctl/control.h"

/* Asked before an object is made on `worker`, once its parameters are right. False with the request
 * answered: -32006 for a router or a transport while the relay drains, -32004 where a limit of
 * `admission` is reached. */
bool admission_check(struct control *control, struct request *request, enum noun noun,
                     uint16_t worker);

/* -32004: the worker has as many of these as its configuration allows. */
void admission_fail_full(struct control *control, struct request *request, enum object_kind kind,
                         uint16_t worker);

/* How near a worker is to its limit, in thousandths (net/stress.h). */
uint32_t admission_stress(const struct control *control, uint32_t worker);

#endif
