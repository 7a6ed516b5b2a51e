"""What a caller may do: a policy of rules as a value, read from a file, and its decisions.

Everything that no rule allows is denied. Who calls is found out elsewhere.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector_reference.errors import SettingsError
from collector_reference.security.identity import Caller

__all__ = ["Access", "Policy", "Rule", "allows", "parse_policy", "read_policy"]

ACTIONS = ("dispatch", "serve", "read", "register", "connect", "call", "administer")
"""dispatch, serve: the RPCs of these names. read: LookupService, ValidateMethod, ListServices.
register: RegisterService, RegisterProto. connect: to join as a peer. administer: the admin service.
call: anything else on the port, by its gRPC service and method."""

_VARIABLE = "COLLECTOR_POLICY"
_LARGEST_FILE = 1024 * 1024
_RULE_KEYS = ("name", "who", "may", "namespaces", "services", "methods")
_WHO_KEYS = ("subject", "role", "collector", "claims")


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a caller wants to do."""

    action: str
    namespace: str | None = None
    """None where no namespace is concerned; empty for all of them."""
    service: str | None = None
    method: str | None = None

    def __str__(self) -> str:
        place = "/".join(part for part in (self.namespace, self.service) if part)
        return f"{self.action} {place}{'.' + self.method if self.method else ''}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Lets some callers do some things. Patterns are exact but for `*`, which is any text."""

    who: str | Mapping[str, object]
    """`anybody`, `authenticated`, or what all must hold: subject, role, collector, claims."""
    may: frozenset[str]
    namespaces: tuple[str, ...] = ("*",)
    services: tuple[str, ...] = ("*",)
    methods: tuple[str, ...] = ("*",)
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Every rule; one that allows is enough."""

    rules: tuple[Rule, ...]


def allows(policy: Policy | None, caller: Caller, access: Access, *, system: str) -> bool:
    """Whether the caller may. Without a policy everything is allowed but to register into the
    system namespace; that takes a rule that names it, no `*` does (PROTOCOL.md, section 2).
    """
    into_system = access.action == "register" and access.namespace == system
    if policy is None:
        return not into_system
    return any(
        access.action in rule.may
        and (not into_system or system in rule.namespaces)
        and _fits(access.namespace, rule.namespaces)
        and _fits(access.service, rule.services)
        and _fits(access.method, rule.methods)
        and _is(caller, rule.who)
        for rule in policy.rules
    )


def _fits(name: str | None, patterns: tuple[str, ...]) -> bool:
    return name is None or any(_matches(name, pattern) for pattern in patterns)


def _matches(text: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    if "*" not in pattern:
        return text == pattern
    # Each part where it first occurs: linear also in names that are megabytes long.
    first, *between, last = pattern.split("*")
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in between:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _is(caller: Caller, who: str | Mapping[str, object]) -> bool:
    if isinstance(who, str):
        return who == "anybody" or caller.authenticated
    if not caller.authenticated:
        return False
    given: dict[str, list[str]] = {
        "subject": [caller.subject],
        "role": sorted(caller.roles),
        "collector": sorted(caller.collector_ids),
    }
    for key, pattern in who.items():
        if key == "claims":
            assert isinstance(pattern, Mapping)
            if not all(
                _claims(caller.claims.get(name), wanted) for name, wanted in pattern.items()
            ):
                return False
        elif not any(_matches(value, str(pattern)) for value in given[key]):
            return False
    return True


def _claims(value: object, wanted: object) -> bool:
    values = value if isinstance(value, list) else [value]
    if isinstance(wanted, str):
        return any(isinstance(each, str) and _matches(each, wanted) for each in values)
    # In Python, True is 1: types must agree too.
    return any(type(each) is type(wanted) and each == wanted for each in values)


# From a file


def read_policy(path: Path) -> Policy:
    """Returns the policy in a file, TOML where its name says so, else YAML.

    Raises `SettingsError` naming the rule that cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise SettingsError(_VARIABLE, f"'{path}' is larger than 1 MiB")
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(_VARIABLE, f"'{path}' cannot be read: {reason}") from error
    try:
        value = tomllib.loads(text) if path.suffix == ".toml" else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(_VARIABLE, f"'{path}': {error}") from error
    try:
        return parse_policy(value)
    except ValueError as error:
        raise SettingsError(_VARIABLE, f"'{path}': {error}") from error


def _yaml(text: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def parse_policy(value: object) -> Policy:
    """Returns the policy that `{version: 1, rules: [...]}` means; raises `ValueError`."""
    if not isinstance(value, dict):
        raise ValueError("a policy is a mapping with 'version' and 'rules'")  # noqa: TRY004 - the caller tells the file
    _known(value, ("version", "rules"), "the policy")
    if value.get("version") != 1 or isinstance(value.get("version"), bool):
        raise ValueError("write 'version: 1'")
    rules = value.get("rules")
    if not isinstance(rules, list):
        raise ValueError("'rules' is a list; an empty one allows nothing")  # noqa: TRY004
    return Policy(rules=tuple(_rule(rule, number) for number, rule in enumerate(rules, start=1)))


def _rule(value: object, number: int) -> Rule:
    place = f"rule {number}"
    if not isinstance(value, dict):
        raise ValueError(f"{place} is not a mapping")  # noqa: TRY004
    _known(value, _RULE_KEYS, place)
    may = frozenset(_names(value.get("may"), f"{place}: 'may'"))
    for action in sorted(may):
        if action not in ACTIONS:
            raise ValueError(
                f"{place}: '{action}' is no action{_suggested(action, ACTIONS)}; "
                f"the actions are {', '.join(ACTIONS)}"
            )
    patterns = {
        key: _names(value[key], f"{place}: '{key}'")
        for key in ("namespaces", "services", "methods")
        if key in value
    }
    name = value.get("name", "")
    if not isinstance(name, str):
        raise ValueError(f"{place}: 'name' is a text")  # noqa: TRY004
    return Rule(who=_who(value.get("who"), place), may=may, name=name, **patterns)


def _who(value: object, place: str) -> str | Mapping[str, object]:
    if isinstance(value, str):
        if value not in ("anybody", "authenticated"):
            raise ValueError(
                f"{place}: 'who' is anybody, authenticated, or a mapping of {', '.join(_WHO_KEYS)}"
            )
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"{place} does not say 'who': anybody, authenticated, or {', '.join(_WHO_KEYS)}"
        )
    _known(value, _WHO_KEYS, f"{place}: 'who'")
    for key, pattern in value.items():
        if key == "claims":
            if not isinstance(pattern, dict) or not pattern:
                raise ValueError(f"{place}: 'claims' maps names of claims to what they must be")
        elif not isinstance(pattern, str) or not pattern:
            raise ValueError(f"{place}: '{key}' is a text, which may hold *")
    return value


def _names(value: object, place: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        raise ValueError(f"{place} is a text or a list of texts")
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{place} is a text or a list of texts")
    return tuple(names)


def _known(value: dict[Any, Any], keys: tuple[str, ...], place: str) -> None:
    for key in value:
        if key not in keys:
            raise ValueError(f"{place} has an unknown key '{key}'{_suggested(str(key), keys)}")


def _suggested(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
