#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# build.sh FILE: builds the template of the report's page, and copies it to FILE. Needs npm.
set -euo pipefail
target=$(realpath -m "${1:?where to}")
cd "$(dirname "$0")/../.."
. ctl/node/node.sh
need_node
need_report_page
mkdir -p "$(dirname "$target")"
cmp -s perf/page/dist/report.html "$target" || cp perf/page/dist/report.html "$target"
