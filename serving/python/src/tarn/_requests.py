"""What both clients ask."""

from collections.abc import Sequence

from feature_store.v1 import feature_store_pb2 as pb

#: Seconds that a call may take with all its retries, unless it says otherwise.
DEADLINE = 1.0


def features(
    entity_ids: Sequence[str],
    names: Sequence[str],
    entity: str,
    service: str,
    with_event_timestamps: bool,
) -> pb.GetOnlineFeaturesRequest:
    """Return the request of ``get``."""
    return pb.GetOnlineFeaturesRequest(
        entity_ids=_several("entity_ids", entity_ids),
        feature_names=_several("features", names),
        entity=entity,
        feature_service=service,
        include_event_timestamps=with_event_timestamps,
        include_feature_types=True,
    )


def vectors(service: str, entity_ids: Sequence[str]) -> pb.GetFeatureVectorsRequest:
    """Return the request of ``vectors``."""
    return pb.GetFeatureVectorsRequest(
        entity_ids=_several("entity_ids", entity_ids), feature_service=service
    )


def _several(argument: str, texts: Sequence[str]) -> Sequence[str]:
    """A lone str is a sequence, too: "42" would be asked as "4" and "2"."""
    if isinstance(texts, str):
        raise TypeError(f'{argument} is a str, but takes several: write ["{texts}"]')
    return texts
