/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsgate.h - which datagrams may reach the library, by what their records claim to be.
 *
 * The library takes some records that anybody can write for the end of a session, and DTLS wants
 * what is invalid to be dropped (RFC 6347 4.1.2.7). So, once CONNECTED, it sees ciphertext only;
 * and before, only well-formed records that the handshake has a use for. Threads: no state. Nothing
 * allocates. */
#ifndef NET_DTLSGATE_H
#define NET_DTLSGATE_H

#include "net/dtls.h"

enum dtlsgate {
    DTLSGATE_DROP,
    DTLSGATE_REPEAT, /* the peer has missed our last flight: send it again */
    DTLSGATE_PASS,
};

/* Before CONNECTED; ClientHellos are dealt with elsewhere and do not pass. PASS or DROP. */
enum dtlsgate dtlsgate_handshake(enum dtls_role role, const uint8_t *data, size_t bytes);

/* CONNECTED with `version`. */
enum dtlsgate dtlsgate_connected(enum dtls_role role, enum dtls_version version,
                                 const uint8_t *data, size_t bytes);

#endif
