"""Measures the client: vectors against get, for 1, 10 and 100 entities, over the same features.

    ./tarn bench client [entities=20000] [seconds=3] [runs=3] [format=json]

The two take turns within one run, so that their ratio holds on a machine that is busy, too. Lake,
Redis and server are of its own and on this machine: what is measured is the whole way, of which the
client is the larger part.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tarn import FeatureClient
from tarn.testing import CommandError, LocalTarn

BATCHES = (1, 10, 100)
FEATURES = 10
USAGE = "usage: ./tarn bench client [entities=…] [seconds=…] [runs=…] [format=table|json]"


@dataclass(frozen=True)
class Measure:
    """One way to ask, with one number of entities; the median of the runs."""

    call: str
    entities: int
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
    print(as_json(measures) if arguments["json"] else as_table(measures))
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
    taken: dict[tuple[str, int], list[np.ndarray]] = {}
    for run in range(arguments["runs"] + 1):
        say("warming up" if run == 0 else f"run {run} of {arguments['runs']}")
        for entities in BATCHES:
            for call, ask in ways.items():
                times = timed(ask, random, entities, arguments)
                if run > 0:
                    taken.setdefault((call, entities), []).append(times)
    return [of_runs(call, entities, runs) for (call, entities), runs in taken.items()]


def timed(
    ask: Callable[[list[str]], object],
    random: np.random.Generator,
    entities: int,
    arguments: dict[str, int],
) -> np.ndarray:
    """Ask for so many seconds, one call after the other, and return what each call took."""
    requests = [
        [str(i) for i in random.integers(0, arguments["entities"], entities)] for _ in range(200)
    ]
    times: list[float] = []
    end = time.perf_counter() + arguments["seconds"]
    while (start := time.perf_counter()) < end:
        ask(requests[len(times) % len(requests)])
        times.append(time.perf_counter() - start)
    return np.array(times)


def of_runs(call: str, entities: int, runs: list[np.ndarray]) -> Measure:
    """Sum up the calls of each run, and take the medians."""
    rate = statistics.median(len(times) / float(times.sum()) for times in runs)
    return Measure(
        call=call,
        entities=entities,
        calls_per_second=round(rate, 1),
        entities_per_second=round(rate * entities, 1),
        p50_ms=round(statistics.median(float(np.quantile(t, 0.5)) for t in runs) * 1e3, 3),
        p99_ms=round(statistics.median(float(np.quantile(t, 0.99)) for t in runs) * 1e3, 3),
    )


def ratios(measures: list[Measure]) -> dict[int, float]:
    """Return by number of entities how many times as many vectors answers."""
    by = {(m.call, m.entities): m.calls_per_second for m in measures}
    return {n: round(by["vectors", n] / by["get", n], 2) for n in BATCHES}


def as_json(measures: list[Measure]) -> str:
    """Return all as one line."""
    return json.dumps(
        {
            "features": FEATURES,
            "measures": [asdict(measure) for measure in measures],
            "vectors_to_get": {str(n): ratio for n, ratio in ratios(measures).items()},
        }
    )


def as_table(measures: list[Measure]) -> str:
    """Return a line for each measure."""
    lines = [
        f"{'call':8} {'entities':>8} {'calls/s':>9} {'vectors/s':>10} {'p50 ms':>8} {'p99 ms':>8}"
    ]
    lines += [
        f"{m.call:8} {m.entities:>8} {m.calls_per_second:>9,.0f} {m.entities_per_second:>10,.0f} "
        f"{m.p50_ms:>8.2f} {m.p99_ms:>8.2f}"
        for m in sorted(measures, key=lambda m: (m.entities, m.call))
    ]
    lines += [""] + [
        f"vectors ÷ get, {n} entities: {ratio:.1f}{' (aim: ≥ 5)' if n == 100 else ''}"
        for n, ratio in ratios(measures).items()
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    """Say how far it has come."""
    print(f"tarn: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
