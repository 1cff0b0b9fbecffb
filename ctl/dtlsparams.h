/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/dtlsparams.h - DtlsParameters {role, fingerprints}: ours written, a peer's read.
 *
 * Threads: values, no state. */
#ifndef CTL_DTLSPARAMS_H
#define CTL_DTLSPARAMS_H

#include "ctl/request.h"
#include "net/certificate.h"

/* A new reference. The strongest fingerprint is last, which is the one that mediasoup-client
 * takes. */
json_t *dtlsparams_json(const struct certificate *certificate, enum dtls_role role);

/* `dtlsParameters` of the peer: our role by its own, and the strongest of its fingerprints.
 * Algorithms that we do not know are passed over as long as one is left. */
void dtlsparams_read(struct request *request, struct fields *f,
                     struct command_webrtc_connect *connect);

/* "auto" "server" "client" */
const char *dtlsparams_role_name(enum dtls_role role);

#endif
