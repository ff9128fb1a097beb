"""The one channel of a client: its TLS, its retries and how it finds a server again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import grpc

from tarn import _requests
from tarn._errors import ForkedError

_SERVICE = "feature_store.v1.FeatureStoreService"

# UNAVAILABLE only: a lookup that was refused for overload must not come back at once. The deadline
# of a call is that of all its attempts. The throttle stops retries while most calls fail.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SERVICE}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.1s",
                "backoffMultiplier": 4,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}

OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # An answer of many entities passes gRPC's own limit of 4 MiB; the server bounds the request.
    ("grpc.max_receive_message_length", -1),
    # gRPC's own waits grow to two minutes: a server that is back should be found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A connection can die without a word, by a firewall that forgets it or a machine that is gone.
    # Without pings that takes a quarter of an hour to notice; with these, less than 15 seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's core waits this long for what answers a ping, and not for keepalive_timeout_ms. By
    # default it is a minute.
    ("grpc.http2.ping_timeout_ms", 3_000),
    # So a ping must never stand behind a great answer on a slow line. gRPC's own pings, which
    # measure the line, do; keepalive pings come after 10 seconds without any data. Without the
    # measure the window stays as it begins, so let it begin with what gRPC measures at the most.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 4 * 1024 * 1024),
)

_Connection = TypeVar("_Connection")


class _Forks:
    """Knows what this process has inherited of gRPC, and what a fork would leave to its child.

    Threads and connections stay in the process that made them. A child can make its own, unless
    gRPC was at work for a call when the process forked, or an asyncio client was open: then the
    child waits for threads that it does not have, beyond any deadline, or crashes.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        #: One for each call under way. Lists are changed by one thread at a time.
        self.calls: list[None] = []
        self.open_asyncio: WeakSet[Lazy[Any]] = WeakSet()
        #: Connections of the process that this one was forked from. They are not ours to close.
        self.inherited: list[object] = []
        self._reason = ""
        self._asyncio_reason = ""
        os.register_at_fork(after_in_child=self._in_child)

    def require_usable(self, is_asyncio: bool) -> None:
        """Check that this process can make a connection.

        :raises ForkedError: if it can't
        """
        reason = self._reason or (self._asyncio_reason if is_asyncio else "")
        if reason:
            raise ForkedError(os.getpid(), reason)

    def _in_child(self) -> None:
        # Another thread, which is not here, may have had it.
        self.lock = Lock()
        if self.calls:
            self._reason = "calls were under way"
        if self.open_asyncio:
            self._asyncio_reason = "an asyncio client was open"
        self.calls = []
        self.open_asyncio = WeakSet()


_FORKS = _Forks()


class Lazy(Generic[_Connection]):
    """A connection that is made when a process first needs it. Enter it for each call."""

    def __init__(self, make: Callable[[], _Connection], is_asyncio: bool) -> None:
        self._make = make
        self._is_asyncio = is_asyncio
        self._made: _Connection | None = None
        self._pid: int | None = None
        self._is_closed = False

    def __enter__(self) -> _Connection:
        """Begin a call.

        :raises ForkedError: if this process was forked in a moment that leaves gRPC unusable
        :raises ValueError: if the client is closed
        """
        made = self._made
        if made is None or self._pid != os.getpid():
            made = self._begin()
        _FORKS.calls.append(None)
        return made

    def __exit__(self, *_: object) -> None:
        if _FORKS.calls:
            _FORKS.calls.pop()

    def _begin(self) -> _Connection:
        with _FORKS.lock:
            if self._is_closed:
                raise ValueError("this client is closed")
            if self._made is None or self._pid != os.getpid():
                _FORKS.require_usable(self._is_asyncio)
                if self._made is not None:
                    _FORKS.inherited.append(self._made)
                self._made = self._make()
                self._pid = os.getpid()
                if self._is_asyncio:
                    _FORKS.open_asyncio.add(self)
            return self._made

    def close(self) -> _Connection | None:
        """Make no connection any more; return the one that is to be closed, if there is one."""
        with _FORKS.lock:
            made, self._made = self._made, None
            self._is_closed = True
            _FORKS.open_asyncio.discard(self)
            if made is not None and self._pid != os.getpid():
                _FORKS.inherited.append(made)
                return None
            return made


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to the server: whom to trust and what to show.

    ``Tls()`` trusts the authorities that gRPC comes with.
    """

    #: PEM file with the certificates to trust.
    ca: str | Path | None = None
    #: PEM files with the client's own certificate and key, for a server that asks for them.
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")

    def read(self) -> TlsFiles:
        """Read the files."""
        return TlsFiles(_read(self.ca), _read(self.certificate), _read(self.key))


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the files of a :class:`Tls` have."""

    ca: bytes | None
    certificate: bytes | None
    key: bytes | None

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca, private_key=self.key, certificate_chain=self.certificate
        )


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """Return what each call carries."""
    if token is None:
        return ()
    return (("authorization", f"Bearer {_requests.text('token', token)}"),)


def _read(file: str | Path | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
