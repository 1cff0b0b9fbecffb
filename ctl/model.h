/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/model.h - the object model: routers, transports, producers, consumers and WebRTC servers,
 * their ids and their places in the workers.
 *
 *   router --< transport --< producer --< consumer
 *                       `--< consumer
 *   producer --< mirror (one on each other worker that has consumers of it) --< consumer
 *   transport >--< socket (its own, or one that several transports share)
 *   WebRTC server --< socket (on each of its workers), --< transport
 *
 * The truth about what exists: an object is here from the moment its request was found right,
 * before its worker has made it, and is found by nobody from the moment its close was asked for.
 * Its index in the worker is taken again only when the outcome of its close is back; only then is
 * its memory freed, so commands under way may refer to it. Threads: the control thread's. Memory:
 * one small struct an object; JSON is kept as shared texts. */
#ifndef CTL_MODEL_H
#define CTL_MODEL_H

#include "ctl/errand.h"
#include "ctl/ortc.h"
#include "ctl/texts.h"
#include "net/command.h"
#include "net/udp.h"

enum { OBJECT_ID_BYTES_MAX = 64, INDEX_NONE = UINT32_MAX, MODEL_BUCKETS_MIN = 256 };

enum noun { NOUN_ROUTER, NOUN_TRANSPORT, NOUN_PRODUCER, NOUN_CONSUMER, NOUN_WEBRTC_SERVER, NOUN_N };

extern const char *const noun_names[NOUN_N]; /* "router" ... */

struct object {
    struct object *hash_next;
    uint32_t hash;
    enum noun noun;
    uint16_t worker;
    bool opened;    /* the worker has made it; a router always is */
    bool closing;   /* out of the model, waiting for its worker */
    uint32_t index; /* in the worker; INDEX_NONE for a router and a WebRTC server */
    uint32_t trace_bits;
    uint64_t owner; /* serial of the connection that made it */
    const struct text *app_data;
    char *id;
    struct errand close; /* here, so that closing needs no memory */
};

struct router {
    struct object o; /* its worker is its home: where its transports are rather than elsewhere */
    struct link link;
    struct link transports;
    const struct text *capabilities;
    uint32_t transports_n, producers_n, consumers_n;
    bool tied;
    bool pinned; /* all of its transports are on its worker */
};

struct socket {                   /* in a worker: UDP, or TCP that listens */
    struct link link;             /* of the shared ones */
    struct webrtc_server *server; /* whose it is; NULL: its transports' */
    const struct text *announced; /* WebRTC: what peers are told instead of `local` */
    uint32_t index, transports_n;
    uint32_t receive_bytes;
    uint16_t worker;
    bool shared; /* by plain transports that ask for its address */
    bool tcp;
    bool expose; /* a candidate of `local` beside the announced one */
    int failed;  /* -errno of opening it */
    struct addr local;
    struct errand close;
};

/* Sockets on one worker or on each, for transports of whatever router is there. */
struct webrtc_server {
    struct object o; /* its worker is the one it was made for, or 0 */
    struct link link;
    struct link transports; /* struct webrtc */
    uint32_t transports_n;
    uint32_t infos_n;        /* listenInfos: sockets on each worker */
    struct socket **sockets; /* [worker * infos_n + n]; NULL where it is not */
    uint32_t opening_n;      /* sockets that no worker has opened yet */
    uint32_t sockets_n;      /* sockets that are not closed yet: it lives as long as they do */
    bool pinned;             /* to one worker */
    bool tied;
    int failed;
    struct request *opener; /* who waits */
};

/* What a WebRTC transport has beside any other. */
struct webrtc {
    struct link link; /* of its server */
    struct transport *transport;
    struct webrtc_server *server; /* NULL: its sockets are its own */
    const struct text *candidates;
    struct ice_credentials credentials;
    enum ice_state ice_state;
    enum dtls_state dtls_state;
    enum dtls_role role; /* ours */
    bool has_selected;
    struct event_selected selected;
    char *remote_cert; /* PEM, malloc'ed by the worker; NULL until connected */
};

struct transport {
    struct object o;
    struct link link; /* of its router */
    struct router *router;
    struct link producers, consumers;
    struct webrtc *webrtc;                         /* NULL: a plain one */
    struct socket *sockets[TRANSPORT_SOCKETS_MAX]; /* plain: RTP, then RTCP without rtcp-mux */
    uint8_t sockets_n;
    bool mux, comedia, connected;
    enum seal_suite suite;
    const struct text *announced, *rtcp_announced; /* of a plain one */
    struct addr remote, rtcp_remote;
    struct srtp_keys keys; /* ours (`out`), the peer's after connect; wiped with the transport */
    uint32_t incoming_max, outgoing_max, outgoing_min; /* bits a second, 0: no limit */
    uint32_t mid_next;
    uint32_t ssrc_next;          /* of its consumers; 0: not begun */
    char cname[CNAME_BYTES_MAX]; /* of its producers; "" until the first */
};

static inline struct socket *transport_rtp(const struct transport *transport)
{
    return transport->sockets[0];
}

static inline struct socket *transport_rtcp(const struct transport *transport)
{
    return transport->sockets[transport->sockets_n - 1];
}

struct producer {
    struct object o;
    struct link link; /* of its transport */
    struct transport *transport;
    struct link consumers;
    struct link mirrors;
    const struct text *params, *mapping, *consumable;
    int64_t keyframe_delay_ms;
    enum media_kind kind;
    enum ortc_type type;
    bool paused;
    uint8_t encodings_n;
    uint8_t score[PRODUCER_ENCODINGS_MAX];
};

/* What stands for a producer on another worker, for the consumers there: see ctl/mirror.h. Nobody
 * finds it by an id, and what its worker says about its index goes nowhere. */
struct mirror {
    struct link link;             /* of its producer */
    struct producer *producer;    /* NULL once it ends */
    struct command_reader reader; /* its worker, its index among the producers there, its serial */
    uint32_t consumers_n;
    int failed;     /* -errno of opening it, or of adding it to the producer's readers */
    bool adding;    /* the producer's worker has not said yet whether it is a reader */
    uint8_t ends_n; /* outcomes that its end waits for */
    struct errand remove, close; /* here, so that closing needs no memory */
};

struct consumer {
    struct object o;
    struct link link;          /* of its transport */
    struct link producer_link; /* of its producer */
    struct transport *transport;
    struct producer *producer;
    struct mirror *mirror;     /* of the producer, when that is on another worker; else NULL */
    struct request *asker;     /* who waits for the mirror's reader, though the consumer is open */
    json_t *answer;            /* and what for */
    const struct text *params; /* without mid and SSRCs: shared with its siblings */
    const struct text
        *encodings; /* consumable ones from a caller who negotiated himself, or NULL */
    uint32_t ssrc, rtx_ssrc;
    enum media_kind kind;
    enum ortc_type type;
    bool paused, ignore_dtx;
    uint8_t priority, score;
    char mid[RTP_MID_BYTES_MAX + 1];
};

/* Indices of one kind in one worker, given out lowest first and most recently freed first. */
struct indices {
    void **objects; /* who has it; NULL while its close is under way */
    uint32_t *free;
    uint32_t max, fresh_at, free_n, room, used_n;
};

struct place { /* one worker's */
    bool dead; /* takes nothing new */
    struct indices of[OBJECT_KIND_N];
    uint32_t counts[NOUN_N];
    uint32_t mirrors_n; /* they have indices of producers */
};

struct model {
    struct object **buckets;
    uint32_t buckets_n, objects_n;
    struct link routers, servers, shared_sockets;
    struct place *places;
    uint32_t places_n;
    uint32_t counts[NOUN_N]; /* live ones */
    uint32_t sockets_n, mirrors_n;
    uint32_t mirror_serial; /* the last one's */
    struct texts texts;
};

struct model_limits {
    uint32_t sockets, transports, producers, consumers; /* of a worker */
};

/* 0 or -ENOMEM. */
int model_init(struct model *model, uint32_t workers_n, const struct model_limits *limits);

/* Frees all that is left, whatever its state. */
void model_exit(struct model *model);

/* A live object, or NULL. */
struct object *model_find(const struct model *model, enum noun noun, const char *id);

/* Zeroed but for its header, found by its id, not in any list. `id` NULL: made. `owner` as in
 * struct object. NULL without memory. The id must be free, `worker` exist. */
struct object *model_add(struct model *model, enum noun noun, const char *id, uint16_t worker,
                         uint64_t owner);

/* No longer found, counted or in a list; its index still taken. */
void model_remove(struct model *model, struct object *object);

/* Ends its memory; it has been removed, and its index given back. */
void model_free(struct model *model, struct object *object);

/* How much a worker has to do, in consumers: what one of them costs is 1. */
uint64_t model_load(const struct model *model, uint16_t worker);

/* The router's home is elsewhere from now on. */
void model_move_router(struct model *model, struct router *router, uint16_t worker);

/* The mirror counts from now on, or no more. */
void model_add_mirror(struct model *model, struct producer *producer, struct mirror *mirror);
void model_remove_mirror(struct model *model, struct mirror *mirror);

/* Index for a new object, INDEX_NONE when the worker is full (or without memory). */
uint32_t indices_take(struct indices *indices, void *object);
void indices_forget(struct indices *indices, uint32_t index); /* events about it go nowhere */
void indices_give(struct indices *indices, uint32_t index);

static inline void *indices_at(const struct indices *indices, uint32_t index)
{
    return index < indices->fresh_at ? indices->objects[index] : NULL;
}

/* A random UUID, version 4. */
enum { UUID_BYTES = 37 };

void uuid_make(char text[UUID_BYTES]);

/* Does the server have sockets on the worker? */
bool model_server_is_on(const struct webrtc_server *server, uint16_t worker);

/* Does a consumer of this transport use the SSRC? */
bool transport_has_ssrc(const struct transport *transport, uint32_t ssrc);

/* The shared socket of this address on a worker, or on any; NULL: there is none. */
struct socket *model_shared_socket(const struct model *model, uint16_t worker,
                                   const struct addr *local);
struct socket *model_shared_socket_any(const struct model *model, const struct addr *local);

#endif
