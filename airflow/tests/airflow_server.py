"""Airflow as it is installed: scheduler, DAG processor and API server, on SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

_PARTS = (["api-server"], ["dag-processor"], ["scheduler", "--skip-serve-logs"])
_ENDED = ("success", "failed", "skipped", "upstream_failed")

T = TypeVar("T")


def eventually(what: str, ask: Callable[[], T | None], seconds: float = 300) -> T:
    """Ask until there is an answer, and return it."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return answer


class AirflowServer:
    """A running Airflow, and its REST API."""

    def __init__(self, home: Path, port: int, environment: Mapping[str, str]) -> None:
        """Take what each of its processes gets; start nothing."""
        self._home = home
        self._url = f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ,
            **environment,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests only, and of nothing that they reach",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._token = ""

    def __enter__(self) -> Self:
        """Start it and wait until it runs DAGs."""
        self._home.mkdir(parents=True, exist_ok=True)
        airflow = str(Path(sys.executable).with_name("airflow"))
        with (self._home / "airflow.out").open("wb") as log:
            subprocess.run(
                [airflow, "db", "migrate"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
            )
            self._processes = [
                subprocess.Popen(
                    [airflow, *part],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                for part in _PARTS
            ]
        try:
            eventually("Airflow is up", self._is_up)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all of its processes, and what they have started."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            # Its group is its own, and so are the jobs that may be left there.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def get(self, path: str, **query: Any) -> Any:
        """Return what the API answers."""
        return self._call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def post(self, path: str, body: Any) -> Any:
        """Ask the API to do something."""
        return self._call("POST", path, body)

    def unpause(self, dag: str) -> None:
        """Let the scheduler run a DAG."""
        self._call("PATCH", f"dags/{dag}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag: str, logical_date: str | None) -> str:
        """Start a run by hand and return its id."""
        return str(self.post(f"dags/{dag}/dagRuns", {"logical_date": logical_date})["dag_run_id"])

    def runs(self, dag: str) -> dict[str | None, str]:
        """Return the ids of a DAG's runs by logical date."""
        runs = self.get(f"dags/{dag}/dagRuns", limit=100)["dag_runs"]
        return {run["logical_date"]: run["dag_run_id"] for run in runs}

    def run(self, dag: str, logical_date: str | None) -> str:
        """Wait until there is a run and return its id."""
        return eventually(f"{dag} {logical_date}", lambda: self.runs(dag).get(logical_date))

    def ended(self, dag: str, run: str) -> str:
        """Wait for the end of a run and return its state."""

        def state() -> str:
            found = str(self.get(f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}")["state"])
            return found if found in _ENDED else ""

        return eventually(f"{dag} {run} has ended", state)

    def tasks(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run."""
        answer = self.get(f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances")
        return {task["task_id"]: task for task in answer["task_instances"]}

    def result(self, dag: str, run: str, task: str) -> Any:
        """Return what a task has returned."""
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances/{task}"
        value = self.get(f"{path}/xcomEntries/return_value", deserialize="true")["value"]
        return json.loads(value) if isinstance(value, str) else value

    def log(self, dag: str, run: str, task: str, attempt: int) -> str:
        """Return a task's log as its page shows it: events, and the error with its message."""
        path = f"dags/{dag}/dagRuns/{urllib.parse.quote(run)}/taskInstances/{task}"
        lines = []
        for entry in self.get(f"{path}/logs/{attempt}", full_content="true")["content"]:
            lines.append(f"{entry.get('level') or ''} {entry['event']}")
            for error in entry.get("error_detail") or []:
                lines.append(f"{error['exc_type']}: {error['exc_value']}")
        return "\n".join(lines)

    def events(self, uri: str) -> list[dict[str, Any]]:
        """Return the events of an asset, oldest first."""
        events = self.get("assets/events", limit=100, order_by="timestamp")["asset_events"]
        return [event for event in events if event["uri"] == uri]

    def _is_up(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, f"{self._home}/airflow.out says why it has ended"
        try:
            with urllib.request.urlopen(f"{self._url}/api/v2/monitor/health") as answer:
                health = json.load(answer)
            with urllib.request.urlopen(f"{self._url}/auth/token") as answer:
                self._token = json.load(answer)["access_token"]
        except OSError:
            return False
        is_healthy = all(
            health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")
        )
        return is_healthy and bool(self.get("dags")["dags"])

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {path}: {e.code} {e.read().decode()}") from e


def fresh(folder: Path) -> Path:
    """Return an empty folder in place of the one of the last time."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
