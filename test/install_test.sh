#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs into an empty folder and looks at what is there: the list of files, the unit with
# systemd's own checks, the man pages with two formatters, the completion, the configuration.
set -euo pipefail
build=${SLUICE_BUILD:?}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0
failed=0

# check WHAT COMMAND...: one test; what the command printed is shown if it failed.
check() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n%s\n' "$what" "$out"
  fi
}

# What this build does not make is not expected: sanitized ones have no counting library.
programs() {
  local path library=libsluice-heapcount.so
  for path in sbin/sluiced bin/sluicectl bin/sluice-perf; do
    [ ! -x "$build/bin/${path#*bin/}" ] || echo "usr/$path"
  done
  [ ! -e "$build/share/sluice/report.html" ] || echo usr/share/sluice/report.html
  if [ -e "$build/bin/$library" ]; then
    echo "usr/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:PATH=//p' "$build/CMakeCache.txt")/sluice/$library"
  fi
}

list_is_complete() {
  diff <(
    {
      programs
      cat <<'EOF'
etc/sluice/sluiced.json
usr/lib/systemd/system/sluiced.service
usr/lib/sysctl.d/60-sluice.conf
usr/lib/sysusers.d/sluice.conf
usr/share/bash-completion/completions/sluicectl
usr/share/doc/sluice/LICENSE
usr/share/doc/sluice/sluiced.json
usr/share/man/man1/sluice-perf.1
usr/share/man/man1/sluicectl.1
usr/share/man/man8/sluiced.8
usr/share/sluice/baseline.json
EOF
    } | sort
  ) <(cd "$root" && find . -type f | sed 's,^\./,,' | sort)
}

unit_verifies() {
  # systemd wants the program to be there.
  mkdir -p "$root/unit"
  cp /bin/true "$root/unit/program"
  sed "s,^ExecStart=[^ ]*,ExecStart=$root/unit/program," \
    "$root/usr/lib/systemd/system/sluiced.service" >"$root/unit/sluiced.service"
  local out unit=$root/unit/sluiced.service
  if ! out=$(systemd-analyze verify --man=no "$unit" 2>&1) || [ -n "$out" ]; then
    echo "$out"
    return 1
  fi
}

# The whole number that systemd-analyze prints is the exposure times ten.
unit_is_sandboxed() {
  systemd-analyze security --offline=true --no-pager --threshold=20 "$root/unit/sluiced.service"
}

unit_allows() {
  local call
  for call in io_uring_setup io_uring_enter io_uring_register sched_setaffinity; do
    grep -q "^SystemCallFilter=[^~]*\<$call\>" "$root/unit/sluiced.service" || return 1
  done
}

unit_starts_the_installed() {
  grep -qx "ExecStart=/usr/sbin/sluiced --config /etc/sluice/sluiced.json" \
    "$root/usr/lib/systemd/system/sluiced.service"
}

manual_is_clean() {
  local out
  out=$(mandoc -T lint -W warning "$1" 2>&1; LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z \
    "$1" 2>&1 >/dev/null)
  [ -z "$out" ] || { echo "$out"; return 1; }
}

# manual_is_complete PAGE COMMAND...: every long option that the command prints is in the page.
manual_is_complete() {
  local option missing=0
  while read -r option; do
    if ! grep -qE "Fl -${option#--}( |\$)" "$1"; then
      echo "$option is not in $1"
      missing=1
    fi
  done < <("${@:2}" 2>&1 | grep -oE -- '(^|[^-a-z])--[a-z][a-z-]+' | grep -oE -- '--.*' |
    sort -u)
  return $missing
}

# Every key of the configuration has an entry of its own in the man page.
manual_has_keys() {
  local key n=0
  for key in $(awk '/key_names\[\] = {/ {on = 1; next} on; /NULL/ {on = 0}' ctl/config.c |
    grep -oE '"[a-zA-Z]+"' | tr -d '"'); do
    grep -qE "^\.It Sy ([a-zA-Z]+ , )*$key( |\$)" "$1" || { echo "$key is not in $1"; return 1; }
    n=$((n + 1))
  done
  [ "$n" -gt 10 ] || { echo "only $n keys found in ctl/config.c"; return 1; }
}

# completes LINE WORD: the last word of the line has one completion.
completes() {
  # shellcheck disable=SC2016  # for the other shell
  PATH=$build/bin:$PATH bash -c '. "$1"; read -r -a COMP_WORDS <<<"$2"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _sluicectl sluicectl
    echo "${COMPREPLY[@]}"
    [ "${COMPREPLY[*]}" = "$3" ]' completes "$completion" "$1" "$2"
}

configuration_stays() {
  echo '{"mine": 1}' >"$root/etc/sluice/sluiced.json"
  install_all
  grep -q mine "$root/etc/sluice/sluiced.json"
}

install_all() {
  DESTDIR=$root cmake --install "$build" --prefix /usr
}

check "cmake --install" install_all
check "list of files" list_is_complete
check "unit: systemd-analyze verify" unit_verifies
check "unit: systemd-analyze security" unit_is_sandboxed
check "unit: system calls" unit_allows
check "unit: the installed program" unit_starts_the_installed
for page in man8/sluiced.8 man1/sluicectl.1 man1/sluice-perf.1; do
  program=$(basename "${page%.?}")
  check "$program: man page" manual_is_clean "$root/usr/share/man/$page"
  if [ -x "$build/bin/$program" ]; then
    check "$program: options" manual_is_complete "$root/usr/share/man/$page" \
      "$build/bin/$program" --help
  fi
done
if [ -x "$build/bin/sluice-perf" ]; then
  check "sluice-perf report: options" manual_is_complete "$root/usr/share/man/man1/sluice-perf.1" \
    "$build/bin/sluice-perf" report --help
fi
check "sluiced: configuration in the man page" manual_has_keys \
  "$root/usr/share/man/man8/sluiced.8"
completion=$root/usr/share/bash-completion/completions/sluicectl
check "completion: syntax" bash -n "$completion"
if [ -x "$build/bin/sluicectl" ]; then
  check "completion: methods" completes "sluicectl router.can" router.canConsume
  check "completion: verbs" completes "sluicectl wat" watch
  check "completion: options" completes "sluicectl --inter" --interval
  check "completion: parameters" completes "sluicectl watch transport.getStats trans" transportId=
  check "completion: events" completes "sluicectl listen producer.sc" producer.score
fi
if [ -x "$build/bin/sluiced" ]; then
  check "sample configuration" "$build/bin/sluiced" --check-config \
    --config "$root/etc/sluice/sluiced.json"
fi
check "a second installation leaves the configuration" configuration_stays
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
