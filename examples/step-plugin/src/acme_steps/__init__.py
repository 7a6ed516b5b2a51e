"""A step that looks at a file, and a matcher for ranges."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from collector_harness.plugins import MatcherKind, StepContext, StepKind

__all__ = ["BETWEEN", "CHECKSUM"]


class File(BaseModel):
    """What stands under `checksum`."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(description="The file, from the folder of the scenario.")
    algorithm: Literal["sha256", "sha512"] = Field(default="sha256", description="How to sum up.")


async def checksum(arguments: File, context: StepContext) -> Mapping[str, object]:
    """Returns the checksum of a file; a file that is not there has none."""
    path = (context.folder or Path()) / arguments.file
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        return {"hex": None, "bytes": 0, "error": error.strerror}
    return {"hex": hashlib.new(arguments.algorithm, content).hexdigest(), "bytes": len(content)}


CHECKSUM = StepKind(
    description="Sum a file up.",
    arguments=File,
    answers={
        "hex": "The checksum; null where there is no such file.",
        "bytes": "How long the file is.",
        "error": "Why it cannot be read; null where it can.",
    },
    perform=checksum,
)


def _fault(argument: object) -> str | None:
    pair = isinstance(argument, list) and len(argument) == 2
    if pair and all(isinstance(each, int | float) for each in argument):
        return None
    return "needs two numbers, such as [1, 10]"


BETWEEN = MatcherKind(
    description="A number from the first of these to the second.",
    matches=lambda argument, actual: (
        isinstance(actual, int | float) and argument[0] <= actual <= argument[1]
    ),
    expected=lambda argument: f"a number from {argument[0]} to {argument[1]}",
    fault=_fault,
    schema={"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
)
