"""The run as a stream of JSON lines: the record that every other report can be made from.

The first line is `RunStarted` with the version of the stream, the last one `RunFinished`; a
file without that last line was cut off.
"""

from __future__ import annotations

import json
from pathlib import Path

from collector_harness.errors import EnvironmentLacks
from collector_harness.events import Event, as_json
from collector_harness.reports.json_values import json_values

__all__ = ["JsonLinesReport", "encode"]


def encode(event: Event) -> str:
    """Returns the event as one line of JSON without its end; pure ASCII, whatever it holds.

    Bytes become base64, numbers that JSON lacks become their names, keys become text.
    """
    return json.dumps(json_values(as_json(event)), allow_nan=False)


class JsonLinesReport:
    """Writes each event as one line and flushes it, so that a run that dies leaves its record.

    Raises `EnvironmentLacks` when the file cannot be opened, or an event cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Unbuffered: a line that could not be written must not be tried again by `close`.
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise EnvironmentLacks(
                f"cannot write the event stream to {path}: {error.strerror}; "
                "name a file in a folder that exists and is writable"
            ) from error

    def __call__(self, event: Event) -> None:
        line = memoryview(f"{encode(event)}\n".encode("ascii"))
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise EnvironmentLacks(
                f"cannot write the event stream to {self._path}: {error.strerror}; "
                "what was written of it is cut off"
            ) from error

    def close(self) -> None:
        self._file.close()
