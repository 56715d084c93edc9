"""`plimsoll profile CASE --nat_compat` against what NAT 1.9.0 wrote for the same run.

usage: nat_golden_test.py PLIMSOLL CASE

CASE is a folder with config.yml and out/ as `nat eval` leaves them, or one of tests/goldens/profiler: settings.json and gzipped files.
The run's own config says which analyses run. Numbers may differ by 1e-9 relative; the text report and all other text may not; the order
of a spike's UUIDs is arbitrary in NAT, and the file's age is nobody's result.
"""
import csv
import gzip
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile

FILES = ("all_requests_profiler_traces.json", "standardized_data_all.csv", "inference_optimization.json",
         "workflow_profiling_metrics.json", "workflow_profiling_report.txt", "prediction_trie.json")


def normalise(value):
    if isinstance(value, dict):
        return {k: sorted(v) if k == "active_uuids" else normalise(v) for k, v in value.items() if k != "generated_at"}
    return [normalise(v) for v in value] if isinstance(value, list) else value


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def parse(name, text):
    if name.endswith(".json"):
        return normalise(json.loads(text))
    if name.endswith(".csv"):
        return [[number(cell) for cell in row] for row in csv.reader(io.StringIO(text))]
    return text.split("\n")


def differences(a, b, place):
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool):
        if not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{place}: {a} is {b}"
    elif type(a) is not type(b):
        yield f"{place}: {type(a).__name__} is {type(b).__name__}"
    elif isinstance(a, dict):
        for key in sorted(a.keys() | b.keys()):
            if (key in a) != (key in b):
                yield f"{place}.{key}: only {'expected' if key in a else 'ours'}"
            else:
                yield from differences(a[key], b[key], f"{place}.{key}")
    elif isinstance(a, list):
        if len(a) != len(b):
            yield f"{place}: {len(a)} elements are {len(b)}"
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{place}[{i}]")
    elif a != b:
        yield f"{place}: {a!r} is {b!r}"


def read(folder, name):
    if (folder / name).exists():
        return (folder / name).read_bytes().decode()
    packed = folder / (name + ".gz")
    return gzip.decompress(packed.read_bytes()).decode() if packed.exists() else None


def make_run(case, folder):
    """The case as a run folder that `profile` takes, and where its expected files are."""
    settings = case / "settings.json"
    if not settings.exists():
        return case, case / "out"
    (folder / FILES[0]).write_text(read(case, FILES[0]), encoding="utf-8")
    config = {"eval": {"general": {"profiler": json.loads(settings.read_text())}}}
    (folder / "config_effective.yml").write_text(json.dumps(config))
    return folder, case


def main():
    plimsoll, case = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        run = pathlib.Path(temporary) / "run"
        ours = pathlib.Path(temporary) / "out"
        run.mkdir()
        run, expected = make_run(case, run)
        for given in {run, expected if expected.name == "out" else run}:
            subprocess.run([plimsoll, "profile", given, "--nat_compat", "--output_dir", ours], check=True, stdout=subprocess.DEVNULL)
            compared, found = 0, []
            for name in FILES:
                a, b = read(expected, name), read(ours, name)
                if (a is None) != (b is None):
                    found.append(f"{name}: only {'expected' if a is not None else 'ours'}")
                elif a is not None:
                    compared += 1
                    found += list(differences(parse(name, a), parse(name, b), name))
            if found or compared < 2:
                sys.exit("\n".join(found[:20]) or f"only {compared} files to compare")
            print(f"{given}: {compared} files equal")


main()
