"""What a job of Tarn says on its standard output and error, which spark-submit passes on."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

# A job says a handful of lines; what else comes is Spark's log.
_LAST_LINES = 10_000
_MESSAGE = "tarn: "


class JobOutput:
    """Listens to a job, and finds in what it has said its summary and its reason to fail."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)

    def listen(self, lines: Iterable[str]) -> Iterator[str]:
        """Pass the lines on as they come."""
        for line in lines:
            self._lines.append(line.rstrip("\r\n"))
            yield line

    def summary(self) -> dict[str, Any] | None:
        """Return the JSON object that the job has printed as its result, if it has."""
        for line in reversed(self._lines):
            if line.startswith("{"):
                try:
                    found, _ = json.JSONDecoder().raw_decode(line)
                except json.JSONDecodeError:
                    continue
                return dict(found)
        return None

    def message(self) -> str | None:
        """Return why the job has failed, in its own words, if it has said so.

        It is the last line that begins with ``tarn:``, with the indented ones below it.
        """
        message: list[str] | None = None
        for line in self._lines:
            if line.startswith(_MESSAGE):
                message = [line.removeprefix(_MESSAGE)]
                is_open = True
            elif message and is_open and line.startswith("  "):
                message.append(line)
            else:
                is_open = False
        return "\n".join(message) if message else None
