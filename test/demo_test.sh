#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs ctl/run.sh for some seconds: media must arrive and be decoded, the pictures must be some, the
# page must be served, nothing may be left behind, and neither the package managers nor the compiler
# be called again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() {
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    cat "$work/out"
  fi
}

# The package managers as a trap, and one that tells what the build did.
mkdir "$work/bin"
for tool in apt-get sudo npm; do
  printf '#!/bin/sh\necho "%s $*" >>"%s"\nexit 1\n' "$tool" "$work/called" >"$work/bin/$tool"
  chmod +x "$work/bin/$tool"
done

# Builds, if this is the first run.
TMPDIR=$work ctl/run.sh --seconds 1 >"$work/first" 2>&1 || {
  cat "$work/first"
  echo "0 passed, 1 failed"
  exit 1
}

second_run() {
  PATH=$work/bin:$PATH TMPDIR=$work ctl/run.sh --seconds 20 >"$work/second" 2>&1
}

# The last lines say: packets in, out, lost; frames of A and of B. What is published goes out twice
# (the video only from a key frame on), and however slow the machine is, next to nothing is lost.
media_flows() {
  local n
  read -r -a n < <(sed -n 's/^Stopping\. //p' "$work/second" | tr -c '0-9\n' ' ')
  echo "${n[@]}"
  [ "${n[0]}" -ge 200 ] && [ "${n[1]}" -ge $((n[0] * 2 * 8 / 10)) ] &&
    [ "${n[1]}" -le $((n[0] * 2)) ] && [ $((n[2] * 100)) -le "${n[1]}" ] &&
    [ "${n[3]}" -ge 25 ] && [ "${n[4]}" -ge 25 ]
}

# is_picture WORDS: the file that these words tell. The test picture has every colour: a grey or
# broken one has few.
is_picture() {
  local still colours
  still=$(sed -n "s/^$1: //p" "$work/second" | tail -n 1)
  [ -s "$still" ] || return 1
  colours=$(ffmpeg -v error -i "$still" -vf scale=16:9:flags=neighbor -f rawvideo -pix_fmt rgb24 - |
    od -An -v -tx1 -w3 | sort -u | wc -l)
  echo "$colours colours"
  [ "$colours" -ge 8 ]
}

browser_decodes() {
  local frames
  frames=$(sed -n 's/^Frames decoded by the browser: //p' "$work/second")
  echo "$frames frames"
  [ "$frames" -ge 25 ]
}

# While the third run goes on: the link leads to a page.
page_is_served() {
  local link
  link=$(sed -n 's/^The room: //p' "$work/third")
  python3 - "$link" <<'PYTHON'
import sys
from urllib.parse import urljoin
from urllib.request import urlopen

link = sys.argv[1]
assert b"<title>" in urlopen(link, timeout=10).read()
assert b'"relay":"up"' in urlopen(urljoin(link, "/healthz"), timeout=10).read()
PYTHON
}

without_browser() {
  TMPDIR=$work ctl/run.sh --seconds 3 --no-browser >"$work/plain" 2>&1 &&
    ! grep -i 'browser' "$work/plain"
}

nothing_was_installed() {
  [ ! -e "$work/called" ] || { cat "$work/called"; return 1; }
}

nothing_was_built() {
  grep -q 'no work to do' build/run-build.log
}

# Whatever the demo starts has a path of its temporary folder among its arguments.
nothing_is_left() {
  local file found=0
  for file in /proc/[0-9]*/cmdline; do
    if { tr '\0' ' ' <"$file"; } 2>/dev/null | grep -F "$work/"; then
      found=1
    fi
  done
  return $found
}

ctrl_c_stops() {
  # A shell starts what it puts in the background with SIGINT ignored.
  TMPDIR=$work env --default-signal=INT setsid ctl/run.sh >"$work/third" 2>&1 &
  local pid=$! try
  for ((try = 0; try < 600; try++)); do
    grep -q '^ *time' "$work/third" && break
    sleep 0.2
  done
  check "the page is served" page_is_served
  kill -INT -- "-$pid"
  if ! wait "$pid" || ! grep -q '^Stopping' "$work/third"; then
    cat "$work/third"
    return 1
  fi
  nothing_is_left
}

usage_is_right() {
  local status=0
  ctl/run.sh --help | grep -q '^usage: ctl/run.sh' || return 1
  ctl/run.sh --seconds x || status=$?
  [ "$status" -eq 2 ]
}

check "the demo ends with 0" second_run
cat "$work/second"
check "media flows" media_flows
check "the picture" is_picture 'A picture decoded by subscriber A'
if command -v chromium >/dev/null; then
  check "a browser decodes" browser_decodes
  check "what it shows" is_picture 'What a browser in the room shows'
fi
check "nothing was installed" nothing_was_installed
check "nothing was built" nothing_was_built
check "nothing is left" nothing_is_left
check "Ctrl-C" ctrl_c_stops
check "without a browser" without_browser
check "usage" usage_is_right
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
