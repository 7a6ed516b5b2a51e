"""A scenario that is wrong is refused before it runs, with the line, the column and a remedy."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from collector_harness.documents import load
from collector_harness.errors import InvalidInput, Problem
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.schema import scenario_schema

HEAD = """\
version: 1
scenario: a broken example
topology:
  nodes:
    hub: {namespaces: [shop]}
    east: {namespaces: [shop], probe: [shop]}
  links: [hub -> east]
cases:
  good: {method: Echo, status: OK}
  bad: {method: Nope, status: NOT_FOUND}
steps:
"""
CALL = "  - dispatch: shop/Probe.Echo\n    via: hub\n"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """What is wrong stands behind a « in the text."""

    text: str
    message: str
    hint: str = ""


def _steps(text: str) -> str:
    return HEAD + text


STEPS = {
    "no action": Broken(
        text="  - «via: hub\n    expect: {status: OK}\n", message="this step has no action"
    ),
    "a misspelt action": Broken(
        text="  - «dispach: shop/Probe.Echo\n    via: hub\n",
        message="unknown key 'dispach'",
        hint="did you mean 'dispatch'?",
    ),
    "two actions": Broken(
        text="  - «dispatch: shop/Probe.Echo\n    serve: shop/Probe.Echo\n    via: hub\n",
        message="2 actions: dispatch, serve",
        hint="a step of its own",
    ),
    "a step that is text": Broken(text="  - «dispatch\n", message="a step is a mapping"),
    "a misspelt argument": Broken(
        text=CALL + "    «inputt: 1\n",
        message="unknown key 'inputt'",
        hint="did you mean 'input'?",
    ),
    "an argument of another action": Broken(
        text=CALL + "    «context: {a: b}\n", message="unknown key 'context'"
    ),
    "a method without a service": Broken(
        text="  - dispatch: «shop/Echo\n    via: hub\n",
        message="'shop/Echo' has no method",
        hint="namespace/Service.Method",
    ),
    "a method without a namespace": Broken(
        text="  - dispatch: «Probe.Echo\n    via: hub\n",
        message="'Probe.Echo' is not of the form",
    ),
    "a method with two slashes": Broken(
        text="  - dispatch: «a/b/Probe.Echo\n    via: hub\n",
        message="more than one '/'",
        hint="mapping of namespace, service, method",
    ),
    "a method as a mapping with a misspelt key": Broken(
        text="  - dispatch: «{namespace: shop, servise: Probe, method: Echo}\n    via: hub\n",
        message="expected exactly the keys namespace, service, method",
    ),
    "an RPC without a method": Broken(
        text="  - call: «grpc.health.v1.Health\n    via: hub\n", message="is not an RPC"
    ),
    "an unknown node": Broken(
        text="  - dispatch: shop/Probe.Echo\n    via: «hubb\n",
        message="there is no node 'hubb'",
        hint="did you mean 'hub'?",
    ),
    "no node where there are several": Broken(
        text="  - «dispatch: shop/Probe.Echo\n",
        message="does not say which node it calls",
        hint="via: hub",
    ),
    "an unknown node to observe": Broken(
        text="  - observe: «west\n", message="there is no node 'west'"
    ),
    "an unknown node to measure": Broken(
        text="  - measure: «west\n    steps: [{observe: hub}]\n",
        message="there is no node 'west'",
    ),
    "an unknown node to connect": Broken(
        text="  - connect: «esat\n    via: hub\n",
        message="there is no node 'esat'",
        hint="did you mean 'east'?",
    ),
    "an unknown node in a mapping to connect": Broken(
        text="  - connect: {node: «esat}\n    via: hub\n", message="there is no node 'esat'"
    ),
    "an unknown node to break": Broken(
        text="  - fault: {kill: «esat}\n    steps: [{observe: hub}]\n",
        message="there is no node 'esat'",
    ),
    "an unknown node on a link to break": Broken(
        text="  - fault: {latency: {link: «hub -> esat, delay: 1s}}\n    steps: [{observe: hub}]\n",
        message="there is no node 'esat'",
    ),
    "an unknown node in a partition": Broken(
        text="  - fault: {partition: [[hub], [«esat]]}\n    steps: [{observe: hub}]\n",
        message="there is no node 'esat'",
    ),
    "two faults in one": Broken(
        text="  - fault: «{kill: hub, pause: east}\n    steps: [{observe: hub}]\n",
        message="a fault is exactly one thing",
    ),
    "a deadline without a unit": Broken(
        text=CALL + "    deadline: «5\n", message="'5' is not a duration", hint="250ms"
    ),
    "a deadline of nothing": Broken(
        text=CALL + "    deadline: «0s\n", message="not between 1ms and 24h"
    ),
    "an endless deadline": Broken(
        text=CALL + "    deadline: «25h\n", message="not between 1ms and 24h"
    ),
    "a number of rounds that is text": Broken(
        text=CALL + '    parallel: «"20"\n', message="expected a whole number"
    ),
    "a huge number of rounds": Broken(
        text=CALL + "    repeat: «100001\n", message="not between 1 and 100,000"
    ),
    "rounds that are not counted": Broken(
        text=CALL + "    repeat: «true\n", message="expected a whole number"
    ),
    "a foreach without a list": Broken(
        text=CALL + "    foreach: «sku\n", message="expected a list, or a path to one"
    ),
    "an unknown field of an answer": Broken(
        text=CALL + "    expect: {«stauts: OK}\n",
        message="unknown key 'stauts'",
        hint="did you mean 'status'?",
    ),
    "an unknown status": Broken(
        text=CALL + "    expect: {status: «NOTFOUND}\n",
        message="there is no status 'NOTFOUND'",
        hint="did you mean 'NOT_FOUND'?",
    ),
    "an unknown status in a matcher": Broken(
        text=CALL + "    expect: {status: {$in: [OK, «Ok]}}\n",
        message="there is no status 'Ok'",
        hint="did you mean 'OK'?",
    ),
    "a status as a number": Broken(
        text=CALL + "    expect: {status: «404}\n", message="a status is a name", hint="code"
    ),
    "an unknown matcher": Broken(
        text=CALL + "    expect: {output: {«$regx: a}}\n",
        message="unknown matcher '$regx'",
        hint="did you mean '$regex'?",
    ),
    "a matcher beside a key": Broken(
        text=CALL + "    expect: {output: {$gt: 1, «id: 2}}\n",
        message="the key 'id' stands beside the matcher '$gt'",
    ),
    "a broken regular expression": Broken(
        text=CALL + "    expect: {output: {$regex: «'a('}}\n",
        message="this is not a regular expression",
    ),
    "an unknown type": Broken(
        text=CALL + "    expect: {output: {$type: «int}}\n",
        message="'int' is not a type",
        hint="integer",
    ),
    "a choice that is no list": Broken(
        text=CALL + "    expect: {output: {$in: «5}}\n", message="$in needs a list"
    ),
    "an order of truth": Broken(
        text=CALL + "    expect: {output: {$lt: «true}}\n", message="$lt needs a number"
    ),
    "something that is not any": Broken(
        text=CALL + "    expect: {output: {$any: «[1, 2]}}\n",
        message="$any stands for any value",
        hint="$any_of",
    ),
    "text that is not base64": Broken(
        text=CALL + "    expect: {output: {$base64: «'???'}}\n",
        message="$base64 needs base64 text",
    ),
    "an expectation of nothing": Broken(
        text=CALL + "    expect:«\n", message="expected a mapping, not nothing"
    ),
    "one answer of many": Broken(
        text=CALL + "    parallel: 5\n    expect: {«status: OK}\n",
        message="'status' of which of the parallel answers?",
        hint="all: {status: ...}",
    ),
    "many answers of one": Broken(
        text=CALL + "    expect: {«all: {status: OK}}\n",
        message="'all' is for parallel steps",
    ),
    "counts of an unknown field": Broken(
        text=CALL + "    parallel: 5\n    expect: {counts: {stat: «{OK: 5}}}\n",
        message="an answer has no 'stat'",
    ),
    "an unknown field of many answers": Broken(
        text=CALL + "    parallel: 5\n    expect: {«p90: {$lt: 1s}}\n",
        message="unknown key 'p90'",
    ),
    "both eventually and never": Broken(
        text=CALL + "    expect: {status: OK}\n    eventually: 1s\n    «never: 1s\n",
        message="either eventually or never",
    ),
    "eventually at once": Broken(
        text=CALL + "    parallel: 2\n    «eventually: 1s\n",
        message="'eventually' and 'parallel' contradict",
    ),
    "never without what": Broken(
        text=CALL + "    «never: 1s\n", message="'never' needs an 'expect'"
    ),
    "eventually with a misspelt key": Broken(
        text=CALL + "    eventually: {«witin: 1s, within: 1s}\n",
        message="unknown key 'witin'",
        hint="did you mean 'within'?",
    ),
    "eventually without a limit": Broken(
        text=CALL + "    «eventually: {backoff: 1s}\n", message="the key 'within' is missing"
    ),
    "an unknown field to stop at": Broken(
        text=CALL + "    eventually: {within: 1s, stop_if: {«sttus: OK}}\n",
        message="unknown key 'sttus'",
    ),
    "a capture of an unknown field": Broken(
        text=CALL + "    save: {who: «handledby}\n",
        message="an answer has no 'handledby'",
        hint="did you mean 'handled_by'?",
    ),
    "a capture with a meaning of its own": Broken(
        text=CALL + "    save: {«case: output}\n", message="'case' has a meaning of its own"
    ),
    "a capture that cannot be named": Broken(
        text=CALL + "    save: {«a b: output}\n", message="'a b' cannot be a name"
    ),
    "a capture that is no path": Broken(
        text=CALL + "    save: {a: «output..b}\n", message="'output..b' is not a path"
    ),
    "a path to nothing saved": Broken(
        text=CALL + "    input: «${winer}\n",
        message="no step before this one saves 'winer'",
        hint="saved before this: nothing",
    ),
    "a misspelt capture": Broken(
        text=CALL + "    save: {winner: output}\n" + CALL + '    input: {a: «"${winer}"}\n',
        message="no step before this one saves 'winer'",
        hint="did you mean 'winner'?",
    ),
    "a capture used before it is saved": Broken(
        text=CALL + "    input: «${later}\n    save: {later: output}\n",
        message="no step before this one saves 'later'",
    ),
    "a capture of a step at the same time": Broken(
        text="  - together:\n"
        "      - {dispatch: shop/Probe.Echo, via: hub, save: {one: output}}\n"
        '      - {dispatch: shop/Probe.Echo, via: hub, input: «"${one}"}\n',
        message="no step before this one saves 'one'",
    ),
    "an unknown key of a case": Broken(
        text=CALL + "    input: «${case.methd}\n",
        message="there is no 'methd' in cases",
        hint="did you mean 'method'?",
    ),
    "an unknown node in a path": Broken(
        text=CALL + "    input: «${node.hup.address}\n",
        message="there is no 'hup' in nodes",
        hint="did you mean 'hub'?",
    ),
    "an unknown attribute of a node": Broken(
        text=CALL + "    input: «${node.hub.adress}\n",
        message="a node has no 'adress'",
        hint="did you mean 'address'?",
    ),
    "an unknown fake": Broken(
        text=CALL + "    input: «${fake.sentense}\n",
        message="there is no fake 'sentense'",
        hint="did you mean 'sentence'?",
    ),
    "an item outside of foreach": Broken(
        text=CALL + "    input: «${item}\n", message="only in a step with foreach"
    ),
    "an index outside of rounds": Broken(
        text=CALL + "    input: «${index}\n", message="foreach, repeat or parallel"
    ),
    "a parameter outside of a definition": Broken(
        text=CALL + "    input: «${with.user}\n", message="only inside definitions"
    ),
    "an expression": Broken(
        text=CALL + "    input: «${case.method + 1}\n",
        message="is not a path",
        hint="no calls and no expressions",
    ),
    "a call in a path": Broken(
        text=CALL + "    input: «${env.get('HOME')}\n", message="is not a path"
    ),
    "a path that is not closed": Broken(
        text=CALL + '    input: «"${case.method"\n', message="'${' without '}'", hint="$${"
    ),
    "a path to a limit that there is not": Broken(
        text=CALL + "    deadline: «${limit.forwards}\n",
        message="there is no 'forwards' in limits",
        hint="did you mean 'forward'?",
    ),
    "a path into a limit": Broken(
        text=CALL + "    input: «${limit.ready.seconds}\n", message="a limit is ${limit.NAME}"
    ),
    "a path without a name": Broken(text=CALL + '    input: «"${}"\n', message="a path is missing"),
    "an unquoted path in braces": Broken(
        text=CALL + "    input: {id: «${case.method}}\n",
        message="a path inside braces or brackets needs quotes",
        hint='"${...}"',
    ),
    "an unquoted path in brackets": Broken(
        text=CALL + "    input: [«${case.method}]\n",
        message="a path inside braces or brackets needs quotes",
        hint='"${...}"',
    ),
    "a condition that never changes": Broken(
        text=CALL + "    when: {«known: OK}\n", message="'known' is the same in every run"
    ),
    "a payload with an unknown escape": Broken(
        text=CALL + "    input: {«$byte: AAAA}\n",
        message="'$byte' means nothing in a payload",
        hint="$$byte",
    ),
    "a payload of a number of bytes that is none": Broken(
        text=CALL + "    input: {$bytes: «many}\n",
        message="$bytes needs a number of bytes",
        hint="{$bytes: 1000, less: 10}",
    ),
    "a payload with broken base64": Broken(
        text=CALL + "    input: {$base64: «'*'}\n", message="$base64 needs base64 text"
    ),
    "a hint that is a number": Broken(
        text=CALL + "    hints: {region: «7}\n", message="expected text, not '7'", hint="quotes"
    ),
    "metadata that is no text": Broken(
        text=CALL + "    metadata: «{tenant: [1]}\n",
        message="the metadata 'tenant' needs text",
        hint="quotes",
    ),
    "binary metadata that is text": Broken(
        text=CALL + "    metadata: «{trace-bin: abc}\n",
        message="the metadata 'trace-bin' needs bytes",
        hint="{$base64: ...}",
    ),
    "metadata with a key that cannot be": Broken(
        text=CALL + "    metadata: «{Tenant: a}\n",
        message="'Tenant' cannot be a key of metadata",
    ),
    "steps that are no list": Broken(
        text="  «dispatch: shop/Probe.Echo\n  via: hub\n",
        message="expected a list, not a mapping",
        hint="'- '",
    ),
    "an unknown definition": Broken(
        text="  - use: «login\n", message="there is no definition 'login'"
    ),
    "a registration of two things": Broken(
        text="  - register: «{service: A, proto: {name: a.proto}}\n    via: hub\n",
        message="one thing is registered at a time",
    ),
    "a block without steps": Broken(text="  - steps: «[]\n", message="there are no steps"),
    "a line of a script that does two things": Broken(
        text="  - stream: shop.Cart/Watch\n    via: hub\n    script: [«{send: 1, receive: 2}]\n",
        message="exactly one thing",
    ),
    "a line of a script that saves what it sends": Broken(
        text="  - stream: shop.Cart/Watch\n    via: hub\n    script: [«{send: 1, save: {a: id}}]\n",
        message="only what comes can be saved",
        hint="receive: {$any: true}",
    ),
    "a line of a script that uses what a later one saves": Broken(
        text="  - stream: shop.Cart/Watch\n    via: hub\n    script:\n"
        "      - {send: {id: «'${id}'}}\n"
        "      - {receive: {$any: true}, save: {id: id}}\n",
        message="no step before this one saves 'id'",
    ),
    "an expectation of what a line of the same step saves": Broken(
        text="  - stream: shop.Cart/Watch\n    via: hub\n"
        "    script: [{receive: {$any: true}, save: {id: id}}]\n"
        "    expect: {message: «'${id}'}\n",
        message="no step before this one saves 'id'",
    ),
    "a line of a script that saves under a name with a meaning": Broken(
        text="  - stream: shop.Cart/Watch\n    via: hub\n"
        "    script: [{receive: {$any: true}, save: {«seed: id}}]\n",
        message="'seed' has a meaning of its own",
    ),
    "an HTTP status of gRPC": Broken(
        text="  - http: GET /orders\n    via: http://127.0.0.1:1\n    expect: {status: «OK}\n",
        message="an HTTP status is a number, and 'OK' is gRPC's",
        hint="write for example 200",
    ),
    "an HTTP status in quotes": Broken(
        text="  - http: GET /orders\n    via: http://127.0.0.1:1\n"
        "    expect: {status: {$in: [200, «'201']}}\n",
        message="an HTTP status is a number",
        hint="write 201, without quotes",
    ),
    "a number of bytes in a case that is none": Broken(
        text=CALL + "    expect: {output: {$bytes: «-1}}\n",
        message="$bytes needs a number of bytes",
    ),
    "a request without a path": Broken(
        text="  - http: «orders\n", message="'orders' is not a request"
    ),
}

FILES = {
    "another version": Broken(
        text="version: «2\nscenario: x\ntopology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="the number 2 is not one of: 1",
    ),
    "a missing key": Broken(
        text="«version: 1\ntopology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="the key 'scenario' is missing",
    ),
    "a misspelt key": Broken(
        text="version: 1\nscenario: x\n«topologie: {}\ntopology: {nodes: {hub: {}}}\n"
        "steps: [{observe: hub}]\n",
        message="unknown key 'topologie'",
        hint="did you mean 'topology'?",
    ),
    "an unknown capability": Broken(
        text="version: 1\nscenario: x\nneeds: [tls, «mlts]\n"
        "topology: {nodes: {hub: {}}}\nsteps: [{serve: a/B.C}]\n",
        message="there is no capability 'mlts'",
        hint="did you mean 'mtls'?",
    ),
    "a wrong requirement": Broken(
        text="version: 1\nscenario: x\nrequirements: [DSP-001, «dsp-4]\n"
        "topology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="'dsp-4' is not the id of a requirement",
        hint="DSP-004",
    ),
    "a wrong tag": Broken(
        text="version: 1\nscenario: x\ntags: [«a b]\n"
        "topology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="'a b' is not a tag",
    ),
    "an empty title": Broken(
        text="version: 1\nscenario: «''\ntopology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="this must not be empty",
    ),
    "an unknown isolation": Broken(
        text="version: 1\nscenario: x\nisolation: «share\n"
        "topology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="'share' is not one of: case, shared, fresh",
        hint="did you mean 'shared'?",
    ),
    "uneven cases": Broken(
        text="version: 1\nscenario: x\ntopology: {nodes: {hub: {}}}\ncases:\n"
        "  one: {a: 1, b: 2}\n  «two: {a: 1, c: 3}\nsteps: [{observe: hub}]\n",
        message="case 'two' lacks b and has c besides, unlike 'one'",
    ),
    "a case with a path": Broken(
        text="version: 1\nscenario: x\ntopology: {nodes: {hub: {}}}\ncases:\n"
        '  one: {a: «"${seed}"}\nsteps: [{observe: hub}]\n',
        message="a case holds values, not paths",
    ),
    "a case with brackets in its name": Broken(
        text="version: 1\nscenario: x\ntopology: {nodes: {hub: {}}}\ncases:\n"
        '  «"[1]": {a: 1}\nsteps: [{observe: hub}]\n',
        message="'[1]' cannot be the name of a case",
    ),
    "a case where there are none": Broken(
        text="version: 1\nscenario: x\ntopology: {nodes: {hub: {}}}\n"
        'steps: [{call: a.B/C, input: «"${case.a}"}]\n',
        message="there are no cases",
    ),
    "a default node that does not exist": Broken(
        text="version: 1\nscenario: x\ndefaults: {via: «hup}\n"
        "topology: {nodes: {hub: {}}}\nsteps: [{observe: hub}]\n",
        message="there is no node 'hup'",
    ),
    "a link to nowhere": Broken(
        text="version: 1\nscenario: x\ntopology:\n  nodes: {hub: {}}\n"
        "  links:\n    - «hub -> hup\nsteps: [{observe: hub}]\n",
        message="link 'hub -> hup' leads to 'hup', which is not a node",
        hint="did you mean 'hub'?",
    ),
    "an unknown parameter of a definition": Broken(
        text="version: 1\nscenario: x\ntopology: {nodes: {hub: {}}}\n"
        "definitions: {d: {parameters: {user: a}, steps: [{observe: hub}]}}\n"
        "steps: [{use: d, with: {«usr: b}}]\n",
        message="'d' has no parameter 'usr'",
        hint="did you mean 'user'?",
    ),
    "a list instead of a scenario": Broken(
        text="«- version: 1\n", message="expected a mapping, not a list"
    ),
    "a duplicate key": Broken(
        text="version: 1\nscenario: x\n«scenario: y\n", message="the key 'scenario' is given twice"
    ),
}

BROKEN = {
    **{
        name: Broken(text=_steps(b.text), message=b.message, hint=b.hint)
        for name, b in STEPS.items()
    },
    **FILES,
}


def _problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        parse_scenario(text, "broken.scenario.yaml")
    return caught.value.problems


@pytest.mark.parametrize("broken", [pytest.param(b, id=name) for name, b in BROKEN.items()])
def test_a_broken_scenario_is_refused_at_its_place_with_a_remedy(broken: Broken) -> None:
    before, _, after = broken.text.partition("«")
    problems = _problems(before + after)
    told = "\n".join(str(problem) for problem in problems)
    assert len(problems) == 1, told
    (problem,) = problems
    assert problem.position is not None
    place = (problem.position.line, problem.position.column)
    assert place == (before.count("\n") + 1, len(before) - before.rfind("\n")), told
    assert broken.message in problem.message, told
    assert broken.hint in (problem.hint or ""), told
    assert problem.position.text == (before + after).splitlines()[problem.position.line - 1]


def test_every_problem_is_told_at_once_in_the_order_of_the_text() -> None:
    text = _steps(
        "  - dispach: shop/Probe.Echo\n"
        "  - dispatch: shop/Probe.Echo\n"
        "    via: hubb\n"
        "    deadline: 5\n"
        "    expect: {stauts: OK, output: {$regx: a}}\n"
        "    input: {a: '${nope}'}\n"
    )
    problems = _problems(text)
    assert [problem.position.line for problem in problems if problem.position] == [
        12,
        14,
        15,
        16,
        16,
        17,
    ]


SCHEMA_BLIND = {
    # What names refer to, and what a text is made of, is beyond JSON Schema.
    name
    for name, broken in BROKEN.items()
    if any(
        part in broken.message
        for part in (
            "there is no node",
            "there is no status",
            "a status is a name",
            "does not say which node",
            "no step before",
            "leads to",
            "there is no '",
            "there are no cases",
            "a node has no",
            "there is no fake",
            "has a value only",
            "only in a step",
            "foreach, repeat or parallel",
            "only inside definitions",
            "is not a path",
            "a path is missing",
            "'${' without",
            "regular expression",
            "base64",
            "is not of the form",
            "has no method",
            "more than one '/'",
            "is not an RPC",
            "is not a request",
            "not between",
            "contradict",
            "either eventually",
            "needs an 'expect'",
            "means nothing in a payload",
            "number of bytes",
            "there is no definition",
            "has no parameter",
            "one thing",
            "in every run",
            "cannot be",
            "meaning of its own",
            "an answer has no",
            "unlike",
            "holds values",
            "of which of the parallel",
            "is for parallel",
            "given twice",
            "needs quotes",
            "sttus",
            "needs bytes",
            "a limit is",
            "HTTP status",
            "only what comes",
        )
    )
}


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in SCHEMA_BLIND])
def test_the_schema_refuses_it_too(name: str) -> None:
    import jsonschema

    text = BROKEN[name].text.replace("«", "")
    validator = jsonschema.Draft202012Validator(scenario_schema())
    assert not validator.is_valid(load(text).value)
