#!/usr/bin/env bash
# Runs the benchmarks of build/ and prints their lines; docs/benchmarks.md keeps a dated copy.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== plimsoll --help, best of 20"
best=1000000
for _ in $(seq 20); do
    start=$(date +%s%N); build/plimsoll --help >/dev/null; took=$((($(date +%s%N) - start) / 1000))
    [ "$took" -lt "$best" ] && best=$took
done
echo "$best µs"

exec {sim}< <(exec build/plimsoll sim serve --port 0 --ttft 1 --itl 0 --tokens 16)
sim_pid=$!
trap 'kill $sim_pid 2>/dev/null' EXIT
read -r -u "$sim" line
url=${line##* }

echo "== idle server, resident memory"
resident=$(awk '/VmRSS/ {print $2 " kB"}' "/proc/$sim_pid/status")
echo "$resident"

echo "== 1,000 sessions at once, five steps of one second each"
build/sessions_bench "$url/v1" 1000

echo "== load generator"
build/load_cost_bench

for bench in build/*_bench; do
    case "$bench" in build/sessions_bench | build/load_cost_bench) continue ;; esac
    echo "== $(basename "$bench")"
    "$bench" --benchmark_min_time=0.2
done
