#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# sluice-perf report: scenes that run, one that fails, the files that it writes, and what it says
# when the page's template is not there. The page in a browser: test/browser/report_test.mjs.
set -euo pipefail
perf=$SLUICE_BIN/sluice-perf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
# A template without the plots, so that this needs no npm.
echo '<script type="application/json">@REPORT@</script>' >"$work/template"

# verdict NAME RIGHT: counts.
verdict() {
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $1"
    cat "$work/err"
  fi
}

# runs STATUS ARGUMENT...: the report exits with this status; its output is in out and err.
runs() {
  local want=$1 status=0
  shift
  "$perf" report "$@" >"$work/out" 2>"$work/err" || status=$?
  verdict "report $*: status $status, not $want" $((status != want))
}

# check NAME FOLDER EXPRESSION: a Python expression over `r` and `scene(name)`.
check() {
  local status=0
  python3 -c '
import json, sys
r = json.load(open(sys.argv[1] + "/report.json"))
scene = lambda name: next(s for s in r["scenes"] if s["name"] == name)
target = lambda id: next(t for t in r["targets"] if t["id"] == id)
sys.exit(0 if eval(sys.argv[2]) else 1)' "$work/$2" "$3" || status=1
  verdict "$1: not $3" "$status"
}

# says FILE TEXT
says() {
  local status=0
  grep -qF -- "$2" "$work/$1" || status=1
  verdict "$1 does not say: $2" "$status"
}

runs 2 --only nothing
says err nothing
runs 2 --only fanout-20,
runs 2 extra
runs 2 --dance
runs 2 --from "$work/a" --quick
runs 0 --help
for option in out quick only list relay from markdown baseline page; do
  says out "--$option"
done
runs 0 --list
says out "sluice-perf fanout --consumers 300 --pps 330"

runs 0 --quick --only fanout-20,loss-10 --out "$work/a" --page "$work/template" --markdown
says out "| what | mediasoup | target | measured | reached |"
says out "| 44 KiB | <= 4 KiB | - | not measured |"
check "what it is" a "r['schema'] == 'sluice-perf-report/1' and r['quick'] is True"
check "the machine" a "r['machine']['cores'] > 0 and r['machine']['cpu'] and r['machine']['kernel']"
check "when and how" a "r['began'].endswith('Z') and '--only fanout-20,loss-10' in r['command']"
check "its scenes" a "[s['name'] for s in r['scenes']] == ['fanout-20', 'loss-10']"
check "all measured" a "all(s['state'] == 'measured' and s['took_s'] > 0 for s in r['scenes'])"
check "a command" a "scene('fanout-20')['command'].startswith('sluice-perf fanout --consumers 20 ')"
check "a run's JSON" a "scene('fanout-20')['runs'][0]['schema'] == 'sluice-perf/2'"
check "what arrived" a \
  "(lambda f: f['received'] == 20 * f['published'] > 0)(scene('fanout-20')['figures'])"
check "loss" a "scene('loss-10')['figures']['lost_on_wire'] > 10"
check "targets" a "len(r['targets']) > 20 and all(t['reached'] is None for t in r['targets'])"
check "the baseline" a "target('memory-consumer')['mediasoup'] == '44 KiB'"
check "whose it is" a "r['baseline']['name'] == 'mediasoup' and r['baseline']['machine']"
page_is_report() {
  python3 - "$work/a" <<'EOF2'
import json, re, sys
page = open(sys.argv[1] + "/report.html").read()
text = re.fullmatch(r'<script type="application/json">(.*)</script>\n', page).group(1)
sys.exit(json.loads(text) != json.load(open(sys.argv[1] + "/report.json")) or "<" in text)
EOF2
}
status=0
page_is_report || status=1
verdict "the page has the report" "$status"

# A scene that fails is told, the next one goes on.
printf '#!/bin/sh\necho "no </script> today" >&2\nexit 1\n' >"$work/relay"
chmod +x "$work/relay"
runs 1 --quick --only fanout-20,loss-1 --out "$work/b" --page "$work/template" \
  --relay "$work/relay"
check "failed" b "[s['state'] for s in r['scenes']] == ['failed', 'failed']"
check "why" b "'</script>' in scene('loss-1')['note'] and scene('loss-1')['runs'] == []"

# Without a template there is the JSON, and what to do for the page; then the page alone is made.
runs 1 --from "$work/a/report.json" --out "$work/c" --page "$work/nothing"
says err "--target perf_page"
check "the same report" c "r['command'].find('loss-10') > 0"
[ ! -e "$work/c/report.html" ] && status=0 || status=1
verdict "there is no page" "$status"
runs 0 --from "$work/c/report.json" --out "$work/c" --page "$work/template" --markdown
says out "| 2,585 | <= 600 | - | not measured |"
cmp "$work/a/report.html" "$work/c/report.html" && status=0 || status=1
verdict "the page of a report that was there" "$status"
echo '{"schema": "other"}' >"$work/other.json"
runs 1 --from "$work/other.json" --out "$work/d" --page "$work/template"
says err "expected the schema"
runs 1 --only fanout-20 --baseline "$work/template" --out "$work/d" --page "$work/template"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
