"""The one channel of a client: its TLS, its retries and how it finds a server again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

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
)


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

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files."""
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca),
            private_key=_read(self.key),
            certificate_chain=_read(self.certificate),
        )


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """Return what each call carries."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def _read(file: str | Path | None) -> bytes | None:
    return None if file is None else Path(file).read_bytes()
