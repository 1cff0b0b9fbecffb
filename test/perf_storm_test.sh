#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A storm of joins against the real relay, on both engines: WebRTC peers join by ICE and DTLS while
# a room is forwarded. Counts only, no times: a step of a handshake a turn at most, media between
# them, nothing dropped or lost, nothing left behind.
set -euo pipefail
. test/perf_lib.sh

usage_error storm --peers 0
usage_error storm --dtls 1.1
usage_error storm --forward-pps 50 --consumers 100
usage_error storm extra

# storm IO DTLS PEERS
storm() {
  report=$("$perf" storm --io "$1" --dtls "$2" --peers "$3" --consumers 10 --forward-pps 2000 \
    --warmup 1 --seconds 2 --pairs 2 --json -)
  check "$1 $2 what ran" "r['scenario'] == 'storm' and r['io'] == '$1' and r['dtls'] == '$2'"
  check "$1 $2 joins" "r['joins'] == 2 * $3 and r['joins_failed'] == 0"
  check "$1 $2 budget" "r['handshake_steps_turn_max'] == 1"
  check "$1 $2 steps" "2 * r['joins'] <= r['handshake_steps'] <= r['turns']"
  check "$1 $2 media between" "r['intervals_with_joins'] > 0 and r['storm_forwarded_pps'] > 500"
  check "$1 $2 lost" "r['lost'] == 0 and r['kernel_drops'] == 0"
  check "$1 $2 dropped" "r['drops'] == 0"
  check "$1 $2 closed" "r['objects_after_close'] == 0"
}

memory() {
  sanitized || check "memory back" "r['mem_after_close_bytes'] - r['mem_idle_bytes'] < 1048576"
}

storm uring 1.3 100
memory
storm uring 1.2 60
report=$("$perf" storm --peers 40 --joins-per-second 20 --consumers 10 --forward-pps 2000 \
  --warmup 1 --seconds 1 --pairs 1 --json -)
check "pace" "r['joins'] == 40 and r['joins_per_second'] == 20 and r['joined_in_s'] >= 1.9"
storm mmsg 1.3 60
memory

finish
