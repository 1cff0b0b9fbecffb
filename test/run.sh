#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs every test; see --help. The scheme of the tests is described in test/CMakeLists.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
. core/cmake/packages.sh

usage() {
  cat <<'EOF'
usage: test/run.sh [--long] [--only REGEX] [--help]

Installs what is missing (root or sudo), builds the presets dev (address and undefined-behaviour
sanitizers), tsan, release and fuzz, and runs: every test under dev, those with threads under tsan
as well, the fuzz targets for 20 seconds each, the style and shell checks.

  --long        also the tests labelled `long`; 10 minutes for each fuzz target
  --only REGEX  only the tests whose names match (a fuzz target X is called fuzz_X)
  --help        this text

Logs are in build/test-logs/. The last line is "N passed, M failed"; exit status 0 if none failed,
1 if some did, 2 if something needed is missing.
EOF
}

long=0
only=
while [ $# -gt 0 ]; do
  case $1 in
    --long) long=1 ;;
    --only)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      only=$2
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "test/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

logs=build/test-logs
passed=0
failed=0
failures=()

# count PASSED FAILED NAME [LOG]: adds to the sums; a failure shows the end of its log.
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  [ "$2" -gt 0 ] || return 0
  failures+=("$3")
  if [ $# -gt 3 ]; then
    echo "---- $3 failed, the end of $4:"
    tail -n 40 "$4"
    echo "----"
  fi
}

# finish: the last line and the exit status.
finish() {
  if [ ${#failures[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failures[@]}"
  fi
  if [ $((passed + failed)) -eq 0 ]; then
    echo "no test ran" >&2
    failed=1
  fi
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

# build PRESET [OPTION...]: one that does not build is one failure, and its tests do not run.
build() {
  local preset=$1 log=$logs/build-$1.log
  shift
  echo "== build $preset"
  if cmake --preset "$preset" "$@" >"$log" 2>&1 &&
    cmake --build --preset "$preset" >>"$log" 2>&1; then
    return 0
  fi
  count 0 1 "build of $preset" "$log"
  return 1
}

# read_ctest_log FILE SCREEN: one line "NAME PASSED FAILED" per test. A test that prints no "N
# passed, M failed" is one test; one that failed in another way than by its count has one
# failure more. Only what ctest prints on the screen tells a skipped test from a passed one.
read_ctest_log() {
  awk -v screen="$2" '
    BEGIN {
      while ((getline line <screen) > 0)
        if (line ~ /\*\*\*Skipped/ && split(line, word) > 4) skipped[word[4]] = 1
    }
    function emit() {
      if (name == "" || name in skipped) { name = ""; return }
      if (!counted) { p = ok; f = !ok } else if (!ok && f == 0) f = 1
      print name, p, f
      name = ""
    }
    /^[0-9]+\/[0-9]+ Testing: / { emit(); name = $3; p = f = counted = ok = 0; next }
    match($0, /^[0-9]+ passed, [0-9]+ failed/) { p = $1; f = $3; counted = 1; next }
    /^Test Passed\.$/ { ok = 1 }
    END { emit() }
  ' "$1"
}

# show_test FILE NAME: the end of the part of the log that belongs to one test.
show_test() {
  echo "---- $2 failed, the end of its output ($1):"
  awk -v want="$2" '
    /^[0-9]+\/[0-9]+ Testing: / { on = ($3 == want) }
    on' "$1" | tail -n 60
  echo "----"
}

# run_ctest PRESET [CTEST OPTION...]
run_ctest() {
  local preset=$1 log=$logs/ctest-$1.log screen=$logs/ctest-$1.screen
  local name p f status=0 before=$failed
  shift
  echo "== tests under $preset"
  [ -z "$only" ] || set -- "$@" -R "$only"
  [ "$long" -eq 1 ] || set -- "$@" -LE '^long$'
  rm -f "build/$preset/Testing/Temporary/LastTest.log"
  set +e
  SLUICE_LONG=$long ctest --test-dir "build/$preset" -j "$(nproc)" "$@" 2>&1 |
    tee "$screen" | grep -E '^ *[0-9]+/[0-9]+ Test|^No tests|^Total'
  status=${PIPESTATUS[0]}
  set -e
  if [ ! -e "build/$preset/Testing/Temporary/LastTest.log" ]; then
    return 0
  fi
  cp "build/$preset/Testing/Temporary/LastTest.log" "$log"
  while read -r name p f; do
    count "$p" "$f" "$name ($preset)"
    [ "$f" -eq 0 ] || show_test "$log" "$name"
  done < <(read_ctest_log "$log" "$screen")
  grep -hE '^[^ ]+:[0-9]+: skipped: ' "$log" || true
  if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then
    count 0 1 "ctest itself under $preset" "$log"
  fi
}

# run_release: what says something only without sanitizers: memory, and a storm of full size. By
# itself, before anything else runs.
run_release() {
  local name=perf_storm_release log=$logs/perf_storm_release.log sums
  [[ $name =~ $only ]] || return 0
  echo "== $name"
  SLUICE_BIN=$PWD/build/release/bin timeout -k 10 900 test/perf_storm_test.sh >"$log" 2>&1 || true
  sums=$(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 || true)
  if [ -z "$sums" ]; then
    count 0 1 "$name" "$log"
  else
    count "${sums%% *}" "$(awk '{print $3}' <<<"$sums")" "$name" "$log"
  fi
}

declare -A fuzzing=() # process id -> name of the target

# shellcheck disable=SC2317  # called by the trap
stop_fuzzing() {
  [ ${#fuzzing[@]} -eq 0 ] || kill "${!fuzzing[@]}" 2>/dev/null || true
  exit 130
}
trap stop_fuzzing INT TERM

# start_fuzz NAME SECONDS: the finding, if any, is kept in build/fuzz/findings/.
start_fuzz() {
  local name=$1 seconds=$2 corpus=build/fuzz/corpus/$1 options=()
  mkdir -p "$corpus" build/fuzz/findings
  [ ! -e "test/fuzz/$name.dict" ] || options+=("-dict=test/fuzz/$name.dict")
  timeout -k 10 $((seconds + 120)) "build/fuzz/bin/fuzz_$name" "-max_total_time=$seconds" \
    -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "${options[@]}" \
    "-artifact_prefix=build/fuzz/findings/$name-" "$corpus" "test/corpus/$name" \
    >"$logs/fuzz-$name.log" 2>&1 &
  fuzzing[$!]=$name
}

# end_fuzz: waits until one target has ended, and counts it.
end_fuzz() {
  local pid='' status=0 name log
  wait -n -p pid "${!fuzzing[@]}" || status=$?
  name=${fuzzing[$pid]}
  log=$logs/fuzz-$name.log
  unset "fuzzing[$pid]"
  if [ "$status" -eq 0 ]; then
    echo "fuzz_$name: $(awk '/stat::number_of_executed_units/ {print $2}' "$log") inputs"
    count 1 0 "fuzz_$name"
  else
    count 0 1 "fuzz_$name (exit $status)" "$log"
  fi
}

# run_fuzz: all targets, as many at a time as there are processors (4 at most).
run_fuzz() {
  local seconds=20 width name targets=()
  [ "$long" -eq 0 ] || seconds=600
  width=$(nproc)
  [ "$width" -le 4 ] || width=4
  while read -r name; do
    if [ -n "$name" ] && [[ fuzz_$name =~ $only ]]; then
      targets+=("$name")
    fi
  done <build/fuzz/fuzz-targets
  [ ${#targets[@]} -gt 0 ] || return 0
  echo "== fuzz: ${#targets[@]} targets, $seconds s each"
  for name in "${targets[@]}"; do
    [ ${#fuzzing[@]} -lt "$width" ] || end_fuzz
    start_fuzz "$name" "$seconds"
  done
  while [ ${#fuzzing[@]} -gt 0 ]; do
    end_fuzz
  done
}

need_packages "${build_packages[@]}" clang libclang-rt-14-dev clang-format-14 check shellcheck \
  python3 systemd mandoc man-db ffmpeg jq procps gstreamer1.0-tools gstreamer1.0-plugins-base \
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly \
  gstreamer1.0-libav gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 python3-gi firefox-esr
# Node and the browsers may be there from elsewhere.
others=()
command -v npm >/dev/null || others+=(npm)
command -v chromium >/dev/null || others+=(chromium)
command -v firefox-esr >/dev/null || others+=(firefox-esr)
[ ${#others[@]} -eq 0 ] || need_packages "${others[@]}"
# The ciphers that a build may take instead of wolfCrypt's: dev tests both where it is installed.
[ "$(uname -m)" != x86_64 ] || need_packages libipsec-mb-dev
mkdir -p "$logs"

# The release programs are also for the test of ctl/run.sh, which builds as it does here.
if build release -DSLUICE_TESTS=OFF; then
  run_release
fi
if build dev; then
  run_ctest dev
fi
if build tsan; then
  run_ctest tsan -L '^threads$'
fi
if build fuzz; then
  run_fuzz
fi
finish
