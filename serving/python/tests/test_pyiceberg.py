"""The feature tables without Spark: what docs/pyiceberg.md says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table

import accounts
from tarn import FeatureClient, ViewVersion
from tarn.testing import LocalTarn

IDS = [str(i) for i in range(1, accounts.COUNT + 1)]


@pytest.fixture(scope="module")
def catalog(tarn: LocalTarn) -> Catalog:
    return load_catalog("tarn", **tarn.catalog)


@pytest.fixture(scope="module")
def table(catalog: Catalog) -> Table:
    return catalog.load_table("features.oddities")


def test_all_tables_are_in_the_catalog(catalog: Catalog) -> None:
    assert {name for _, name in catalog.list_tables("features")} >= {
        "oddities",
        "stale",
        "tarn_releases",
    }


def test_a_snapshot_has_the_values_that_the_server_answers(
    table: Table, client: FeatureClient
) -> None:
    answer = client.get(IDS, [field.name for field in table.schema().fields[2:]])
    snapshot = table.scan(snapshot_id=answer.versions[0].snapshot_id).to_arrow()
    newest = snapshot.filter(pc.equal(snapshot["event_timestamp"], accounts.SECOND))
    assert newest.num_rows == accounts.COUNT
    assert {row["account_id"] for row in newest.to_pylist()} == {int(i) for i in IDS}
    for row in newest.to_pylist():
        online = answer[str(row["account_id"])]
        expected = {name: _online(value) for name, value in row.items() if name in online}
        # NaN is not equal to itself, 0.0 is to -0.0, and visits have a default: repr tells.
        expected["visits"] = expected["visits"] or 0.0
        assert repr(sorted(online.items())) == repr(sorted(expected.items()))


def test_types_are_kept(table: Table) -> None:
    schema = table.scan().to_arrow().schema
    assert schema.field("account_id").type == pa.int64()
    assert schema.field("price").type == pa.decimal128(12, 2)
    assert schema.field("event_timestamp").type == pa.timestamp("us", "UTC")
    assert schema.field("days").type == pa.int32()
    assert pa.types.is_struct(schema.field("place").type)


def test_an_earlier_snapshot_is_read_as_it_was(table: Table) -> None:
    first, second = _published(table)
    assert _as_ofs(table, first) == {accounts.FIRST}
    assert _as_ofs(table, second) == {accounts.FIRST, accounts.SECOND}


def test_a_tag_and_a_time_lead_to_a_snapshot(table: Table, client: FeatureClient) -> None:
    released: ViewVersion = client.get(["1"], ["visits"]).versions[0]
    tagged = table.snapshot_by_name(f"tarn-{released.version}")
    assert tagged is not None
    assert tagged.snapshot_id == released.snapshot_id
    first, second = _published(table)
    published = {s.snapshot_id: s.timestamp_ms for s in table.snapshots()}
    at = table.snapshot_as_of_timestamp(published[second] - 1)
    assert at is not None
    assert at.snapshot_id == first


def test_one_as_of_is_read_without_the_others(table: Table) -> None:
    rows = table.scan(
        row_filter="event_timestamp = '2026-01-04T00:00:00+00:00'",
        selected_fields=("account_id", "event_timestamp", "days"),
    ).to_arrow()
    assert rows.num_rows == accounts.COUNT
    assert set(rows["days"].to_pylist()) == {3}


def test_pandas_joins_a_spine_in_time(table: Table) -> None:
    moments = [
        accounts.FIRST - timedelta(microseconds=1),
        accounts.FIRST,
        accounts.SECOND - timedelta(microseconds=1),
        accounts.SECOND,
    ]
    spine = pd.DataFrame({"account_id": 7, "at": pd.to_datetime(moments).as_unit("us")})
    features = table.scan().to_pandas().sort_values("event_timestamp")
    joined = pd.merge_asof(
        spine, features, left_on="at", right_on="event_timestamp", by="account_id"
    )
    assert joined["days"].isna().to_list() == [True, False, False, False]
    assert joined["days"].to_list()[1:] == [3, 3, 4]


def test_the_release_history_is_a_table_like_the_others(
    catalog: Catalog, client: FeatureClient
) -> None:
    released = client.get(["1"], ["visits"]).versions[0]
    history = catalog.load_table("features.tarn_releases").scan().to_pandas()
    row = history[history["version"] == released.version].iloc[0]
    assert row["snapshot_id"] == released.snapshot_id
    assert row["released_at"].to_pydatetime() == released.released_at
    assert pd.isna(row["retired_at"])


def _published(table: Table) -> list[int]:
    """The snapshots that main was on, oldest first."""
    return [entry.snapshot_id for entry in table.history()]


def _as_ofs(table: Table, snapshot_id: int) -> set[datetime]:
    rows = table.scan(snapshot_id=snapshot_id, selected_fields=("event_timestamp",)).to_arrow()
    return {at.astimezone(UTC) for at in rows["event_timestamp"].to_pylist()}


def _online(value: object) -> object:
    """The value as docs/contracts.md says that it is answered."""
    match value:
        case int():
            return float(value) if abs(value) <= 2**53 else str(value)
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return [_online(element) for element in value]
        case dict():
            return {name: _online(value[name]) for name in sorted(value)}
        case _:
            return value
