"""The DAGs of Tarn: one for each release, for each training set, and one that cleans up.

All of them come from two small files, tarn.toml and definitions.json, so that reading this file
again and again costs next to nothing: no JVM starts for it. README.md says what they are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, AssetAll
from airflow.timetables.trigger import CronTriggerTimetable

from tarn_airflow import assets
from tarn_airflow.operators import (
    BuildOperator,
    PushOperator,
    TarnOperator,
    TrainOperator,
    as_of,
)
from tarn_airflow.settings import Release, Settings, TrainingSet, load


def release_dag(settings: Settings, release: Release) -> DAG:
    """Build each view, push all of them, verify each.

    The base of a live view is computed by its push, from the event table: in place of a build, the
    events of its source are archived.
    """
    views = [view.name for view in release.views]
    live_sources = sorted({view.live_source for view in release.views if view.live_source})
    with dag(
        settings,
        release.name,
        schedule=cron(settings, release.schedule),
        description=f"Build, push and verify {', '.join(views)}",
        doc_md="\n".join(f"* `{view.name}`: {view.description}" for view in release.views),
        tags=["tarn", *(tag for view in release.views for tag in view.tags)],
        # A push is of what is there now: where nothing is built, the past has nothing to do.
        catchup=any(view.live_source is None for view in release.views),
        end_date=settings.end,
    ) as made:
        push = PushOperator(
            task_id="push",
            views=views,
            words=settings.words,
            **job(settings, "push", release.name),
        )
        first: list[TarnOperator] = []
        for source in live_sources:
            archive = TarnOperator(
                task_id=f"archive_{source}",
                words=["archive", f"source={source}", *settings.words],
                **job(settings, "archive", source),
            )
            first.append(archive)
            archive >> push
        for view in release.views:
            owner = {"owner": view.owner} if view.owner else {}
            verify = TarnOperator(
                task_id=f"verify_{view.name}",
                words=["verify", f"view={view.name}", *settings.words],
                **owner,
                **job(settings, "verify", view.name),
            )
            push >> verify
            if view.live_source is None:
                build = BuildOperator(
                    task_id=f"build_{view.name}",
                    view=view.name,
                    words=settings.words,
                    **owner,
                    **job(settings, "build", view.name),
                )
                first.append(build)
                build >> push
        if release.wait:
            TimeDeltaSensor(task_id="wait", delta=release.wait, mode="reschedule") >> first
    return made


def training_dag(settings: Settings, training: TrainingSet) -> DAG:
    """Make a training set each time all of its views have come further."""
    asset = assets.table if training.after == "tables" else assets.release
    with dag(
        settings,
        f"train_{training.name}",
        schedule=AssetAll(*(asset(view) for view in training.views)),
        description=f"Training sets of {training.service}",
        tags=["tarn"],
    ) as made:
        TrainOperator(
            task_id="train",
            training_set=training.name,
            words=[*training.words, *settings.words],
            **job(settings, "train", training.name),
        )
    return made


def maintenance_dag(settings: Settings) -> DAG:
    """Let go of what nobody needs any more."""
    with dag(
        settings,
        "maintenance",
        schedule=cron(settings, settings.maintenance.schedule),
        description="Prune versions, expire snapshots, remove what dead jobs left",
        tags=["tarn"],
        catchup=False,
    ) as made:
        TarnOperator(
            task_id="expire",
            words=["expire", f"older-than={settings.maintenance.older_than}", *settings.words],
            **job(settings, "expire", "all"),
        )
    return made


def dag(settings: Settings, name: str, schedule: Any, **arguments: Any) -> DAG:
    """Return a DAG with what all of them have."""
    return DAG(
        f"{settings.prefix}_{name}",
        schedule=schedule,
        start_date=settings.start,
        # As-ofs come one after the other: a check may compare with the as-of before.
        max_active_runs=1,
        default_args={"retries": settings.retries, "retry_delay": settings.retry_delay},
        user_defined_macros={"as_of": as_of},
        **arguments,
    )


def cron(settings: Settings, schedule: str | None) -> CronTriggerTimetable | None:
    """Return a timetable whose logical dates are the moments at which it fires.

    Given by name, for an Airflow that takes a bare cron expression for intervals of data would have
    the logical date be the beginning of one, and so the as-of be one period late.
    """
    return CronTriggerTimetable(schedule, timezone=settings.timezone) if schedule else None


def job(settings: Settings, command: str, what: str) -> dict[str, Any]:
    """Return what each task tells spark-submit."""
    return {**settings.spark, "name": f"{settings.prefix} {command} {what}"}


HERE = Path(__file__).parent
SETTINGS = load(Path(os.environ.get("TARN_AIRFLOW_CONF", HERE / "tarn.toml")))

for a_release in SETTINGS.releases:
    release_dag(SETTINGS, a_release)
for a_set in SETTINGS.training:
    training_dag(SETTINGS, a_set)
maintenance_dag(SETTINGS)
