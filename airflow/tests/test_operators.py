"""What a task makes of its job's summary."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from tarn_airflow import assets
from tarn_airflow.operators import PushOperator

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
