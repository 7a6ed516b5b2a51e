"""Shards of one verification: what each found out about its requirements, as one verdict.

Pure. A requirement is judged by the shard that was asked for it. Others verify it too where theirs
build on it, so their cases are there several times, of which one is kept: the worst.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from collector_harness.events import (
    CaseFinished,
    CaseStarted,
    Event,
    Outcome,
    RequirementJudged,
    RunFinished,
    RunStarted,
    Totals,
    VerdictReached,
)
from collector_harness.reports.comparing import RANK
from collector_harness.reports.reading import Stream

__all__ = ["asked_in", "is_verification", "judged_together", "without_doubles"]

_PASS, _FLAKY = "pass", "flaky"
_WELL = (Outcome.PASSED, Outcome.UNSUPPORTED)
_BROKEN = frozenset({"fail", "target-crashed", "flaky"})


def is_verification(stream: Stream) -> bool:
    """Whether the stream ends with a verdict."""
    return any(isinstance(event, VerdictReached) for event in stream.events)


def asked_in(stream: Stream) -> frozenset[str]:
    """Returns the ids of the requirements that a shard was asked for."""
    return frozenset(
        each.requirement
        for each in stream.events
        if isinstance(each, RequirementJudged) and each.asked and each.verdict != "deselected"
    )


def without_doubles(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """Returns the streams without their verdicts and with each case in one of them only: in the
    first in which it did not pass, else in the first.
    """
    owners: dict[str, tuple[bool, int]] = {}
    for index, stream in enumerate(streams):
        for event in stream.events:
            if isinstance(event, CaseStarted):
                owners.setdefault(event.case, (True, index))
            elif isinstance(event, CaseFinished) and event.outcome not in _WELL:
                good, owner = owners.get(event.case, (True, index))
                owners[event.case] = (False, index if good else owner)
    return tuple(
        replace(stream, events=tuple(_owned(stream, index, owners)))
        for index, stream in enumerate(streams)
    )


def _owned(stream: Stream, index: int, owners: Mapping[str, tuple[bool, int]]) -> Iterator[Event]:
    kept = [
        event
        for event in stream.events
        if not isinstance(event, RequirementJudged | VerdictReached)
        and owners.get(getattr(event, "case", ""), (True, index))[1] == index
    ]
    ended = [event for event in kept if isinstance(event, CaseFinished)]
    count = Counter(event.outcome for event in ended)
    for event in kept:
        if isinstance(event, RunStarted):
            begun = sum(isinstance(each, CaseStarted) for each in kept)
            yield replace(event, cases=begun, asked=())
        elif isinstance(event, RunFinished):
            totals = Totals(
                scenarios=len({(each.source, each.scenario) for each in ended}),
                cases=len(ended),
                passed=count[Outcome.PASSED],
                failed=sum(count[each] for each in count if each not in _WELL),
                unsupported=count[Outcome.UNSUPPORTED],
            )
            yield replace(event, totals=totals)
        else:
            yield event


def judged_together(streams: Sequence[Stream]) -> tuple[RequirementJudged | VerdictReached, ...]:
    """Returns the verdict of all shards: each requirement, and then the whole.

    One that was seen to pass in one shard and to be broken in another is flaky.
    """
    found: dict[str, list[RequirementJudged]] = {}
    wholes: list[VerdictReached] = []
    for stream in streams:
        for event in stream.events:
            if isinstance(event, RequirementJudged):
                found.setdefault(event.requirement, []).append(event)
            elif isinstance(event, VerdictReached):
                wholes.append(event)
    judged = [_one(each) for each in found.values()]
    count = Counter(each.verdict for each in judged)
    whole = replace(
        wholes[0],
        totals={verdict: count[verdict] for verdict in dict.fromkeys((*wholes[0].totals, *count))},
        findings=tuple(dict.fromkeys(told for each in wholes for told in each.findings)),
        notices=tuple(dict.fromkeys(told for each in wholes for told in each.notices)),
    )
    return (*judged, whole)


def _one(several: Sequence[RequirementJudged]) -> RequirementJudged:
    known = [each for each in several if each.verdict != "deselected"]
    if not known:
        return several[0]
    asked = [each for each in known if each.asked] or known
    worst = max(asked, key=lambda each: RANK.get(each.verdict, 5))
    broken = next((each for each in known if each.verdict in _BROKEN), None)
    if broken is None or all(each.verdict != _PASS for each in known):
        return worst
    reason = "; ".join(filter(None, (broken.reason, "it passed in another shard")))
    return replace(broken, verdict=_FLAKY, reason=reason, asked=True)
