"""The table of tools/bench_langgraph.sh. Usage: compare.py FOLDER, which holds `theirs` and one <scenario>.json each of ours."""
import json
import pathlib
import sys

# scenario: what it is, which figure is compared, its unit. Where the disk is waited for, the wall clock counts.
ROWS = {
    "chain": ("10 nodes in a row", "cpu_us", "µs CPU"),
    "chain_memory": ("10 nodes in a row, checkpoints in memory", "cpu_us", "µs CPU"),
    "chain_sqlite": ("10 nodes in a row, checkpoints in SQLite, synced", "wall_us", "µs"),
    "chain_sqlite_sessions": ("the same, 32 sessions at once", "wall_us", "µs"),
    "fan_out": ("1000 Sends", "cpu_us", "µs CPU"),
    "fan_out_memory": ("1000 Sends, checkpoints in memory", "cpu_us", "µs CPU"),
    "waiting": ("a session that waits for an answer", "kb_per_session", "KB"),
}
MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}

folder = pathlib.Path(sys.argv[1])
theirs = {row["name"]: row for row in map(json.loads, (folder / "theirs").read_text().splitlines())}

print(f"{'':52}{'Plimsoll':>12}{'LangGraph':>12}{'ratio':>8}")
for name, (title, figure, unit) in ROWS.items():
    run = json.loads((folder / f"{name}.json").read_text())["benchmarks"][0]
    if run.get("error_occurred"):
        sys.exit(f"{name}: {run['error_message']}")
    scale = MICROSECONDS[run["time_unit"]]
    ours = {"cpu_us": run["cpu_time"] * scale, "wall_us": run["real_time"] * scale, "kb_per_session": run.get("kb_per_session")}[figure]
    their = theirs[name][figure]
    print(f"{title:52}{ours:12.1f}{their:12.1f}{their / ours:7.1f}x {unit}")
