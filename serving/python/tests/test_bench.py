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
