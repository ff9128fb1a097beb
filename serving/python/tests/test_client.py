"""The client against a real server, over real data."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feature_store.v1 import feature_store_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from pyiceberg.catalog import load_catalog

import accounts
from tarn import (
    FeatureClient,
    Features,
    InvalidRequestError,
    NotReadyError,
    Status,
    _frames,
    aio,
)
from tarn._requests import EntityIds
from tarn.testing import LocalTarn, Server


def test_get_answers_values_by_entity_and_name(client: FeatureClient) -> None:
    answer = client.get(["4", "7"], ["visits", "oddities.country"])
    assert answer == {
        "4": {"visits": 4.0, "oddities.country": "FR"},
        "7": {"visits": 7.0, "oddities.country": "FR"},
    }
    assert answer.statuses == {}


def test_every_kind_of_value_arrives(client: FeatureClient) -> None:
    features = client.get(["4"])["4"]
    assert features == {
        "visits": 4.0,
        "big": str(2**53 + 4),
        "price": "0.04",
        "ratio": 0.25,
        "country": "FR",
        "seen": "2026-01-01T00:00:00.000004Z",
        "tags": ["é", "4"],
        "place": {"city": "FR", "at": 0.25},
        "days": 4.0,
        "first_day": "2026-01-01",
        "is_even": True,
        "rough": 0.25,
        "both": [4.0, str(2**53 + 4)],
        "old_visits": -1.0,
    }
    answer = client.get(["1", "2", "3", "5"], ["ratio"])
    # As text: NaN is not equal to itself, and -0.0 is to 0.0.
    ratios = {i: str(features["ratio"]) for i, features in answer.items()}
    assert ratios == {"1": "nan", "2": "-inf", "3": "-0.0", "5": "None"}


def test_statuses_say_what_is_missing_and_why(client: FeatureClient) -> None:
    answer = client.get(["10", "nobody"], ["visits", "big", "old_visits"])
    assert answer["10"] == {"visits": 0.0, "big": str(2**53 + 10), "old_visits": -1.0}
    assert answer.statuses["10"] == {
        "visits": Status.NULL_VALUE,
        "old_visits": Status.OUTSIDE_MAX_AGE,
    }
    assert answer["nobody"] == {}
    assert answer.statuses["nobody"] == dict.fromkeys(
        ("visits", "big", "old_visits"), Status.NOT_FOUND
    )


def test_an_answer_names_its_snapshots(client: FeatureClient, tarn: LocalTarn) -> None:
    table = load_catalog("tarn", **tarn.catalog).load_table("features.oddities")
    newest = table.current_snapshot()
    assert newest is not None
    answer = client.get(["1"], ["visits"], with_event_timestamps=True)
    (version,) = answer.versions
    assert version.feature_view == "oddities"
    assert version.snapshot_id == newest.snapshot_id
    assert version.as_of == accounts.SECOND
    assert answer.event_timestamps == {"1": {"oddities": version.as_of}}
    assert client.vectors("numbers", ["1"]).versions == (version,)


def test_a_stamp_is_there_if_it_is_asked_for(client: FeatureClient) -> None:
    ids = ["1", "2", "nobody"]
    answer = client.get(ids, ["visits"], with_stamps=True)
    assert list(answer.stamps) == ids
    assert all(b"oddities" in stamp and len(stamp) < 50 for stamp in answer.stamps.values())
    assert client.get(ids, ["visits"]).stamps == {}
    vectors = client.vectors("numbers", ["2", "1", "2"], with_stamps=True)
    assert len(vectors.stamps) == 3
    assert b"oddities" in vectors.stamps[0]
    assert client.vectors("numbers", ["2"]).stamps == ()
    assert answer.versions[0].complete_through is None


def test_a_live_answer_says_how_complete_it_is() -> None:
    # What the server answers is tested there: here it is only read.
    message = pb.GetOnlineFeaturesResponse(
        results={
            "1": pb.FeatureSet(
                statuses={
                    "n": pb.FEATURE_STATUS_LAGGING,
                    "total": pb.FEATURE_STATUS_OVERFLOW,
                },
                stamp=b"s1",
            )
        },
        versions=[pb.ViewVersion(feature_view="spend", complete_through=Timestamp(seconds=90))],
    )
    answer = Features(message, ["1"], ["n", "total"])
    assert answer.statuses == {"1": {"n": Status.LAGGING, "total": Status.OVERFLOW}}
    assert answer.stamps == {"1": b"s1"}
    assert answer.versions[0].complete_through == datetime(1970, 1, 1, 0, 1, 30, tzinfo=UTC)


def test_pandas_has_a_row_for_each_entity(client: FeatureClient) -> None:
    frame = client.get(["2", "1", "nobody"], ["visits", "country"]).to_pandas()
    assert list(frame.columns) == ["visits", "country"]
    assert frame.index.to_list() == ["2", "1", "nobody"]
    assert frame.loc["1", "country"] == "FR"
    assert frame["visits"].isna().to_list() == [False, False, True]


def test_pandas_has_the_types_of_the_features(client: FeatureClient) -> None:
    frame = client.get(["4", "10", "nobody"]).to_pandas()
    types = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert types == {
        "visits": "Int64",
        "big": "Int64",
        "price": "object",
        "ratio": "float64",
        "country": "string",
        "seen": "datetime64[us, UTC]",
        "tags": "object",
        "place": "object",
        "days": "Int32",
        "first_day": "object",
        "is_even": "boolean",
        "rough": "float32",
        "both": "object",
        "old_visits": "Int64",
    }
    assert frame.loc["4"].to_dict() == {
        "visits": 4,
        "big": 2**53 + 4,
        "price": Decimal("0.04"),
        "ratio": 0.25,
        "country": "FR",
        "seen": pd.Timestamp("2026-01-01T00:00:00.000004Z"),
        "tags": ["é", "4"],
        "place": {"city": "FR", "at": 0.25},
        "days": 4,
        "first_day": date(2026, 1, 1),
        "is_even": True,
        "rough": np.float32(0.25),
        "both": [4, 2**53 + 4],
        "old_visits": -1,
    }
    assert frame["big"].to_list()[:2] == [2**53 + 4, 2**53 + 10]
    assert frame["price"].to_list() == [Decimal("0.04"), Decimal("0.10"), None]
    assert frame["both"].to_list() == [[4, 2**53 + 4], [None, 2**53 + 10], None]
    assert frame.loc["10", "is_even"] is pd.NA
    assert bool(frame.loc["nobody"].isna().all())


def test_pandas_takes_what_a_type_can_have() -> None:
    nan = float("nan")
    assert _frames.column([2.0, None], "int").tolist() == [2, pd.NA]
    assert _frames.column([-(2.0**53), str(-(2**63)), None], "bigint")[1] == -(2**63)
    assert [str(x) for x in _frames.column([nan, None, -0.0], "double")] == ["nan", "nan", "-0.0"]
    open_end = _frames.column(["9999-12-31T23:59:59.999999Z", None], "timestamp")
    assert str(open_end.dtype) == "datetime64[us, UTC]"
    assert open_end[0].year == 9999
    assert open_end[1] is pd.NaT
    old = _frames.column(["0001-01-01T00:00:00", "1850-06-01T12:00:00.5"], "timestamp_ntz")
    assert str(old.dtype) == "datetime64[us]"
    assert old[0].year == 1
    assert _frames.column(["0001-01-01", None], "date").tolist() == [date(1, 1, 1), None]
    assert _frames.column(["AP8="], "binary").tolist() == [b"\x00\xff"]
    assert _frames.column(["1.10", "-0.00"], "decimal(38,2)").tolist() == [
        Decimal("1.10"),
        Decimal("-0.00"),
    ]
    rows = [{"id": 1.0, "sums": ["1.50", None], "at": {"day": "2026-01-05"}}, None]
    (row, nothing) = _frames.column(
        rows, "struct<id:bigint,sums:array<decimal(10,2)>,at:struct<day:date>>"
    )
    assert row == {"id": 1, "sums": [Decimal("1.50"), None], "at": {"day": date(2026, 1, 5)}}
    assert nothing is None
    assert _frames.column([[1.0], [2.0]], "array<int>").tolist() == [[1], [2]]
    # A type of a later Tarn, or none from an older server.
    assert _frames.column(["x"], "interval").tolist() == ["x"]
    assert _frames.column([1.0, "x", None], None).tolist() == [1.0, "x", None]
    for name in ("boolean", "int", "double", "string", "timestamp", "decimal(2,1)", "array<int>"):
        assert len(_frames.column([], name)) == 0


def test_answers_are_in_the_order_of_the_request(client: FeatureClient) -> None:
    ids = [str(i) for i in range(accounts.COUNT, 0, -1)]
    answer = client.get(ids, ["price", "days", "big"])
    assert list(answer) == ids
    assert {tuple(features) for features in answer.values()} == {("price", "days", "big")}
    assert list(client.get(["1"])["1"]) == sorted(client.get(["1"])["1"])


def test_vectors_have_a_row_for_each_id_in_order(client: FeatureClient) -> None:
    ids = [str(i) for i in range(accounts.COUNT, 0, -1)] + ["nobody", "4", "4"]
    vectors = client.vectors("numbers", ids)
    assert vectors.names == (
        "oddities.visits",
        "oddities.ratio",
        "oddities.price",
        "oddities.country=DE",
        "oddities.country=FR",
        "oddities.country?",
    )
    assert vectors.values.shape == (len(ids), 6)
    assert vectors.values.dtype == np.float32
    assert vectors.entity_ids == tuple(ids)
    assert vectors.found.tolist() == [True] * accounts.COUNT + [False, True, True]
    expected = np.array([4, 0.25, 0.04, 0, 1, 0], dtype=np.float32)
    for row in (accounts.COUNT - 4, -2, -1):
        np.testing.assert_array_equal(vectors.values[row], expected)
    nobody = vectors.values[accounts.COUNT]
    np.testing.assert_array_equal(nobody, np.array([np.nan, 0.5, np.nan, 0, 0, 1], np.float32))
    assert not vectors.values.flags.writeable
    frame = vectors.to_pandas()
    assert frame.loc["7", "oddities.price"] == np.float32(0.07)
    frame.loc["7"] = 0


def test_vectors_are_the_values_of_get(client: FeatureClient) -> None:
    ids = [str(i) for i in range(1, accounts.COUNT + 1)]
    named = client.get(ids, ["price"])
    prices = np.array([float(str(named[i]["price"])) for i in ids], dtype=np.float32)
    vectors = client.vectors("numbers", ids)
    np.testing.assert_array_equal(vectors.values[:, 2], prices)


def test_a_wrong_request_names_its_field(client: FeatureClient) -> None:
    with pytest.raises(InvalidRequestError, match=r"INVALID_ARGUMENT: feature_names.*'vists'"):
        client.get(["1"], ["vists"])
    with pytest.raises(InvalidRequestError, match="entity_ids"):
        client.get([])
    with pytest.raises(InvalidRequestError, match="feature_service") as refused:
        client.vectors("number", ["1"])
    assert not refused.value.is_transient


def test_a_single_text_is_refused_where_several_are_taken(client: FeatureClient) -> None:
    with pytest.raises(TypeError, match=r'write \["42"\]'):
        client.get("42")
    with pytest.raises(TypeError, match=r'write \["visits"\]'):
        client.get(["42"], "visits")
    with pytest.raises(TypeError, match=r'write \["42"\]'):
        client.vectors("numbers", "42")


def test_a_service_that_is_not_fitted_is_not_ready(client: FeatureClient) -> None:
    with pytest.raises(NotReadyError, match="unfitted"):
        client.vectors("unfitted", ["1"])


async def test_asyncio_answers_the_same(server: Server, client: FeatureClient) -> None:
    ids = ["1", "4", "10", "nobody"]
    async with aio.FeatureClient(server.target, deadline=10) as asyncio_client:
        answer = await asyncio_client.get(ids, ["visits", "tags"])
        vectors = await asyncio_client.vectors("numbers", ids)
        stamped = await asyncio_client.get(ids, ["visits"], with_stamps=True)
        stamps = (await asyncio_client.vectors("numbers", ids, with_stamps=True)).stamps
        with pytest.raises(InvalidRequestError, match="entity_ids"):
            await asyncio_client.get([])
        with pytest.raises(NotReadyError):
            await asyncio_client.vectors("unfitted", ids)
    expected = client.get(ids, ["visits", "tags"])
    assert answer == expected
    assert answer.statuses == expected.statuses
    assert answer.versions == expected.versions
    assert vectors.values.tobytes() == client.vectors("numbers", ids).values.tobytes()
    assert list(stamped.stamps) == ids
    assert len(stamps) == len(ids)


def _several() -> dict[str, Any]:
    return {
        "tuple": ("4", "7"),
        "generator": (str(i) for i in (4, 7)),
        "map": map(str, [4, 7]),
        "range": range(4, 8, 3),
        "dict keys": {"4": 0, "7": 0}.keys(),
        "ints": [4, 7],
        "NumPy ints": np.array([4, 7], dtype=np.int32),
        "NumPy unsigned": [np.uint8(4), np.int64(7)],
        "NumPy texts": np.array(["4", "7"]),
        "NumPy objects": np.array(["4", 7], dtype=object),
        "Series": pd.Series(["4", "7"], index=[9, 8]),
        "Series of ints": pd.Series([4, 7], dtype="int32"),
        "nullable Series": pd.Series([4, 7], dtype="Int64"),
        "categories": pd.Series(["4", "7"], dtype="category"),
        "Arrow-backed Series": pd.Series([4, 7], dtype="int64[pyarrow]"),
        "Index": pd.Index(["4", "7"]),
        "Arrow array": pa.array([4, 7]),
        "Arrow column": pa.table({"id": ["4", "7"]})["id"],
    }


@pytest.mark.parametrize("kind", _several())
def test_ids_come_in_anything_that_can_be_gone_through(client: FeatureClient, kind: str) -> None:
    assert client.get(_several()[kind], ["visits"]) == {"4": {"visits": 4.0}, "7": {"visits": 7.0}}
    vectors = client.vectors("numbers", _several()[kind])
    assert vectors.entity_ids == ("4", "7")
    assert vectors.values[:, 0].tolist() == [4.0, 7.0]


async def test_asyncio_takes_the_same_ids(server: Server) -> None:
    async with aio.FeatureClient(server.target, deadline=10) as client:
        answer = await client.get(map(int, ["4"]), (name for name in ["visits"]))
        assert answer == {"4": {"visits": 4.0}}
        assert (await client.vectors("numbers", np.array([4]))).entity_ids == ("4",)
        with pytest.raises(TypeError, match=r"^entity_ids\[0\] is 4.0 \(float\)"):
            await client.get([4.0])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([4.0], "entity_ids[0] is 4.0 (float), but an id is a str or an int: write 4"),
        (["4", 0.5], "entity_ids[1] is 0.5 (float), but an id is a str or an int"),
        (pd.Series([4, None]), "entity_ids[0] is 4.0 (float), but an id is a str or an int: write"),
        (["4", float("nan")], "entity_ids[1] is nan (float), but an id is a str or an int: leave"),
        ([np.float32(4)], "entity_ids[0] is np.float32(4.0) (float32), but an id is a str or an"),
        (pd.Series([4, None], dtype="Int64"), "entity_ids[1] is <NA> (NAType), but an id is a"),
        ([None], "entity_ids[0] is None (NoneType), but an id is a str or an int"),
        ([True], "entity_ids[0] is True (bool), but an id is a str or an int"),
        ([b"4"], "entity_ids[0] is b'4' (bytes), but an id is a str or an int"),
        ([["4"]], "entity_ids[0] is ['4'] (list), but an id is a str or an int"),
        (np.array([[4]]), "entity_ids[0] is array([4]) (ndarray), but an id is a str or an int"),
        (
            [np.datetime64("2026-01-01")],
            "entity_ids[0] is np.datetime64('2026-01-01') (datetime64)",
        ),
        (
            pd.DataFrame({"id": ["4"]}),
            "entity_ids is a DataFrame, but takes one column of it: write",
        ),
        (pa.table({"id": ["4"]}), "entity_ids is a Table, but takes one column of it: write"),
        ({"4": 1}, "entity_ids is a dict, but takes a list of texts"),
        (b"42", "entity_ids is a bytes, but takes a list of texts"),
        (42, "entity_ids is 42 (int), but takes several: write [42]"),
        (None, "entity_ids is None (NoneType), but takes several: write [None]"),
    ],
)
def test_what_is_no_id_is_named(client: FeatureClient, ids: EntityIds, message: str) -> None:
    for call in (lambda: client.get(ids), lambda: client.vectors("numbers", ids)):
        with pytest.raises(TypeError) as refused:
            call()
        assert str(refused.value).startswith(message)


def test_each_other_argument_is_named_too(client: FeatureClient) -> None:
    wrong: Any
    for wrong, message in [
        ({"features": [1]}, "features[0] is 1 (int), but has to be a str"),
        ({"features": None}, "features is None (NoneType), but takes several"),
        ({"entity": 1}, "entity is 1 (int), but has to be a str"),
        ({"service": None}, "service is None (NoneType), but has to be a str"),
        ({"deadline": "1"}, "deadline is '1' (str), but has to be a number of seconds"),
    ]:
        with pytest.raises(TypeError) as refused:
            client.get(["4"], **wrong)
        assert str(refused.value).startswith(message)
    with pytest.raises(TypeError, match=r"^service is 1 \(int\)"):
        client.vectors(1, ["4"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^target is 50051 \(int\)"):
        FeatureClient(50051)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^token is b'x' \(bytes\)"):
        FeatureClient("x", token=b"x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^entity_ids\[1\] is '\\ud800', which UTF-8 can't have"):
        client.get(["4", "\ud800"])
    assert client.get(["4"], np.array(["visits"]), deadline=np.float64(9)) == {"4": {"visits": 4.0}}
