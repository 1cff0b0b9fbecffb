/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/report.h - the figures of a run, and their two forms: one JSON object, or a table.
 *
 * Every figure is a double and NAN is "the system did not say", null in JSON. */
#ifndef PERF_REPORT_H
#define PERF_REPORT_H

#include "perf/options.h"

#include <jansson.h>

#define REPORT_SCHEMA "sluice-perf/2" /* 2: `workers` is a list, `workers_n` their number */

/* X(form, key, label, unit): form N is a whole number, R a real one. The order is the table's. */
#define REPORT_LIST(X)                                                                             \
    X(N, consumers, "consumers", "")                                                               \
    X(N, workers_n, "relay workers", "")                                                           \
    X(N, transports, "transports", "")                                                             \
    X(N, producers, "producers", "")                                                               \
    X(R, offered_pps, "offered, in all windows", "packets/s")                                      \
    X(N, published, "published", "packets of all tracks")                                          \
    X(N, publish_late, "frames published late", "")                                                \
    X(N, publish_refused, "not taken by the kernel", "packets")                                    \
    X(N, forwarded, "sent by the relay, in the windows", "packets")                                \
    X(R, forwarded_pps, "the same", "packets/s")                                                   \
    X(R, relay_core_share, "relay's share of a core", "")                                          \
    X(R, cpu_ns_per_forward, "CPU per forward", "ns")                                              \
    X(R, cpu_ns_per_forward_min, "  smallest slice", "ns")                                         \
    X(R, cpu_ns_per_forward_max, "  largest slice", "ns")                                          \
    X(R, limit_same_runs_ns, "limit, same runs", "ns")                                             \
    X(R, limit_best_runs_ns, "limit, best runs", "ns")                                             \
    X(R, ratio_same_runs, "CPU / limit, same runs", "")                                            \
    X(R, ratio_same_runs_min, "  smallest pair", "")                                               \
    X(R, ratio_same_runs_max, "  largest pair", "")                                                \
    X(R, ratio_best_runs, "CPU / limit, best runs", "")                                            \
    X(R, ratio_best_runs_min, "  smallest pair", "")                                               \
    X(R, ratio_best_runs_max, "  largest pair", "")                                                \
    X(N, pairs, "pairs of slices", "")                                                             \
    X(R, limit_same_packets_per_send, "limit's packets per send, same runs", "")                   \
    X(R, limit_best_packets_per_send, "limit's packets per send, best runs", "")                   \
    X(R, limit_arrived_share, "limit's packets that arrived", "")                                  \
    X(R, packets_per_send, "packets per send", "")                                                 \
    X(R, syscalls_per_forward, "system calls per forward", "")                                     \
    X(R, engine_syscalls_per_forward, "  as the relay counts them", "")                            \
    X(R, heap_calls_per_forward, "heap calls per forward", "")                                     \
    X(N, heap_calls, "heap calls of the workers, in the window", "")                               \
    X(N, received, "received first sendings", "packets")                                           \
    X(N, lost, "lost", "packets")                                                                  \
    X(R, lost_share, "lost, share of all", "")                                                     \
    X(N, lost_on_wire, "thrown away by --loss", "packets")                                         \
    X(N, recovered, "recovered", "packets")                                                        \
    X(R, recovered_share, "recovered share", "")                                                   \
    X(N, nack_requested, "asked for by NACK", "packets")                                           \
    X(N, nack_served, "resends received", "packets")                                               \
    X(N, nack_late, "resends of no use", "packets")                                                \
    X(N, keyframes_requested, "key frames asked for", "")                                          \
    X(N, nack_missed, "asked for, no longer retained", "packets")                                  \
    X(N, foreign, "foreign packets received", "packets")                                           \
    X(N, kernel_drops, "dropped before the relay", "packets")                                      \
    X(R, rtt_ms, "RTT as the relay measured it", "ms")                                             \
    X(R, retention_ms, "retention that follows", "ms")                                             \
    X(N, held_bytes, "retained, mean", "bytes")                                                    \
    X(N, held_expected_bytes, "rate x retention x slot", "bytes")                                  \
    X(R, held_ratio, "retained / expected", "")                                                    \
    X(R, transit_p50_us, "transit, median", "us")                                                  \
    X(R, transit_p99_us, "transit, 99 %", "us")                                                    \
    X(R, transit_p999_us, "transit, 99.9 %", "us")                                                 \
    X(R, transit_video_p50_us, "  video, median", "us")                                            \
    X(R, transit_video_p99_us, "  99 %", "us")                                                     \
    X(R, transit_video_p999_us, "  99.9 %", "us")                                                  \
    X(R, transit_audio_p50_us, "  audio, median", "us")                                            \
    X(R, transit_audio_p99_us, "  99 %", "us")                                                     \
    X(R, transit_audio_p999_us, "  99.9 %", "us")                                                  \
    X(R, side_transit_p50_us, "transit in the rooms beside, median", "us")                         \
    X(R, side_transit_p99_us, "  99 %", "us")                                                      \
    X(R, side_transit_p999_us, "  99.9 %", "us")                                                   \
    X(R, arrival_p50_us, "to the kernel's stamp, median", "us")                                    \
    X(R, arrival_p99_us, "  99 %", "us")                                                           \
    X(R, arrival_p999_us, "  99.9 %", "us")                                                        \
    X(R, side_arrival_p50_us, "  of the rooms beside, median", "us")                               \
    X(R, side_arrival_p99_us, "  99 %", "us")                                                      \
    X(R, side_arrival_p999_us, "  99.9 %", "us")                                                   \
    X(N, mem_idle_bytes, "memory, idle", "bytes")                                                  \
    X(N, mem_transports_bytes, "memory, transports and producers", "bytes")                        \
    X(N, mem_setup_bytes, "memory, after the joins", "bytes")                                      \
    X(N, mem_steady_bytes, "memory, forwarding", "bytes")                                          \
    X(N, mem_after_close_bytes, "memory, rooms closed", "bytes")                                   \
    X(N, kernel_mem_bytes, "kernel memory, growth", "bytes")                                       \
    X(R, bytes_per_consumer, "memory per consumer", "bytes")                                       \
    X(R, bytes_per_transport, "memory per transport, before media", "bytes")                       \
    X(R, bytes_per_consumer_added, "memory per consumer on it, before media", "bytes")             \
    X(N, objects_after_close, "objects after closing", "")

/* The scenario "storm" has figures of its own. */
#define REPORT_STORM_LIST(X)                                                                       \
    X(N, consumers, "receivers of the room", "")                                                   \
    X(N, peers, "WebRTC peers", "")                                                                \
    X(N, storms, "storms", "")                                                                     \
    X(N, joins, "joins, all storms", "")                                                           \
    X(N, joins_failed, "failed", "")                                                               \
    X(R, joined_in_s, "all had joined after, median", "s")                                         \
    X(R, join_p50_ms, "join, median", "ms")                                                        \
    X(R, join_p99_ms, "join, 99 %", "ms")                                                          \
    X(R, join_max_ms, "join, longest", "ms")                                                       \
    X(N, handshake_steps, "steps of public-key work", "")                                          \
    X(N, handshake_steps_turn_max, "most of them in one turn", "")                                 \
    X(R, steps_per_join, "steps per join", "")                                                     \
    X(N, turns, "turns of the worker in the storms", "")                                           \
    X(N, intervals_with_joins, "looks between which steps were made", "")                          \
    X(N, intervals_without_media, "of these, nothing was forwarded", "")                           \
    X(R, offered_pps, "offered to the room", "packets/s")                                          \
    X(R, quiet_forwarded_pps, "forwarded, without joins", "packets/s")                             \
    X(R, storm_forwarded_pps, "forwarded, with", "packets/s")                                      \
    X(N, published, "published", "packets")                                                        \
    X(N, received, "received", "packets")                                                          \
    X(N, lost, "lost", "packets")                                                                  \
    X(N, missed, "found a receiver's buffer full", "packets")                                      \
    X(N, relayed, "forwarded to the receivers", "packets")                                         \
    X(N, drops, "dropped by the relay, for whatever other reason", "datagrams")                    \
    X(N, drops_late, "not forwarded: waited over 500 ms", "packets")                               \
    X(R, waited_s, "the relay's worker waited for a processor", "s")                               \
    X(N, drops_handshake, "of handshakes, put off or sent again for nothing", "datagrams")         \
    X(N, kernel_drops, "dropped before the relay", "datagrams")                                    \
    X(N, publish_late, "frames published late", "")                                                \
    X(R, quiet_transit_p50_us, "transit without joins, median", "us")                              \
    X(R, quiet_transit_p99_us, "  99 %", "us")                                                     \
    X(R, quiet_transit_p999_us, "  99.9 %", "us")                                                  \
    X(R, storm_transit_p50_us, "transit with joins, median", "us")                                 \
    X(R, storm_transit_p99_us, "  99 %", "us")                                                     \
    X(R, storm_transit_p999_us, "  99.9 %", "us")                                                  \
    X(R, added_transit_p999_us, "added at 99.9 %, median of the pairs", "us")                      \
    X(N, mem_idle_bytes, "memory, the room alone", "bytes")                                        \
    X(N, mem_joined_bytes, "memory, all joined", "bytes")                                          \
    X(N, mem_after_close_bytes, "memory, peers gone", "bytes")                                     \
    X(R, bytes_per_transport, "memory per transport", "bytes")                                     \
    X(N, kernel_mem_bytes, "kernel memory, growth by the peers", "bytes")                          \
    X(N, objects_after_close, "objects more than the room's, peers gone", "")

#define REPORT_CHURN_LIST(X)                                                                       \
    X(N, participants, "participants", "")                                                         \
    X(N, senders, "senders", "")                                                                   \
    X(N, operations, "operations", "")                                                             \
    X(N, operations_failed, "of these refused", "")                                                \
    X(N, joins, "joins", "")                                                                       \
    X(N, leaves, "leaves", "")                                                                     \
    X(N, produces, "producers made", "")                                                           \
    X(N, producer_closes, "producers closed", "")                                                  \
    X(N, consumes, "consumers made", "")                                                           \
    X(N, consumer_closes, "consumers closed", "")                                                  \
    X(N, pauses, "pauses", "")                                                                     \
    X(N, resumes, "resumes", "")                                                                   \
    X(R, media_s, "media", "s")                                                                    \
    X(N, published, "published", "packets")                                                        \
    X(N, publish_late, "frames published late", "")                                                \
    X(N, forwarded, "sent by the relay", "packets")                                                \
    X(N, received, "received", "packets")                                                          \
    X(N, gaps, "missing between the first and the last of a stream", "packets")                    \
    X(N, foreign, "of streams that had just begun or ended", "packets")                            \
    X(N, keyframe_requests, "key frames asked for by the relay", "")                               \
    X(N, dropped, "dropped by the relay, for whatever reason", "datagrams")                        \
    X(N, kernel_drops, "dropped before the relay", "datagrams")                                    \
    X(N, mem_idle_bytes, "memory, idle", "bytes")                                                  \
    X(N, mem_most_bytes, "memory, the most that was seen", "bytes")                                \
    X(N, mem_after_close_bytes, "memory, rooms closed", "bytes")                                   \
    X(N, objects_after_close, "objects after closing", "")

#define REPORT_SATURATE_LIST(X)                                                                    \
    X(N, consumers, "consumers", "")                                                               \
    X(N, workers_n, "relay workers", "")                                                           \
    X(N, steps, "slices tried", "")                                                                \
    X(R, loss_share_allowed, "loss allowed, share", "")                                            \
    X(R, pps, "highest rate within it", "packets/s")                                               \
    X(R, pps_per_worker, "  by worker", "packets/s")                                               \
    X(R, pps_per_core, "  by core of CPU that it took", "packets/s")                               \
    X(R, loss_share, "loss there, share", "")                                                      \
    X(R, relay_core_share, "relay's share of a core there, by worker", "")                         \
    X(R, cpu_ns_per_forward, "CPU per forward there", "ns")                                        \
    X(R, packets_per_send, "packets per send there", "")                                           \
    X(R, load_core_share, "share of a core of the busiest load process there", "")                 \
    X(R, failed_pps, "lowest rate beyond it", "packets/s offered")                                 \
    X(R, failed_offered_share, "offered there, share of what was to be", "")                       \
    X(R, failed_loss_share, "loss there, share", "")                                               \
    X(R, failed_lost_before, "  lost before the relay took it", "packets")                         \
    X(R, failed_lost_within, "  not sent by the relay", "packets")                                 \
    X(R, failed_lost_after, "  sent, and not taken by the receivers", "packets")                   \
    X(R, failed_relay_core_share, "relay's share of a core there, by worker", "")                  \
    X(R, failed_load_core_share, "share of a core of the busiest load process there", "")          \
    X(N, objects_after_close, "objects after closing", "")

struct report_worker { /* of the relay, in the windows */
    double forwarded, forwarded_pps, core_share, cpu_ns_per_packet, packets_per_send;
    double syscalls_per_packet, kernel_drops, dropped;
};

struct report {
#define REPORT_FIELD(form, key, label, unit) double key;
    REPORT_LIST(REPORT_FIELD)

    struct report_storm {
        REPORT_STORM_LIST(REPORT_FIELD)
    } storm;

    struct report_churn {
        REPORT_CHURN_LIST(REPORT_FIELD)
    } churn;

    struct report_saturate {
        REPORT_SATURATE_LIST(REPORT_FIELD)
    } saturate;

#undef REPORT_FIELD
    const struct options *options;
    char engine[16]; /* that ran */
    char kernel[96], cpu[96];
    char limited_by[128];  /* saturate: in words */
    enum seal_suite suite; /* the options', or what DTLS agreed on */
    struct report_worker workers[OPTIONS_WORKERS_MAX];
    size_t workers_known; /* entries of `workers` */
    json_t *drops;        /* packets by reason; taken by report_write() */
};

/* All figures NAN; machine facts filled. */
void report_init(struct report *report, const struct options *options);

/* As options->json says. False when the file cannot be written. */
bool report_write(struct report *report);

/* A figure of the system, whose MEASURE_NONE is NAN here. */
double report_figure(int64_t value);

/* Median of `n` values, which are sorted; NAN for none. */
double report_median(double *values, size_t n);

#endif
