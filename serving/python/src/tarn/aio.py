"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from feature_store.v1 import feature_store_pb2_grpc as rpc

from tarn import _answers, _channel, _errors, _requests
from tarn._answers import Features, Vectors
from tarn._channel import Tls

__all__ = ["FeatureClient"]


class FeatureClient:
    """Looks up features on one server; as :class:`tarn.FeatureClient`, within one event loop.

    Make it where the loop runs, and keep it: it has one channel for all calls.
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
        self._target = target
        self._deadline = deadline
        self._metadata = _channel.metadata(token)
        self._channel = (
            grpc.aio.insecure_channel(target, _channel.OPTIONS)
            if tls is None
            else grpc.aio.secure_channel(target, tls.credentials(), _channel.OPTIONS)
        )
        self._stub = rpc.FeatureStoreServiceStub(self._channel)

    async def get(
        self,
        entity_ids: Sequence[str],
        features: Sequence[str] = (),
        *,
        entity: str = "",
        service: str = "",
        with_event_timestamps: bool = False,
        deadline: float | None = None,
    ) -> Features:
        """As :meth:`tarn.FeatureClient.get`."""
        request = _requests.features(entity_ids, features, entity, service, with_event_timestamps)
        try:
            answer = await self._stub.GetOnlineFeatures(
                request, timeout=self._seconds(deadline), metadata=self._metadata
            )
        except grpc.aio.AioRpcError as e:
            raise self._error(e) from e
        return Features(answer, entity_ids, features)

    async def vectors(
        self, service: str, entity_ids: Sequence[str], *, deadline: float | None = None
    ) -> Vectors:
        """As :meth:`tarn.FeatureClient.vectors`."""
        request = _requests.vectors(service, entity_ids)
        try:
            return _answers.vectors(
                entity_ids,
                await self._stub.GetFeatureVectors(
                    request, timeout=self._seconds(deadline), metadata=self._metadata
                ),
            )
        except grpc.aio.AioRpcError as e:
            raise self._error(e) from e

    async def close(self) -> None:
        """Close the channel; calls that are under way are cancelled."""
        await self._channel.close()

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
        return self._deadline if deadline is None else deadline

    def _error(self, failure: grpc.aio.AioRpcError) -> Exception:
        return _errors.of(self._target, failure.code(), failure.details())
