# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Debian packages for ctl/run.sh and test/run.sh, which source this.
#   need_packages PACKAGE...   installs those that are missing, as root or by sudo. Where neither is
#                              possible it prints the install line and exits 2. The package manager
#                              is not called when nothing is missing.

# What every build needs.
# shellcheck disable=SC2034  # used by those who source this
build_packages=(gcc libc6-dev make cmake ninja-build pkg-config dpkg-dev libsrtp2-dev
  libjansson-dev)

missing_packages() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
      ?i*) ;;
      *) echo "$package" ;;
    esac
  done
}

need_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian: please see to it yourself that these are there: $*" >&2
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0

  local install=(apt-get install -y --no-install-recommends "${missing[@]}") root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! { sudo -n true || sudo -v; } 2>/dev/null; then
      echo "Packages are missing, and this user may not install them. As root:" >&2
      echo "  apt-get update && ${install[*]}" >&2
      exit 2
    fi
    root=(sudo)
  fi
  echo "Installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! "${root[@]}" apt-get -q update >"$log" 2>&1 ||
    ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" >>"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    echo "Installing packages failed: ${install[*]}" >&2
    exit 2
  fi
  rm -f "$log"
}
