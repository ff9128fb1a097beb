"""Measures the client: vectors against get, for 1, 10 and 100 entities, over the same features.

    ./tarn bench client [entities=20000] [seconds=3] [runs=3] [format=json]

The two take turns within one run, so that their ratio holds on a machine that is busy, too. One
call in flight shows how long a call takes, several (threads that share the client) how many there
can be: then the interpreter is what is short. Lake, Redis and server are of its own and on this
machine, so all of the way is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tarn import FeatureClient
from tarn.testing import CommandError, LocalTarn

BATCHES = (1, 10, 100)
IN_FLIGHT = (1, 8)
FEATURES = 10
AIM = 5
ENTITIES_OF_AIM = 100
USAGE = "usage: ./tarn bench client [entities=…] [seconds=…] [runs=…] [format=table|json]"


@dataclass(frozen=True)
class Measure:
    """One way to ask, with one number of entities; the median of the runs."""

    call: str
    entities: int
    in_flight: int
    calls_per_second: float
    entities_per_second: float
    p50_ms: float
    p99_ms: float


def main(words: list[str]) -> int:
    """Run what the words say, and return the exit status."""
    try:
        arguments = parse(words)
    except ValueError as e:
        print(f"tarn: {e}\n\n{USAGE}", file=sys.stderr)
        return 2
    home = Path(os.environ["TARN_HOME"])
    folder = home / ".tarn" / "bench" / "client"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with prepare(home, folder, arguments["entities"]) as tarn:
            publish(tarn)
            with tarn.serve() as server, FeatureClient(server.target, deadline=30) as client:
                measures = measure(client, arguments)
    except CommandError as e:
        print(f"tarn: {e}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments["json"]:
        print(as_table(measures), file=sys.stderr)
        print(as_json(measures))
    else:
        print(as_table(measures))
    return 0


def parse(words: list[str]) -> dict[str, int]:
    """Read ``name=value``.

    :raises ValueError: if a word is none that is known
    """
    arguments = {"entities": 20_000, "seconds": 3, "runs": 3, "json": 0}
    for word in words:
        name, _, value = word.partition("=")
        if name == "format" and value in ("table", "json"):
            arguments["json"] = int(value == "json")
        elif name in ("entities", "seconds", "runs") and value.isdigit() and int(value) > 0:
            arguments[name] = int(value)
        else:
            raise ValueError(f"'{word}' is no argument of bench client")
    arguments["entities"] = max(arguments["entities"], *BATCHES)
    return arguments


def prepare(home: Path, folder: Path, entities: int) -> LocalTarn:
    """Write the definitions and a source of random doubles."""
    say(f"{entities:,} entities of {FEATURES} doubles")
    names = [f"f{i}" for i in range(FEATURES)]
    definitions = folder / "features"
    definitions.mkdir(parents=True)
    (definitions / "bench.conf").write_text(
        f"""
        entities {{ user {{ keys = [{{ name = user_id, type = bigint }}] }} }}
        sources {{ users {{ format = parquet, path = ${{tarn.state}}"/users" }} }}
        feature-views {{ bench {{
          entity = user, sources = [users], sql = "SELECT * FROM users"
          features = [{", ".join(f"{{ name = {name}, type = double }}" for name in names)}]
        }} }}
        feature-services {{ bench {{ features = [{", ".join("bench." + n for n in names)}] }} }}
        """
    )
    tarn = LocalTarn(home, folder, {"definitions": str(definitions)})
    users = tarn.state / "users"
    users.mkdir(parents=True)
    random = np.random.default_rng(1)
    columns = {"user_id": np.arange(entities), **{n: random.random(entities) for n in names}}
    pq.write_table(pa.table(columns), users / "users.parquet")
    return tarn


def publish(tarn: LocalTarn) -> None:
    """Build and push the view."""
    say("build and push")
    tarn.run("build", "view=bench", "as-of=2026-01-01")
    tarn.run("push", "view=bench")


def measure(client: FeatureClient, arguments: dict[str, int]) -> list[Measure]:
    """Let both take turns, and return the median of the runs of each."""
    names = [f"f{i}" for i in range(FEATURES)]
    ways: dict[str, Callable[[list[str]], object]] = {
        "vectors": lambda ids: client.vectors("bench", ids),
        "get": lambda ids: client.get(ids, names),
    }
    random = np.random.default_rng(2)
    taken: dict[tuple[str, int, int], list[list[float]]] = {}
    for run in range(arguments["runs"] + 1):
        say("warming up" if run == 0 else f"run {run} of {arguments['runs']}")
        for entities, in_flight in product(BATCHES, IN_FLIGHT):
            for call, ask in ways.items():
                times = timed(ask, random, entities, in_flight, arguments)
                if run > 0:
                    taken.setdefault((call, entities, in_flight), []).append(times)
    return [
        of_runs(call, entities, in_flight, runs, arguments["seconds"])
        for (call, entities, in_flight), runs in taken.items()
    ]


def timed(
    ask: Callable[[list[str]], object],
    random: np.random.Generator,
    entities: int,
    in_flight: int,
    arguments: dict[str, int],
) -> list[float]:
    """Ask for so many seconds, and return what each call took."""
    requests = [
        [str(i) for i in random.integers(0, arguments["entities"], entities)] for _ in range(200)
    ]
    end = time.perf_counter() + arguments["seconds"]

    def one_after_the_other() -> list[float]:
        times: list[float] = []
        while (start := time.perf_counter()) < end:
            ask(requests[len(times) % len(requests)])
            times.append(time.perf_counter() - start)
        return times

    with ThreadPoolExecutor(in_flight) as threads:
        parts = [threads.submit(one_after_the_other) for _ in range(in_flight)]
        return [taken for part in parts for taken in part.result()]


def of_runs(
    call: str, entities: int, in_flight: int, runs: list[list[float]], seconds: int
) -> Measure:
    """Sum up the calls of each run, and take the medians."""
    rate = statistics.median(len(times) / seconds for times in runs)
    return Measure(
        call=call,
        entities=entities,
        in_flight=in_flight,
        calls_per_second=round(rate, 1),
        entities_per_second=round(rate * entities, 1),
        p50_ms=round(statistics.median(float(np.quantile(t, 0.5)) for t in runs) * 1e3, 3),
        p99_ms=round(statistics.median(float(np.quantile(t, 0.99)) for t in runs) * 1e3, 3),
    )


def ratio(measures: list[Measure], entities: int, in_flight: int) -> float:
    """Return how many times as many calls vectors answers."""
    rates = {
        m.call: m.calls_per_second
        for m in measures
        if (m.entities, m.in_flight) == (entities, in_flight)
    }
    return round(rates["vectors"] / rates["get"], 2)


def as_json(measures: list[Measure]) -> str:
    """Return all figures as one line, in the form of the other benchmarks."""
    figures: list[dict[str, object]] = []
    for m in measures:
        name = f"{m.call}, {m.entities} entities, {m.in_flight} in flight"
        figures += [
            {"name": f"{name}: calls/s", "value": m.calls_per_second},
            {"name": f"{name}: vectors/s", "value": m.entities_per_second},
            {"name": f"{name}: p50 ms", "value": m.p50_ms},
            {"name": f"{name}: p99 ms", "value": m.p99_ms},
        ]
    for n, f in product(BATCHES, IN_FLIGHT):
        value = ratio(measures, n, f)
        figure: dict[str, object] = {
            "name": f"vectors ÷ get, {n} entities, {f} in flight",
            "value": value,
        }
        if n == ENTITIES_OF_AIM:
            figure |= {"aim": f">= {AIM}", "met": value >= AIM}
        figures.append(figure)
    return json.dumps({"figures": figures}, ensure_ascii=False)


def as_table(measures: list[Measure]) -> str:
    """Return a line for each measure."""
    heads = ("call", "entities", "in flight", "calls/s", "vectors/s", "p50 ms", "p99 ms")
    lines = ["{:8} {:>8} {:>9} {:>9} {:>10} {:>8} {:>8}".format(*heads)]
    lines += [
        f"{m.call:8} {m.entities:>8} {m.in_flight:>9} {m.calls_per_second:>9,.0f} "
        f"{m.entities_per_second:>10,.0f} {m.p50_ms:>8.2f} {m.p99_ms:>8.2f}"
        for m in sorted(measures, key=lambda m: (m.in_flight, m.entities, m.call))
    ]
    lines.append("")
    lines += [
        f"vectors ÷ get, {n} entities, {f} in flight: {ratio(measures, n, f):.1f}"
        for f, n in product(IN_FLIGHT, BATCHES)
    ]
    return "\n".join([*lines, f"aim: at least {AIM} with {ENTITIES_OF_AIM} entities"])


def say(text: str) -> None:
    """Say how far it has come."""
    print(f"tarn: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
