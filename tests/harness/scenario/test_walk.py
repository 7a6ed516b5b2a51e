"""Modifiers: whether, how often and with what patience a step is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from collector_harness.events import Event, Outcome, StepFinished, StepStarted
from collector_harness.scenario.engine import run_cases
from collector_harness.scenario.loading import parse_scenario

Run = Callable[..., Any]
Write = Callable[..., str]

ECHO = "dispatch: shop/conformance.Probe.Echo"
COUNT = "dispatch: shop/conformance.Probe.Count"
SLEEP = 'input: {"@type": type.googleapis.com/google.protobuf.Duration, value: 0.3s}'


def inputs(ran: Any) -> list[object]:
    """What was sent in the dispatches, in order."""
    return [call.request.get("input") for call in ran.calls if call.rpc.endswith("/Dispatch")]


# when


def test_a_step_is_done_only_when_its_conditions_hold(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: one, save: {{said: output}}}}
    - {{when: {{"${{said}}": one}}, {ECHO}, input: two}}
    - {{when: {{"${{said}}": {{$not: one}}}}, {ECHO}, input: three}}
    - {{when: {{"${{said}}": one, "${{case.n}}": 2}}, {ECHO}, input: four}}
    """
    ran = run_all(alone(steps, rest="cases: {c: {n: 1}}\n"))
    assert ran.passed()
    assert inputs(ran) == ["one", "two"]
    assert [event.outcome for event in ran.of(StepFinished)] == 4 * [Outcome.PASSED]


# foreach, repeat


def test_foreach_does_a_step_for_each_item_in_order(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - foreach: [b, {{sku: A1}}, 3]
      {ECHO}
      input: ["${{index}}", "${{item}}"]
      expect: {{output: ["${{index}}", "${{item}}"]}}
      save: {{last: output}}
    - check: {{"${{last}}": [2, 3]}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert inputs(ran) == [[0, "b"], [1, {"sku": "A1"}], [2, 3]]


def test_foreach_takes_a_list_from_a_path(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: [x, y], save: {{letters: output}}}}
    - {{foreach: "${{letters}}", {ECHO}, input: "${{item}}"}}
    - {{foreach: "${{node.only.namespaces}}", list: "${{item}}"}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert inputs(ran)[1:] == ["x", "y"]
    assert ran.calls[-1].request == {"namespace": "shop"}


def test_foreach_over_what_is_no_list_is_an_error_at_its_step(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: text, save: {{letters: output}}}}
    - {{foreach: "${{letters}}", {ECHO}}}
    """
    ran = run_all(alone(steps))
    assert ran.outcomes == {"t": Outcome.ERROR}
    assert ran.failure.message == "foreach needs a list, and '${letters}' is none"
    assert ran.failure.step.startswith("2:")


def test_repeat_does_a_step_one_time_after_the_other(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{repeat: 3, {COUNT}, input: key, save: {{last: output}}}}
    - {{repeat: "${{case.times}}", {ECHO}, input: "${{index}}"}}
    - check: {{"${{last}}": 3}}
    """
    ran = run_all(alone(steps, rest="cases: {c: {times: 2}}\n"))
    assert ran.passed()
    assert [call.response["output"] for call in ran.calls[:3]] == [1, 2, 3]
    assert inputs(ran)[3:] == [0, 1]


def test_foreach_is_outside_of_repeat(run_all: Run, alone: Write) -> None:
    steps = f"- {{foreach: [a, b], repeat: 2, {ECHO}, input: '${{item}}${{index}}'}}\n"
    assert inputs(run_all(alone(steps))) == ["a0", "a1", "b0", "b1"]


def test_a_repeated_step_ends_with_its_first_failure(run_all: Run, alone: Write) -> None:
    ran = run_all(alone(f"- {{repeat: 9, {COUNT}, input: k, expect: {{output: {{$lt: 3}}}}}}\n"))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert len(ran.calls) == 3


# parallel, together


def test_parallel_calls_are_in_flight_at_the_same_time(run_all: Run, alone: Write) -> None:
    steps = f"- {{parallel: 20, dispatch: shop/conformance.Probe.Sleep, {SLEEP}}}\n"
    begin = time.perf_counter()
    ran = run_all(alone(steps))
    assert ran.passed()
    assert len(ran.calls) == 20
    assert sum(call.seconds for call in ran.calls) > 2 * (time.perf_counter() - begin)


def test_parallel_expects_of_all_of_some_and_of_counts(run_all: Run, shop: Write) -> None:
    steps = """\
    - parallel: 12
      dispatch: shop/conformance.Probe.Echo
      via: hub
      input: {number: "${index}"}
      expect:
        all: {output: {number: {$lt: 12}}}
        any: {output: {number: 11}}
        counts: {status: {OK: 12}, handled_by: {a: 6, b: 6}}
        p50: {$lt: 5s}
      save: {who: handled_by, numbers: output.number}
    - check: {"${numbers}": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "${who}": {$len: 12}}
    """
    assert run_all(shop(steps)).passed()


def test_parallel_answers_must_be_ok_where_nothing_is_expected(run_all: Run, alone: Write) -> None:
    steps = "- {parallel: 3, dispatch: shop/conformance.Probe.Fail, input: no}\n"
    failure = run_all(alone(steps)).failure
    assert [each.path for each in failure.mismatches] == ["[0].status", "[1].status", "[2].status"]
    assert failure.message == "the expectation of 3 answers was not met"


def test_the_answer_that_is_shown_of_many_is_one_that_differs(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - parallel: 5
      {ECHO}
      input: "${{index}}"
      expect: {{all: {{output: {{$not: 3}}}}}}
    """
    failure = run_all(alone(steps)).failure
    assert [each.path for each in failure.mismatches] == ["[3].output"]
    assert failure.answer["output"] == 3
    assert "p95" not in str(failure.answer)


def test_parallel_blocks_are_done_so_many_times(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - parallel: 3
      steps:
        - {{{COUNT}, input: "key-${{index}}", expect: {{output: 1}}}}
        - {{{COUNT}, input: "key-${{index}}", expect: {{output: 2}}}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert sorted(map(str, inputs(ran))) == sorted(2 * ["key-0", "key-1", "key-2"])


def test_together_does_different_steps_at_once(run_all: Run, alone: Write) -> None:
    """Each waits for the service that the other registers."""
    steps = """\
    - together:
        - steps:
            - register: {namespace: shop, service: One, methods: [M]}
            - {validate: shop/Two.M, eventually: 10s}
        - steps:
            - {validate: shop/One.M, eventually: 10s}
            - register: {namespace: shop, service: Two, methods: [M]}
              save: {id: response.service_id}
    - check: {"${id}": shop/Two}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert {event.step for event in ran.of(StepFinished)} >= {"1.1.1", "1.2.2", "1", "2"}


def test_together_waits_for_all_and_tells_the_first_failure(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - together:
        - {{dispatch: shop/conformance.Probe.Sleep, {SLEEP}, expect: {{output: 1}}}}
        - lookup: shop/Nobody
    """
    ran = run_all(alone(steps))
    assert ran.failure.step.startswith("1.1:")
    assert len(ran.calls) == 2


# titles


def test_a_title_shows_values_where_they_are_known(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{foreach: [x], {ECHO}, input: "${{item}}", save: {{said: output}}}}
    - foreach: ["${{said}}", y]
      steps:
        - {{name: "says ${{item}} for ${{case.who}}", {ECHO}, input: "${{item}}"}}
        - dispatch: shop/conformance.Probe.${{case.method}}
        - {{name: "a ${{fake.word}}", list: shop}}
    - {{name: "each ${{item}}", foreach: [1], list: shop}}
    """
    ran = run_all(alone(steps, rest="cases: {c: {who: me, method: WhoAmI}}\n"))
    assert ran.passed()
    inner = ["dispatch shop/conformance.Probe.WhoAmI", "a ${fake.word}"]
    assert [event.title for event in ran.of(StepStarted)] == [
        "dispatch shop/conformance.Probe.Echo",
        "steps",
        "says x for me",
        *inner,
        "says y for me",
        *inner,
        "each ${item}",
    ]


# eventually


def test_eventually_tries_again_until_the_expectation_is_met(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {COUNT}
      input: key
      eventually: {{within: 10s, backoff: 1ms}}
      expect: {{output: 5}}
      save: {{at: output}}
    - check: {{"${{at}}": 5}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert len(ran.calls) == 5


def test_eventually_tells_how_often_it_tried(run_all: Run, alone: Write) -> None:
    ran = run_all(
        alone(f"- {{{COUNT}, input: key, eventually: 200ms, expect: {{output: nothing}}}}\n")
    )
    tries = len(ran.calls)
    assert tries >= 2
    assert ran.failure.message == f"the expectation was not met ({tries} tries within 0.2s)"
    assert ran.failure.answer["output"] == tries
    assert [each.actual for each in ran.failure.mismatches] == [str(tries)]


def test_eventually_waits_longer_and_longer_between_tries(run_all: Run, alone: Write) -> None:
    steps = (
        f"- {{{COUNT}, input: key, eventually: {{within: 900ms, backoff: 100ms}}, "
        "expect: {output: nothing}}\n"
    )
    tries = len(run_all(alone(steps)).calls)
    assert 2 <= tries <= 5  # at 0, 100, 300, 700 and 900 ms; a steady pause would make ten


def test_eventually_expects_ok_where_it_says_nothing(run_all: Run, alone: Write) -> None:
    steps = """\
    - together:
        - {validate: shop/Late.M, eventually: 10s}
        - steps:
            - {list: shop}
            - register: {namespace: shop, service: Late, methods: [M]}
    """
    assert run_all(alone(steps)).passed()


def test_an_answer_that_meets_stop_if_ends_the_tries(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {COUNT}
      input: key
      eventually: {{within: 30s, backoff: 1ms, stop_if: {{output: {{$ge: 3}}}}}}
      expect: {{output: nothing}}
    """
    ran = run_all(alone(steps))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert len(ran.calls) == 3
    assert ran.failure.message == "the expectation was not met; the answer meets stop_if"


def test_a_block_is_tried_again_as_a_whole(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - eventually: {{within: 10s, backoff: 1ms}}
      steps:
        - {{{COUNT}, input: first, save: {{n: output}}}}
        - check: {{"${{n}}": {{$ge: 4}}}}
    - check: {{"${{n}}": 4}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert len(ran.calls) == 4


def test_a_block_that_never_passes_tells_its_step_and_the_tries(run_all: Run, alone: Write) -> None:
    steps = """\
    - eventually: 100ms
      steps: [{list: shop}, {lookup: shop/Nobody}]
    """
    failure = run_all(alone(steps)).failure
    assert failure.step == "1.2: lookup shop/Nobody"
    assert failure.message.startswith("the expectation was not met (")
    assert failure.message.endswith(" tries within 0.1s)")


# never


def test_never_watches_for_as_long_as_it_says(run_all: Run, alone: Write) -> None:
    steps = (
        f"- {{{COUNT}, input: k, never: {{during: 600ms, every: 20ms}}, expect: {{output: -1}}}}\n"
    )
    begin = time.perf_counter()
    ran = run_all(alone(steps))
    assert ran.passed()
    assert time.perf_counter() - begin >= 0.6
    assert 2 <= len(ran.calls) <= 31


def test_never_fails_at_the_try_at_which_it_was_so(run_all: Run, alone: Write) -> None:
    steps = f"- {{{COUNT}, input: k, never: {{during: 30s, every: 1ms}}, expect: {{output: 4}}}}\n"
    ran = run_all(alone(steps))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.message == "what must never be was so at try 4"
    (mismatch,) = ran.failure.mismatches
    assert (mismatch.path, mismatch.actual) == ("output", "4")
    assert "4" in mismatch.expected
    assert ran.failure.answer["output"] == 4
    assert len(ran.calls) == 4


# save, check, defaults


def test_what_is_saved_can_be_used_everywhere_later(run_all: Run, shop: Write) -> None:
    steps = f"""\
    - {ECHO}
      via: hub
      target: a
      input: {{service: conformance.Probe, method: WhoAmI, list: [hub, b], n: 4}}
      save: {{said: output, who: handled_by, whole: ., second: "output.list[1]"}}
    - dispatch: shop/${{said.service}}.${{said.method}}
      via: ${{said.list[0]}}
      target: ${{second}}
      metadata: {{tenant: "${{who}}"}}
      expect: {{handled_by: "${{said.list[1]}}", output: {{$regex: "^${{second}}$"}}}}
    - steps:
        - repeat: ${{said.n}}
          {COUNT}
          via: ${{whole.handled_by}}
          input: "at ${{who}}, ${{said.n}} times"
          save: {{count: output}}
    - check: {{"${{count}}": 4, "${{who}} and ${{second}}": a and b, "${{whole.status}}": OK}}
    """
    assert run_all(shop(steps)).passed()


def test_what_an_answer_holds_is_never_read_as_a_matcher(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: {{$$any: true}}, save: {{sent: output}}}}
    - {{{ECHO}, input: else, expect: {{output: "${{sent}}"}}}}
    """
    ran = run_all(alone(steps))
    assert ran.outcomes == {"t": Outcome.FAILED}
    assert ran.failure.step.startswith("2:")


def test_an_answer_without_what_is_saved_fails(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {ECHO}
      input: {{a: null}}
      save:
        there: output.a
        lost: output.b
    """
    failure = run_all(alone(steps)).failure
    assert failure.message == "the answer lacks what was to be saved"
    assert failure.position.text.strip() == "lost: output.b"
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == [
        ("output.b", "a value to save as 'lost'", "nothing")
    ]
    assert failure.answer["output"] == {"a": None}


def test_a_check_tells_every_value_that_differs(run_all: Run, alone: Write) -> None:
    steps = """\
    - check: {"${seed}": 8, "${node.only.name}": other, "${case.n}": {$lt: 5}}
    """
    failure = run_all(alone(steps, rest="cases: {c: {n: 4}}\n")).failure
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == [
        ("${seed}", "8", "7"),
        ("${node.only.name}", '"other"', '"only"'),
    ]


def test_a_node_can_be_dialled_by_its_address(run_all: Run, shop: Write) -> None:
    steps = """\
    - connect: {collector_id: other, address: "${node.b.address}", namespaces: [shop]}
      via: a
    - {dispatch: shop/conformance.Probe.WhoAmI, via: a, target: other, eventually: 5s,
       expect: {output: b}}
    """
    assert run_all(shop(steps)).passed()


CONTEXT = "dispatch: shop/conformance.Probe.Context"


def test_metadata_reaches_the_handler_text_list_and_bytes(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {CONTEXT}
      metadata: {{tenant: t1, many: [x, y], raw-bin: {{$base64: 3q2+7w==}}}}
      expect: {{output: {{metadata: {{tenant: [t1], many: [x, y], raw-bin: ["3q2+7w=="]}}}}}}
    """
    assert run_all(alone(steps)).passed()


def test_a_deadline_reaches_the_handler_and_ends_the_call(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{CONTEXT}, deadline: 2s, expect: {{output: {{deadline_seconds: {{$gt: 0.5, $lt: 2.5}}}}}}}}
    - {{{CONTEXT}, expect: {{output: {{deadline_seconds: {{$gt: 3, $lt: 5.5}}}}}}}}
    - {{dispatch: shop/conformance.Probe.Sleep, deadline: 100ms, {SLEEP},
        expect: {{status: DEADLINE_EXCEEDED, layer: grpc, seconds: {{$lt: 5s}}}}}}
    """
    assert run_all(alone(steps)).passed()


def test_defaults_hold_where_a_step_says_nothing(run_all: Run, shop: Write) -> None:
    rest = "defaults: {via: a, deadline: 3s, metadata: {tenant: t1, who: default}}\n"
    steps = f"""\
    - {CONTEXT}
      expect:
        node: a
        output:
          metadata: {{tenant: [t1], who: [default]}}
          deadline_seconds: {{$lt: 3.5, $gt: 2.5}}
    - {CONTEXT}
      via: b
      deadline: 2s
      metadata: {{who: step}}
      expect:
        node: b
        output: {{metadata: {{tenant: [t1], who: [step]}}, deadline_seconds: {{$lt: 2.5}}}}
    """
    assert run_all(shop(steps, rest=rest)).passed()


# fakes

FAKES = """\
- {dispatch: shop/conformance.Probe.Echo, input: "${fake.sentence}"}
- {repeat: 2, dispatch: shop/conformance.Probe.Echo, input: "${fake.uuid4}"}
- parallel: 2
  dispatch: shop/conformance.Probe.Echo
  input: {name: "${fake.name}", other: "${fake.name}", number: "${fake.random_int}"}
- {foreach: [1, 2], dispatch: shop/conformance.Probe.Echo, input: "${fake.email}"}
"""


def drawn(events: tuple[Event, ...] | list[Event]) -> dict[str, list[str]]:
    """What each case invented, sorted: parallel calls end in any order."""
    from collector_harness.events import CallFinished

    found: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, CallFinished):
            assert isinstance(event.request, dict)
            found.setdefault(event.case, []).append(repr(event.request["input"]))
    return {case: sorted(values) for case, values in sorted(found.items())}


def test_fakes_repeat_with_the_seed_whatever_the_order_and_whatever_runs_beside(
    alone: Write,
) -> None:
    rows = "cases: {one: {n: 1}, two: {n: 2}, three: {n: 3}}\n"
    cases = parse_scenario(alone(FAKES, rest=rows), "f.scenario.yaml").cases

    def run(chosen: Any, **options: Any) -> dict[str, list[str]]:
        events: list[Event] = []
        asyncio.run(run_cases(chosen, emit=events.append, **options))
        return drawn(events)

    first = run(cases, seed=5)
    values = [value for case in first.values() for value in case]
    assert len(values) == 21
    assert len(set(values)) == 21, "no two draws are alike"
    assert run(cases, seed=5) == first
    assert run(tuple(reversed(cases)), seed=5, jobs=3) == first
    assert run(cases[1:2], seed=5)[cases[1].id] == first[cases[1].id]
    other = run(cases, seed=6)
    assert not {value for case in other.values() for value in case} & set(values)


def test_a_fake_is_drawn_once_for_all_that_the_step_needs(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: "${{fake.sentence}}", save: {{said: output}}}}
    - {{{ECHO}, input: "${{said}}", expect: {{output: "${{said}}"}}}}
    """
    ran = run_all(alone(steps))
    assert ran.passed()
    assert inputs(ran)[0] == inputs(ran)[1]
    assert len(str(inputs(ran)[0]).split()) > 1


# measure


def test_measure_tells_what_counters_grew_by(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - {{{ECHO}, input: before}}
    - measure: only
      steps:
        - {{repeat: 3, {ECHO}, input: x}}
        - {{list: shop}}
      expect:
        rpcs:
          $exact:
            collector.CollectiveDispatcher/Dispatch: 3
            collector.CollectorRegistry/ListServices: 1
        executions: {{$exact: {{shop/conformance.Probe/Echo: 3}}}}
        loopback_calls: 0
      save: {{echoed: "executions[\\"shop/conformance.Probe/Echo\\"]"}}
    - check: {{"${{echoed}}": 3}}
    """
    assert run_all(alone(steps)).passed()


def test_a_measure_that_differs_points_to_the_counter(run_all: Run, alone: Write) -> None:
    steps = f"""\
    - measure: only
      steps: [{{{ECHO}, input: 1}}]
      expect:
        loopback_calls: 2
    """
    failure = run_all(alone(steps)).failure
    assert failure.position.text.strip() == "loopback_calls: 2"
    assert [(each.path, each.expected, each.actual) for each in failure.mismatches] == [
        ("loopback_calls", "2", "1")
    ]


@pytest.mark.parametrize(
    "action", ["observe: far", "measure: far\n  steps: [{list: shop, via: far}]"]
)
def test_a_process_does_not_tell_its_counters(run_all: Run, action: str) -> None:
    ran = run_all(
        f"""\
version: 1
scenario: t
topology:
  nodes:
    far: {{namespaces: [shop], collector: "exec:{{executable}} -m collector_reference"}}
steps:
- {action}
"""
    )
    assert ran.outcomes == {"t": Outcome.ERROR}
    assert "node 'far' is not in this process" in ran.failure.message
    assert "collector: reference" in ran.failure.message
