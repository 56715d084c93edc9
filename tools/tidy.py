#!/usr/bin/env python3
"""clang-tidy over every source of src/ that is not a test, a benchmark or a fuzz target; any finding is an error.

A file that was clean is not looked at again until it, a header of ours that it includes, .clang-tidy or the tool changes (.cache/tidy).
Wants a build of everything in BUILD, whose compile commands and header lists it reads. Usage: tidy.py BUILD JOBS
"""
import concurrent.futures
import hashlib
import re
import subprocess
import sys
from pathlib import Path

TOOL = "clang-tidy-19"


def headers_of_ours(build, src):
    """Source -> the files of src/ that ninja saw it include, itself among them."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    found = {}
    for block in listing.split("\n\n"):
        files = [Path(build, line.strip()).resolve() for line in block.splitlines()[1:]]
        ours = [file for file in files if file.is_relative_to(src)]
        if ours and ours[0].suffix == ".cpp":
            found.setdefault(ours[0], set()).update(ours)
    return found


def key_of(source, files, salt):
    digest = hashlib.sha256(salt)
    for file in sorted(files | {source}):
        digest.update(str(file).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def main(build, jobs):
    root = Path.cwd()
    stamps = root / ".cache/tidy"
    stamps.mkdir(parents=True, exist_ok=True)
    salt = Path(".clang-tidy").read_bytes() + subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout
    headers = headers_of_ours(build, root / "src")
    wanted = {}
    for source in sorted((root / "src").rglob("*.cpp")):
        if not re.search(r"_(test|bench|fuzz)\.cpp$", source.name):
            stamp = stamps / key_of(source, headers.get(source, set()), salt)
            if not stamp.exists():
                wanted[source] = stamp

    def check(source):
        done = subprocess.run([TOOL, "-p", build, "--quiet", "--warnings-as-errors=*", source], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            wanted[source].touch()
        return source, done

    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for source, done in pool.map(check, wanted):
            if done.returncode != 0:
                wrong += 1
                print(f"{source.relative_to(root)}\n{done.stdout or done.stderr}", flush=True)
    print(f"clang-tidy: {len(wanted)} files looked at, {wrong} with findings")
    sys.exit(bool(wrong))


main(sys.argv[1], int(sys.argv[2]))
