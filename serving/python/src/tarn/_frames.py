"""Columns of a DataFrame, of the types that features have."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pandas as pd

#: pandas' own types with a missing value, by Spark's.
_NULLABLE = {"boolean": "boolean", "int": "Int32", "bigint": "Int64", "string": "string"}

_FLOATS = {"float": np.float32, "double": np.float64}


def column(
    values: Sequence[object], feature_type: str | None, index: pd.Index[Any] | None = None
) -> pd.Series[Any]:
    """Return the values of one feature as pandas takes them.

    :param values: as answers have them; None where there is none
    :param feature_type: Spark's name of it; None if it is not known
    """
    if feature_type is None:
        return pd.Series(list(values), index=index)
    exact: list[Any] = [exactly(value, feature_type) for value in values]
    if feature_type in _NULLABLE:
        # pandas' stubs want the dtype as a literal.
        array = cast(Any, pd.array)(exact, dtype=_NULLABLE[feature_type])
        return pd.Series(array, index=index)
    if feature_type in _FLOATS:
        floats = np.array([np.nan if v is None else v for v in exact], _FLOATS[feature_type])
        return pd.Series(floats, index=index)
    if feature_type in ("timestamp", "timestamp_ntz"):
        moments = np.array([None if v is None else v.replace(tzinfo=None) for v in exact], "M8[us]")
        naive = pd.Series(moments, index=index)
        return naive.dt.tz_localize("UTC") if feature_type == "timestamp" else naive
    objects = np.empty(len(exact), dtype=object)
    for i, value in enumerate(exact):
        # One by one: NumPy would take lists apart.
        objects[i] = value
    return pd.Series(objects, index=index, dtype=object)


def exactly(value: object, feature_type: str) -> object:
    """Return a value of an answer as Python has its type.

    A type that is not known leaves the value as it is.
    """
    if value is None:
        return None
    if isinstance(value, list) and feature_type.startswith("array<"):
        return [exactly(element, feature_type[len("array<") : -1]) for element in value]
    if isinstance(value, dict) and feature_type.startswith("struct<"):
        fields = _fields(feature_type[len("struct<") : -1])
        return {name: exactly(field, fields.get(name, "")) for name, field in value.items()}
    scalar = _SCALARS.get(feature_type.partition("(")[0])
    return value if scalar is None else scalar(value)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_SCALARS: dict[str, Callable[[Any], object]] = {
    # Beyond 2**53 an integer is answered as text; as a float it is exact.
    "int": int,
    "bigint": int,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": _moment,
    "timestamp_ntz": datetime.fromisoformat,
    "binary": base64.b64decode,
}


def _fields(text: str) -> dict[str, str]:
    """Return the types of a struct's fields by name, from ``name:type,name:type``."""
    fields = {}
    depth = 0
    begin = 0
    for i, letter in enumerate(text + ","):
        if letter in "<(":
            depth += 1
        elif letter in ">)":
            depth -= 1
        elif letter == "," and depth == 0:
            name, _, feature_type = text[begin:i].partition(":")
            fields[name] = feature_type
            begin = i + 1
    return fields
