#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Instructions that a worker executes in user space for a packet that it forwards.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'EOT'
usage: perf/instructions.sh [--burst K] [--srtp SUITE] [--functions N]

Runs build/release/bin/sluiced under callgrind (apt-get install valgrind) with a fan-out to 100
receivers, NACK on, no cipher, at two rates. What the worker's thread executes more at the higher
one, divided by the packets that it forwards more: one line of K and that number. Libraries count,
the kernel does not. The engine is mmsg: this valgrind does not know io_uring.

  --burst K       packets of a frame (default 7)
  --srtp SUITE    none, gcm128, gcm256 or cm80 (default none)
  --functions N   the N functions with most instructions at the higher rate, with their share
EOT
}

burst=7 suite=none functions=0
while [ $# -gt 0 ]; do
  case $1 in
    --burst) burst=${2:?} && shift ;;
    --srtp) suite=${2:?} && shift ;;
    --functions) functions=${2:?} && shift ;;
    --help | -h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
command -v valgrind >/dev/null || {
  echo "perf/instructions.sh: valgrind is missing: apt-get install valgrind" >&2
  exit 1
}

bin=$PWD/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/sluiced" <<EOT
#!/bin/sh
exec valgrind -q --tool=callgrind --separate-threads=yes \\
  --callgrind-out-file="\$COUNTED" "$bin/sluiced" "\$@" 2>"$work/log"
EOT
chmod +x "$work/sluiced"

# count NAME PPS: instructions of the worker and packets that arrived, of one run.
count() {
  COUNTED=$work/$1 "$bin/sluice-perf" fanout --relay "$work/sluiced" --io mmsg --consumers 100 \
    --pps "$2" --burst "$burst" --srtp "$suite" --nack --no-count --pairs 1 --warmup 1 \
    --seconds 5 --json "$work/$1.json" >/dev/null 2>"$work/perf.log" || {
    cat "$work/perf.log" "$work/log" >&2
    exit 1
  }
  # Thread 1 is the control thread, 2 the worker.
  printf '%s %s\n' "$(sed -n 's/^totals: //p' "$work/$1-02")" \
    "$(python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
assert r["lost"] == 0, "packets were lost"
print(r["received"])' "$work/$1.json")"
}

read -r low low_packets < <(count low $((burst * 10)))
read -r high high_packets < <(count high $((burst * 30)))
awk -v burst="$burst" -v more="$((high - low))" -v packets="$((high_packets - low_packets))" \
  'BEGIN {
    printf "burst %d: %.0f instructions a packet (%d more for %d packets more)\n",
      burst, more / packets, more, packets
  }'
if [ "$functions" -gt 0 ]; then
  callgrind_annotate "$work/high-02" |
    sed -nE 's/^ *[0-9,]+ \( *([0-9.]+%)\) +(.*:[^ ]+).*/\1 \2/p' | head -n "$functions"
fi
