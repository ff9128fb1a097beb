from collections.abc import Iterator
from pathlib import Path

import pytest

import users
from tarn import FeatureClient
from tarn.testing import LocalTarn, Server

HOME = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def tarn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarn]:
    """A Tarn whose views are built, pushed and released."""
    definitions = Path(__file__).parent / "features"
    local = LocalTarn(
        HOME,
        tmp_path_factory.mktemp("tarn"),
        {"definitions": str(definitions), "redis.timeout": "1s"},
    )
    users.write(local.state / "users")
    with local:
        for view in ("oddities", "stale"):
            local.run("build", f"view={view}", f"from={users.FIRST:%F}", f"to={users.SECOND:%F}")
        local.run("push", "views=oddities,stale")
        yield local


@pytest.fixture(scope="session")
def server(tarn: LocalTarn) -> Iterator[Server]:
    with tarn.serve() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[FeatureClient]:
    with FeatureClient(server.target, deadline=10) as client:
        yield client
