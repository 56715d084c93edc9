#!/usr/bin/env bash
# NAT's profiler and ours on the same made trace: time, memory, and whether all files are equal.
#
#   tools/bench_nat_profiler.sh [SESSIONS]       1000 by default; NAT needs about a minute for 1000 and grows with the square
#
# Needs a release build with PLIMSOLL_BENCH=ON. NAT is installed into .cache/nat-venv on first use.
set -euo pipefail
cd "$(dirname "$0")/.."

sessions=${1:-1000}
venv=.cache/nat-venv
work=.cache/bench_nat_profiler
version=1.9.0

if [ ! -e "$venv/installed-$version" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "nvidia-nat==$version" "nvidia-nat-eval==$version" "nvidia-nat-profiler==$version" greenlet
    touch "$venv/installed-$version"
fi

mkdir -p "$work/nat" "$work/ours"
cat > "$work/settings.json" <<'SETTINGS'
{"base_metrics": true, "token_uniqueness_forecast": true, "workflow_runtime_forecast": true, "compute_llm_metrics": true,
 "csv_exclude_io_text": true, "prompt_caching_prefixes": {"enable": true, "min_frequency": 0.1},
 "bottleneck_analysis": {"enable_simple_stack": true, "enable_nested_stack": true},
 "concurrency_spike_analysis": {"enable": true, "spike_threshold": 7},
 "prefix_span_analysis": {"enable": true}, "prediction_trie": {"enable": true}, "token_usage_forecast": true}
SETTINGS
build/nat_profiler make "$sessions" "$work/traces.json"
build/nat_profiler run "$work/traces.json" "$work/settings.json" "$work/ours" > "$work/ours.json"
OMP_NUM_THREADS=1 MPLBACKEND=Agg "$venv/bin/python" bench/peers/nat_profiler.py \
    "$work/traces.json" "$work/settings.json" "$work/nat" > "$work/nat.json"
"$venv/bin/python" bench/peers/compare_profiles.py "$work/nat" "$work/ours" "$work/nat.json" "$work/ours.json" "$sessions"
