"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from feature_store.v1 import feature_store_pb2_grpc as rpc

from tarn import _answers, _channel, _errors, _requests
from tarn._answers import Features, Vectors
from tarn._channel import Tls, TlsFiles
from tarn._requests import EntityIds

__all__ = ["FeatureClient"]


class _Connection:
    """The channel with its stub."""

    def __init__(self, target: str, files: TlsFiles | None) -> None:
        self.channel = (
            grpc.aio.insecure_channel(target, _channel.OPTIONS)
            if files is None
            else grpc.aio.secure_channel(target, files.credentials(), _channel.OPTIONS)
        )
        self.stub = rpc.FeatureStoreServiceStub(self.channel)


class FeatureClient:
    """Looks up features on one server; as :class:`tarn.FeatureClient`, within one event loop.

    Use it in one loop, and keep it: it has one channel for all calls.
    """

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        deadline: float = _requests.DEADLINE,
    ) -> None:
        """As :class:`tarn.FeatureClient`."""
        self._target = _requests.text("target", target)
        self._deadline = _requests.seconds("deadline", deadline)
        self._metadata = _channel.metadata(token)
        # Files are read now, so that what is wrong with them is said where the client is made.
        files = None if tls is None else tls.read()
        self._connection = _channel.Lazy(lambda: _Connection(target, files), is_asyncio=True)

    async def get(
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
        """As :meth:`tarn.FeatureClient.get`."""
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
                answer = await connection.stub.GetOnlineFeatures(
                    request, timeout=seconds, metadata=self._metadata
                )
        except grpc.aio.AioRpcError as e:
            raise self._error(e) from e
        return Features(answer, ids, names)

    async def vectors(
        self,
        service: str,
        entity_ids: EntityIds,
        *,
        with_stamps: bool = False,
        deadline: float | None = None,
    ) -> Vectors:
        """As :meth:`tarn.FeatureClient.vectors`."""
        ids = _requests.entity_ids(entity_ids)
        request = _requests.vectors(service, ids, with_stamps)
        seconds = self._seconds(deadline)
        try:
            with self._connection as connection:
                answer = await connection.stub.GetFeatureVectors(
                    request, timeout=seconds, metadata=self._metadata
                )
        except grpc.aio.AioRpcError as e:
            raise self._error(e) from e
        return _answers.vectors(ids, answer)

    async def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        connection = self._connection.close()
        if connection is not None:
            await connection.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _seconds(self, deadline: float | None) -> float:
        return self._deadline if deadline is None else _requests.seconds("deadline", deadline)

    def _error(self, failure: grpc.aio.AioRpcError) -> Exception:
        return _errors.of(self._target, failure.code(), failure.details())
