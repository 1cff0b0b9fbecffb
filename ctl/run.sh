#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From nothing to a running relay with its demo; see --help.
set -euo pipefail
cd "$(dirname "$0")/.."
. core/cmake/packages.sh

usage() {
  cat <<'EOF'
usage: ctl/run.sh [--seconds N] [--help]

Installs what is missing (root or sudo), builds the release preset, starts sluiced and shows what it
does: ffmpeg publishes a moving test picture and a tone as VP8 and Opus; the relay sends both to two
subscribers, which decode them. A table shows, once a second, the packets and bits a second that go
in and out, the loss that the subscribers report, the frames that they have decoded, and the relay's
share of a processor and its memory. A still picture decoded by a subscriber is kept up to date in
build/demo/still.png.

  --seconds N  stop after N seconds; without it the demo runs until Ctrl-C
  --help       this text

Exit status: 0 stopped as asked, 1 something failed, 2 something needed is missing.
EOF
}

seconds=0
while [ $# -gt 0 ]; do
  case $1 in
    --seconds)
      if ! [[ ${2-} =~ ^[1-9][0-9]{0,6}$ ]]; then
        echo "ctl/run.sh: --seconds takes a number of seconds" >&2
        exit 2
      fi
      seconds=$2
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "ctl/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

need_packages "${build_packages[@]}" ffmpeg jq

# ---- build. Ninja knows by itself that nothing is to be done.
log=build/run-build.log
mkdir -p build/demo
if [ ! -e build/release/build.ninja ]; then
  echo "Building (the first time takes about a minute)"
  if ! cmake --preset release -DSLUICE_TESTS=OFF >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    exit 1
  fi
fi
if ! cmake --build --preset release --target sluiced sluicectl >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  exit 1
fi

# ---- what runs, and how it ends
work=$(mktemp -d)
still=$PWD/build/demo/still.png
socket=$work/sluice.sock
relay=
publisher=
subscribers=()
interrupted=0
trap 'interrupted=1' INT TERM

# stop SIGNAL PID...: asks, waits up to 10 s, and then insists.
stop() {
  local signal=$1 pid try
  shift
  for pid in "$@"; do
    kill "-$signal" "$pid" 2>/dev/null || true
  done
  for pid in "$@"; do
    for ((try = 0; try < 100; try++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  local status=$?
  trap '' INT TERM
  [ ${#subscribers[@]} -eq 0 ] || stop TERM "${subscribers[@]}"
  [ -z "$publisher" ] || stop TERM "$publisher"
  [ -z "$relay" ] || stop INT "$relay"
  rm -rf "$work"
  # Being stopped is what was asked for, at whatever step it came.
  [ "$interrupted" -eq 0 ] || status=0
  exit "$status"
}
trap clean_up EXIT

# fail WHAT [LOG]
fail() {
  [ "$interrupted" -eq 0 ] || exit 0
  echo "ctl/run.sh: $1" >&2
  if [ $# -gt 1 ] && [ -s "$2" ]; then
    tail -n 20 "$2" >&2
  fi
  exit 1
}

alive() {
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null
}

# call METHOD PARAMS: the result as JSON.
call() {
  build/release/bin/sluicectl --socket "$socket" --json "$1" "$2" 2>"$work/call.err" ||
    fail "$1 was refused: $(cat "$work/call.err")" "$work/sluiced.log"
}

# free_ports: the first of four UDP ports in a row that nobody uses, even, below the system's own.
free_ports() {
  local used port
  used=$(awk 'FNR > 1 {n = split($2, a, ":"); print a[n]}' /proc/net/udp /proc/net/udp6)
  for ((port = 20000 + 4 * (RANDOM % 2000); port < 32000; port += 4)); do
    if ! grep -qiE "^($(printf '%04x|%04x|%04x|%04x' "$port" $((port + 1)) $((port + 2)) \
      $((port + 3))))$" <<<"$used"; then
      echo "$port"
      return
    fi
  done
  fail "no free UDP ports"
}

# ---- the relay
build/release/bin/sluiced --socket "$socket" >"$work/sluiced.log" 2>&1 &
relay=$!
for ((try = 0; try < 100; try++)); do
  [ -S "$socket" ] && break
  alive "$relay" || fail "sluiced did not start" "$work/sluiced.log"
  sleep 0.1
done
[ -S "$socket" ] || fail "sluiced did not open its socket" "$work/sluiced.log"

# ---- the room: one transport a stream for the publisher, whose address the relay learns (comedia)
call router.create '{"id": "demo", "mediaCodecs": [
  {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101},
  {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2,
   "preferredPayloadType": 100}]}' >"$work/router"

# publish KIND SSRC CODEC: a transport and its producer; prints "rtp-port rtcp-port".
publish() {
  call transport.createPlain "{\"routerId\": \"demo\", \"id\": \"from-$1\", \"comedia\": true,
    \"rtcpMux\": false, \"listenInfo\": {\"protocol\": \"udp\", \"ip\": \"127.0.0.1\"}}" \
    >"$work/from-$1"
  call transport.produce "{\"transportId\": \"from-$1\", \"id\": \"$1\", \"kind\": \"$1\",
    \"rtpParameters\": {\"codecs\": [$3], \"encodings\": [{\"ssrc\": $2}]}}" >/dev/null
  jq -r '"\(.tuple.localPort) \(.rtcpTuple.localPort)"' "$work/from-$1"
}
vp8='{"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 101}'
opus='{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 100}'
ports=$(publish video 11111111 "$vp8")
read -r video_port video_rtcp_port <<<"$ports"
ports=$(publish audio 22222222 "$opus")
read -r audio_port audio_rtcp_port <<<"$ports"

# ---- the subscribers: a transport for each stream, to the ports that ffmpeg listens on
# subscribe NAME KIND PORT PAYLOAD: prints the description of the stream for ffmpeg.
subscribe() {
  local to=to-$1-$2 payload
  call transport.createPlain "{\"routerId\": \"demo\", \"id\": \"$to\", \"rtcpMux\": false,
    \"listenInfo\": {\"protocol\": \"udp\", \"ip\": \"127.0.0.1\"}}" >/dev/null
  call transport.connect "{\"transportId\": \"$to\", \"ip\": \"127.0.0.1\", \"port\": $3,
    \"rtcpPort\": $(($3 + 1))}" >/dev/null
  call transport.consume "{\"transportId\": \"$to\", \"id\": \"$to\", \"producerId\": \"$2\",
    \"paused\": true, \"enableRtx\": false,
    \"rtpCapabilities\": $(jq -c .rtpCapabilities "$work/router")}" >"$work/$to"
  payload=$(jq -r '.rtpParameters.codecs[0].payloadType' "$work/$to")
  printf 'm=%s %s RTP/AVP %s\na=rtcp:%s\na=rtpmap:%s %s\n' "$2" "$3" "$payload" $(($3 + 1)) \
    "$payload" "$4"
}

names=(A B)
for name in "${names[@]}"; do
  port=$(free_ports)
  {
    printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=Sluice\nc=IN IP4 127.0.0.1\nt=0 0\n'
    subscribe "$name" video "$port" VP8/90000
    subscribe "$name" audio $((port + 2)) opus/48000/2
  } >"$work/$name.sdp"
  picture=()
  if [ "$name" = A ]; then
    rm -f "$still"
    picture=(-map 0:v -vf "fps=1" -update 1 -atomic_writing 1 -y "$still")
  fi
  ffmpeg -hide_banner -nostdin -loglevel error -protocol_whitelist file,udp,rtp \
    -i "$work/$name.sdp" -map 0:v -map 0:a -progress "$work/$name.progress" -stats_period 1 \
    -f null - "${picture[@]}" >"$work/$name.log" 2>&1 &
  subscribers+=($!)
done

# ---- the publisher
ffmpeg -hide_banner -nostdin -loglevel error \
  -re -f lavfi -i "testsrc2=size=640x360:rate=25" \
  -re -f lavfi -i "sine=frequency=440:beep_factor=4:sample_rate=48000" \
  -map 0:v -c:v libvpx -deadline realtime -cpu-used 8 -b:v 1M -g 25 -auto-alt-ref 0 \
  -lag-in-frames 0 -error-resilient 1 -payload_type 101 -ssrc 11111111 \
  -f rtp "rtp://127.0.0.1:$video_port?rtcpport=$video_rtcp_port&pkt_size=1200" \
  -map 1:a -c:a libopus -ac 2 -b:a 64k -payload_type 100 -ssrc 22222222 \
  -f rtp "rtp://127.0.0.1:$audio_port?rtcpport=$audio_rtcp_port&pkt_size=1200" \
  >"$work/publisher.log" 2>&1 &
publisher=$!

for name in A B; do
  for kind in video audio; do
    call consumer.resume "{\"consumerId\": \"to-$name-$kind\"}" >/dev/null
  done
done

# ---- the table
# totals: packets in, bytes in, packets out, bytes out, packets lost as the subscribers report.
totals() {
  local kind name
  for kind in video audio; do
    # What went out first: so it is never more than twice what has come in.
    for name in A B; do
      call consumer.getStats "{\"consumerId\": \"to-$name-$kind\"}" >>"$work/out"
    done
    call producer.getStats "{\"producerId\": \"$kind\"}" >>"$work/in"
  done
  jq -rn --slurpfile in "$work/in" --slurpfile out "$work/out" '
    def sum(rows; type; key): [rows[][] | select(.type == type) | .[key] // 0] | add // 0;
    [sum($in; "inbound-rtp"; "packetCount"), sum($in; "inbound-rtp"; "byteCount"),
     sum($out; "outbound-rtp"; "packetCount"), sum($out; "outbound-rtp"; "byteCount"),
     sum($out; "outbound-rtp"; "packetsLost")] | map(tostring) | join(" ")'
  rm -f "$work/in" "$work/out"
}

# frames NAME: what the subscriber has decoded.
frames() {
  { grep '^frame=' "$work/$1.progress" 2>/dev/null || echo frame=0; } | tail -n 1 | cut -d= -f2
}

# cpu_ticks: user and system time of the relay. Its name holds no blank.
cpu_ticks() {
  local stat
  read -r -a stat <"/proc/$relay/stat"
  echo $((stat[13] + stat[14]))
}

memory_kib() {
  awk '$1 == "Pss:" {print $2; exit}' "/proc/$relay/smaps_rollup"
}

# ratio A B DIGITS
ratio() {
  awk -v a="$1" -v b="$2" -v digits="$3" 'BEGIN {printf "%.*f", digits, b ? a / b : 0}'
}

# row COLUMN... [NOTE]
row() {
  printf '%5s %9s %10s %8s %9s %7s %11s %11s %7s %9s%s\n' "$@"
}

ticks_a_second=$(getconf CLK_TCK)
started=$SECONDS
rows=0
was=(0 0 0 0 0)
was_ticks=$(cpu_ticks)
was_ms=$(($(date +%s%N) / 1000000))
still_told=0

# next_row: measures and prints. It fails where a helper failed, which Ctrl-C may have ended.
next_row() {
  local line now ticks ms span lost cpu memory a b note=
  line=$(totals) || return 1
  read -r -a now <<<"$line"
  ticks=$(cpu_ticks) || return 1
  ms=$(($(date +%s%N) / 1000000)) || return 1
  span=$((ms - was_ms))
  lost=$(ratio "${now[4]}00" "${now[2]}" 2) || return 1
  cpu=$(ratio $(((ticks - was_ticks) * 100000)) $((ticks_a_second * span)) 1) || return 1
  memory=$(ratio "$(memory_kib)" 1024 1) || return 1
  a=$(frames A) && b=$(frames B) || return 1
  # ffmpeg looks at a stream for some seconds before it decodes; that is not the relay.
  if [ "$a" -eq 0 ] || [ "$b" -eq 0 ]; then
    note="  waiting for the first picture"
  fi
  if [ $((rows % 20)) -eq 0 ]; then
    row time packets/s kbit/s packets/s kbit/s lost frames frames relay relay
    row s in in out out % A B "CPU %" "MiB"
  fi
  row $((SECONDS - started)) $(((now[0] - was[0]) * 1000 / span)) \
    $(((now[1] - was[1]) * 8 / span)) $(((now[2] - was[2]) * 1000 / span)) \
    $(((now[3] - was[3]) * 8 / span)) "$lost" "$a" "$b" "$cpu" "$memory" "$note"
  if [ "$still_told" -eq 0 ] && [ -s "$still" ]; then
    still_told=1
    echo "A picture decoded by subscriber A: $still"
  fi
  was=("${now[@]}")
  was_ticks=$ticks
  was_ms=$ms
  rows=$((rows + 1))
}

echo "Publisher: VP8 and Opus. Two subscribers. Ctrl-C stops."
while [ "$seconds" -eq 0 ] || [ $((SECONDS - started)) -lt "$seconds" ]; do
  sleep 1 || true
  [ "$interrupted" -eq 0 ] || break
  alive "$relay" || fail "sluiced has died" "$work/sluiced.log"
  alive "$publisher" || fail "the publisher has died" "$work/publisher.log"
  for i in 0 1; do
    alive "${subscribers[i]}" || fail "a subscriber has died" "$work/${names[i]}.log"
  done
  if ! next_row; then
    [ "$interrupted" -eq 0 ] || break
    fail "the relay could not be asked" "$work/sluiced.log"
  fi
done

trap '' INT TERM
echo "Stopping. Packets: ${was[0]} in, ${was[2]} out, ${was[4]} lost." \
  "Frames decoded: $(frames A) and $(frames B)."
if [ ! -s "$still" ]; then
  if [ $((SECONDS - started)) -lt 10 ]; then
    echo "Too short for a picture."
  else
    fail "no picture was decoded" "$work/A.log"
  fi
else
  echo "A picture decoded by subscriber A: $still"
fi
