#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From nothing to a running relay with its demo; see --help.
set -euo pipefail
cd "$(dirname "$0")/.."
. core/cmake/packages.sh
. ctl/node/node.sh

usage() {
  cat <<'EOF'
usage: ctl/run.sh [--seconds N] [--browser | --no-browser] [--help] [-- OPTION...]

Installs what is missing (root or sudo), builds the release preset, starts sluiced and its room
page, prints the link, and shows what the relay does: ffmpeg publishes a moving test picture and a
tone into the room as VP8 and Opus; the relay sends both to two subscribers, which decode them, and
to every browser that opens the link. A table shows, once a second, the packets and bits a second
that go in and out, the loss that the subscribers report, the frames that they have decoded, and the
relay's share of a processor and its memory. What a subscriber and a browser see is kept up to date
in build/demo/still.png and build/demo/browser.png.

  --seconds N   stop after N seconds; without it the demo runs until Ctrl-C
  --browser     a headless Chromium joins too (it is installed if it is not there)
  --no-browser  none does; without either one does if it is installed
  --help        this text
  -- OPTION...  for the page: `node ctl/web/main.js --help` shows them, ctl/web/README.md explains
                what a page for others than this machine needs

Exit status: 0 stopped as asked, 1 something failed, 2 something needed is missing.
EOF
}

seconds=0
browser=auto
page_options=()
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
    --browser) browser=yes ;;
    --no-browser) browser=no ;;
    --)
      shift
      page_options=("$@")
      break
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "ctl/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

packages=("${build_packages[@]}" ffmpeg jq)
command -v npm >/dev/null || packages+=(npm)
if [ "$browser" = yes ] && ! command -v chromium >/dev/null; then
  packages+=(chromium)
fi
need_packages "${packages[@]}"
if [ "$browser" = auto ] && ! command -v chromium >/dev/null; then
  browser=no
fi

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

need_node && need_web || exit 1

# ---- what runs, and how it ends
work=$(mktemp -d)
still=$PWD/build/demo/still.png
seen=$PWD/build/demo/browser.png
socket=$work/sluice.sock
relay=
page=
visitor=
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
  [ -z "$visitor" ] || stop TERM "$visitor"
  [ -z "$page" ] || stop TERM "$page"
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
# As its systemd unit does: no caches of each thread in the heap.
GLIBC_TUNABLES=${GLIBC_TUNABLES-glibc.malloc.tcache_count=0} \
  build/release/bin/sluiced --socket "$socket" >"$work/sluiced.log" 2>&1 &
relay=$!
for ((try = 0; try < 100; try++)); do
  [ -S "$socket" ] && break
  alive "$relay" || fail "sluiced did not start" "$work/sluiced.log"
  sleep 0.1
done
[ -S "$socket" ] || fail "sluiced did not open its socket" "$work/sluiced.log"

# ---- the page, and its room with ports that take what ffmpeg sends
port=8080
if awk 'FNR > 1 && $4 == "0A" {n = split($2, a, ":"); print a[n]}' /proc/net/tcp /proc/net/tcp6 |
  grep -qi "^$(printf %04x "$port")$"; then
  port=0 # somebody else's; the link has the port that was found
fi
touch "$work/page.out"
node ctl/web/main.js --socket "$socket" --port "$port" --feed demo "${page_options[@]}" \
  >"$work/page.out" 2>"$work/page.log" &
page=$!
link=
for ((try = 0; try < 100; try++)); do
  link=$(grep -m 1 ^http "$work/page.out" || true)
  [ -n "$link" ] && grep -q '^{' "$work/page.out" && break
  alive "$page" || fail "the page did not start" "$work/page.log"
  sleep 0.1
done
grep -m 1 '^{' "$work/page.out" >"$work/feed" || fail "the room was not made" "$work/page.log"
link=${link}r/demo
router=$(jq -r .routerId "$work/feed")
read -r video_port video_rtcp_port audio_port audio_rtcp_port < <(
  jq -r '"\(.video.port) \(.video.rtcpPort) \(.audio.port) \(.audio.rtcpPort)"' "$work/feed"
)
call router.rtpCapabilities "{\"routerId\": \"$router\"}" >"$work/router"

# ---- the subscribers: a transport for each stream, to the ports that ffmpeg listens on
# subscribe NAME KIND PORT PAYLOAD: prints the description of the stream for ffmpeg.
subscribe() {
  local to=to-$1-$2 payload
  call transport.createPlain "{\"routerId\": \"$router\", \"id\": \"$to\", \"rtcpMux\": false,
    \"listenInfo\": {\"protocol\": \"udp\", \"ip\": \"127.0.0.1\"}}" >/dev/null
  call transport.connect "{\"transportId\": \"$to\", \"ip\": \"127.0.0.1\", \"port\": $3,
    \"rtcpPort\": $(($3 + 1))}" >/dev/null
  call transport.consume "{\"transportId\": \"$to\", \"id\": \"$to\", \"producerId\": \"feed-$2\",
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

# ---- somebody who opens the link
if [ "$browser" != no ]; then
  rm -f "$seen"
  node ctl/web/visitor.js --profile "$work/chromium" --picture "$seen" "$link" \
    >"$work/visitor.out" 2>"$work/visitor.log" &
  visitor=$!
fi

# ---- the table
# totals: packets in, bytes in, packets out, bytes out, packets lost as the subscribers report.
totals() {
  local kind name
  for kind in video audio; do
    # What went out first: so it is never more than twice what has come in.
    for name in A B; do
      call consumer.getStats "{\"consumerId\": \"to-$name-$kind\"}" >>"$work/out"
    done
    call producer.getStats "{\"producerId\": \"feed-$kind\"}" >>"$work/in"
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

# seen_frames: what the browser has decoded.
seen_frames() {
  tail -n 1 "$work/visitor.out" | grep -E '^[0-9]+$' || echo 0
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
seen_told=0

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
  if [ "$seen_told" -eq 0 ] && [ "$browser" != no ] && [ -s "$seen" ]; then
    seen_told=1
    echo "What a browser in the room shows: $seen"
  fi
  was=("${now[@]}")
  was_ticks=$ticks
  was_ms=$ms
  rows=$((rows + 1))
}

echo "The room: $link"
echo "Publisher: VP8 and Opus. Two subscribers. Ctrl-C stops."
while [ "$seconds" -eq 0 ] || [ $((SECONDS - started)) -lt "$seconds" ]; do
  sleep 1 || true
  [ "$interrupted" -eq 0 ] || break
  alive "$relay" || fail "sluiced has died" "$work/sluiced.log"
  alive "$page" || fail "the page's server has died" "$work/page.log"
  if [ "$browser" != no ] && ! alive "$visitor"; then
    [ "$browser" = auto ] || fail "the browser has died" "$work/visitor.log"
    # Nobody has asked for it, and there are Chromiums that do not start everywhere.
    browser=no
    echo "The browser has ended, and the demo goes on without: $(tail -n 1 "$work/visitor.log")"
  fi
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
# shown WHAT FILE LOG
shown() {
  if [ -s "$2" ]; then
    echo "$1: $2"
  elif [ $((SECONDS - started)) -lt 15 ]; then
    echo "Too short for a picture. ($1)"
  else
    fail "there is no picture ($1)" "$3"
  fi
}
shown "A picture decoded by subscriber A" "$still" "$work/A.log"
if [ "$browser" != no ]; then
  echo "Frames decoded by the browser: $(seen_frames)"
  shown "What a browser in the room shows" "$seen" "$work/visitor.log"
fi
