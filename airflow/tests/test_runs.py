"""Airflow runs the DAGs: real scheduler, real spark-submit, real Iceberg and Redis.

Two as-ofs are caught up with, one of them with a job that is killed. Then an older one is
backfilled, which a training set waits for.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from testing import LocalTarn

from airflow_server import AirflowServer, eventually
from conftest import WORK

JAN_1, JAN_3, JAN_4 = (f"2026-01-0{day}T00:00:00Z" for day in (1, 3, 4))

SHOP = "tarn_shop"


@pytest.fixture(scope="module")
def scheduled(airflow: AirflowServer) -> dict[str, str]:
    """The runs that the scheduler makes, by as-of, once they have ended."""
    airflow.unpause(SHOP)
    run = airflow.run(SHOP, JAN_4)
    eventually("its push", lambda: airflow.tasks(SHOP, run)["push"]["state"] == "running")
    os.kill(eventually("its job", lambda: job("views=spending,places")), signal.SIGKILL)
    runs = {as_of: airflow.run(SHOP, as_of) for as_of in (JAN_3, JAN_4)}
    assert {airflow.ended(SHOP, run) for run in runs.values()} == {"success"}
    return runs


@pytest.fixture(scope="module")
def backfilled(airflow: AirflowServer, scheduled: dict[str, str]) -> str:
    """The run of an as-of before all others, which comes last."""
    airflow.unpause("tarn_train_shopper")
    airflow.post(
        "backfills",
        {"dag_id": SHOP, "from_date": JAN_1, "to_date": JAN_1, "reprocess_behavior": "none"},
    )
    run = airflow.run(SHOP, JAN_1)
    assert airflow.ended(SHOP, run) == "success"
    return run


@pytest.fixture(scope="module")
def crowd(airflow: AirflowServer) -> str:
    """A run of the view whose checks do not hold."""
    airflow.unpause("tarn_crowd")
    run = airflow.trigger("tarn_crowd", JAN_3)
    assert airflow.ended("tarn_crowd", run) == "failed"
    return run


def test_each_logical_date_is_an_as_of_of_what_came_before_it(
    airflow: AirflowServer, scheduled: dict[str, str]
) -> None:
    rows = {}
    for as_of, run in scheduled.items():
        built = airflow.result(SHOP, run, "build_spending")["as_ofs"][0]
        assert built["as_of"] == as_of
        rows[as_of] = built["rows"]
    # Customer 3 came at the first as-of, and so belongs to the second.
    assert rows == {JAN_3: 2, JAN_4: 3}


def test_a_log_in_json_is_not_taken_for_the_summary(
    airflow: AirflowServer, scheduled: dict[str, str]
) -> None:
    log = airflow.log(SHOP, scheduled[JAN_3], "build_spending", 1)
    last = log.rindex('{"level":"INFO","as_ofs":[]')
    assert last > log.index('"feature_view":"spending"'), "it comes after the summary"
    assert airflow.result(SHOP, scheduled[JAN_3], "build_spending")["feature_view"] == "spending"


def test_a_task_whose_job_is_killed_is_tried_again(
    airflow: AirflowServer, scheduled: dict[str, str]
) -> None:
    push = airflow.tasks(SHOP, scheduled[JAN_4])["push"]
    assert (push["try_number"], push["state"]) == (2, "success")
    assert "Error code is: -9" in airflow.log(SHOP, scheduled[JAN_4], "push", 1)
    outcomes = airflow.result(SHOP, scheduled[JAN_4], "push")["feature_views"]
    assert [outcome["as_of"] for outcome in outcomes] == [JAN_4, JAN_4]


def test_several_views_are_released_in_the_same_instant(
    tarn: LocalTarn,
    backfilled: str,
) -> None:
    released = {
        version["feature_view"]: version["released_at"]
        for version in json.loads(tarn.run("versions", "format=json"))
        if version["state"] == "released"
    }
    assert set(released) == {"spending", "places"}
    assert released["spending"] == released["places"]


def test_an_older_as_of_that_comes_late_does_not_roll_back_what_is_served(
    tarn: LocalTarn, airflow: AirflowServer, backfilled: str
) -> None:
    built = airflow.result(SHOP, backfilled, "build_spending")["as_ofs"][0]
    assert (built["as_of"], built["rows"]) == (JAN_1, 1)
    pushed = {
        outcome["feature_view"]: outcome
        for outcome in airflow.result(SHOP, backfilled, "push")["feature_views"]
    }
    # The snapshot is the new one, and its newest rows are those of the newest as-of.
    assert pushed["spending"]["snapshot_id"] == built["snapshot_id"]
    assert pushed["spending"]["as_of"] == JAN_4

    with tarn.serve() as server:
        online = answers(tarn, f"target={server.target}")
    assert online == {
        "1": {"orders": 3, "spent": 11.0, "city": "Oslo"},
        "2": {"orders": 2, "spent": 36.0, "city": "Bergen"},
        "3": {"orders": 1, "spent": 16.0, "city": "Moss"},
    }
    offline = answers(tarn, "view=spending", f"snapshot={pushed['spending']['snapshot_id']}")
    assert set(offline) == set(online)
    for customer, features in offline.items():
        assert features.items() <= online[customer].items()


def test_each_verification_says_what_it_has_compared(
    airflow: AirflowServer, backfilled: str
) -> None:
    verified = airflow.result(SHOP, backfilled, "verify_spending")
    assert (verified["feature_view"], verified["state"]) == ("spending", "equal")
    assert (verified["as_of"], verified["entities_online"]) == (JAN_4, 3)


def test_assets_have_an_event_for_each_as_of_and_release(
    airflow: AirflowServer, scheduled: dict[str, str], backfilled: str
) -> None:
    built = airflow.events("tarn://tables/places")
    assert [event["extra"]["as_of"] for event in built] == [JAN_3, JAN_4, JAN_1]
    released = airflow.events("tarn://releases/places")
    assert [event["extra"]["as_of"] for event in released] == [JAN_3, JAN_4, JAN_4]
    assert [event["source_run_id"] for event in released] == [*scheduled.values(), backfilled]
    assert len({event["extra"]["version"] for event in released}) == 3


def test_a_training_set_is_made_once_all_its_tables_have_a_new_as_of(
    airflow: AirflowServer,
    backfilled: str,
) -> None:
    train = "tarn_train_shopper"
    run = airflow.run(train, None)
    assert run.startswith("asset_triggered")
    assert airflow.ended(train, run) == "success"
    made = airflow.result(train, run, "train")
    assert made["rows"] == 4
    assert (Path(made["out"]) / "_manifest.json").is_file()
    (event,) = airflow.events("tarn://sets/shopper")
    assert event["extra"] == {name: made[name] for name in ("manifest", "out", "rows")}


def test_a_failed_check_is_told_on_the_task(airflow: AirflowServer, crowd: str) -> None:
    build = airflow.tasks("tarn_crowd", crowd)["build_crowd"]
    assert (build["try_number"], build["state"]) == (2, "failed")
    for attempt in (1, 2):
        log = airflow.log("tarn_crowd", crowd, "build_crowd", attempt)
        error = log[log.index("AirflowException: ") :]
        assert error.startswith(
            f"AirflowException: build of crowd as of {JAN_3}: 2 checks failed;"
            " main stays at nothing\n"
        )
        assert "min-rows" in error
        assert "range" in error
    tasks = airflow.tasks("tarn_crowd", crowd)
    assert {tasks["push"]["state"], tasks["verify_crowd"]["state"]} == {"upstream_failed"}
    assert airflow.events("tarn://tables/crowd") == []


def test_bad_use_is_not_tried_again(airflow: AirflowServer) -> None:
    airflow.unpause("tarn_spendings")
    run = airflow.trigger("tarn_spendings", JAN_3)
    assert airflow.ended("tarn_spendings", run) == "failed"
    build = airflow.tasks("tarn_spendings", run)["build_spendings"]
    assert (build["try_number"], build["state"]) == (1, "failed")
    assert (
        "AirflowFailException: there is no feature view 'spendings'; did you mean 'spending'?"
        in airflow.log("tarn_spendings", run, "build_spendings", 1)
    )


def test_a_run_without_a_logical_date_has_no_as_of(airflow: AirflowServer, crowd: str) -> None:
    run = airflow.trigger("tarn_crowd", None)
    assert airflow.ended("tarn_crowd", run) == "failed"
    assert airflow.tasks("tarn_crowd", run)["build_crowd"]["try_number"] == 1
    log = airflow.log("tarn_crowd", run, "build_crowd", 1)
    assert "this run has no logical date, and so no as-of to build: trigger it with one" in log


def test_maintenance_lets_go_of_what_nobody_needs(
    airflow: AirflowServer,
    backfilled: str,
) -> None:
    airflow.unpause("tarn_maintenance")
    run = airflow.trigger("tarn_maintenance", JAN_4)
    assert airflow.ended("tarn_maintenance", run) == "success"
    tables = {it["table"]: it for it in airflow.result("tarn_maintenance", run, "expire")["tables"]}
    assert tables["spending"]["snapshots_expired"] > 0
    assert len(tables["spending"]["kept"]) == 2


def test_a_failed_verification_names_on_the_task_the_entities_that_differ(
    tarn: LocalTarn, airflow: AirflowServer, backfilled: str
) -> None:
    verified = airflow.result(SHOP, backfilled, "verify_spending")
    version = verified["version"]
    before = airflow.tasks(SHOP, backfilled)["verify_spending"]["try_number"]
    assert redis(tarn, "HDEL", f"tarn:spending:{version}:0", "2") == ":1"
    airflow.post(
        f"dags/{SHOP}/clearTaskInstances",
        {
            "dag_run_id": backfilled,
            "task_ids": ["verify_spending"],
            "dry_run": False,
            "only_failed": False,
        },
    )
    assert airflow.ended(SHOP, backfilled) == "failed"
    attempt = airflow.tasks(SHOP, backfilled)["verify_spending"]["try_number"]
    assert attempt == before + 1, "what a verification has found is not tried again"
    log = airflow.log(SHOP, backfilled, "verify_spending", attempt)
    error = log[log.index("AirflowFailException: ") :]
    snapshot = verified["snapshot_id"]
    assert error.startswith(
        f"AirflowFailException: spending: version {version} is not its snapshot {snapshot}:"
        " 1 of 3 entities differ"
    )
    assert "\n  entity '2' " in error
    found = airflow.result(SHOP, backfilled, "verify_spending")
    assert [it["entity_id"] for it in found["differences"]] == ["2"]


def answers(tarn: LocalTarn, *words: str) -> dict[str, dict[str, Any]]:
    """Return the features of all customers, online or of a snapshot."""
    printed = json.loads(tarn.run("get", "ids=1,2,3", "format=json", *words))
    return {customer: found["features"] for customer, found in printed["results"].items()}


def redis(tarn: LocalTarn, *words: str) -> str:
    """Send a command to this Tarn's Redis and return the first line of its answer."""
    port = next(
        int(line.split("=")[1])
        for line in tarn.conf.read_text().splitlines()
        if line.startswith("tarn.redis.port")
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.makefile().readline().strip()


def job(word: str) -> int:
    """Return the process id of the spark-submit that this test's Airflow has started, or 0."""
    mine = f"AIRFLOW_HOME={WORK / 'airflow'}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            is_mine = mine in (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        # The launcher that works out the JVM's own command has these words, too.
        is_job = b"org.apache.spark.launcher.Main" not in words and words[0].endswith(b"java")
        if is_mine and is_job and word.encode() in words:
            return int(process.name)
    return 0
