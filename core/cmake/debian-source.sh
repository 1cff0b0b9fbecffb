#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Unpacks a Debian source package, Debian's patches applied, from the archive that this machine's
# apt already uses.
#   debian-source.sh PACKAGE SUITE ORIG_SHA256 DEST
# Runs as any user and touches nothing under /etc or /var. apt checks the signature of the suite's
# index and with it every file; the upstream tarball must in addition have the pinned SHA-256.
set -eu

fail() {
  echo "debian-source.sh: $1" >&2
  exit 2
}

[ $# -eq 4 ] || fail "usage: debian-source.sh PACKAGE SUITE ORIG_SHA256 DEST"
package=$1 suite=$2 sha=$3 dest=$4

for tool in apt-get dpkg-source sha256sum; do
  command -v "$tool" >/dev/null || fail "$tool is missing (Debian packages: apt dpkg-dev coreutils)"
done

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# shellcheck disable=SC2016  # the format's $(...) is apt's, not the shell's
archive=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' \
  'Created-By: Packages' |
  awk -v c="$codename" '
    $1 == c || $1 ~ /^(stable|oldstable|testing|unstable|sid)$/ { print $2; exit }')
[ -n "$archive" ] || fail "apt knows no Debian archive"

mkdir -p "$(dirname "$dest")"
private=$(cd "$(dirname "$dest")" && pwd)/.apt
mkdir -p "$private/lists/partial" "$private/cache/archives/partial" "$private/$package"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed_by=
[ ! -e "$keyring" ] || signed_by="[signed-by=$keyring] "
printf 'deb-src %s%s %s main\n' "$signed_by" "$archive" "$suite" >"$private/$suite.list"

apt_private() {
  apt-get -q -o "Dir::Etc::sourcelist=$private/$suite.list" -o Dir::Etc::sourceparts=- \
    -o "Dir::State::lists=$private/lists" -o "Dir::Cache=$private/cache" \
    -o Acquire::Languages=none -o Acquire::Retries=3 -o "APT::Sandbox::User=$(id -un)" \
    -o APT::Get::List-Cleanup=0 "$@"
}

if [ -z "$(find "$private/lists" -maxdepth 1 -name "*_dists_${suite}_*Sources*" -mmin -60)" ]; then
  apt_private update
fi
cd "$private/$package"
rm -f -- *.dsc
apt_private source --download-only "$package"
orig=$(find . -maxdepth 1 -name "${package}_*.orig.tar.*" ! -name '*.asc')
[ "$(echo "$orig" | wc -l)" -eq 1 ] || fail "not exactly one upstream tarball: $orig"
echo "$sha  $orig" | sha256sum -c - || fail "the upstream tarball is not the pinned one"
rm -rf "$dest"
dpkg-source --no-check -x ./*.dsc "$dest"
cd "$private"
rm -rf "${private:?}/$package"
