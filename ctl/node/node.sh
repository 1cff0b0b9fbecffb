# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Node for the scripts, which source this from the top of the repository.
#   need_node          puts Node 22 or newer into PATH: the system's, else the pinned one of
#                      ctl/node/runtime, installed under build/node. It needs npm, and says so.
#   need_modules DIR   npm ci in DIR, unless what is there came from its package-lock.json.
#   need_client        the library itself: its modules, and dist/ as its sources are now.
#   need_web           the room page of ctl/web: its modules, the library, and the bundle in dist/.
#   need_report_page   the template of sluice-perf's report, in perf/page/dist/.

node_version_min=22

node_is_new() {
  local version
  version=$(node --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$node_version_min" ]
}

need_node() {
  if ! command -v npm >/dev/null; then
    echo "npm is missing (Debian: apt-get install npm)" >&2
    return 1
  fi
  node_is_new && return 0

  local machine
  case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) echo "Node $node_version_min or newer is needed; please install it" >&2; return 1 ;;
  esac
  mkdir -p build/node
  cp ctl/node/runtime/package.json ctl/node/runtime/package-lock.json build/node/
  need_modules build/node || return 1
  PATH=$PWD/build/node/node_modules/node-linux-$machine/bin:$PATH
  if ! node_is_new; then
    echo "the Node under build/node does not run" >&2
    return 1
  fi
}

# One at a time: tests of several presets may want the same folder.
need_modules() {
  local dir=$1 log
  mkdir -p build
  (
    flock 9
    cmp -s "$dir/package-lock.json" "$dir/node_modules/.sluice-lock" && exit 0
    log=$(mktemp)
    if ! (cd "$dir" && npm ci --no-audit --no-fund) >"$log" 2>&1; then
      echo "npm ci in $dir failed:" >&2
      tail -n 20 "$log" >&2
      rm -f "$log"
      exit 1
    fi
    rm -f "$log"
    cp "$dir/package-lock.json" "$dir/node_modules/.sluice-lock"
  ) 9>build/npm.lock
}

need_client() {
  need_modules ctl/node && need_dist ctl/node src tsconfig.json
}

need_web() {
  need_client && need_modules ctl/web && need_dist ctl/web page build.js
}

need_report_page() {
  need_modules perf/page &&
    need_dist perf/page build.js index.html style.css main.js dom.js draw.js plots.js
}

# need_dist DIR SOURCE...: builds in DIR, unless nothing is newer than what was built.
need_dist() {
  local dir=$1
  shift
  (
    flock 9
    cd "$dir" || exit 1
    [ -e dist/.built ] &&
      [ -z "$(find "$@" package.json package-lock.json -newer dist/.built)" ] && exit 0
    started=$(mktemp)
    npm --silent run build && mkdir -p dist && cp -p "$started" dist/.built
    status=$?
    rm -f "$started"
    exit $status
  ) 9>build/npm.lock
}
