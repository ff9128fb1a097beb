from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, cast

import grpc
from feature_store.v1 import feature_store_pb2_grpc as rpc

from tarn import _answers, _channel, _errors, _requests
from tarn._answers import Features, Vectors
from tarn._channel import Tls


class FeatureClient:
    """Looks up features on one server.

    It has one channel that connects when it is first needed, finds the server again when it was
    away, and may be used by many threads at once: make one client and keep it.
    """

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        deadline: float = _requests.DEADLINE,
    ) -> None:
        """Connect nothing yet.

        :param target: ``host:port``, or any other name that gRPC resolves
        :param tls: None for a server without TLS
        :param token: of the caller, for a server with callers
        :param deadline: seconds that a call may take with all its retries
        """
        self._target = target
        self._deadline = deadline
        self._metadata = _channel.metadata(token)
        self._channel = (
            grpc.insecure_channel(target, _channel.OPTIONS)
            if tls is None
            else grpc.secure_channel(target, tls.credentials(), _channel.OPTIONS)
        )
        self._stub = rpc.FeatureStoreServiceStub(self._channel)

    def get(
        self,
        entity_ids: Sequence[str],
        features: Sequence[str] = (),
        *,
        entity: str = "",
        service: str = "",
        with_event_timestamps: bool = False,
        deadline: float | None = None,
    ) -> Features:
        """Return named values of each entity.

        :param features: names, plain or as ``view.feature``; none for all of the entity
        :param entity: what the ids are ids of; may be left away where only one entity is served
        :param service: a feature service, in place of ``features``
        :param with_event_timestamps: whether to fill ``event_timestamps`` of the answer
        :param deadline: seconds, in place of the client's
        :raises TarnError: one of its subclasses says what to do
        """
        request = _requests.features(entity_ids, features, entity, service, with_event_timestamps)
        try:
            answer = self._stub.GetOnlineFeatures(
                request, timeout=self._seconds(deadline), metadata=self._metadata
            )
        except grpc.RpcError as e:
            raise self._error(e) from e
        return Features(answer, entity_ids, features)

    def vectors(
        self, service: str, entity_ids: Sequence[str], *, deadline: float | None = None
    ) -> Vectors:
        """Return the features of a service as its model takes them, a row for each id.

        :param deadline: seconds, in place of the client's
        :raises TarnError: one of its subclasses says what to do
        """
        request = _requests.vectors(service, entity_ids)
        try:
            return _answers.vectors(
                entity_ids,
                self._stub.GetFeatureVectors(
                    request, timeout=self._seconds(deadline), metadata=self._metadata
                ),
            )
        except grpc.RpcError as e:
            raise self._error(e) from e

    def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _seconds(self, deadline: float | None) -> float:
        return self._deadline if deadline is None else deadline

    def _error(self, failure: grpc.RpcError) -> Exception:
        # What a call raises is both, which grpc's types can't say.
        call = cast(grpc.Call, failure)
        return _errors.of(self._target, call.code(), call.details())
