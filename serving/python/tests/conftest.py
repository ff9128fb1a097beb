import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import accounts
import payments
from tarn import FeatureClient
from tarn.testing import LocalTarn, Server

HOME = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def tarn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarn]:
    """A Tarn whose views are built, pushed and released.

    It has the views of the demo, for the examples, and those of ``features/``.
    """
    folder = tmp_path_factory.mktemp("tarn")
    definitions = folder / "features"
    shutil.copytree(Path(__file__).parent / "features", definitions)
    shutil.copy(HOME / "conf" / "features" / "users.conf", definitions)
    local = LocalTarn(
        HOME,
        folder,
        {"definitions": str(definitions), "serving.default-entity": "account"},
    )
    today = datetime.now(UTC).date()
    accounts.write(local.state / "accounts")
    payments.write(payments.make(today), local.state / "demo" / "transactions")
    with local:
        for view in ("oddities", "stale"):
            build(local, view, accounts.FIRST, accounts.SECOND)
        for view in ("user_activity", "user_location"):
            build(local, view, today - timedelta(days=2), today)
        local.run("push", "views=oddities,stale,user_activity,user_location")
        yield local


def build(local: LocalTarn, view: str, first: object, last: object) -> None:
    local.run("build", f"view={view}", f"from={first:%Y-%m-%d}", f"to={last:%Y-%m-%d}")


@pytest.fixture(scope="session")
def server(tarn: LocalTarn) -> Iterator[Server]:
    with tarn.serve() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[FeatureClient]:
    with FeatureClient(server.target, deadline=10) as client:
        yield client
