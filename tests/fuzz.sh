#!/usr/bin/env bash
# Runs every fuzz target for a while, from forged seeds and from what earlier runs found.
#
#   fuzz.sh [SECONDS] [TARGET..]     60 seconds and all targets without arguments
#
# The targets are those of cargo-fuzz, and `cargo +nightly fuzz run --fuzz-dir tests/fuzz TARGET` runs
# one with AddressSanitizer. Here they are built without it: LLVM's coverage is in the stable compiler,
# the code under test has no unsafe Rust, and a new machine needs neither a nightly compiler nor a
# minute and a half to build cargo-fuzz.
#
# With SEED in the environment the inputs are drawn in the same order again, so that a run that was green
# for a minute does not turn red within twenty seconds on a change that it has nothing to do with.
#
# The corpus stays in target/fuzz/corpus, and an input that breaks something in target/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
shift || true
all=(elf layer archive reference platform document digest image dockerfile)
[[ $# -gt 0 ]] || set -- "${all[@]}"

triple=$(rustc -vV | sed -n 's/^host: //p')
work=$PWD/target/fuzz
bin=$work/$triple/release
# Each target may have its own option; the longest input is a matter of the time that one may take.
max_length=16384
# One input that takes longer is a finding: nothing that small is worth a second.
limits=(-timeout=10 -rss_limit_mb=512 -max_len="$max_length" -print_final_stats=1 -seed="${SEED:-0}")

# What cargo-fuzz passes as well. With --target they do not reach build scripts.
coverage="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"

printf 'building the fuzz targets\n' >&2
RUSTFLAGS="$coverage" cargo build --quiet --locked --manifest-path tests/fuzz/Cargo.toml \
    --target-dir "$work" --target "$triple" --release --bins
cargo run --quiet --locked --package mpcheck-kit --bin mpcheck-seeds -- "$work/seeds" tests/fuzz/seeds

failed=0
for target in "$@"; do
    mkdir -p "$work/corpus/$target" "$work/artifacts/$target"
    log=$work/$target.log
    if "$bin/$target" -max_total_time="$seconds" "${limits[@]}" -artifact_prefix="$work/artifacts/$target/" \
        "$work/corpus/$target" "$work/seeds/$target" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
        printf '%-10s ok      %9s runs, %s\n' "$target" "$runs" "$covered"
        continue
    fi
    failed=1
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    printf '%-10s FAILED  %s\n' "$target" "${input:-it did not start}"
    grep -aE -m 3 'panicked at|allocation of|ERROR: libFuzzer' -A 2 "$log" | sed 's/^/    /' >&2 || tail -n 5 "$log" >&2
    [[ -z $input ]] || printf '    again:   %s %s\n    log:     %s\n' "$bin/$target" "$input" "$log" >&2
done
exit "$failed"
