"""A verdict as events, from which every report can be made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collector_harness.conformance.requirements import Catalogue
from collector_harness.conformance.verdicts import Verdicts
from collector_harness.events import RequirementJudged, VerdictReached

__all__ = ["judged"]


def judged(
    verdicts: Verdicts, *, catalogue: Catalogue, ids: Mapping[str, tuple[str, ...]]
) -> Iterator[RequirementJudged | VerdictReached]:
    """Yields what was found out about each requirement, and then the whole.

    `ids` has, by the name of a case of the suite, the ids that it has in the stream.
    """
    for each in verdicts.requirements:
        yield RequirementJudged(
            requirement=each.requirement.id,
            level=each.requirement.level,
            text=each.requirement.text,
            sources=tuple(catalogue.sources[source] for source in each.requirement.sources),
            verdict=each.verdict.value,
            reason=each.reason,
            cases=tuple(id for case in each.cases for id in ids.get(case.case, (case.case,))),
            blocked_by=each.blocked_by,
            reproduce=each.reproduce,
            asked=each.asked,
        )
    yield VerdictReached(
        suite_version=verdicts.suite_version,
        target=verdicts.target,
        totals={verdict.value: count for verdict, count in verdicts.totals.items()},
        families=dict(catalogue.families),
        findings=verdicts.findings,
        notices=verdicts.notices,
        uncovered=verdicts.uncovered,
        as_of=verdicts.as_of,
    )
