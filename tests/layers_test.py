#!/usr/bin/env python3
"""Checks every #include of src/ against src/layers.txt. Usage: layers_test.py SRC_DIR"""
import re
import sys
from pathlib import Path

src = Path(sys.argv[1])
allowed = {}
for line in (src / "layers.txt").read_text().splitlines():
    if m := re.match(r"^([a-z]+):(.*)$", line):
        allowed[m[1]] = {m[1], *m[2].split()}
for module, deps in allowed.items():
    order = list(allowed)
    late = [d for d in deps if order.index(d) > order.index(module)]
    if late:
        sys.exit(f"layers.txt: {module} may include {late}, which come after it")

wrong = []
for file in sorted([*src.rglob("*.h"), *src.rglob("*.cpp")]):
    module = file.relative_to(src).parts[0]
    if module not in allowed:
        wrong.append(f"{file}: {module}/ is not in layers.txt")
        continue
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if (m := re.match(r'#include "([a-z]+)/', line)) and m[1] not in allowed[module]:
            wrong.append(f"{file}:{number}: {module} may not include {m[1]}")
print("\n".join(wrong) or f"{len(allowed)} modules, no forbidden include")
sys.exit(bool(wrong))
