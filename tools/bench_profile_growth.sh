#!/usr/bin/env bash
# How `plimsoll profile --all` grows: made research sessions of 20 steps, read from a compressed NAT trace file, every file written.
#
#   tools/bench_profile_growth.sh [--nat_compat] [SESSIONS]...       10,000, 100,000 and 1,000,000 by default
#
# Needs a release build with PLIMSOLL_BENCH=ON, zstd, and in $TMPDIR about 36 KB of disk a session (45 KB with --nat_compat), which are
# free again at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=(--all)
if [ "${1:-}" = --nat_compat ]; then
    flags+=(--nat_compat)
    shift
fi
[ $# -gt 0 ] || set -- 10000 100000 1000000

work=$(mktemp -d "${TMPDIR:-/tmp}/plimsoll_growth.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "plimsoll profile ${flags[*]}"
printf '%12s %10s %10s %12s %10s %10s\n' sessions "wall s" "CPU s" "us/session" "peak MB" "output GB"
for sessions in "$@"; do
    build/nat_profiler make "$sessions" - | zstd -q -f -o "$work/traces.json.zst"
    python3 - "$sessions" "$work" "${flags[@]}" <<'PYTHON'
import pathlib, resource, subprocess, sys, time
sessions, work, flags = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
out = work / "out"
start = time.monotonic()
subprocess.run(["build/plimsoll", "profile", work / "traces.json.zst", *flags, "--output_dir", out], check=True, stdout=subprocess.DEVNULL)
wall = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
size = sum(file.stat().st_size for file in out.iterdir())
print(f"{sessions:12,} {wall:10.1f} {cpu:10.1f} {1e6 * cpu / sessions:12.0f} {used.ru_maxrss / 1024:10.0f} {size / 1e9:10.2f}", flush=True)
PYTHON
    rm -rf "$work/out"
done
