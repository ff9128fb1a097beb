"""What a task makes of its job's summary, whatever else the job says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from tarn_airflow import assets
from tarn_airflow.operators import BuildOperator, PushOperator

RELEASED = {"version": "v3-a", "snapshot_id": "7", "as_of": "2026-01-02T00:00:00Z"}


def pushed(states: dict[str, str]) -> tuple[PushOperator, OutletEventAccessors]:
    push = PushOperator(task_id="push", views=list(states))
    events = OutletEventAccessors()
    context: Any = {"outlet_events": events}
    outcomes = [
        {"feature_view": view, "state": state, "rows": 3, **RELEASED}
        for view, state in states.items()
    ]
    push.done({"feature_views": outcomes}, context)
    return push, events


def test_a_release_that_a_retry_finds_released_is_an_event_too() -> None:
    push, events = pushed({"a": "released", "b": "released already"})
    assert push.outlets == [assets.release("a"), assets.release("b")]
    assert events[assets.release("b")].extra == {**RELEASED, "state": "released already"}


def test_a_pinned_view_has_no_release_and_so_no_event() -> None:
    push, events = pushed({"a": "released", "b": "pinned"})
    assert push.outlets == [assets.release("a")]
    assert events[assets.release("a")].extra["version"] == "v3-a"


def test_a_push_of_pinned_views_only_is_skipped_and_says_why() -> None:
    with pytest.raises(AirflowSkipException, match=r"pinned a to v3-a, b to v3-a; \./tarn unpin"):
        pushed({"a": "pinned", "b": "pinned"})


LOG = json.dumps({"level": "INFO", "as_ofs": [], "message": "a log line in JSON"})


class Task:
    """The part of a task instance that an operator uses."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def submit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, **arguments: Any
) -> tuple[BuildOperator, Any]:
    """Return a build by a spark-submit that says what it is told to.

    ``$result`` is the file for the result; ``lines N`` prints as many lines of a log in JSON.
    """
    command = folder / "spark-submit"
    command.write_text(
        f"""#!/bin/bash
for word; do case $word in result-file=*) result=${{word#*=}} ;; esac; done
lines() {{ yes '{LOG}' | head -n "$1"; }}
{script}
"""
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv(
        "AIRFLOW_CONN_SPARK_OF_TEST", json.dumps({"conn_type": "spark", "host": "local"})
    )
    operator = BuildOperator(
        task_id="build",
        view="a",
        application="tarn-etl.jar",
        conn_id="spark_of_test",
        **arguments,
    )
    return operator, {"ti": Task(), "outlet_events": OutletEventAccessors()}


BUILT = {"as_ofs": [{"as_of": "2026-01-02T00:00:00Z", "snapshot_id": "7", "rows": 3}]}
WRITTEN = f"echo '{json.dumps(BUILT)}' | tee $result"


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 3), (0, 12_000), (12_000, 1)])
def test_no_line_of_a_log_is_taken_for_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    operator, context = submit(tmp_path, monkeypatch, f"lines {before}; {WRITTEN}; lines {after}")
    assert operator.execute(context) == BUILT
    assert context["outlet_events"][assets.table("a")].extra["snapshot_id"] == "7"


def test_a_job_that_ends_well_without_a_summary_says_so_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, context = submit(tmp_path, monkeypatch, "lines 3")
    with pytest.raises(AirflowException, match="wrote no summary") as failed:
        operator.execute(context)
    assert not isinstance(failed.value, AirflowFailException)


def test_a_job_that_fails_is_tried_again_whatever_its_log_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, context = submit(
        tmp_path, monkeypatch, "lines 3; echo 'tarn: Redis is away' >&2; lines 12000; exit 1"
    )
    with pytest.raises(AirflowException, match=r"^Redis is away$") as failed:
        operator.execute(context)
    assert not isinstance(failed.value, AirflowFailException)
    assert context["ti"].pushed == {}


def test_what_a_failed_job_has_found_is_final_and_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, context = submit(
        tmp_path, monkeypatch, f"{WRITTEN}; echo 'tarn: 1 of 3 differ' >&2; lines 3; exit 1"
    )
    with pytest.raises(AirflowFailException, match=r"^1 of 3 differ$"):
        operator.execute(context)
    assert context["ti"].pushed == {"return_value": BUILT}


def test_bad_use_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, context = submit(
        tmp_path, monkeypatch, "lines 3; echo 'tarn: no such view' >&2; exit 2"
    )
    with pytest.raises(AirflowFailException, match=r"^no such view$"):
        operator.execute(context)


def test_a_driver_in_the_cluster_is_given_no_file_and_returns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, context = submit(
        tmp_path,
        monkeypatch,
        'lines 3; [ -z "$result" ]',
        conf={"spark.submit.deployMode": "cluster"},
    )
    assert operator.execute(context) is None
