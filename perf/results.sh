#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the scenarios of perf/RESULTS.md and prints their tables in Markdown.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'EOT'
usage: perf/results.sh [--seconds S] [FOLDER]

Runs build/release/bin/sluice-perf (build it with ctl/run.sh or the release preset) and prints the
tables of perf/RESULTS.md. Reports are kept in FOLDER (default build/perf); one that is there
already is not measured again. About a minute for each row at 12 seconds (default).
EOT
}

seconds=12
folder=build/perf
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?}; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) folder=$1 ;;
  esac
  shift
done
mkdir -p "$folder"

# measure NAME OPTION...
measure() {
  local name=$1
  shift
  [ -s "$folder/$name.json" ] ||
    build/release/bin/sluice-perf fanout "$@" --seconds "$seconds" --json "$folder/$name.json"
}

# About 100,000 packets/s to all receivers together, whatever their number.
for burst in 7 1; do
  measure "20-$burst" --consumers 20 --pps 5000 --burst "$burst"
  measure "100-$burst" --consumers 100 --pps 1000 --burst "$burst"
  measure "300-$burst" --consumers 300 --pps 330 --burst "$burst"
  measure "1000-$burst" --consumers 1000 --pps 100 --burst "$burst"
done
measure nack-100 --consumers 100 --nack --no-count
measure nack-300 --consumers 300 --nack --no-count
measure loss --consumers 100 --nack --loss 5 --rtt 50 --no-count

python3 - "$folder" <<'EOF2'
import json, sys

def load(name):
    with open(f"{sys.argv[1]}/{name}.json") as file:
        return json.load(file)

def show(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"

names = [f"{n}-{burst}" for burst in (7, 1) for n in (20, 100, 300, 1000)]
first = load(names[0])
print(f"{first['cpu']}, Linux {first['kernel']}, engine {first['io']}, SRTP {first['srtp']}.\n")
print("| consumers | burst | pps | core | ns/forward | limit same / best | ratio same (min-max) | "
      "ratio best (min-max) | packets/send | syscalls | heap | lost | p50 / p99 / p99.9 us |")
print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
for name in names:
    r = load(name)
    ratios = [f"{show(r['ratio_' + k], 2)} ({show(r['ratio_' + k + '_min'], 2)}-"
              f"{show(r['ratio_' + k + '_max'], 2)})" for k in ("same_runs", "best_runs")]
    print(f"| {r['consumers']} | {r['burst']} | {r['pps']} | {show(r['relay_core_share'], 2)} | "
          f"{show(r['cpu_ns_per_forward'])} | {show(r['limit_same_runs_ns'])} / "
          f"{show(r['limit_best_runs_ns'])} | {ratios[0]} | {ratios[1]} | "
          f"{show(r['packets_per_send'], 2)} | {show(r['syscalls_per_forward'], 4)} | "
          f"{show(r['heap_calls_per_forward'], 4)} | {r['lost']} of {r['received']:,} | "
          f"{show(r['transit_p50_us'])} / {show(r['transit_p99_us'])} / "
          f"{show(r['transit_p999_us'])} |")
r = load("loss")
print(f"\nLoss: {r['recovered']} of {r['lost_on_wire']} recovered "
      f"({show(r['recovered_share'], 4)}), "
      f"{r['lost']} lost; {r['nack_requested']} asked for, {r['nack_served']} resends, "
      f"{r['nack_late']} of no use. RTT {show(r['rtt_ms'], 1)} ms, retention "
      f"{show(r['retention_ms'])} ms, held {show(r['held_bytes'])} bytes = "
      f"{show(r['held_ratio'], 3)} of rate x retention x slot.")
a, b = load("nack-100"), load("nack-300")
slope = (b["mem_steady_bytes"] - a["mem_steady_bytes"]) / 200
print(f"\nMemory, NACK on, 200 packets/s: idle {show(a['mem_idle_bytes'])}, 100 consumers "
      f"{show(a['mem_steady_bytes'])}, 300 consumers {show(b['mem_steady_bytes'])}: "
      f"{show(slope)} bytes for each further consumer; 3 s after closing "
      f"{show(b['mem_after_close_bytes'])}.")
EOF2
