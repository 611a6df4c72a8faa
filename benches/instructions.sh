#!/usr/bin/env bash
# Instructions of one allocation and its free, over each backend bare and under Bursar.
#
# Counts hardly depend on how busy the machine is. Needs valgrind. The number of pairs is the
# first argument, 100000 if there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v valgrind >/dev/null; then
  echo "skipped: valgrind is not installed"
  exit 0
fi
exec cargo run --quiet --release -p bursar-benches --bin compare -- --instructions "${1:-100000}"
