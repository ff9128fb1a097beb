"""Payments as ./tarn demo makes them up, but few, and with users that are declined more often."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

USERS = 600
DAYS = 30
_ROWS = 24_000


def make(end: date) -> pd.DataFrame:
    """Return the payments of the 30 days before midnight of ``end``."""
    random = np.random.default_rng(3)
    users = random.integers(1, USERS + 1, _ROWS)
    rate = random.beta(0.4, 4, USERS + 1)
    home = random.choice(["DE", "FR", "IT", "JP"], USERS + 1)
    micros = np.sort(random.integers(0, DAYS * 86_400_000_000, _ROWS))
    times = pd.Timestamp(end - timedelta(days=DAYS), tz="UTC").as_unit("us") + pd.to_timedelta(
        micros, unit="us"
    )
    return pd.DataFrame(
        {
            "transaction_id": np.arange(_ROWS),
            "user_id": users,
            "event_time": times,
            "amount": np.exp(random.normal(3, 1, _ROWS)).round(2),
            "country": home[users],
            "merchant": [f"m{number}" for number in random.integers(0, 500, _ROWS)],
            "status": np.where(random.random(_ROWS) < rate[users], "declined", "approved"),
            "dt": times.date,
        }
    )


def write(payments: pd.DataFrame, folder: Path) -> None:
    """Write them as the demo does: Parquet, a folder a day."""
    table = pa.Table.from_pandas(payments, preserve_index=False)
    place = table.schema.get_field_index("amount")
    amounts = table["amount"].cast(pa.decimal128(12, 2))
    table = table.set_column(place, "amount", amounts)
    pq.write_to_dataset(table, folder, partition_cols=["dt"])
