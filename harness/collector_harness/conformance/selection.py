"""Which requirements a run is about: ids, families and patterns, and what they build on.

Pure. A pattern that selects nothing is an error and never an empty, green run.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Sequence

from collector_harness.conformance.requirements import Catalogue
from collector_harness.errors import ExitCode, HarnessError, InvalidInput, Problem

__all__ = ["NothingSelected", "asked_for", "select"]


_SHORT = re.compile(r"([A-Z]+)-?([0-9]{1,3})")


class NothingSelected(HarnessError):
    """There is no case for what was asked, so nothing could fail."""

    exit_code = ExitCode.NOTHING_RAN


def select(
    patterns: Sequence[str],
    *,
    covered: Collection[str],
    catalogue: Catalogue,
    lenient: bool = False,
) -> frozenset[str]:
    """Returns what `asked_for` does, with what these build on as far as there are cases for it."""
    asked = asked_for(patterns, covered=covered, catalogue=catalogue, lenient=lenient)
    return catalogue.with_prerequisites(asked) & frozenset(covered)


def asked_for(
    patterns: Sequence[str],
    *,
    covered: Collection[str],
    catalogue: Catalogue,
    lenient: bool = False,
) -> frozenset[str]:
    """Returns the ids of `covered` that the patterns name.

    A pattern is an id, a family, a shell pattern of ids such as `DSP-01*`, or several of these
    with commas, blanks or `or` between them; no pattern names everything. `lenient` takes words
    without a case for nothing. Raises
    `InvalidInput` for a pattern that names no requirement, and `NothingSelected` for one whose
    requirements have no case in the suite.
    """
    if not covered:
        raise NothingSelected("the suite has no cases: nothing can be verified")
    wanted = [word for pattern in patterns for word in _words(pattern)]
    if patterns and not wanted:
        raise NothingSelected("an empty pattern selects nothing")
    if not wanted:
        return frozenset(covered)
    asked: set[str] = set()
    for word in wanted:
        named = _named(word, catalogue)
        found = [key for key in named if key in covered]
        if not found and not lenient:
            raise NothingSelected(
                f"'{word}' selects nothing: the suite has no case for {_some(named)} yet\n"
                f"hint: it has cases for {_some(sorted(covered))}"
            )
        asked.update(found)
    return frozenset(asked)


def _words(pattern: str) -> Iterable[str]:
    words = re.split(r"[,\s]+", pattern)
    return [word.upper() for word in words if word and word != "or"]


def _named(word: str, catalogue: Catalogue) -> list[str]:
    if word in catalogue.families:
        return [requirement.id for requirement in catalogue if requirement.family == word]
    padded = _SHORT.fullmatch(word)
    if word not in catalogue and padded and f"{padded[1]}-{padded[2]:0>3}" in catalogue:
        # Close to several ids, and yet clear.
        right = f"{padded[1]}-{padded[2]:0>3}"
        raise InvalidInput(
            Problem(message=f"there is no requirement '{word}'", hint=f"did you mean '{right}'?")
        )
    matching = fnmatch.filter(catalogue.requirements, word)
    return matching or [catalogue[word].id]


def _some(ids: Collection[str]) -> str:
    shown = list(ids)[:24]
    rest = len(ids) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
