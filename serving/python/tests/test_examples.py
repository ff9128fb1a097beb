"""The examples, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import payments
from tarn import FeatureClient
from tarn.testing import LocalTarn, Server, free_port

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
ENVIRONMENT = {**os.environ, "KERAS_BACKEND": "jax", "BENTOML_DO_NOT_TRACK": "True"}

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, str(EXAMPLES))


@pytest.fixture(scope="module")
def training(tarn: LocalTarn) -> pd.DataFrame:
    """The example's training set, with a row for each user at the released as-of besides."""
    file = tarn.folder / "spine.parquet"
    run_example("spine", tarn.state / "demo" / "transactions", file)
    spine = pd.read_parquet(file)
    now = pd.DataFrame({"user_id": range(1, payments.USERS + 1), "declined": 0, "split": "now"})
    now["event_timestamp"] = spine["event_timestamp"].max().ceil("D")
    pd.concat([spine, now]).astype({"declined": "int32"}).to_parquet(file, index=False)
    out = tarn.folder / "training"
    tarn.run(
        "train",
        f"spine={file}",
        "service=fraud_score",
        "vectors=true",
        f"out={out}",
    )
    return pd.read_parquet(out)


@pytest.fixture(scope="module")
def model_file(tarn: LocalTarn, training: pd.DataFrame) -> Path:
    file = tarn.folder / "decline.keras"
    run_example("train", tarn.folder / "training", file)
    return file


def run_example(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "decline_model.py"), *map(str, words)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_model_has_learned_something(model_file: Path, training: pd.DataFrame) -> None:
    import decline_model
    import keras

    model = keras.saving.load_model(model_file)
    test = training[training["split"] == "test"]
    ranks = pd.Series(decline_model.scores(model, decline_model.inputs(test))).rank().to_numpy()
    declined = test["declined"].to_numpy() == 1
    lowest = declined.sum() * (declined.sum() + 1) / 2
    auc = (ranks[declined].sum() - lowest) / (declined.sum() * (~declined).sum())
    assert auc > 0.65


def test_offline_and_online_predictions_are_equal(
    model_file: Path, training: pd.DataFrame, client: FeatureClient
) -> None:
    import decline_model
    import keras

    model = keras.saving.load_model(model_file)
    now = training[training["split"] == "now"]
    ids = [str(user_id) for user_id in now["user_id"]]
    vectors = client.vectors("fraud_score", ids)
    assert vectors.values.tobytes() == b"".join(now["vector"])
    offline = decline_model.scores(model, decline_model.inputs(now))
    online = decline_model.predict(model, client, ids)
    assert online.tobytes() == offline.tobytes()
    assert np.unique(online).size > 100


def test_the_saved_model_predicts_online(model_file: Path, server: Server) -> None:
    lines = run_example("predict", model_file, server.target, 1, 2, "nobody").splitlines()
    risks = {line.split("\t")[0]: line.split("\t")[1] for line in lines}
    assert 0 < float(risks["1"]) < 1
    assert 0 < float(risks["2"]) < 1
    assert risks["nobody"] == "nan"


def test_the_service_scores_and_falls_back(
    tarn: LocalTarn, model_file: Path, client: FeatureClient
) -> None:
    import decline_model
    import keras

    port = f"serving.port={free_port()}"
    model = keras.saving.load_model(model_file)
    (expected,) = decline_model.predict(model, client, ["1"])
    versions = client.vectors("fraud_score", ["1"]).versions
    with tarn.serve(port) as lookups, bento(lookups.target, model_file) as url:
        score = post_until(url, "")
        assert score["risk"] == pytest.approx(float(expected), abs=1e-6)
        assert score["fallback"] == ""
        assert score["snapshots"] == {v.feature_view: v.snapshot_id for v in versions}

        nobody = post(url, "nobody")
        assert (nobody["risk"], nobody["fallback"]) == (0.1, "NOT_FOUND")

        os.kill(tarn.redis_pid(), signal.SIGSTOP)
        try:
            late = post(url, "1")
        finally:
            os.kill(tarn.redis_pid(), signal.SIGCONT)
        assert (late["risk"], late["fallback"]) == (0.1, "DEADLINE_EXCEEDED")

        lookups.stop()
        away = post_until(url, "UNAVAILABLE")
        assert (away["risk"], away["fallback"]) == (0.1, "UNAVAILABLE")

        with tarn.serve(port):
            assert post_until(url, "") == score


@contextmanager
def bento(target: str, model_file: Path) -> Iterator[str]:
    """The service as a process of its own; yields its address."""
    port = free_port()
    log = model_file.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bentoml", "serve", "decline_service:DeclineRisk"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=EXAMPLES,
            env={**ENVIRONMENT, "DECLINE_MODEL": str(model_file), "TARN_TARGET": target},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 300
        while not is_ready(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def post_until(url: str, fallback: str) -> dict[str, Any]:
    """Ask until the answer is this one, for a while: which it is first depends on the clock."""
    until = time.monotonic() + 15
    while (score := post(url, "1"))["fallback"] != fallback and time.monotonic() < until:
        pass
    return score


def post(url: str, user_id: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/score",
        data=json.dumps({"user_id": user_id}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        score: dict[str, Any] = json.load(answer)
        return score
