"""The feature tables without Spark: what docs/pyiceberg.md says."""

import os
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table

import accounts
from conftest import HOME
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


def test_pandas_joins_a_spine_in_time(table: Table, tmp_path: Path) -> None:
    """The recipe of the page, as it is printed there, with each type that a spine may have."""
    page = (HOME / "docs" / "pyiceberg.md").read_text()
    (recipe,) = [code for code in page.split("```") if "merge_asof" in code]
    rows = tmp_path / "rows.parquet"
    pq.write_table(table.scan().to_arrow(), rows)
    script = tmp_path / "join.py"
    script.write_text(
        JOIN.format(
            rows=str(rows),
            indented=textwrap.indent(
                recipe.removeprefix("python").replace("user_id", "account_id"), " " * 8
            ),
            first=accounts.FIRST,
            second=accounts.SECOND,
        )
    )
    for folder, version in (("", pd.__version__), (str(_pandas_2()), "2.")):
        done = subprocess.run(
            [sys.executable, script],
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.startswith(f"{version}")
        assert done.stdout.endswith(" 30 kinds of spine\n")


JOIN = """
import itertools
import pandas as pd

rows = pd.read_parquet("{rows}")
first, second = pd.Timestamp("{first}"), pd.Timestamp("{second}")
micro = pd.Timedelta(microseconds=1)
moments = [second, first - micro, second - micro, first]
kinds = itertools.product(
    ["int64", "int32", "Int64", "Int16", "float64"], ["us", "ns"], ["UTC", "Asia/Tokyo", "+02:00"]
)
count = 0
for key, unit, zone in kinds:
    at = pd.Series(pd.to_datetime(moments).tz_convert(zone)).dt.as_unit(unit)
    spine = pd.DataFrame({{"account_id": pd.Series([7] * 4, dtype=key), "at": at}})
    for of_rows in ["int64", "int32"]:
        rows = rows.astype({{"account_id": of_rows}})
{indented}
        assert joined["days"].astype(object).where(joined["days"].notna(), None).to_list() == [
            None, 3, 3, 4
        ], (key, unit, zone, of_rows, joined)
    count += 1
print(pd.__version__, count, "kinds of spine")
"""


def _pandas_2() -> Path:
    """Return a folder with pandas 2, which many have still; the tests run on pandas 3."""
    folder = HOME / "serving" / "python" / "target" / "pandas-2.3.3"
    if not folder.exists():
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--target", half, "pandas==2.3.3", "pytz==2025.2"),
            ],
            check=True,
        )
        half.rename(folder)
    return folder


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
        case int() if not isinstance(value, bool):
            return float(value) if abs(value) <= 2**53 else str(value)
        case Decimal():
            return str(value)
        case date():  # a datetime, too
            return value.isoformat().replace("+00:00", "Z")
        case list():
            return [_online(element) for element in value]
        case dict():
            return {name: _online(value[name]) for name in sorted(value)}
        case _:
            return value
