"""The file of known failures: which requirements are known to be broken, why, and until when.

Strict: an entry needs a reason, and one that is not true any more fails the verdict. The file is
changed as text, so that reasons and comments stay as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, StringConstraints, WithJsonSchema

from collector_harness.conformance.requirements import catalogue
from collector_harness.conformance.verdicts import RequirementVerdict, Verdict, Verdicts
from collector_harness.documents import StrictModel, did_you_mean, load, validate
from collector_harness.documents.document import Document
from collector_harness.errors import EnvironmentLacks, InvalidInput

__all__ = ["KnownFailures", "load_known_failures", "parse_known_failures", "update_file", "updated"]

_UNEXPLAINED = "not explained yet"
_FILE = "version: 1\nfailures:\n"


def _date(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"'{value}' is not a date\nwrite for example 2027-03-31") from None


def _id(value: object) -> str:
    if isinstance(value, str) and value in catalogue():
        return value
    hint = did_you_mean(str(value), catalogue().requirements, what="ids are such as DSP-004")
    raise ValueError(f"there is no requirement '{value}'\n{hint}")


class KnownFailure(StrictModel):
    """A requirement that is known to be broken."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000)] = Field(
        description="Why it is broken, and why that is accepted."
    )
    expires: (
        Annotated[date, PlainValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
        | None
    ) = Field(default=None, description="The last day on which it is excused, such as 2027-03-31.")


class KnownFailuresFile(StrictModel):
    """A file of known failures."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    failures: dict[
        Annotated[str, PlainValidator(_id), WithJsonSchema({"type": "string"})], KnownFailure
    ] = Field(description="The known failures by the id of the requirement.")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KnownFailures:
    """What a file of known failures says."""

    file: KnownFailuresFile
    document: Document = field(repr=False)

    def on(self, day: date) -> Mapping[str, str]:
        """Returns the reasons of those that are excused on a day, by id."""
        return {
            key: entry.reason
            for key, entry in self.file.failures.items()
            if entry.expires is None or day <= entry.expires
        }

    def unmatched(self, verdicts: Iterable[RequirementVerdict]) -> list[str]:
        """Returns, a sentence each, the entries that no failure is seen of.

        Of what was not selected nothing is said. A pass has a verdict of its own.
        """
        found = {each.requirement.id: each for each in verdicts}
        told = []
        for key in self.file.failures:
            place = self.document.position(("failures", key), key=True)
            where = f"{place.source}:{place.line}"
            each = found.get(key)
            if each is None:
                told.append(f"{where}: {key} is a known failure, but the suite has no case for it")
            elif each.verdict in (Verdict.UNSUPPORTED, Verdict.BLOCKED):
                told.append(f"{where}: {key} is a known failure, but it is {each.verdict.value}")
            elif each.verdict is Verdict.PASS:
                told.append(f"{where}: the known failure of {key} has expired, and it passes")
        return told


def load_known_failures(path: Path) -> KnownFailures:
    """Reads a file; raises `InvalidInput` with every problem at its line."""
    return parse_known_failures(_read(path), str(path))


def parse_known_failures(text: str, source: str) -> KnownFailures:
    """Reads the text of a file; raises as above."""
    document = load(text, source)
    return KnownFailures(file=validate(KnownFailuresFile, document), document=document)


def update_file(path: Path, verdicts: Verdicts) -> None:
    """Writes what `updated` returns into a file, which need not be there yet."""
    text = _read(path) if path.exists() else None
    try:
        path.write_text(updated(text, str(path), verdicts), encoding="utf-8")
    except OSError as error:
        raise EnvironmentLacks(f"{path} cannot be written: {error.strerror}") from error


def updated(text: str | None, source: str, verdicts: Verdicts) -> str:
    """Returns the text of a file after a verdict: without what passes now, and with what fails.

    What stays keeps its words and its comments; None for a file that is not there yet. What is new
    has no reason yet, and says so.
    """
    found = {each.requirement.id: each for each in verdicts.requirements}
    known = {} if text is None else dict(parse_known_failures(text, source).file.failures)
    gone = [
        key
        for key in known
        if key not in found
        or found[key].verdict in (Verdict.UNEXPECTED_PASS, Verdict.PASS, Verdict.UNSUPPORTED)
    ]
    new = [each for each in verdicts.requirements if each.verdict.counts]
    lines = _FILE.splitlines() if text is None else text.splitlines()
    if any(re.match(r"failures\s*:\s*\{", line) for line in lines):
        lines = _spread(lines, known)
    lines = _without(lines, gone)
    lines += [
        f"  {each.requirement.id}: {{reason: {_quoted(f'{_UNEXPLAINED}: {each.reason}')}}}"
        for each in new
        if each.requirement.id not in known
    ]
    left = (set(known) - set(gone)) | {each.requirement.id for each in new}
    if not left:
        lines = [re.sub(r"^failures\s*:.*", "failures: {}", line) for line in lines]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise EnvironmentLacks(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is no text: {error}") from error


def _spread(lines: Sequence[str], known: Mapping[str, KnownFailure]) -> list[str]:
    """Returns the lines with a mapping in braces written as one line for each entry."""
    begin = next(n for n, line in enumerate(lines) if re.match(r"failures\s*:", line))
    entries = []
    for key, entry in known.items():
        expires = f", expires: {entry.expires}" if entry.expires else ""
        entries.append(f"  {key}: {{reason: {_quoted(entry.reason)}{expires}}}")
    return [*lines[:begin], "failures:", *entries]


def _without(lines: Sequence[str], gone: Sequence[str]) -> list[str]:
    """Returns the lines without some entries and the comments right above these."""
    kept: list[str] = []
    dropping = False
    for line in lines:
        entry = re.match(r"\s+['\"]?([A-Z]+-[0-9]{3})['\"]?\s*:", line)
        if entry is not None:
            dropping = entry[1] in gone
            while dropping and kept and kept[-1].lstrip().startswith("#"):
                kept.pop()
        elif (line.strip() and not line.startswith(" ")) or line.lstrip().startswith("#"):
            dropping = False
        if not dropping:
            kept.append(line)
    return kept


def _quoted(text: str) -> str:
    short = " ".join(text.split())[:300]
    return "'" + short.replace("'", "''") + "'"
