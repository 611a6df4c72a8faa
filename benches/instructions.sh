#!/usr/bin/env bash
# Instructions of one allocation and its free, bare and under Bursar.
#
# Each program runs twice, with N and with 2N pairs, under callgrind. The
# difference over N is what a pair costs: start-up cancels out. Counts do not
# depend on how busy the machine is.
#
# Needs valgrind. N is the first argument, 100000 if there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

pairs=${1:-100000}
target=${CARGO_TARGET_DIR:-../target}

if ! command -v valgrind >/dev/null; then
  echo "skipped: valgrind is not installed"
  exit 0
fi
cargo build --quiet --release -p bursar-benches --bins </dev/null

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Prints how many instructions program $1 executes for $2 pairs.
count() {
  local log=$scratch/log
  if ! valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
    "$target/release/$1" "$2" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    return 1
  fi
  awk '/Collected/ { print $NF }' "$log"
}

# Prints the instructions of a pair in program $1, with one decimal.
per_pair() {
  local once twice
  once=$(count "$1" "$pairs")
  twice=$(count "$1" "$((2 * pairs))")
  awk -v once="$once" -v twice="$twice" -v pairs="$pairs" \
    'BEGIN { printf "%.1f", (twice - once) / pairs }'
}

bare=$(per_pair pairs_bare)
bursar=$(per_pair pairs_bursar)
echo "instructions per allocation and free of 48 bytes, $pairs pairs"
printf '%-12s %8s\n' "bare" "$bare" "bursar" "$bursar" \
  "added" "$(awk -v a="$bare" -v b="$bursar" 'BEGIN { printf "%.1f", b - a }')"
