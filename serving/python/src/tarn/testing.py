"""A Tarn of its own, from a checkout: for tests, notebooks and benchmarks."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

__all__ = ["CommandError", "LocalTarn", "Server"]

_READY = re.compile(
    r"serving on (?P<target>\S+:\d+) \(Redis [^,)]*(?:, metrics (?P<metrics>http://\S+))?\)"
)


class CommandError(Exception):
    """A command that ended with a status other than 0; the message is what it said."""

    def __init__(self, command: str, status: int, said: str) -> None:
        super().__init__(f"{command}: exit status {status}\n{said}")
        self.status = status


class LocalTarn:
    """Runs ``./tarn`` with settings, data and a Redis of its own.

    ``TARN_CONF`` in the environment then means the same for any other ``./tarn``.
    """

    def __init__(
        self, home: Path, folder: Path, settings: Mapping[str, str | int] | None = None
    ) -> None:
        """Write the settings, unless the folder has those of an earlier time; start nothing.

        :param home: the checkout, where the launcher is
        :param folder: for everything that this Tarn writes
        :param settings: over Tarn's own, e.g. ``{"definitions": "conf/features"}``
        """
        self.home = home.resolve()
        self.folder = folder.resolve()
        self.state = self.folder / "state"
        self.conf = self.folder / "tarn.conf"
        if self.conf.exists():
            return
        all_settings: dict[str, str | int] = {
            "state": str(self.state),
            "redis.port": free_port(),
            "serving.port": 0,
            "serving.http-port": 0,
            **(settings or {}),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(
            "".join(f"tarn.{name} = {json.dumps(v)}\n" for name, v in all_settings.items())
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its commands."""
        return {**os.environ, "TARN_CONF": str(self.conf)}

    @property
    def catalog(self) -> dict[str, str]:
        """Return what PyIceberg's ``load_catalog("tarn", …)`` takes for the embedded catalog."""
        return {
            "type": "sql",
            "uri": f"sqlite:///{self.state}/catalog.db",
            "warehouse": str(self.state / "warehouse"),
        }

    def run(self, *words: str, with_messages: bool = False) -> str:
        """Run one command and return what it printed as its result.

        :param with_messages: return what it says meanwhile, too
        :raises CommandError: if its status is not 0
        """
        done = subprocess.run(
            [str(self.home / "tarn"), *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_messages else subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            command = " ".join(["./tarn", *words])
            raise CommandError(
                command, done.returncode, (done.stdout + (done.stderr or "")).strip()
            )
        return done.stdout

    def serve(self, *words: str) -> Server:
        """Start a server and wait until it is ready."""
        return Server(self, words)

    def redis_pid(self) -> int:
        """Return the process id of its Redis."""
        return int((self.state / "redis" / "redis.pid").read_text().split()[0])

    def __enter__(self) -> Self:
        self.run("up")
        return self

    def __exit__(self, *_: object) -> None:
        self.run("down")


class Server:
    """A running ``./tarn serve``."""

    def __init__(self, tarn: LocalTarn, words: tuple[str, ...]) -> None:
        """Start it and wait until it is ready.

        :raises CommandError: if it ends instead
        """
        self._process = subprocess.Popen(
            [str(tarn.home / "tarn"), "serve", *words],
            env=tarn.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        said = ""
        for line in self._process.stdout:
            said += line
            if ready := _READY.search(line):
                self.target: str = ready["target"]
                self.metrics: str | None = ready["metrics"]
                return
        raise CommandError("./tarn serve", self._process.wait(), said.strip())

    @property
    def port(self) -> int:
        """Return the port of the lookups."""
        return int(self.target.rsplit(":", 1)[1])

    def stop(self) -> None:
        """Stop it as an operator does, and wait until it has gone."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()


def free_port() -> int:
    """Return a port of this machine that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
