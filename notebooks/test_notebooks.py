"""Each notebook runs from top to bottom and shows what is committed."""

import json
import re
from pathlib import Path

import nbformat
import notebooks
import pytest


@pytest.mark.parametrize("notebook", notebooks.ALL, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs_and_shows_what_is_committed(notebook: Path) -> None:
    committed = nbformat.read(notebook, as_version=4)
    fresh = notebooks.run(notebook)
    assert notebooks.pictures(fresh) == notebooks.pictures(committed)
    assert sum(notebooks.pictures(committed)) > 0
    pairs = zip(notebooks.texts(fresh), notebooks.texts(committed), strict=True)
    for cell, (shown, expected) in zip(fresh.cells, pairs, strict=True):
        assert _alike(shown, expected), f"{cell.source}\nshows\n{shown}\ninstead of\n{expected}"


@pytest.mark.parametrize("notebook", notebooks.ALL, ids=lambda notebook: notebook.stem)
def test_a_committed_notebook_was_run_in_order_and_names_no_machine(notebook: Path) -> None:
    node = json.loads(notebook.read_text())
    counts = [cell["execution_count"] for cell in node["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = json.dumps([cell.get("outputs", []) for cell in node["cells"]])
    assert not re.search(r"/(home|Users|root|tmp|work|var|opt)/", text)


def test_there_are_notebooks() -> None:
    assert [notebook.name for notebook in notebooks.ALL] == [
        "1-time-travel.ipynb",
        "2-skew.ipynb",
        "3-online-equals-offline.ipynb",
    ]


def _alike(shown: str, expected: str) -> bool:
    """Whether the words are the same, and fractions nearly so, as on another processor."""
    here, there = shown.split(), expected.split()
    return len(here) == len(there) and all(
        one == other or _near(one, other) for one, other in zip(here, there, strict=True)
    )


def _near(one: str, other: str) -> bool:
    fraction = re.compile(r"-?\d+\.\d+")
    return bool(
        fraction.fullmatch(one)
        and fraction.fullmatch(other)
        and float(one) == pytest.approx(float(other), rel=0.05, abs=0.02)
    )
