"""What a caller meets when the server, its Redis or its own rights are not there."""

import asyncio
import hashlib
import os
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

import certificates
from tarn import (
    DeadlineExceededError,
    FeatureClient,
    NotAllowedError,
    TarnError,
    Tls,
    UnavailableError,
    aio,
)
from tarn.testing import LocalTarn, Server, free_port

#: Seconds. Below the minute that gRPC by itself would wait for the answer to a ping.
PATIENCE = 45


def test_a_client_finds_a_server_again_that_was_away(tarn: LocalTarn) -> None:
    port = f"serving.port={free_port()}"
    with tarn.serve(port) as first, FeatureClient(first.target, deadline=10) as client:
        before = client.get(["4"], ["visits"])
        first.stop()
        with pytest.raises(
            UnavailableError, match=f"^{re.escape(first.target)}: UNAVAILABLE: "
        ) as away:
            client.get(["4"], ["visits"])
        assert away.value.is_transient
        with tarn.serve(port):
            assert _when_back(client) == before


class Firewall:
    """Passes connections on, until it forgets those that there are, without a word to anybody."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listening]
        self._forgotten: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def forget(self) -> None:
        self._forgotten.update(self._sockets)

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._forgotten:
                    target.sendall(data)


async def test_a_connection_that_dies_without_a_word_is_replaced(server: Server) -> None:
    with closing(Firewall(server.port)) as firewall, FeatureClient(firewall.target) as client:
        async with aio.FeatureClient(firewall.target) as asyncio_client:
            expected = await asyncio_client.get(["4"], ["visits"])
            assert client.get(["4"], ["visits"]) == expected
            firewall.forget()
            with pytest.raises(DeadlineExceededError):
                await asyncio_client.get(["4"], ["visits"])
            back = asyncio.create_task(asyncio.to_thread(_when_back, client))
            assert await _when_back_asyncio(asyncio_client) == expected
            assert await back == expected


def test_nobody_at_the_target_is_unavailable() -> None:
    target = f"127.0.0.1:{free_port()}"
    with FeatureClient(target) as client, pytest.raises(UnavailableError, match=target):
        client.vectors("numbers", ["1"])


async def test_nobody_at_the_target_is_unavailable_for_asyncio() -> None:
    async with aio.FeatureClient(f"127.0.0.1:{free_port()}") as client:
        with pytest.raises(UnavailableError):
            await client.vectors("numbers", ["1"])


def test_a_deadline_ends_a_call_that_redis_holds_up(tarn: LocalTarn, server: Server) -> None:
    with FeatureClient(server.target, deadline=10) as client:
        client.get(["1"])
        with _frozen_redis(tarn), pytest.raises(DeadlineExceededError) as late:
            client.get(["1"], deadline=0.2)
        assert late.value.is_transient
        assert client.get(["4"], ["visits"]) == {"4": {"visits": 4.0}}


async def test_a_deadline_ends_it_for_asyncio_too(tarn: LocalTarn, server: Server) -> None:
    async with aio.FeatureClient(server.target, deadline=10) as client:
        await client.get(["1"])
        with _frozen_redis(tarn), pytest.raises(DeadlineExceededError) as late:
            await client.get(["1"], deadline=0.2)
        assert late.value.is_transient
        assert await client.get(["4"], ["visits"]) == {"4": {"visits": 4.0}}


def test_a_call_is_tried_again_while_its_deadline_lasts(tarn: LocalTarn) -> None:
    with tarn.serve("redis.timeout=200ms") as server:
        with FeatureClient(server.target, deadline=10) as client:
            client.get(["1"])
            with _frozen_redis(tarn), pytest.raises(UnavailableError, match="Redis"):
                client.get(["1"])
        assert _calls(server, "UNAVAILABLE") == 3
        assert _calls(server, "OK") == 1


def test_tls_and_token(tarn: LocalTarn, tmp_path: Path) -> None:
    own = certificates.make(tmp_path, "server")
    token = "not-a-secret-outside-this-test"
    callers = tmp_path / "callers.conf"
    digest = hashlib.sha256(token.encode()).hexdigest()
    callers.write_text(f'callers {{ model {{ token-sha256 = "{digest}", services = [numbers] }} }}')
    tls = Tls(ca=own.certificate)
    with tarn.serve(
        f"serving.tls.certificate={own.certificate}",
        f"serving.tls.key={own.key}",
        f"serving.callers={callers}",
    ) as server:
        with FeatureClient(server.target, tls=tls, token=token, deadline=10) as client:
            assert client.vectors("numbers", ["4"]).values[0, 0] == 4
            with pytest.raises(NotAllowedError, match=r"PERMISSION_DENIED: .*may not read"):
                client.get(["4"], ["old_visits"])
        with FeatureClient(server.target, tls=tls, token="another", deadline=10) as client:
            with pytest.raises(NotAllowedError, match="UNAUTHENTICATED") as unknown:
                client.vectors("numbers", ["4"])
            assert not unknown.value.is_transient
        with FeatureClient(server.target, tls=Tls(), token=token) as client:
            with pytest.raises(UnavailableError, match=r"(?i)certificate|handshake|ssl"):
                client.vectors("numbers", ["4"])


async def test_asyncio_speaks_tls_and_shows_its_own_certificate(
    tarn: LocalTarn, tmp_path: Path
) -> None:
    own = certificates.make(tmp_path, "server")
    model = certificates.make(tmp_path, "model")
    with tarn.serve(
        f"serving.tls.certificate={own.certificate}",
        f"serving.tls.key={own.key}",
        f"serving.tls.client-ca={model.certificate}",
    ) as server:
        tls = Tls(ca=own.certificate, certificate=model.certificate, key=model.key)
        async with aio.FeatureClient(server.target, tls=tls, deadline=10) as client:
            assert await client.get(["4"], ["visits"]) == {"4": {"visits": 4.0}}
        async with aio.FeatureClient(server.target, tls=Tls(ca=own.certificate)) as client:
            with pytest.raises(UnavailableError):
                await client.get(["4"], ["visits"])


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its key"):
        Tls(certificate="model.crt")


def _when_back(client: FeatureClient) -> object:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return client.get(["4"], ["visits"])
        except TarnError as e:
            if not e.is_transient or time.monotonic() > until:
                raise


async def _when_back_asyncio(client: aio.FeatureClient) -> object:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return await client.get(["4"], ["visits"])
        except TarnError as e:
            if not e.is_transient or time.monotonic() > until:
                raise


@contextmanager
def _frozen_redis(tarn: LocalTarn) -> Iterator[None]:
    """A Redis that takes connections and answers nothing."""
    pid = tarn.redis_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _calls(server: Server, status: str) -> int:
    """Calls of GetOnlineFeatures that have ended so, as the server counts them."""
    assert server.metrics is not None
    with urllib.request.urlopen(server.metrics) as metrics:
        text = metrics.read().decode()
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("tarn_requests_total{")
        and "GetOnlineFeatures" in line
        and f'"{status}"' in line
    ]
    return sum(int(float(line.split()[-1])) for line in lines)
