"""Several streams as one: the shards of a suite or a verification, or the workers of one pytest.

Pure: from streams to the events of one run. A merged run is no better than its parts: what is
missing of them is told, and never left out in silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from collector_harness.errors import ExitCode, HarnessError, InvalidInput, Problem
from collector_harness.events import (
    CaseStarted,
    Event,
    MeshStarted,
    MeshStopped,
    Notice,
    Part,
    RequirementJudged,
    RunFinished,
    RunStarted,
    Totals,
)
from collector_harness.reports.merging_verdicts import (
    asked_in,
    is_verification,
    judged_together,
    without_doubles,
)
from collector_harness.reports.reading import Stream

__all__ = ["PartsMissing", "joined", "merge_shards"]

_SEVERITY = (
    ExitCode.INTERRUPTED,
    ExitCode.INTERNAL_FAULT,
    ExitCode.FAILED,
    ExitCode.TARGET_FAILED,
    ExitCode.ENVIRONMENT_LACKS,
    ExitCode.INVALID_INPUT,
    ExitCode.NOTHING_RAN,
)


class PartsMissing(HarnessError):
    """What was given does not cover the whole suite; that must not look like success."""

    exit_code = ExitCode.FAILED


def merge_shards(streams: Sequence[Stream]) -> tuple[Event, ...]:
    """Returns one stream of all shards of a suite or of a verification.

    Raises `InvalidInput` for streams that are no shards, or not of the same suite, or of which two
    hold the same shard or, of a suite, the same case, and `PartsMissing` where a shard was cut off
    or is missing.
    """
    parts = [(stream, _part(stream)) for stream in streams]
    _check_whole(parts)
    _check_shards(parts)
    for stream, _ in parts:
        if stream.finished is None:
            raise PartsMissing(f"{stream.name} was cut off: it has no end")
    verifying = [is_verification(stream) for stream in streams]
    held: list[Collection[str]]
    if all(verifying):
        held, what = [asked_in(stream) for stream in streams], "requirements"
    elif any(verifying):
        raise InvalidInput("some of the streams are of a verification, and others are not")
    else:
        _check_overlaps(streams)
        held, what = [[event.case for event in _cases(stream)] for stream in streams], "cases"
    missing = _missing([part for _, part in parts], sum(map(len, held)), what)
    if all(verifying):
        *events, last = joined(without_doubles(streams))
        assert isinstance(last, RunFinished)
        judged = judged_together(streams)
        events += [*judged, _ended(last, judged)]
    else:
        events = list(joined(streams))
    if missing:
        none = f"no {what[:-1]} belongs to the shards {', '.join(missing)}"
        events.insert(1, Notice(message=none))
    return tuple(events)


def _missing(parts: Sequence[Part], found: int, what: str) -> list[str]:
    """Returns the shards that are not there; raises `PartsMissing` unless they are empty."""
    of = int(parts[0].shard.partition("/")[2])
    here = {part.shard for part in parts}
    missing = [f"{number}/{of}" for number in range(1, of + 1) if f"{number}/{of}" not in here]
    if found < parts[0].cases:
        told = f"; missing: {', '.join(missing)}" if missing else ""
        raise PartsMissing(f"the shards hold {found} of {parts[0].cases} {what}{told}")
    return missing


def _ended(last: RunFinished, judged: Iterable[Event]) -> RunFinished:
    """Returns the end of a verification: what the shards disagree about is broken."""
    flaky = any(
        isinstance(each, RequirementJudged) and each.verdict == "flaky" and each.level == "MUST"
        for each in judged
    )
    return replace(last, exit_code=int(ExitCode.FAILED)) if flaky and not last.exit_code else last


def joined(streams: Sequence[Stream]) -> Iterator[Event]:
    """Yields the events of several streams as those of one run; without an end where one of them
    has none.
    """
    first = streams[0].started
    yield replace(
        first,
        scenarios=len({_scenario(event) for stream in streams for event in _cases(stream)}),
        cases=sum(stream.started.cases for stream in streams),
        began=min(stream.started.began for stream in streams),
        part=None,
    )
    seeds = dict.fromkeys(stream.started.seed for stream in streams)
    if len(seeds) > 1:
        yield Notice(message=f"the parts ran with different seeds: {', '.join(map(str, seeds))}")
    highest = 0
    for stream in streams:
        offset = highest
        for event in stream.events:
            if isinstance(event, MeshStarted | MeshStopped):
                highest = max(highest, event.mesh + offset)
                yield replace(event, mesh=event.mesh + offset)
            elif not isinstance(event, RunStarted | RunFinished):
                yield event
    ends = [stream.finished for stream in streams]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return
    codes = {int(end.exit_code) for end in known}
    if len(known) > 1:
        codes.discard(ExitCode.NOTHING_RAN)
    yield RunFinished(
        totals=Totals(
            scenarios=len({_scenario(event) for stream in streams for event in _cases(stream)}),
            cases=sum(end.totals.cases for end in known),
            passed=sum(end.totals.passed for end in known),
            failed=sum(end.totals.failed for end in known),
            unsupported=sum(end.totals.unsupported for end in known),
        ),
        # They ran beside each other: the longest is how long it took.
        seconds=max(end.seconds for end in known),
        exit_code=next((int(code) for code in _SEVERITY if code in codes), max(codes, default=0)),
        interrupted=any(end.interrupted for end in known),
    )


def _cases(stream: Stream) -> Iterator[CaseStarted]:
    return (event for event in stream.events if isinstance(event, CaseStarted))


def _scenario(event: CaseStarted) -> tuple[str, str]:
    return event.source, event.scenario


def _part(stream: Stream) -> Part:
    part = stream.started.part
    number, slash, of = ("", "", "") if part is None else part.shard.partition("/")
    if part is None or not (slash and number.isdecimal() and of.isdecimal() and len(of) < 5):
        raise InvalidInput(
            Problem(
                message=f"{stream.name} is no shard of a suite",
                hint="shards are what `run` and `verify` write with --shard 1/3 --jsonl FILE",
            )
        )
    return part


def _check_whole(parts: Sequence[tuple[Stream, Part]]) -> None:
    first, known = parts[0]
    for stream, part in parts[1:]:
        for what, one, other in (
            ("the same suite", known.digest, part.digest),
            ("the same number of shards", known.shard.split("/")[1], part.shard.split("/")[1]),
            ("the same target", first.started.target, stream.started.target),
        ):
            if one != other:
                raise InvalidInput(f"{first.name} and {stream.name} are not of {what}")


def _check_shards(parts: Sequence[tuple[Stream, Part]]) -> None:
    shards = Counter(part.shard for _, part in parts)
    twice = [shard for shard, count in shards.items() if count > 1]
    if twice:
        raise InvalidInput(f"the shard {twice[0]} is given {shards[twice[0]]} times")


def _check_overlaps(streams: Sequence[Stream]) -> None:
    cases = Counter(event.case for stream in streams for event in _cases(stream))
    doubled = [case for case, count in cases.items() if count > 1]
    if doubled:
        raise InvalidInput(f"{len(doubled)} cases are in several shards, such as {doubled[0]}")
