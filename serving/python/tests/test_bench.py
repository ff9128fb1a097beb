import json
import runpy
import subprocess

from conftest import HOME


def test_a_wrong_word_is_refused_before_anything_is_measured() -> None:
    for word in ("entitis=5", "entities=0", "format=xml"):
        done = subprocess.run(
            [str(HOME / "tarn"), "bench", "client", word],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert f"tarn: '{word}' is no argument of bench client" in done.stderr
        assert "usage: ./tarn bench client [entities=…]" in done.stderr


def test_figures_are_one_object_with_an_aim_where_there_is_one() -> None:
    client = runpy.run_path(str(HOME / "serving" / "python" / "bench" / "client.py"))
    measures = [
        client["Measure"](call, entities, in_flight, rate, rate * entities, 1.25, 2.5)
        for call, rate in (("vectors", 900.0), ("get", 200.0))
        for entities in (1, 10, 100)
        for in_flight in (1, 8)
    ]
    whole = json.loads(client["as_json"](measures))
    assert list(whole) == ["figures"]
    figures = {figure.pop("name"): figure for figure in whole["figures"]}
    assert figures["vectors, 10 entities, 8 in flight: vectors/s"] == {"value": 9000.0}
    assert figures["vectors ÷ get, 1 entities, 1 in flight"] == {"value": 4.5}
    assert figures["vectors ÷ get, 100 entities, 8 in flight"] == {
        "value": 4.5,
        "aim": ">= 5",
        "met": False,
    }
