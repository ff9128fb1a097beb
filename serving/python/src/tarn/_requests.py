"""What both clients ask, of what their callers give."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex

from feature_store.v1 import feature_store_pb2 as pb

#: Seconds that a call may take with all its retries, unless it says otherwise.
DEADLINE = 1.0

#: Texts or whole numbers, in a list, an array, a Series, a generator…
EntityIds = Iterable[str | SupportsIndex]


def entity_ids(given: EntityIds) -> list[str]:
    """Return the ids as texts.

    :raises TypeError: if they are no texts or whole numbers, or are no several
    :raises ValueError: if one is a text that UTF-8 can't have
    """
    several = _several("entity_ids", given)
    if set(map(type, several)) <= {str}:
        return several
    return [_entity_id(index, entity_id) for index, entity_id in enumerate(several)]


def names(given: Iterable[str]) -> list[str]:
    """Return the names of features.

    :raises TypeError: if they are no texts, or are no several
    """
    return [
        text(f"features[{index}]", _python(name))
        for index, name in enumerate(_several("features", given))
    ]


def text(argument: str, given: object) -> str:
    """Return a text.

    :raises TypeError: if it is none
    """
    if not isinstance(given, str):
        raise TypeError(f"{argument} is {_shown(given)}, but has to be a str")
    return str(given)


def seconds(argument: str, given: object) -> float:
    """Return a time in seconds.

    :raises TypeError: if it is no number
    :raises ValueError: if it is NaN
    """
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        raise TypeError(f"{argument} is {_shown(given)}, but has to be a number of seconds")
    if math.isnan(given):
        raise ValueError(f"{argument} is NaN, but has to be a number of seconds")
    return float(given)


def features(
    ids: list[str],
    feature_names: list[str],
    entity: str,
    service: str,
    *,
    with_event_timestamps: bool,
    with_stamps: bool,
) -> pb.GetOnlineFeaturesRequest:
    """Return the request of ``get``."""
    try:
        return pb.GetOnlineFeaturesRequest(
            entity_ids=ids,
            feature_names=feature_names,
            entity=text("entity", entity),
            feature_service=text("service", service),
            include_event_timestamps=bool(with_event_timestamps),
            include_feature_types=True,
            include_stamps=bool(with_stamps),
        )
    except UnicodeError as e:
        raise _not_utf8(
            e, entity_ids=ids, features=feature_names, entity=[entity], service=[service]
        ) from None


def vectors(service: str, ids: list[str], with_stamps: bool) -> pb.GetFeatureVectorsRequest:
    """Return the request of ``vectors``."""
    try:
        return pb.GetFeatureVectorsRequest(
            entity_ids=ids,
            feature_service=text("service", service),
            include_stamps=bool(with_stamps),
        )
    except UnicodeError as e:
        raise _not_utf8(e, entity_ids=ids, service=[service]) from None


def _several(argument: str, given: Iterable[Any]) -> list[Any]:
    """Return what an argument has, after refusing what can be gone through but is no several."""
    if isinstance(given, str):
        # It is a sequence, too: "42" would be asked as "4" and "2".
        raise TypeError(f'{argument} is a str, but takes several: write ["{given}"]')
    if isinstance(given, bytes | bytearray | Mapping):
        raise TypeError(f"{argument} is a {type(given).__name__}, but takes a list of texts")
    if hasattr(type(given), "columns"):
        raise TypeError(
            f"{argument} is a {type(given).__name__}, but takes one column of it:"
            ' write frame["user_id"], or frame.index'
        )
    try:
        return list(given)
    except TypeError:
        raise TypeError(
            f"{argument} is {_shown(given)}, but takes several: write [{given!r}]"
        ) from None


def _entity_id(index: int, given: object) -> str:
    value = _python(given)
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, bool):
        try:
            return str(operator.index(value))  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(
        f"entity_ids[{index}] is {_shown(given)}, but an id is a str or an int{_advice(value)}"
    )


def _advice(value: object) -> str:
    if not isinstance(value, numbers.Real) or isinstance(value, numbers.Integral):
        return ""
    if math.isnan(value):
        return ": leave missing ids out (of a column with them: .dropna().astype('int64'))"
    if value == math.floor(value):
        return f": write {math.floor(value)} (of a column: .astype('int64'))"
    return ""


def _python(value: object) -> object:
    """Return what an element of an Arrow array stands for, or the element of any other."""
    as_py = getattr(value, "as_py", None)
    return value if as_py is None else as_py()


def _shown(value: object) -> str:
    shown = repr(value)
    return f"{shown if len(shown) <= 40 else shown[:40] + '…'} ({type(value).__name__})"


def _not_utf8(error: UnicodeError, **arguments: list[str]) -> ValueError:
    """Return the error that says which text of an argument UTF-8 can't have."""
    for argument, texts in arguments.items():
        for index, each in enumerate(texts):
            try:
                each.encode()
            except UnicodeEncodeError as e:
                return ValueError(
                    f"{argument}[{index}] is {each!r}, which UTF-8 can't have: {e.reason}"
                )
    return error
