"""What a job of Tarn says: its result in a file, its reason to fail among the lines of its output.

The result is not looked for in the output. There, a line of a log in JSON looks the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MESSAGE = "tarn: "
# More than any message has; a log that is indented must not fill the memory.
_LONGEST_MESSAGE = 1_000


class JobOutput:
    """Listens to a job, and finds in what it says its reason to fail."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._message: list[str] = []
        self._is_open = False

    def listen(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on as they come."""
        for line in lines:
            self._hear(line.rstrip("\r\n"))
            yield line

    def _hear(self, line: str) -> None:
        if line.startswith(_MESSAGE):
            self._message = [line.removeprefix(_MESSAGE)]
            self._is_open = True
        elif self._is_open and line.startswith("  "):
            if len(self._message) < _LONGEST_MESSAGE:
                self._message.append(line)
        else:
            self._is_open = False

    def message(self) -> str | None:
        """Return why the job has failed, in its own words, if it has said so.

        It is the last line that begins with ``tarn:``, with the indented ones below it.
        """
        return "\n".join(self._message) if self._message else None


def result(file: Path) -> dict[str, Any] | None:
    """Return the JSON object that the job has written as its result, if it has."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return dict(found)
