"""What the factory makes of definitions and settings; nothing runs."""

from __future__ import annotations

import json
import runpy
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Asset, AssetAll
from airflow.serialization.serialized_objects import DagSerialization
from testing import LocalTarn

from conftest import DAGS, WORK
from tarn_airflow.settings import SettingsError, load

if TYPE_CHECKING:
    from airflow.sdk import DAG


@pytest.fixture(scope="module")
def dags(tarn: LocalTarn) -> dict[str, DAG]:
    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    return bag.dags


def test_each_release_set_and_the_maintenance_has_a_dag(dags: dict[str, DAG]) -> None:
    by_themselves = {"tarn_crowd", "tarn_user_activity", "tarn_user_location"}
    assert set(dags) == {"tarn_shop", "tarn_train_shopper", "tarn_maintenance", *by_themselves}
    for dag in dags.values():
        # Raises where there is a cycle.
        dag.check_cycle()


def test_views_are_built_then_pushed_together_then_verified(dags: dict[str, DAG]) -> None:
    shop = dags["tarn_shop"]
    assert shop.get_task("push").upstream_task_ids == {"build_spending", "build_places"}
    assert shop.get_task("push").downstream_task_ids == {"verify_spending", "verify_places"}
    assert words(shop, "push")[:2] == ["push", "views=spending,places"]
    assert words(shop, "verify_places")[:2] == ["verify", "view=places"]
    for task in shop.tasks:
        assert {"push.keep=2", "format=json"} <= set(words(shop, task.task_id))
        assert task.retries == 1
    assert shop.get_task("build_spending").owner == "shop"
    assert {"tarn", "money"} <= set(shop.tags)
    assert "What a customer has spent" in str(shop.doc_md)


def test_the_logical_date_is_the_moment_of_the_schedule_and_the_as_of(dags: dict[str, DAG]) -> None:
    shop = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags["tarn_shop"]))
    infos = list(
        shop.iter_dagrun_infos_between(utc("2026-01-01T00:00:00"), utc("2026-01-03T12:00:00"))
    )
    dates = ["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00+00:00"]
    assert [info.logical_date.isoformat() for info in infos if info.logical_date] == dates
    assert [info.run_after.isoformat() for info in infos] == dates
    assert shop.catchup
    assert "as-of={{ as_of(dag_run) }}" in words(dags["tarn_shop"], "build_spending")


def test_tables_and_releases_are_assets_that_training_waits_for(dags: dict[str, DAG]) -> None:
    shop = dags["tarn_shop"]
    assert outlets(shop, "build_spending") == ["tarn://tables/spending"]
    assert outlets(shop, "push") == ["tarn://releases/spending", "tarn://releases/places"]
    train = dags["tarn_train_shopper"]
    waits_for: Any = train.timetable.asset_condition
    assert isinstance(waits_for, AssetAll)
    uris = [asset.uri for asset in waits_for.objects if isinstance(asset, Asset)]
    assert uris == ["tarn://tables/spending", "tarn://tables/places"]
    assert outlets(train, "train") == ["tarn://sets/shopper"]


def test_the_events_of_live_views_are_archived_in_place_of_a_build(
    tarn: LocalTarn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = json.loads((WORK / "definitions.json").read_text())
    spending = next(it for it in definitions["feature_views"] if it["name"] == "spending")
    assert "live_source" not in spending
    for name in ("recent", "recent_too"):
        view = {**spending, "name": name, "live_source": "payments"}
        definitions["feature_views"].append(view)
    (tmp_path / "definitions.json").write_text(json.dumps(definitions))
    text = (WORK / "tarn.toml").read_text()
    (tmp_path / "tarn.toml").write_text(
        text.replace(
            "[training.shopper]",
            '[releases.live]\nviews = ["recent", "recent_too"]\nschedule = "0 * * * *"\n\n'
            "[training.shopper]",
        ).replace('["spending", "places"]', '["spending", "recent", "places"]')
    )
    monkeypatch.setenv("TARN_AIRFLOW_CONF", str(tmp_path / "tarn.toml"))
    made = runpy.run_path(str(DAGS / "tarn_dags.py"))
    releases = {release.name: release for release in made["SETTINGS"].releases}
    live = made["release_dag"](made["SETTINGS"], releases["live"])
    assert words(live, "archive_payments")[:2] == ["archive", "source=payments"]
    assert live.get_task("push").upstream_task_ids == {"archive_payments"}
    assert live.get_task("push").downstream_task_ids == {"verify_recent", "verify_recent_too"}
    assert words(live, "push")[:2] == ["push", "views=recent,recent_too"]
    assert not live.catchup
    shop = made["release_dag"](made["SETTINGS"], releases["shop"])
    assert shop.get_task("push").upstream_task_ids == {
        "archive_payments",
        "build_spending",
        "build_places",
    }
    assert shop.catchup


def test_the_settings_that_are_shipped_fit_the_definitions_that_are_shipped(
    tarn: LocalTarn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "definitions.json").write_text((WORK / "definitions.json").read_text())
    (tmp_path / "tarn.toml").write_text((DAGS / "tarn.toml").read_text())
    monkeypatch.setenv("TARN_AIRFLOW_CONF", str(tmp_path / "tarn.toml"))
    made = runpy.run_path(str(DAGS / "tarn_dags.py"))
    users = made["release_dag"](made["SETTINGS"], made["SETTINGS"].releases[0])
    assert users.get_task("wait").downstream_task_ids == {
        "build_user_activity",
        "build_user_location",
    }
    assert "pyspark" not in sys.modules, "reading the DAGs has to stay quick"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("retries = 1", "retires = 1"), "there is no setting 'retires'"),
        (("retries = 1", 'retries = "1"'), "retries = '1' is no whole number"),
        (("jar =", "jar ="), None),
        (("jar =", "# jar ="), "jar is missing"),
        (("start = 2026-01-03", "start = 2026-01-"), "Expected"),
        (('["spending", "places"]', "[]"), "releases: shop: views is empty"),
        (('"places"]', '"place"]'), "releases: shop: there is no feature view 'place'"),
        (("[releases.shop]", "[releases.crowd]"), "crowd has the name of a view"),
        (('"0 0 * * *"\n', '"0 0 * * *"\nwait = 1\n'), "shop: there is no setting 'wait'"),
        (('service = "shopper"', 'service = "buyer"'), "there is no feature service 'buyer'"),
        (("spine =", "spin ="), "training: shopper: spine is missing"),
        (('service = "shopper"', 'service = "shopper"\nafter = "x"'), "are tables and releases"),
    ],
)
def test_settings_that_are_wrong_are_told_where(
    tarn: LocalTarn,
    tmp_path: Path,
    change: tuple[str, str],
    message: str | None,
) -> None:
    text = (WORK / "tarn.toml").read_text()
    assert change[0] in text
    file = tmp_path / "tarn.toml"
    file.write_text(text.replace(change[0], change[1], 1))
    (tmp_path / "definitions.json").write_text((WORK / "definitions.json").read_text())
    if message is None:
        load(file)
        return
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_definitions_that_are_not_there_are_told_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "tarn.toml").write_text('jar = "tarn-etl.jar"\nstart = 2026-01-01\n')
    with pytest.raises(SettingsError, match=r"validate out=.*definitions\.json"):
        load(tmp_path / "tarn.toml")
    (tmp_path / "definitions.json").write_text(
        json.dumps({"feature_views": [], "feature_services": []})
    )
    assert load(tmp_path / "tarn.toml").releases == ()


def words(dag: DAG, task: str) -> list[str]:
    found: Any = dag.get_task(task)
    return list(found.application_args)


def outlets(dag: DAG, task: str) -> list[str]:
    return [asset.uri for asset in dag.get_task(task).outlets]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")
