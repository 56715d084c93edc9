"""The graphs of src/graph/peer_bench.cpp in LangGraph. Prints one JSON object a line: name, value, unit.

Usage: langgraph_bench.py SCENARIO...   (without one: the list of them)

One process and one asyncio loop. Times are of one run of the graph: `cpu_us` is processor time of the whole process, the
mean over the runs; `wall_us` is the median. Nodes are coroutines that return at once, as they are in the C++ program.
"""
import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from typing import Annotated, TypedDict

os.environ["LANGSMITH_TRACING"] = "false"

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt

CHAIN = 10
FAN = 1000
SESSIONS = 32
WAITING = 2000


class State(TypedDict, total=False):
    text: str
    out: Annotated[list, lambda a, b: a + b]


INPUT = {"text": "why do tides come twice a day?", "out": []}


def chain(saver=None):
    async def write(state):
        return {"text": "x"}

    graph = StateGraph(State)
    names = [str(i) for i in range(CHAIN)]
    for name in names:
        graph.add_node(name, write)
    for source, target in zip([START, *names], [*names, END]):
        graph.add_edge(source, target)
    return graph.compile(checkpointer=saver)


def fan_out(saver=None):
    async def work(task):
        return {"out": [task["i"]]}

    graph = StateGraph(State)
    graph.add_node("work", work)
    graph.add_conditional_edges(START, lambda state: [Send("work", {"i": i}) for i in range(FAN)], ["work"])
    graph.add_edge("work", END)
    return graph.compile(checkpointer=saver)


def asking(saver):
    async def prepare(state):
        return {"text": "ready"}

    async def ask(state):
        return {"out": [interrupt({"ask": "go on?"})]}

    graph = StateGraph(State)
    graph.add_node("prepare", prepare)
    graph.add_node("ask", ask)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "ask")
    graph.add_edge("ask", END)
    return graph.compile(checkpointer=saver)


class Threads:
    """A new thread id a run: no run finds another one's checkpoints."""

    def __init__(self):
        self.count = 0

    def next(self):
        self.count += 1
        return {"configurable": {"thread_id": str(self.count)}}


async def measure(name, run, runs, warm_up):
    for _ in range(warm_up):
        await run()
    gc.collect()
    walls = []
    cpu_start = time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        await run()
        walls.append((time.perf_counter() - start) * 1e6)
    cpu = (time.process_time() - cpu_start) * 1e6 / runs
    print(json.dumps({"name": name, "cpu_us": round(cpu, 1), "wall_us": round(statistics.median(walls), 1)}), flush=True)


async def run_chain():
    graph = chain()
    await measure("chain", lambda: graph.ainvoke(INPUT), 200, 20)


async def run_chain_memory():
    graph, threads = chain(InMemorySaver()), Threads()
    await measure("chain_memory", lambda: graph.ainvoke(INPUT, threads.next(), durability="sync"), 150, 15)


async def with_sqlite(name, sessions, runs):
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(os.path.join(folder, "state.db")) as saver:
            graph, threads = chain(saver), Threads()

            async def run():
                await asyncio.gather(*[graph.ainvoke(INPUT, threads.next(), durability="sync") for _ in range(sessions)])

            await measure(name, run, runs, 2)


async def run_chain_sqlite():
    await with_sqlite("chain_sqlite", 1, 15)


async def run_chain_sqlite_sessions():
    await with_sqlite("chain_sqlite_sessions", SESSIONS, 3)


async def run_fan_out():
    graph = fan_out()
    await measure("fan_out", lambda: graph.ainvoke(INPUT), 6, 1)


async def run_fan_out_memory():
    graph, threads = fan_out(InMemorySaver()), Threads()
    await measure("fan_out_memory", lambda: graph.ainvoke(INPUT, threads.next(), durability="sync"), 5, 1)


def resident_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


async def run_waiting():
    graph, threads = asking(InMemorySaver()), Threads()
    for _ in range(20):
        await graph.ainvoke(INPUT, threads.next(), durability="sync")
    gc.collect()
    before = resident_kb()
    for _ in range(WAITING):
        await graph.ainvoke(INPUT, threads.next(), durability="sync")
    gc.collect()
    print(json.dumps({"name": "waiting", "kb_per_session": round((resident_kb() - before) / WAITING, 2)}), flush=True)


SCENARIOS = {
    "chain": run_chain,
    "chain_memory": run_chain_memory,
    "chain_sqlite": run_chain_sqlite,
    "chain_sqlite_sessions": run_chain_sqlite_sessions,
    "fan_out": run_fan_out,
    "fan_out_memory": run_fan_out_memory,
    "waiting": run_waiting,
}

if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("\n".join(SCENARIOS))
    for scenario in sys.argv[1:]:
        asyncio.run(SCENARIOS[scenario]())
