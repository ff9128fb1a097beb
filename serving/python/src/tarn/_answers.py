"""What a server answers, as Python and NumPy have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from feature_store.v1 import feature_store_pb2 as pb

if TYPE_CHECKING:
    import pandas as pd
    from google.protobuf.struct_pb2 import Value as PbValue
    from google.protobuf.timestamp_pb2 import Timestamp
    from numpy.typing import NDArray

#: A feature's value. Numbers are floats; integers beyond 2**53 and decimals are strings with all
#: their digits, dates, timestamps and binary are strings too: see docs/contracts.md.
Value = None | bool | float | str | list[Any] | dict[str, Any]


class Status(Enum):
    """Why a value is not simply the row's."""

    NULL_VALUE = pb.FEATURE_STATUS_NULL_VALUE
    NOT_FOUND = pb.FEATURE_STATUS_NOT_FOUND
    OUTSIDE_MAX_AGE = pb.FEATURE_STATUS_OUTSIDE_MAX_AGE
    #: The live view is further behind its stream than its ``max-lag``.
    LAGGING = pb.FEATURE_STATUS_LAGGING
    #: The exact value does not fit into the feature's type.
    OVERFLOW = pb.FEATURE_STATUS_OVERFLOW


@dataclass(frozen=True, slots=True)
class ViewVersion:
    """Where values came from: a version is an online copy of one Iceberg snapshot."""

    feature_view: str
    version: str
    snapshot_id: int
    as_of: datetime
    released_at: datetime
    #: The time up to which the stream is known to be applied; None of a view that is not live.
    complete_through: datetime | None = None


class Features(dict[str, dict[str, Value]]):
    """Named values by entity id, as they were asked for; an entity that nobody knows has none.

    Default values stand in for what is missing; ``statuses`` says where that is so.
    """

    #: By entity id and feature, only of values that are not simply the row's.
    statuses: dict[str, dict[str, Status]]
    #: One for each feature view that the answer was read from.
    versions: tuple[ViewVersion, ...]
    #: By entity id and feature view, the as-of of the row. Only if asked for.
    event_timestamps: dict[str, dict[str, datetime]]
    #: By entity id, what its values were computed from: ``./tarn get stamp=…`` computes them again
    #: from Iceberg. Only if asked for.
    stamps: dict[str, bytes]

    def __init__(
        self, answer: pb.GetOnlineFeaturesResponse, entity_ids: Sequence[str], names: Sequence[str]
    ) -> None:
        super().__init__()
        # A map has no order; requests do.
        self._names = list(dict.fromkeys(names)) or sorted(
            {name for features in answer.results.values() for name in features.features}
        )
        #: Spark SQL type by name; empty if the server is of an older Tarn.
        self._types = dict(answer.feature_types)
        self.statuses = {}
        self.event_timestamps = {}
        self.stamps = {}
        self.versions = _versions(answer.versions)
        for entity_id in dict.fromkeys(entity_ids):
            features = answer.results[entity_id]
            values = features.features
            self[entity_id] = {name: _value(values[name]) for name in self._names if name in values}
            if features.statuses:
                self.statuses[entity_id] = {n: Status(s) for n, s in features.statuses.items()}
            if features.event_timestamps:
                self.event_timestamps[entity_id] = {
                    view: _datetime(at) for view, at in features.event_timestamps.items()
                }
            if features.stamp:
                self.stamps[entity_id] = features.stamp

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each entity and a column for each feature, of the feature's own type.

        Integers are ``Int32`` and ``Int64``, booleans ``boolean``, texts ``string``, each with
        ``pd.NA`` for what is missing; floats and doubles are NumPy's, with NaN; timestamps are
        ``datetime64[us]``, with UTC if they are moments; decimals, dates, binary, arrays and
        structs are Python's ``Decimal``, ``date``, ``bytes``, ``list`` and ``dict``, with None.
        """
        import pandas as pd

        from tarn import _frames

        index = pd.Index(list(self), name="entity_id")
        columns = {
            name: _frames.column(
                [row.get(name) for row in self.values()], self._types.get(name), index
            )
            for name in self._names
        }
        return pd.DataFrame(columns, index=index, columns=self._names)


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """The features of a service as its model takes them."""

    #: The ids as they were asked for.
    entity_ids: tuple[str, ...]
    #: float32, a row for each id, a column for each name. A view of the answer's bytes, so it can't
    #: be written to; ``values.copy()`` can.
    values: NDArray[np.float32]
    #: For each id whether any feature view of the service has a row of it. The row of one that is
    #: not found is what the service's transforms make of absent values.
    found: NDArray[np.bool_]
    names: tuple[str, ...]
    #: One for each feature view that the answer was read from.
    versions: tuple[ViewVersion, ...]
    #: For each id as :attr:`Features.stamps`. Empty unless asked for.
    stamps: tuple[bytes, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return a row for each id in the order of the request, and a column for each name."""
        import pandas as pd

        index = pd.Index(self.entity_ids, name="entity_id")
        return pd.DataFrame(self.values, index=index, columns=list(self.names), copy=True)


def vectors(entity_ids: Sequence[str], answer: pb.GetFeatureVectorsResponse) -> Vectors:
    """Wrap an answer; the values stay the bytes that came."""
    shape = (len(entity_ids), answer.width)
    return Vectors(
        entity_ids=tuple(entity_ids),
        values=np.frombuffer(answer.values, dtype="<f4").reshape(shape),
        found=np.fromiter(answer.found, dtype=np.bool_, count=len(answer.found)),
        names=tuple(answer.feature_names),
        versions=_versions(answer.versions),
        stamps=tuple(answer.stamps),
    )


def _versions(versions: Sequence[pb.ViewVersion]) -> tuple[ViewVersion, ...]:
    return tuple(
        ViewVersion(
            feature_view=v.feature_view,
            version=v.version,
            snapshot_id=v.snapshot_id,
            as_of=_datetime(v.as_of),
            released_at=_datetime(v.released_at),
            complete_through=(
                _datetime(v.complete_through) if v.HasField("complete_through") else None
            ),
        )
        for v in versions
    )


def _datetime(at: Timestamp) -> datetime:
    return at.ToDatetime(UTC)


def _value(value: PbValue) -> Value:
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_value(element) for element in value.list_value.values]
        case "struct_value":
            fields = value.struct_value.fields
            return {name: _value(fields[name]) for name in sorted(fields)}
        case _:
            return None
