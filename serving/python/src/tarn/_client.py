from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self, cast

import grpc
from feature_store.v1 import feature_store_pb2_grpc as rpc

from tarn import _answers, _channel, _errors, _requests
from tarn._answers import Features, Vectors
from tarn._channel import Tls, TlsFiles
from tarn._requests import EntityIds


class _Connection:
    """The channel with its stub."""

    def __init__(self, target: str, files: TlsFiles | None) -> None:
        self.channel = (
            grpc.insecure_channel(target, _channel.OPTIONS)
            if files is None
            else grpc.secure_channel(target, files.credentials(), _channel.OPTIONS)
        )
        self.stub = rpc.FeatureStoreServiceStub(self.channel)


class FeatureClient:
    """Looks up features on one server.

    It has one channel that connects when it is first needed, finds the server again when it was
    away, and may be used by many threads at once: make one client a process and keep it. In a
    process that is forked later it connects anew, or raises :class:`ForkedError`.
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
        self._target = _requests.text("target", target)
        self._deadline = _requests.seconds("deadline", deadline)
        self._metadata = _channel.metadata(token)
        # Files are read now, so that what is wrong with them is said where the client is made.
        files = None if tls is None else tls.read()
        self._connection = _channel.Lazy(lambda: _Connection(target, files), is_asyncio=False)

    def get(
        self,
        entity_ids: EntityIds,
        features: Iterable[str] = (),
        *,
        entity: str = "",
        service: str = "",
        with_event_timestamps: bool = False,
        with_stamps: bool = False,
        deadline: float | None = None,
    ) -> Features:
        """Return named values of each entity.

        :param features: names, plain or as ``view.feature``; none for all of the entity
        :param entity: what the ids are ids of; may be left away where only one entity is served
        :param service: a feature service, in place of ``features``
        :param with_event_timestamps: whether to fill ``event_timestamps`` of the answer
        :param with_stamps: whether to fill ``stamps`` of the answer
        :param deadline: seconds, in place of the client's
        :param entity_ids: texts or whole numbers: a list, a generator, an array, a Series…
        :raises TarnError: one of its subclasses says what to do
        :raises TypeError: if an argument is of another type, by name
        """
        ids, names = _requests.entity_ids(entity_ids), _requests.names(features)
        request = _requests.features(
            ids,
            names,
            entity,
            service,
            with_event_timestamps=with_event_timestamps,
            with_stamps=with_stamps,
        )
        seconds = self._seconds(deadline)
        try:
            with self._connection as connection:
                answer = connection.stub.GetOnlineFeatures(
                    request, timeout=seconds, metadata=self._metadata
                )
        except grpc.RpcError as e:
            raise self._error(e) from e
        return Features(answer, ids, names)

    def vectors(
        self,
        service: str,
        entity_ids: EntityIds,
        *,
        with_stamps: bool = False,
        deadline: float | None = None,
    ) -> Vectors:
        """Return the features of a service as its model takes them, a row for each id.

        :param with_stamps: whether to fill ``stamps`` of the answer
        :param deadline: seconds, in place of the client's
        :raises TarnError: one of its subclasses says what to do
        """
        ids = _requests.entity_ids(entity_ids)
        request = _requests.vectors(service, ids, with_stamps)
        seconds = self._seconds(deadline)
        try:
            with self._connection as connection:
                answer = connection.stub.GetFeatureVectors(
                    request, timeout=seconds, metadata=self._metadata
                )
        except grpc.RpcError as e:
            raise self._error(e) from e
        return _answers.vectors(ids, answer)

    def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        connection = self._connection.close()
        if connection is not None:
            connection.channel.close()

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
        return self._deadline if deadline is None else _requests.seconds("deadline", deadline)

    def _error(self, failure: grpc.RpcError) -> Exception:
        # What a call raises is both, which grpc's types can't say.
        call = cast(grpc.Call, failure)
        return _errors.of(self._target, call.code(), call.details())
