#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A storm of joins against the real relay, on both engines: WebRTC peers join by ICE and DTLS while
# a room is forwarded. Counts only, no times: a step of a handshake a turn at most, media between
# them, nothing dropped or lost, nothing left behind. Programs without sanitizers (test/run.sh's
# perf_storm_release) also show memory, and have the time for storms of full size.
set -euo pipefail
. test/perf_lib.sh

usage_error storm --peers 0
usage_error storm --dtls 1.1
usage_error storm --forward-pps 50 --consumers 100
usage_error storm extra

# Sanitizers' memory says nothing: it is not waited for.
rest=9
! sanitized || rest=0.5

# storm IO DTLS PEERS
storm() {
  report=$("$perf" storm --io "$1" --dtls "$2" --peers "$3" --consumers 10 --forward-pps 2000 \
    --warmup 1 --seconds 2 --pairs 2 --rest "$rest" --json -) || report='{}'
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

# full DTLS KIB: 500 peers within seconds while a room is forwarded at 50,000 packets/s, and what an
# idle transport may take. What the machine is too slow for is told from what the relay does: a
# receiver's full buffer is the kernel's count; a packet that is given up after 500 ms is allowed
# only to a worker that had no processor for as long; a handshake's datagram that is put off, or
# comes once too often, is no loss. The rest must have been forwarded, all of it.
full() {
  report=$("$perf" storm --io uring --dtls "$1" --peers 500 --joins-per-second 100 \
    --consumers 100 --forward-pps 50000 --warmup 1 --seconds 2 --pairs 1 --json -) || report='{}'
  check "full $1 joins" "r['joins'] == 500 and r['joins_failed'] == 0"
  check "full $1 budget" "r['handshake_steps_turn_max'] == 1"
  check "full $1 steps" "2 * r['joins'] <= r['handshake_steps'] <= r['turns']"
  check "full $1 media between" \
    "r['published'] > 2500 and 4 * r['intervals_without_media'] < r['intervals_with_joins']"
  check "full $1 dropped" "r['drops'] == 0 and r['kernel_drops'] == 0"
  check "full $1 late" "r['drops_late'] == 0 or r['waited_s'] > 2"
  check "full $1 forwarded" "r['relayed'] == (r['published'] - r['drops_late']) * r['consumers']"
  check "full $1 lost" "0 <= r['relayed'] - r['received'] <= r['missed']"
  check "full $1 closed" "r['objects_after_close'] == 0"
  check "full $1 memory of a transport" "0 < r['bytes_per_transport'] <= $2 * 1024"
  memory
}

storm uring 1.3 100
memory
storm uring 1.2 60
report=$("$perf" storm --peers 40 --joins-per-second 20 --consumers 10 --forward-pps 2000 \
  --warmup 1 --seconds 1 --pairs 1 --json -) || report='{}'
check "pace" "r['joins'] == 40 and r['joins_per_second'] == 20 and r['joined_in_s'] >= 1.9"
storm mmsg 1.3 60
memory
if ! sanitized; then
  full 1.3 12
  full 1.2 16
fi

finish
