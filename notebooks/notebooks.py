"""Runs the notebooks from top to bottom, and makes what they show the same on every machine.

``./render`` writes the outputs into the notebooks; the tests compare a fresh run with them.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
ALL = sorted(HERE.glob("*.ipynb"))

_SECONDS_A_CELL = 600

# What is another one in each run.
_VOLATILE = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b\d{15,20}\b"), "<snapshot>"),
    (re.compile(r"\bv\d+-[a-z0-9]{6}\b"), "<version>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d+(Z|\+00:00)?"), "<moment>"),
    (re.compile(r"\b\d[\d,.]* (ms|s|rows/s)(?=\W|$)"), "<measured>"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\btarn-train-\w+"), "<manifest>"),
    (re.compile(r"[-─]{3,}"), "---"),
]


def run(notebook: Path) -> NotebookNode:
    """Execute a notebook in its folder, on data of its own that are made anew."""
    node = nbformat.read(notebook, as_version=4)
    shutil.rmtree(HERE / "target" / _name(notebook), ignore_errors=True)
    client = NotebookClient(
        node,
        timeout=_SECONDS_A_CELL,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(HERE)}},
    )
    client.execute()
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = [_cleared(o) for o in cell.outputs if o.get("name") != "stderr"]
    return node


def texts(node: NotebookNode) -> list[str]:
    """Return what each cell shows as text, without what is another one in each run."""
    shown = []
    for cell in node.cells:
        text = "\n".join(_plain(output) for output in cell.get("outputs", []))
        for pattern, word in _VOLATILE:
            text = pattern.sub(word, text)
        shown.append(" ".join(text.split()))
    return shown


def pictures(node: NotebookNode) -> list[int]:
    """Return how many pictures each cell shows."""
    return [
        sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
        for cell in node.cells
    ]


def _name(notebook: Path) -> str:
    """Return the folder that the notebook names."""
    found = re.search(r'Workshop\(\\?"(\w+)\\?"\)', notebook.read_text())
    if found is None:
        raise ValueError(f"{notebook} opens no Workshop")
    return found[1]


def _plain(output: NotebookNode) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _cleared(output: NotebookNode) -> NotebookNode:
    """No path of the machine that it ran on."""

    def clear(value: object) -> object:
        match value:
            case str():
                return value.replace(str(HERE.parent), "…").replace(str(Path.home()), "~")
            case dict():
                return NotebookNode({key: clear(element) for key, element in value.items()})
            case list():
                return [clear(element) for element in value]
            case _:
                return value

    return NotebookNode({key: clear(value) for key, value in output.items()})


def _chosen(words: list[str]) -> Iterator[Path]:
    for notebook in ALL:
        if not words or any(word in notebook.name for word in words):
            yield notebook


if __name__ == "__main__":
    for chosen in _chosen(sys.argv[1:]):
        print(chosen.name, flush=True)
        nbformat.write(run(chosen), chosen)
