"""Compares two folders of profiler output (numbers to 1e-9) and prints the table of what both cost.

usage: compare_profiles.py NAT_FOLDER OUR_FOLDER NAT_COST.json OUR_COST.json SESSIONS      exit code 1 when the files differ
"""
import json
import math
import pathlib
import sys


def first_difference(a, b, place):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b)):
            if key == "generated_at":
                continue
            x, y = a.get(key), b.get(key)
            if key == "active_uuids":  # a set in NAT
                x, y = sorted(x or []), sorted(y or [])
            found = first_difference(x, y, f"{place}.{key}")
            if found:
                return found
        return None
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next(filter(None, (first_difference(x, y, f"{place}[{i}]") for i, (x, y) in enumerate(zip(a, b)))), None)
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b))
    same = math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if numbers else a == b
    return None if same else place


nat, ours = map(pathlib.Path, sys.argv[1:3])
nat_cost, our_cost = (json.loads(pathlib.Path(name).read_text()) for name in sys.argv[3:5])
print(f"{sys.argv[5]} sessions, CPU seconds and MB")
print(f"{'':22}{'NAT':>12}{'Plimsoll':>12}{'ratio':>10}")
for key, label in (("load_s", "load"), ("profile_s", "profile"), ("peak_mb", "peak memory")):
    print(f"{label:22}{nat_cost[key]:12.2f}{our_cost[key]:12.2f}{nat_cost[key] / max(our_cost[key], 1e-3):10.1f}")

differ = False
for name in ("inference_optimization.json", "workflow_profiling_metrics.json", "prediction_trie.json"):
    place = first_difference(json.loads((nat / name).read_text()), json.loads((ours / name).read_text()), name)
    differ |= bool(place)
    print(f"{name}: {'differs at ' + place if place else 'equal'}")
for name in ("standardized_data_all.csv", "workflow_profiling_report.txt"):
    same = (nat / name).read_bytes() == (ours / name).read_bytes()
    differ |= not same
    print(f"{name}: {'equal' if same else 'differs'}")
sys.exit(differ)
