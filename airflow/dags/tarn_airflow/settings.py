"""What Airflow is told: tarn.toml says how and when to run, definitions.json what there is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any


class SettingsError(Exception):
    """The settings can't be used; the message says where and what to do."""


@dataclass(frozen=True)
class View:
    """A feature view, as ``./tarn validate out=…`` wrote it.

    :param live_source: of a live view: the stream source that its bases are computed from
    """

    name: str
    description: str
    owner: str
    tags: tuple[str, ...]
    live_source: str | None = None


@dataclass(frozen=True)
class Release:
    """Views that are built for the same as-ofs and released in the same instant.

    :param schedule: a cron expression; none: only by hand
    :param wait: how long after an as-of its sources are complete
    """

    name: str
    views: tuple[View, ...]
    schedule: str | None
    wait: timedelta


@dataclass(frozen=True)
class TrainingSet:
    """A training set that is made each time its views have a new as-of.

    :param after: ``tables`` or ``releases``: what it waits for
    :param words: the words behind ``train``
    """

    name: str
    service: str
    views: tuple[str, ...]
    after: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Maintenance:
    """When to let go of what nobody needs any more, and from which age on."""

    schedule: str | None
    older_than: str


@dataclass(frozen=True)
class Settings:
    """All of them.

    :param prefix: begins the names of all DAGs
    :param spark: arguments of ``SparkSubmitOperator``
    :param words: Tarn's own settings, behind each command
    """

    prefix: str
    timezone: str
    start: datetime
    end: datetime | None
    retries: int
    retry_delay: timedelta
    spark: Mapping[str, Any]
    words: tuple[str, ...]
    releases: tuple[Release, ...]
    training: tuple[TrainingSet, ...]
    maintenance: Maintenance = field(default_factory=lambda: Maintenance(None, "30d"))


def load(file: Path) -> Settings:
    """Read the settings and the definitions that they name.

    :raises SettingsError: if something is missing, unknown or twice
    """
    try:
        given = _Table(str(file), tomllib.loads(file.read_text()))
    except OSError as e:
        raise SettingsError(f"{file}: {e.strerror}; TARN_AIRFLOW_CONF names another file") from e
    except tomllib.TOMLDecodeError as e:
        raise SettingsError(f"{file}: {e}") from e
    views, services = _definitions(file.parent / given.take("definitions", str, "definitions.json"))
    schedule = given.take("schedule", str, "0 0 * * *")
    settings = Settings(
        prefix=given.take("prefix", str, "tarn"),
        timezone=given.take("timezone", str, "UTC"),
        start=_moment(given.take("start", date)),
        end=_moment(end) if (end := given.take("end", date, None)) else None,
        retries=given.take("retries", int, 2),
        retry_delay=timedelta(seconds=given.take("retry-seconds", int, 60)),
        spark=_spark(given),
        words=tuple(f"{name}={_word(value)}" for name, value in given.table("settings").rest()),
        releases=_releases(given.table("releases"), views, schedule),
        training=_training(given.table("training"), services),
        maintenance=_maintenance(given.table("maintenance")),
    )
    given.refuse_unknown()
    return settings


def _definitions(file: Path) -> tuple[dict[str, View], dict[str, tuple[str, ...]]]:
    try:
        read = json.loads(file.read_text())
    except (OSError, json.JSONDecodeError) as e:
        raise SettingsError(
            f"{file} can't be read ({e}); it is written by: ./tarn validate out={file}"
        ) from e
    views = {
        view["name"]: View(
            view["name"],
            view["description"],
            view["owner"],
            tuple(view["tags"]),
            view.get("live_source"),
        )
        for view in read["feature_views"]
    }
    services = {it["name"]: tuple(it["feature_views"]) for it in read["feature_services"]}
    return views, services


def _spark(given: _Table) -> dict[str, Any]:
    spark = dict(given.table("spark").rest())
    spark["application"] = given.take("jar", str)
    spark["conn_id"] = given.take("connection", str, "tarn_spark")
    if environment := dict(given.table("environment").rest()):
        spark["env_vars"] = environment
    return spark


def _releases(given: _Table, views: Mapping[str, View], schedule: str) -> tuple[Release, ...]:
    releases = []
    left = dict(views)
    for name, table in given.tables():
        names = table.take("views", list)
        if not names:
            raise SettingsError(f"{table.where}: views is empty")
        for view in names:
            if view not in views:
                raise SettingsError(
                    f"{table.where}: there is no feature view '{view}' in the definitions,"
                    f" only {', '.join(views)}"
                )
            left.pop(view, None)
        releases.append(
            Release(
                name,
                tuple(views[view] for view in names),
                table.take("schedule", str, schedule) or None,
                timedelta(minutes=table.take("wait-minutes", int, 0)),
            )
        )
    # A view that nobody has put anywhere is released by itself.
    releases += [
        Release(name, (view,), schedule or None, timedelta()) for name, view in left.items()
    ]
    names = [release.name for release in releases]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"{given.where}.{name} has the name of a view that is in no release; rename it"
            )
    return tuple(releases)


def _training(given: _Table, services: Mapping[str, tuple[str, ...]]) -> tuple[TrainingSet, ...]:
    sets = []
    for name, table in given.tables():
        service = table.take("service", str)
        if service not in services:
            raise SettingsError(
                f"{table.where}: there is no feature service '{service}' in the definitions,"
                f" only {', '.join(services)}"
            )
        after = table.take("after", str, "tables")
        if after not in ("tables", "releases"):
            raise SettingsError(f"{table.where}: after = '{after}': there are tables and releases")
        words = [f"service={service}"]
        words += [f"{key}={table.take(key, str)}" for key in ("spine", "out")]
        words += [f"{key}={_word(value)}" for key, value in table.rest()]
        sets.append(TrainingSet(name, service, services[service], after, tuple(words)))
    return tuple(sets)


def _maintenance(given: _Table) -> Maintenance:
    return Maintenance(
        given.take("schedule", str, "30 3 * * 0") or None, given.take("older-than", str, "30d")
    )


def _moment(value: date) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _word(value: Any) -> str:
    """Return a value as the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


_REQUIRED: Any = object()
_KINDS = {date: "date", dict: "table", int: "whole number", list: "list", str: "text"}


class _Table:
    """A table of the settings, from which everything has to be taken."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        self.where = where
        self._left = dict(values)
        self._tables: list[_Table] = []

    def take(self, name: str, kind: type, by_default: Any = _REQUIRED) -> Any:
        value = self._left.pop(name, by_default)
        if value is _REQUIRED:
            raise SettingsError(f"{self.where}: {name} is missing")
        is_right = isinstance(value, kind) and not isinstance(value, bool)
        if value is not by_default and not is_right:
            raise SettingsError(f"{self.where}: {name} = {value!r} is no {_KINDS[kind]}")
        return value

    def table(self, name: str) -> _Table:
        table = _Table(f"{self.where}: {name}", self.take(name, dict, {}))
        self._tables.append(table)
        return table

    def tables(self) -> list[tuple[str, _Table]]:
        return [(name, self.table(name)) for name in list(self._left)]

    def rest(self) -> list[tuple[str, Any]]:
        values = list(self._left.items())
        self._left.clear()
        return values

    def refuse_unknown(self) -> None:
        if self._left:
            raise SettingsError(f"{self.where}: there is no setting '{next(iter(self._left))}'")
        for table in self._tables:
            table.refuse_unknown()
