"""Runs NAT's profiler on a trace file and prints one line of JSON with what it cost.

usage: nat_profiler.py TRACES.json SETTINGS.json FOLDER

The Gantt chart is left out: it alone takes longer than everything else.
"""
import asyncio
import json
import logging
import pathlib
import resource
import sys
import time

logging.disable(logging.WARNING)

from nat.data_models.intermediate_step import IntermediateStep  # noqa: E402
from nat.data_models.profiler import ProfilerConfig  # noqa: E402
from nat.plugins.profiler.inference_optimization.bottleneck_analysis import nested_stack_analysis  # noqa: E402
from nat.plugins.profiler.profile_runner import ProfilerRunner  # noqa: E402

nested_stack_analysis.save_gantt_chart = lambda *_: None

traces_file, settings_file, folder = map(pathlib.Path, sys.argv[1:4])
start = time.process_time()
sessions = [[IntermediateStep.model_validate(step) for step in session["intermediate_steps"]]
            for session in json.loads(traces_file.read_text())]
loaded = time.process_time()
runner = ProfilerRunner(ProfilerConfig(**json.loads(settings_file.read_text())), folder, write_output=True)
asyncio.run(runner.run(sessions))
print(json.dumps({"load_s": round(loaded - start, 3), "profile_s": round(time.process_time() - loaded, 3),
                  "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}))
