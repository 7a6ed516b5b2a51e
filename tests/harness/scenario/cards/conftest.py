"""The mistakes of this folder, run as a user would, and what is told of them made comparable."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

CARDS = Path(__file__).parent

_VARYING = (
    (re.compile(re.escape(sys.executable)), "PYTHON"),
    (re.compile(r"(127\.0\.0\.1|\[::1\]|localhost):\d+"), r"\1:PORT"),
    (re.compile(r"\b\d+\.\d+ ?s\b"), "N s"),
    (re.compile(r'("?seconds"?): [\d.e-]+'), r"\1: N"),
    (re.compile(r"\b\d+ (tries|try)\b"), "N tries"),
    # What a node writes, and a web server tells of itself, is theirs.
    (re.compile(r"(\n    \| .*)+"), "\n    | LINES"),
    (re.compile(r'"(date|server|content-length)": ".*"'), r'"\1": "..."'),
    (re.compile(r"seed \d+"), "seed N"),
    # And so are the words of gRPC and protobuf, which differ between their versions.
    (re.compile(r"failed to connect to all addresses[^\"]*"), "WORDS OF GRPC"),
    (re.compile(r"(does not fit google[\w.]+): .*"), r"\1: WORDS OF PROTOBUF"),
)


@pytest.fixture
def alike(tmp_path: Path):
    """Makes what is told the same in every run: no ports, times, ids and folders."""

    def alike(text: str) -> str:
        text = text.replace(str(tmp_path), "FOLDER")
        for pattern, word in _VARYING:
            text = pattern.sub(word, text)
        return "\n".join(line.rstrip() for line in text.strip().split("\n")) + "\n"

    return alike
