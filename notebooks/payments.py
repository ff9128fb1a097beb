"""Made-up card payments with a story in them: some cards are stolen.

A thief pays more often than the card's holder, abroad more than at home, and is declined more
often. After a few days the bank blocks the card. From then on nearly all payments with it are
declined, most of them subscriptions that go on trying. So a card that was stolen is easy to tell
afterwards, and hard to tell while it matters.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 61
CARDS = 3_000

_MICROS_A_DAY = 86_400_000_000


def make(seed: int = 7) -> pd.DataFrame:
    """Return all payments from March to April 2026, in order of time.

    The column ``fraud`` is what becomes known weeks later, from complaints.
    """
    random = np.random.default_rng(seed)
    cards = np.arange(1, CARDS + 1)
    # How often a card is used differs much between holders.
    rate = random.gamma(2.0, 0.4, CARDS) + 0.05
    home = random.beta(1.2, 12, CARDS)
    amount = random.normal(3.2, 0.4, CARDS)
    stolen = random.random(CARDS) < 0.25
    stolen_at = np.where(stolen, random.uniform(15, DAYS - 1, CARDS), np.inf)
    blocked_at = stolen_at + random.uniform(1.5, 5, CARDS)

    def phase(per_day: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, ...]:
        length = np.clip(np.minimum(end, DAYS) - begin, 0, None)
        length[~np.isfinite(length)] = 0
        which = np.repeat(np.arange(CARDS), random.poisson(per_day * length))
        return which, begin[which] + random.random(which.size) * length[which]

    never = np.zeros(CARDS)
    parts = []
    for name, per_day, begin, end in (
        ("holder", rate, never, np.minimum(blocked_at, DAYS)),
        ("thief", rate * 0.5 + 1.0, stolen_at, blocked_at),
        ("blocked", rate * 0.6 + 0.4, blocked_at, blocked_at + 25),
    ):
        which, day = phase(per_day, begin, end)
        count = which.size
        declined = {"holder": 0.03, "thief": 0.14, "blocked": 0.95}[name]
        abroad = np.clip(home[which] + (0.25 if name == "thief" else 0), 0, 1)
        parts.append(
            pd.DataFrame(
                {
                    "card_id": cards[which],
                    "event_time": (day * _MICROS_A_DAY).astype(np.int64),
                    "amount": np.exp(random.normal(amount[which], 0.8)).round(2),
                    "abroad": random.random(count) < abroad,
                    "declined": random.random(count) < declined,
                    "fraud": name == "thief",
                }
            )
        )
    payments = pd.concat(parts).sort_values(["event_time", "card_id"], ignore_index=True)
    start = int(START.timestamp()) * 1_000_000
    payments["event_time"] = pd.to_datetime(start + payments["event_time"], unit="us", utc=True)
    payments["event_time"] = payments["event_time"].dt.as_unit("us")
    return payments


def write(payments: pd.DataFrame, folder: Path) -> None:
    """Write what Tarn reads: the payments, without what is known only later."""
    folder.mkdir(parents=True, exist_ok=True)
    payments.drop(columns="fraud").to_parquet(folder / "payments.parquet", index=False)


def labels(payments: pd.DataFrame, begin: str, end: str) -> pd.DataFrame:
    """Return the spine: each approved payment of these days, with what turned out later."""
    at = payments["event_time"]
    chosen = payments[(at >= begin) & (at < end) & ~payments["declined"]]
    spine = chosen[["card_id", "event_time", "fraud"]].reset_index(drop=True)
    return spine.astype({"fraud": "int32"})
