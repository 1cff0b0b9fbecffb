#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: test/stacks/run.sh NAME - the tests of one WebRTC stack, NAME.test.js, against the real
# relay in SLUICE_BIN and the real web server. Prints "N passed, M failed"; 77: not possible here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. ctl/node/node.sh

name=$1
skip() {
  echo "skipped: $1"
  exit 77
}
command -v npm >/dev/null || skip "npm is missing"
case $name in
  gstreamer)
    /usr/bin/python3 -c 'import gi; gi.require_version("GstWebRTC", "1.0")' 2>/dev/null ||
      skip "python3-gi or gir1.2-gst-plugins-bad-1.0 is missing"
    ;;
  chromium) command -v "${CHROMIUM:=chromium}" >/dev/null || skip "chromium is missing" ;;
  firefox) command -v "${FIREFOX:=firefox-esr}" >/dev/null || skip "firefox-esr is missing" ;;
esac
if ! need_node || ! need_web || ! need_modules test/stacks; then
  echo "0 passed, 1 failed"
  exit 1
fi

# puppeteer wants whole paths.
CHROMIUM=$(command -v "${CHROMIUM:-chromium}" || true)
FIREFOX=$(command -v "${FIREFOX:-firefox-esr}" || true)
export CHROMIUM FIREFOX
export SLUICE_BIN=${SLUICE_BIN:-$PWD/build/dev/bin}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
node --test --test-concurrency=1 --test-timeout=100000 --test-reporter=spec \
  "test/stacks/$name.test.js" >"$log" 2>&1 || status=$?
cat "$log"
sum() {
  awk -v names="^($1)$" '$1 == "ℹ" && $2 ~ names {n += $3} END {print n + 0}' "$log"
}
passed=$(sum pass)
failed=$(sum 'fail|cancelled')
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
  failed=1
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
