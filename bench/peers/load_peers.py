"""Load generators against the same server, one after the other: what a call costs, how far the first token is off, what the server saw.

    load_peers.py BUILD_DIR VENV_DIR [PEER]...

Processor time is that of the client's whole process tree, as the slope between two run lengths, so that starting up does not count. The
first token is compared with truth_server's own times. For the costs the server has one core and the client another. vllm-bench takes part when $VLLM_BENCH names its program: it is in no package index.
"""
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

TOKENS = 32
LOCUSTFILE = '''
import os
import gevent
from locust import FastHttpUser, constant, task
BODY = {"model": "truth", "messages": [{"role": "user", "content": "hello"}], "stream": os.environ["STREAM"] == "1"}
LEFT = [int(os.environ["CALLS"])]
class User(FastHttpUser):
    wait_time = constant(0)
    @task
    def call(self):
        LEFT[0] -= 1
        if LEFT[0] < 0:
            if LEFT[0] == -1:
                gevent.spawn(self.environment.runner.quit)
            gevent.sleep(3600)
        with self.client.post("/v1/chat/completions", json=BODY, stream=BODY["stream"], catch_response=True) as response:
            if BODY["stream"]:
                for _ in response.iter_lines():
                    pass
            response.success()
'''
TOKENIZER = '''
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
words = ["[UNK]"] + [a + b for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"]
tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]").save_pretrained(sys.argv[1])
'''


class Server:
    def __init__(self, build, ttft_ms, itl_ms, core=None):
        self.process = subprocess.Popen([f"{build}/truth_server", str(ttft_ms), str(itl_ms), str(TOKENS)], stdout=subprocess.PIPE, text=True)
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})
        self.url = self.process.stdout.readline().strip()

    def take_stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=10) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def run(command, environment=None):
    """Seconds of processor time of the command and all it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stdout[-600:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_tokenizer(venvs, folder):
    """One that needs no network; peers insist on having one."""
    run([f"{venvs}/aiperf/bin/python", "-c", TOKENIZER, f"{folder}/tokenizer"])
    return f"{folder}/tokenizer"


class Plimsoll:
    name, streams_first_token, sizes = "plimsoll", True, {"whole": 20000, "burst": 20000, "paced": 4000}

    def __init__(self, build, venvs, folder):
        self.program, self.folder = f"{build}/plimsoll", folder

    def load(self, url, users, calls, stream):
        out = f"{self.folder}/plimsoll"
        shutil.rmtree(out, ignore_errors=True)
        return run([self.program, "load", "--url", url + "/v1", "--users", str(users), "--max_requests", str(calls), "--no_sampling", "-o", out]
                   + ([] if stream else ["--no_stream"]))

    def first_token_ms(self):
        with open(f"{self.folder}/plimsoll/requests.csv") as file:
            values = [float(row["ttft_raw_ms"]) for row in csv.DictReader(file) if row["ttft_raw_ms"]]
        return sum(values) / len(values)


class AiPerf:
    name, streams_first_token, sizes = "aiperf", True, {"whole": 1200, "burst": 1200, "paced": 1200}

    def __init__(self, build, venvs, folder):
        self.bin, self.folder = f"{venvs}/aiperf/bin", folder
        self.tokenizer = make_tokenizer(venvs, folder)

    def load(self, url, users, calls, stream):
        return run([f"{self.bin}/aiperf", "profile", "-m", "truth", "--url", url, "--endpoint-type", "chat", "--concurrency", str(users),
                    "--request-count", str(calls), "--tokenizer", self.tokenizer, "--synthetic-input-tokens-mean", "16",
                    "--output-tokens-mean", str(TOKENS), "--artifact-dir", f"{self.folder}/aiperf", "--ui", "none"]
                   + (["--streaming"] if stream else []))

    def first_token_ms(self):
        with open(f"{self.folder}/aiperf/profile_export_aiperf.json") as file:
            return json.load(file)["time_to_first_token"]["avg"]


class Locust:
    name, streams_first_token, sizes = "locust", False, {"whole": 6000, "burst": 6000, "paced": 3000}

    def __init__(self, build, venvs, folder):
        self.program, self.file = f"{venvs}/locust/bin/locust", f"{folder}/locustfile.py"
        with open(self.file, "w") as file:
            file.write(LOCUSTFILE)

    def load(self, url, users, calls, stream):
        return run([self.program, "-f", self.file, "--headless", "--host", url, "-u", str(users), "-r", str(users), "--only-summary",
                    "--exit-code-on-error", "0"], {"CALLS": str(calls), "STREAM": "1" if stream else "0"})


class VllmBench:
    name, streams_first_token, sizes = "vllm-bench", True, {"burst": 8000, "paced": 4000}

    def __init__(self, build, venvs, folder):
        self.program, self.folder = os.environ["VLLM_BENCH"], folder
        self.tokenizer = make_tokenizer(venvs, folder)

    def load(self, url, users, calls, stream):
        prompts = f"{self.folder}/prompts.jsonl"
        with open(prompts, "w") as file:
            for i in range(calls):
                file.write(json.dumps({"prompt": f"hello {i}", "output_tokens": TOKENS}) + "\n")
        return run([self.program, "--backend", "openai-chat", "--base-url", url, "--endpoint", "/v1/chat/completions", "--model", "truth",
                    "--dataset-name", "custom", "--dataset-path", prompts, "--num-prompts", str(calls), "--max-concurrency", str(users),
                    "--tokenizer", self.tokenizer, "--save-result", "--result-dir", self.folder, "--result-filename", "vllm.json"])

    def first_token_ms(self):
        with open(f"{self.folder}/vllm.json") as file:
            return json.load(file)["mean_ttft_ms"]


PEERS = {peer.name: peer for peer in (Plimsoll, VllmBench, AiPerf, Locust)}
COSTS = {"whole": (0, 0, False, 50), "burst": (0, 0, True, 50), "paced": (10, 10, True, 100)}


def cost_us(client, build, case):
    ttft, itl, stream, users = COSTS[case]
    calls = client.sizes[case]
    cores = os.sched_getaffinity(0)
    with Server(build, ttft, itl, min(cores)) as server:
        os.sched_setaffinity(0, {max(cores)})  # what is started inherits it
        client.load(server.url, users, calls // 4, stream)
        few = client.load(server.url, users, calls // 4, stream)
        many = client.load(server.url, users, calls, stream)
        os.sched_setaffinity(0, cores)
    return 1e6 * (many - few) / (calls - calls // 4)


def first_token(client, build, streams):
    with Server(build, 100, 10) as server:
        server.take_stats()
        client.load(server.url, streams, 4 * streams, True)
        seen = server.take_stats()
    return client.first_token_ms() - seen["ttft_mean_ms"], seen["peak_open"]


def main():
    build, venvs, wanted = sys.argv[1], sys.argv[2], sys.argv[3:] or ["plimsoll", "aiperf", "locust"]
    if not sys.argv[3:] and "VLLM_BENCH" in os.environ:
        wanted.insert(1, "vllm-bench")
    print(f"load average {os.getloadavg()[0]:.1f} at the beginning")
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            client = PEERS[name](build, venvs, folder)
            for case, (_, itl, _, users) in COSTS.items():
                if case in client.sizes:
                    print(f"{name:<12}{case:<7}{users:>5} users   {cost_us(client, build, case):>9.1f} µs CPU a call", flush=True)
            for streams in (100, 1000):
                if client.streams_first_token:
                    error, seen = first_token(client, build, streams)
                    print(f"{name:<12}{'first token':<12}{streams:>5} streams  mean {error:+9.3f} ms off, {seen} open at once as the server saw", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
