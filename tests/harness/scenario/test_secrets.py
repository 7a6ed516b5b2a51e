"""Secrets come from the environment, and no output shows them in any form."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from collector_harness.errors import ExitCode, InvalidInput
from collector_harness.events import as_json
from collector_harness.scenario.loading import parse_scenario
from collector_harness.scenario.secrets import Mask, with_secrets

ALONE = "topology: {nodes: {only: {namespaces: [shop], probe: [shop]}}}\n"
HEAD = f"version: 1\nscenario: t\n{ALONE}"
SECRET = 'pa"ss wörd/0815'


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        f"before {SECRET} after",
        json.dumps({"key": SECRET}),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        *(
            base64.b64encode(b"user:"[:size] + SECRET.encode() + b":x").decode()
            for size in range(5)
        ),
        base64.urlsafe_b64encode(b"??" + SECRET.encode()).decode(),
        f"cut {SECRET[:7]}…",
    ],
)
def test_a_secret_is_hidden_in_every_form(shown: str) -> None:
    hidden = Mask([SECRET]).text(shown)
    assert "***" in hidden
    assert SECRET[:6] not in hidden
    assert base64.b64encode(SECRET.encode())[4:-8].decode() not in hidden


def test_values_keep_their_shape() -> None:
    mask = Mask(["4711", "line one\nline two"])
    assert mask.value({"4711": [4711, 47110, "a4711", None, True, b"4711"]}) == {
        "***": ["***", 47110, "a***", None, True, b"***"]
    }
    assert mask.text("> line two") == "> ***"
    assert mask.text("nothing of it") == "nothing of it"
    assert not Mask([])


STEPS = """\
secrets: {token: {env: THE_TOKEN}, other: OTHER}
steps:
  - dispatch: shop/conformance.Probe.Context
    metadata: {authorization: "Bearer ${secret.token}"}
    expect: {output: {deadline_seconds: {$gt: 0}}}
  - dispatch: shop/conformance.Probe.Echo
    name: sends ${secret.token}
    input: {url: "http://x/?t=${secret.token}", other: "${secret.other}", more: LONG}
    expect: {output: {url: other}}
""".replace("LONG", "x" * 380)


def test_nothing_that_is_emitted_holds_a_secret(
    run_all: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_TOKEN", "s3cr3t-token")
    monkeypatch.setenv("OTHER", "4711")
    ran = run_all(HEAD + STEPS)
    failure = ran.failure
    assert failure.step == "2: sends ***"
    assert [each.actual for each in failure.mismatches] == ['"http://x/?t=***"']
    shown = json.dumps([as_json(event) for event in ran.events])
    assert "s3cr3t" not in shown
    assert "4711" not in shown
    assert ran.exit_code is ExitCode.FAILED


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_is_told_by_its_name(
    run_all: Any, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv("OTHER", "4711")
    monkeypatch.delenv("THE_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("THE_TOKEN", value)
    ran = run_all(HEAD + STEPS)
    assert ran.exit_code is ExitCode.ENVIRONMENT_LACKS
    state = "not set" if value is None else "empty"
    assert f"'token' comes from the environment variable THE_TOKEN, which is {state}" in (
        ran.failure.message
    )
    assert not ran.calls


def test_the_topology_gets_its_secrets_before_it_starts() -> None:
    text = HEAD.replace("probe: [shop]", 'probe: [shop], token: "${secret.token}"')
    scenario = parse_scenario(text + "secrets: {token: THE_TOKEN}\nsteps: [{list: shop}]\n")
    (node,) = with_secrets(scenario.topology, {"token": "s3${env.HOME}"}).nodes
    # What the secret holds is no reference of its own.
    assert node.token == "s3$${env.HOME}"
    assert scenario.topology.nodes[0].token == "${secret.token}"


def test_an_unknown_secret_in_a_token_is_refused() -> None:
    text = HEAD.replace("probe: [shop]", 'probe: [shop], token: "${secret.tokken}"')
    with pytest.raises(InvalidInput, match="there is no 'tokken' in secrets"):
        parse_scenario(text + "secrets: {token: THE_TOKEN}\nsteps: [{list: shop}]\n")
