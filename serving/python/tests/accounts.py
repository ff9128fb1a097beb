"""The source of the view ``oddities``: one row for each account."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COUNT = 300
#: The as-ofs that the tests build.
FIRST = datetime(2026, 1, 4, tzinfo=UTC)
SECOND = datetime(2026, 1, 5, tzinfo=UTC)


def write(folder: Path) -> None:
    """Write the accounts as Parquet."""
    ids = range(1, COUNT + 1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "account_id": pa.array(ids, pa.int64()),
            "visits": pa.array([None if i % 10 == 0 else i for i in ids], pa.int64()),
            "big": pa.array([2**53 + i for i in ids], pa.int64()),
            "price": pa.array([Decimal(i) / 100 for i in ids], pa.decimal128(12, 2)),
            "ratio": pa.array([_ratio(i) for i in ids], pa.float64()),
            "country": pa.array([("DE", "FR", "IT")[i % 3] for i in ids]),
            "seen": pa.array(
                [start + timedelta(microseconds=i) for i in ids], pa.timestamp("us", "UTC")
            ),
            "tags": pa.array([["é", str(i)] for i in ids], pa.list_(pa.string())),
        }
    )
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "accounts.parquet")


def _ratio(account: int) -> float | None:
    match account % 5:
        case 0:
            return None
        case 1:
            return float("nan")
        case 2:
            return float("-inf")
        case 3:
            return -0.0
        case _:
            return 1 / account
