#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# sluiced and sluicectl as programs: options, exit codes, signals, one relay a socket, tables.
set -u
bin=${SLUICE_BIN:?}
work=$(mktemp -d)
passed=0 failed=0 pid=
unset SLUICE_SOCKET
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$work"' EXIT

check() { # what, then a command
  what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    sed 's/^/    /' "$work/out"
  fi
}

status() { # wanted, then a command
  wanted=$1
  shift
  "$@"
  got=$?
  [ "$got" = "$wanted" ] || { echo "exit status $got, not $wanted"; return 1; }
}

says() { # pattern, then a command, whatever its status
  pattern=$1
  shift
  "$@" 2>&1 | grep -e "$pattern"
}

start() { # options
  "$bin/sluiced" --socket "$work/s" --workers 1 "$@" 2>"$work/log" &
  pid=$!
  for _ in $(seq 100); do
    [ -S "$work/s" ] && "$bin/sluicectl" --socket "$work/s" server.info >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "sluiced did not start:"
  cat "$work/log"
  failed=$((failed + 1))
}

ended() { # wanted status, after at most 10 s
  wait "$pid"
  got=$?
  pid=
  [ "$got" = "$1" ] || { echo "exit status $got, not $1"; cat "$work/log"; return 1; }
}

ctl() {
  "$bin/sluicectl" --socket "$work/s" "$@"
}

check "version" says '^sluiced [0-9]' "$bin/sluiced" --version
check "help names every feature" says 'min_wait, multishot' "$bin/sluiced" --help
check "unknown option" status 2 "$bin/sluiced" --nonsense
check "argument" status 2 "$bin/sluiced" something
check "bad number" says 'workers: expected an integer from 1' "$bin/sluiced" --workers none
check "bad engine" status 2 "$bin/sluiced" --io fast
check "bad feature" status 2 "$bin/sluiced" --without nothing
check "no such configuration" status 2 "$bin/sluiced" --config "$work/none" --check-config
echo '{"wokers":1}' >"$work/c"
check "unknown key" \
  says '/c: wokers: unknown field$' "$bin/sluiced" --config "$work/c" --check-config
check "unknown key is status 2" status 2 "$bin/sluiced" --config "$work/c" --check-config
echo '{"workers":1,"slots":512}' >"$work/c"
check "and says which" \
  says "right ($work/c)" "$bin/sluiced" --config "$work/c" --check-config
check "or that there is none" sh -c "[ -e /etc/sluice/sluiced.json ] ||
  '$bin/sluiced' --check-config | grep 'no file: there is no /etc/sluice/sluiced.json'"
check "unknown flag value" says 'drainSeconds: expected' "$bin/sluiced" --drain-seconds x
check "unknown placement" says 'placement: expected' "$bin/sluiced" --placement x
check "help gives defaults" says '(default 20000)' "$bin/sluiced" --help
check "right configuration" status 0 "$bin/sluiced" --config "$work/c" --check-config
check "the sample is right" status 0 "$bin/sluiced" --config ctl/share/sluiced.json --check-config
check "a certificate without its key" \
  says 'must be given together' "$bin/sluiced" --dtls-cert "$work/cert" --check-config
check "no such certificate" \
  says "$work/cert" "$bin/sluiced" --dtls-cert "$work/cert" --dtls-key "$work/key" --check-config
check "no such certificate is status 2" \
  status 2 "$bin/sluiced" --dtls-cert "$work/cert" --dtls-key "$work/key" --check-config
check "and the relay does not start with it" status 1 \
  "$bin/sluiced" --socket "$work/s" --dtls-cert "$work/cert" --dtls-key "$work/key"
if command -v openssl >/dev/null; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=relay -days 2 \
    -keyout "$work/key" -out "$work/cert" 2>/dev/null
  check "a certificate from files" \
    status 0 "$bin/sluiced" --dtls-cert "$work/cert" --dtls-key "$work/key" --check-config
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/other" 2>/dev/null
  check "somebody else's key" \
    status 2 "$bin/sluiced" --dtls-cert "$work/cert" --dtls-key "$work/other" --check-config
fi
check "the folder is missing" \
  says 'give another place with --socket' "$bin/sluiced" --socket "$work/no/s"
check "and that is status 1" status 1 "$bin/sluiced" --socket "$work/no/s"

check "nobody listens" says 'is the relay running' ctl server.info
check "nobody listens is status 1" status 1 ctl server.info
check "help of a slip" says 'did you mean router.create$' "$bin/sluicectl" --help router.craete
check "nothing to do" status 2 "$bin/sluicectl"
check "methods without a relay" says '^transport.createPlain$' "$bin/sluicectl" --methods
check "help of a method" says 'rtpCapabilities' "$bin/sluicectl" --help router.create
check "bad parameters" status 2 ctl server.info nonsense

start --metrics-port 0
check "info" says '^state *running' ctl server.info
check "a slip" says 'no method router.creat; did you mean router.create?' ctl router.creat
check "an unknown field" says 'router.create: colour: unknown field (-32602)' \
  ctl router.create colour=red
check "second relay" says 'another sluiced listens' "$bin/sluiced" --socket "$work/s"
check "create" \
  says '^id *room$' ctl router.create id=room \
    'mediaCodecs=[{"kind":"audio","mimeType":"audio/opus","clockRate":48000,"channels":2}]'
check "create again" says 'a router has the id room already' ctl router.create id=room
check "create again is status 1" status 1 ctl router.create id=room
check "dotted parameters" \
  says '^localIp *127.0.0.1' ctl transport.createPlain id=t routerId=room \
   listenInfo.ip=127.0.0.1 comedia=true
check "list" says '^room *0 *no *1' ctl router.list
check "json" says '"transports": 1' ctl --json server.census
check "watch" says '^requests .*/s$' ctl --count 2 --interval 0.2 watch server.stats
check "looks in a pipe have their time" \
  says '^---- 20[0-9-]* [0-9:]* [+-][0-9]*$' ctl --count 1 watch server.census
check "metrics" says '^sluice_worker_transports{worker="0"} 1$' ctl server.metrics
check "trace" says 'command' ctl server.trace
check "close" says '^done$' ctl router.close routerId=room
check "nothing is left" says '^sockets *0$' ctl server.census
kill -INT "$pid"
check "SIGINT ends" ended 0
check "the socket is gone" test ! -e "$work/s"

start --without min_wait,udp_segment --io mmsg --log json
check "engine" says 'mmsg' ctl server.info
check "what is missing has a remedy" says 'udp_segment' ctl --json server.info
check "log is JSON" says '"topic":"sluiced"' cat "$work/log"
ctl router.create id=room >/dev/null
kill -TERM "$pid"
sleep 0.3
check "SIGTERM drains" says '^state *draining' ctl server.info
check "nothing new" says 'draining (-32006)' ctl router.create
ctl router.close routerId=room >/dev/null
check "and ends with the last room" ended 0

start --drain-seconds 0
ctl router.create id=room >/dev/null
kill -TERM "$pid"
check "or when the time is over" ended 0

start
kill -KILL "$pid"
wait "$pid" 2>/dev/null
check "a killed relay leaves its socket" test -S "$work/s"
start
check "the next one takes it over" says '^state *running' ctl server.info
check "shutdown" says stopping ctl server.shutdown
check "ends" ended 0

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
