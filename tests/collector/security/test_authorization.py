"""Policies: what is allowed to whom, and which files are refused."""

from __future__ import annotations

import pytest

from collector_reference import SettingsError
from collector_reference.security.authorization import (
    Access,
    allows,
    parse_policy,
    read_policy,
)
from collector_reference.security.identity import ANONYMOUS, Caller, of_certificate, of_claims

ANN = Caller(
    subject="ann",
    roles=frozenset({"writer"}),
    claims={"tenant": "t1", "groups": ["a", "b"], "level": 3, "admin": True},
)
EAST = Caller(subject="east", collector_ids=frozenset({"east"}))


def policy(*rules):
    return parse_policy({"version": 1, "rules": list(rules)})


def may(rules, caller, action, namespace=None, service=None, method=None):
    access = Access(action=action, namespace=namespace, service=service, method=method)
    return allows(rules, caller, access, system="system")


def test_without_a_policy_all_is_allowed_but_to_write_into_the_system_namespace():
    assert may(None, ANN, "dispatch", "shop", "Orders", "Get")
    assert may(None, ANN, "register", "shop", "Orders")
    assert may(None, ANN, "read", "system", "Orders")
    assert not may(None, ANN, "register", "system", "Orders")


def test_what_no_rule_allows_is_denied():
    assert not may(policy(), ANN, "dispatch", "shop", "Orders", "Get")


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        ("anybody", {"ann", "east", ""}),
        ("authenticated", {"ann", "east"}),
        ({"subject": "ann"}, {"ann"}),
        ({"subject": "a*"}, {"ann"}),
        ({"subject": "*"}, {"ann", "east"}),
        ({"role": "writer"}, {"ann"}),
        ({"role": "Writer"}, set()),
        ({"collector": "*"}, {"east"}),
        ({"collector": "east", "subject": "ann"}, set()),
        ({"claims": {"tenant": "t*"}}, {"ann"}),
        ({"claims": {"groups": "b"}}, {"ann"}),
        ({"claims": {"tenant": "t1", "groups": "c"}}, set()),
        ({"claims": {"level": 3}}, {"ann"}),
        ({"claims": {"level": "3"}}, set()),
        ({"claims": {"admin": True}}, {"ann"}),
        ({"claims": {"admin": 1}}, set()),
        ({"claims": {"missing": "*"}}, set()),
    ],
)
def test_a_rule_is_for_whom_all_of_who_is_true_of(who, allowed):
    rules = policy({"who": who, "may": ["serve"]})
    callers = (ANN, EAST, ANONYMOUS)
    assert {each.subject for each in callers if may(rules, each, "serve", "shop")} == allowed


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("shop", "shop", True),
        ("shop", "Shop", False),
        ("shop", "shops", False),
        ("*", "", True),
        ("shop.*", "shop.eu", True),
        ("shop.*", "shop", False),
        ("*.eu", "shop.eu", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a?c", "abc", False),
        ("[a]", "a", False),
        ("a*", "a\nb", True),
    ],
)
def test_a_pattern_is_exact_but_for_its_stars(pattern, name, fits):
    rules = policy({"who": "anybody", "may": "dispatch", "namespaces": [pattern]})
    assert may(rules, ANONYMOUS, "dispatch", name, "S", "M") is fits


def test_a_hostile_name_of_megabytes_is_matched_in_no_time():
    rules = policy({"who": "anybody", "may": "dispatch", "namespaces": ["a*a*a*a*a*b"]})
    assert not may(rules, ANONYMOUS, "dispatch", "a" * 4_000_000, "S", "M")


def test_services_and_methods_narrow_a_rule():
    rules = policy(
        {
            "who": "anybody",
            "may": ["dispatch"],
            "namespaces": "shop",
            "services": ["Orders", "pkg.*"],
            "methods": "Get*",
        }
    )
    assert may(rules, ANONYMOUS, "dispatch", "shop", "Orders", "GetAll")
    assert may(rules, ANONYMOUS, "dispatch", "shop", "pkg.Stock", "Get")
    assert not may(rules, ANONYMOUS, "dispatch", "shop", "Orders", "Delete")
    assert not may(rules, ANONYMOUS, "dispatch", "shop", "Stock", "Get")
    assert not may(rules, ANONYMOUS, "dispatch", "users", "Orders", "Get")
    assert not may(rules, ANONYMOUS, "serve", "shop", "Orders", "Get")


def test_only_a_rule_that_names_it_lets_write_into_the_system_namespace():
    everything = policy({"who": "anybody", "may": ["register"], "namespaces": ["*"]})
    named = policy({"who": "anybody", "may": ["register"], "namespaces": ["system"]})
    assert may(everything, ANN, "register", "shop", "S")
    assert not may(everything, ANN, "register", "system", "S")
    assert may(named, ANN, "register", "system", "S")


def test_all_namespaces_are_only_for_who_may_see_all():
    one = policy({"who": "anybody", "may": "read", "namespaces": ["shop"]})
    every = policy({"who": "anybody", "may": "read"})
    assert not may(one, ANN, "read", "")
    assert may(every, ANN, "read", "")


YAML = """\
version: 1
rules:
  - {name: peers, who: {collector: "*"}, may: [connect, serve, read]}
  - who: {role: writer}
    may: register
    namespaces: [shop]
"""
TOML = """\
version = 1
[[rules]]
name = "peers"
who = {collector = "*"}
may = ["connect", "serve", "read"]
[[rules]]
who = {role = "writer"}
may = "register"
namespaces = ["shop"]
"""


def test_yaml_and_toml_say_the_same(tmp_path):
    (tmp_path / "policy.yaml").write_text(YAML)
    (tmp_path / "policy.toml").write_text(TOML)
    assert read_policy(tmp_path / "policy.yaml") == read_policy(tmp_path / "policy.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is a mapping with"),
        ("[]", "is a mapping with"),
        ("{", "expected|flow"),
        ("version: 2\nrules: []", "write 'version: 1'"),
        ("version: true\nrules: []", "write 'version: 1'"),
        ("version: 1", "'rules' is a list"),
        ("version: 1\nrule: []", "unknown key 'rule'; did you mean 'rules'"),
        ("version: 1\nrules: [1]", "rule 1 is not a mapping"),
        ("version: 1\nrules: [{may: serve}]", "rule 1 does not say 'who'"),
        ("version: 1\nrules: [{who: everybody, may: serve}]", "'who' is anybody"),
        ("version: 1\nrules: [{who: {rolle: a}, may: serve}]", "did you mean 'role'"),
        ("version: 1\nrules: [{who: {role: 7}, may: serve}]", "'role' is a text"),
        ("version: 1\nrules: [{who: {claims: x}, may: serve}]", "'claims' maps"),
        ("version: 1\nrules: [{who: anybody}]", "'may' is a text or a list"),
        ("version: 1\nrules: [{who: anybody, may: []}]", "'may' is a text or a list"),
        ("version: 1\nrules: [{who: anybody, may: sreve}]", "did you mean 'serve'"),
        (
            "version: 1\nrules: [{who: anybody, may: serve, namespace: a}]",
            "did you mean 'namespaces'",
        ),
        ("version: 1\nrules: [{who: anybody, may: serve, methods: [1]}]", "'methods' is a text"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_place(tmp_path, text, told):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=told) as caught:
        read_policy(path)
    assert caught.value.setting == "COLLECTOR_POLICY"


def test_claims_of_odd_types_prove_nothing():
    caller = of_claims(
        {"sub": 7, "roles": {"a": 1}, "collector_id": ["west", 3, ""]},
        id_claim="collector_id",
        roles_claim="roles",
    )
    assert (caller.subject, caller.roles, caller.collector_ids) == ("", frozenset(), {"west"})


@pytest.mark.parametrize(
    ("context", "subject", "ids"),
    [
        (
            {
                "x509_common_name": [b"west"],
                "peer_dns": [b"localhost", b"west.example"],
                "peer_ip": [b"127.0.0.1"],
            },
            "west",
            {"west", "west.example"},
        ),
        (
            {"x509_common_name": [b"proxy"], "peer_uri": [b"collector:west", b"https://x"]},
            "proxy",
            {"west"},
        ),
        ({"x509_common_name": [b"127.0.0.1"]}, "127.0.0.1", set()),
        ({"transport_security_type": [b"ssl"]}, "", set()),
    ],
)
def test_a_certificate_proves_its_uris_or_else_its_names(context, subject, ids):
    caller = of_certificate(context)
    assert (caller.subject, caller.collector_ids) == (subject, ids)
