#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The perf harness against the real relay, on both engines: every key of the report is there, what
# was sent arrived, what was lost on the wire was recovered. Counts only, no times.
set -euo pipefail
. test/perf_lib.sh

keys='"""schema scenario consumers workers workers_n srtp io offered_pps forwarded lost
cpu_ns_per_forward limit_same_runs_ns limit_best_runs_ns ratio_same_runs ratio_best_runs
syscalls_per_forward
heap_calls_per_forward packets_per_send mem_idle_bytes mem_setup_bytes mem_steady_bytes
mem_after_close_bytes kernel_mem_bytes bytes_per_consumer transit_p50_us transit_p99_us
transit_p999_us lost_on_wire recovered recovered_share nack_requested nack_served nack_late
""".split()'

usage_error
usage_error dance
usage_error fanout --consumers 0
usage_error fanout --consumers x
usage_error fanout --srtp rot13
usage_error fanout --io auto
usage_error fanout --loss
usage_error fanout --workers 4 --consumers 3
usage_error micro nothing
usage_error fanout extra

for io in uring mmsg; do
  common=(fanout --io "$io" --warmup 1 --json -)
  report=$("$perf" "${common[@]}" --consumers 3 --seconds 2)
  check "$io keys" "all(key in r for key in $keys)"
  check "$io schema" "r['schema'] == 'sluice-perf/2' and r['io'] == '$io' and r['srtp'] == 'gcm128'"
  check "$io forwarded" "r['forwarded'] > 900"
  check "$io lost" "r['lost'] == 0 and r['foreign'] == 0"
  check "$io every packet once" "r['received'] == 3 * r['published']"
  check "$io runs" "r['packets_per_send'] > 1"
  check "$io closed" "r['objects_after_close'] == 0"
  report=$("$perf" "${common[@]}" --consumers 3 --seconds 4 --pairs 2 --nack --loss 5 --rtt 50 \
    --no-count --own-ports --srtp cm80)
  check "$io recovers" "r['lost_on_wire'] > 10 and r['recovered_share'] >= 0.99"
  check "$io serves" "r['nack_served'] >= r['recovered'] and r['nack_requested'] > 0"
  check "$io plain" "r['srtp'] == 'cm80' and r['heap_calls_per_forward'] is None"
done

finish
