#!/usr/bin/env bash
# The test suites of well-known crates, with the allocator beneath them.
#
#   allocator/tests/suites.sh [--quick] [--backend jemalloc|mimalloc|system] [CRATE...]
#
# cargo fetches each crate's published source. Its tests are run twice: as they are, and with
# installed/lib.rs linked into every test program, which installs the allocator, keeps a second
# account of its own, and reports at exit. It fails if a suite that passes by itself does not pass
# with the allocator, if a program did not have it, if the two accounts differ, or if a block was
# not attributed. A suite that fails by itself is not judged, and a test program that brings an
# allocator of its own is left out. Many of these tests look at the clock: a suite that fails with
# the allocator is run once more, which is said.
#
# --quick takes three crates. Everything is kept in target/suites, logs included. Exit status 77:
# the crates could not be fetched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

ROOT=$PWD
SCRATCH=$(realpath -m "${CARGO_TARGET_DIR:-target}/suites")
# Name and version. Threads that hand each other blocks, deferred frees, pools of threads, trees,
# tables, buffers that grow.
SUITES=(
  "crossbeam-epoch 0.9"
  "serde_json 1"
  "smallvec 1"
  "crossbeam-channel 0.5"
  "crossbeam-skiplist 0.1"
  "rayon 1"
  "bytes 1"
  "hashbrown 0.17"
  "indexmap 2"
  "petgraph 0.8"
)
QUICK=3
# A suite that takes longer hangs.
MOST_SECONDS=1800

# Optimised, so that threads meet, and with the checks of a debug build.
export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0
export CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0
# What the compiler has come to dislike in a crate is not the question, as in any dependency.
export RUSTFLAGS="${RUSTFLAGS-} --cap-lints=allow"

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit "$1"
}

backend=jemalloc
wanted=()
while (($#)); do
  case $1 in
    --quick) SUITES=("${SUITES[@]:0:QUICK}") ;;
    --backend)
      [[ ${2-} =~ ^(jemalloc|mimalloc|system)$ ]] || usage 2 >&2
      backend=$2
      shift
      ;;
    --help) usage 0 ;;
    -*) usage 2 >&2 ;;
    *) wanted+=("$1") ;;
  esac
  shift
done

# Narrows SUITES to the crates named on the command line.
narrow() {
  local suite kept=() name
  for name in "$@"; do
    for suite in "${SUITES[@]}"; do
      [[ $suite == "$name "* ]] && kept+=("$suite")
    done
  done
  ((${#kept[@]} == $#)) || { echo "known are: ${SUITES[*]}" >&2; exit 2; }
  SUITES=("${kept[@]}")
}

# Has cargo bring the sources of all suites to $SCRATCH/vendor, each as NAME-VERSION.
fetch() {
  mkdir -p "$SCRATCH/fetch/src"
  cd "$SCRATCH/fetch"
  : >src/lib.rs
  {
    printf '[package]\nname = "suites"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
    printf '[dependencies]\n'
    local suite
    for suite in "${SUITES[@]}"; do
      printf '%s = "%s"\n' "${suite% *}" "${suite#* }"
    done
  } >Cargo.toml
  cargo vendor --quiet --versioned-dirs "$SCRATCH/vendor" >/dev/null 2>"$SCRATCH/fetch.log"
}

# The directory of a crate ($1) in $SCRATCH/vendor.
source_of() {
  cargo tree --manifest-path "$SCRATCH/fetch/Cargo.toml" --depth 1 --prefix none --format '{p}' |
    awk -v name="$1" '$1 == name { print name "-" substr($2, 2) }'
}

# The package that installs the allocator.
make_installed() {
  mkdir -p "$SCRATCH/installed"
  cat >"$SCRATCH/installed/Cargo.toml" <<TOML
[package]
name = "installed-bursar"
version = "0.0.0"
edition = "2024"

[workspace]

[lib]
path = "$ROOT/allocator/tests/installed/lib.rs"

[features]
default = ["$backend"]
jemalloc = ["bursar-alloc/jemalloc"]
mimalloc = ["bursar-alloc/mimalloc"]
system = []

[dependencies]
bursar-alloc = { path = "$ROOT/allocator", default-features = false }
libc = "0.2"
TOML
}

# Copies a crate's source ($1) to a directory ($2), as a workspace of its own.
copy() {
  rm -rf "$2"
  mkdir -p "$2"
  cp -R "$SCRATCH/vendor/$1/." "$2" || return
  # The checksums are of files that are changed here; the locked versions may be years old.
  rm -f "$2/.cargo-checksum.json" "$2/Cargo.lock"
  printf '\n[workspace]\n' >>"$2/Cargo.toml"
  # A program has one global allocator: what brings its own is emptied.
  local file
  for file in "$2"/tests/*.rs "$2"/tests/*/main.rs; do
    if [[ -f $file ]] && grep -q '#\[global_allocator\]' "$file"; then
      : >"$file"
    fi
  done
}

# Has every test program of the package in $1 link the allocator.
inject() {
  cat >>"$1/Cargo.toml" <<TOML

[dev-dependencies.installed-bursar]
path = "$SCRATCH/installed"
TOML
  printf '\n#[cfg(test)]\nextern crate installed_bursar as _;\n' >>"$1/src/lib.rs"
  local file
  for file in "$1"/tests/*.rs "$1"/tests/*/main.rs; do
    if [[ -s $file ]]; then
      printf '\nextern crate installed_bursar as _;\n' >>"$file"
    fi
  done
}

# Runs the tests of the package in $1; all that is said goes to $2.
run_tests() {
  (cd "$1" && CARGO_TARGET_DIR="$SCRATCH/target" \
    timeout "$MOST_SECONDS" cargo test --lib --tests --no-fail-fast) >"$2" 2>&1 </dev/null
}

# Runs the tests of the package in $1, which has the allocator; each process adds a line to $2.
run_with() {
  : >"$2"
  BURSAR_SUITES_REPORT=$2 run_tests "$1" "$1.log"
}

# How many tests passed, by a log.
passed() {
  awk '/^test result:/ { sum += $4 } END { print sum + 0 }' "$1"
}

# The test programs with tests in a log ($2) that have no line in the report ($3), of those that the
# package in $1 has with the allocator.
programs_without() {
  local source program
  awk '
    /^ *Running / {
      program = $NF
      gsub(/^.*\/|\)$/, "", program)
      source = $(NF - 1)
    }
    /^running [1-9]/ { print source, program }
  ' "$2" |
    while read -r source program; do
      if grep -q installed_bursar "$1/$source" && ! grep -q "^$program " "$3"; then
        echo "$source"
      fi
    done
}

# The report ($1) in one line, and whether there is nothing amiss in it.
sum_up() {
  awk '
    {
      for (field = 2; field <= NF; field++) {
        split($field, pair, "=")
        sum[pair[1]] += pair[2]
        if (pair[1] ~ /^(drift|unattributed)/ && pair[2] != 0) amiss = amiss "\n    " $0
        if (pair[1] ~ /^(blocks|live)$/ && pair[2] <= 0) amiss = amiss "\n    " $0
      }
      backend = pair[2]
    }
    END {
      printf "%d processes, %d blocks, %.0f MiB; live at exit %d bytes; unattributed %d; off by %d (%s)", \
        NR, sum["blocks"], sum["bytes"] / 1048576, sum["live"], sum["unattributed"], \
        sum["drift_bytes"] + sum["drift_blocks"], backend
      if (amiss) print amiss; else print ""
      exit amiss != "" || NR == 0
    }
  ' "$1"
}

# Runs one crate's suite both ways. Status 1: the allocator is at fault; 2: not judged.
judge() {
  local name=$1 bare=$SCRATCH/bare/$1 with=$SCRATCH/with/$1 report=$SCRATCH/$1.report
  local source bare_passed with_passed without summary
  if ! { source=$(source_of "$name") && copy "$source" "$bare" && copy "$source" "$with"; }; then
    echo "$name: its source could not be copied from $SCRATCH/vendor"
    return 1
  fi
  if ! run_tests "$bare" "$bare.log"; then
    echo "$source: fails by itself, not judged; see $bare.log"
    return 2
  fi
  inject "$with"
  if ! run_with "$with" "$report"; then
    mv "$with.log" "$with.first.log"
    echo "$source: fails with the allocator; once more; see $with.first.log"
    grep -E '^test .* FAILED$|^error|SIG' "$with.first.log" | head -n 20
    if ! run_with "$with" "$report"; then
      echo "$source: FAILS with the allocator again; see $with.log"
      return 1
    fi
  fi
  bare_passed=$(passed "$bare.log")
  with_passed=$(passed "$with.log")
  if ((with_passed != bare_passed)); then
    echo "$source: $with_passed tests passed with the allocator, $bare_passed without"
    return 1
  fi
  without=$(programs_without "$with" "$with.log" "$report")
  if [[ $without ]]; then
    echo "$source: no report, so no allocator, in: $without"
    return 1
  fi
  if ! summary=$(sum_up "$report"); then
    echo "$source: the accounts are WRONG: $summary"
    return 1
  fi
  echo "$source: $with_passed tests passed; $summary"
}

if ((${#wanted[@]})); then
  narrow "${wanted[@]}"
fi
if ! (fetch); then
  echo "the crates could not be fetched: $(tail -n 1 "$SCRATCH/fetch.log")"
  exit 77
fi
make_installed
judged=0
failed=0
for suite in "${SUITES[@]}"; do
  status=0
  # Run as a condition, so nothing in it ends the script: each step is looked at.
  judge "${suite% *}" || status=$?
  case $status in
    0) judged=$((judged + 1)) ;;
    2) ;;
    *) failed=$((failed + 1)) ;;
  esac
done
echo "of ${#SUITES[@]} suites $judged passed with the allocator, $failed did not"
((failed == 0 && judged > 0))
