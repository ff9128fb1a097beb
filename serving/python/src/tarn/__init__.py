"""Looks up features that Tarn serves.

>>> from tarn import FeatureClient
>>> with FeatureClient("127.0.0.1:50051") as features:
...     features.get(["42"], ["txn_count_7d"])["42"]
{'txn_count_7d': 3.0}

:class:`tarn.aio.FeatureClient` is the same for asyncio.
"""

from tarn._answers import Features, Status, Value, Vectors, ViewVersion
from tarn._channel import Tls
from tarn._client import FeatureClient
from tarn._errors import (
    DeadlineExceededError,
    ForkedError,
    InvalidRequestError,
    NotAllowedError,
    NotReadyError,
    OverloadedError,
    TarnError,
    UnavailableError,
)

__all__ = [
    "DeadlineExceededError",
    "FeatureClient",
    "Features",
    "ForkedError",
    "InvalidRequestError",
    "NotAllowedError",
    "NotReadyError",
    "OverloadedError",
    "Status",
    "TarnError",
    "Tls",
    "UnavailableError",
    "Value",
    "Vectors",
    "ViewVersion",
]
