"""Only what this signer made, for this audience, at this time, is a good access token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

SECRET = "the secret of tests, which guards nothing"
SCENARIO = Path(__file__).parents[3] / "scenarios/identity/04_forged_tokens.scenario.yaml"
LIFE = timedelta(minutes=5)


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(token: str, which: int) -> Any:
    text = token.split(".")[which]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.fixture
def signer(clock: Any) -> Any:
    from identity_system.auth.tokens import Signer

    return Signer(SECRET, clock)


def test_what_was_signed_is_read(signer: Any, clock: Any) -> None:
    token, expires = signer.sign("a", "s", ["users:read"], LIFE)
    read = signer.read(token)
    assert (read.account_id, read.session, read.rights) == ("a", "s", ("users:read",))
    assert read.expires_at == expires == clock() + LIFE


def test_all_instances_with_a_secret_have_one_key(signer: Any, clock: Any) -> None:
    from identity_system.auth.tokens import BadToken, Signer

    token, _ = signer.sign("a", "s", [], LIFE)
    assert Signer(SECRET, clock).read(token).account_id == "a"
    with pytest.raises(BadToken, match="not signed by us"):
        Signer(SECRET + "!", clock).read(token)


def test_nobody_changes_a_token(signer: Any) -> None:
    from identity_system.auth.tokens import BadToken

    token, _ = signer.sign("a", "s", [], LIFE)
    head, claims, signature = token.split(".")
    more = _segment(json.dumps({**_part(token, 1), "rights": ["accounts:grant"]}).encode())
    none = _segment(b'{"alg":"none"}')
    for forged in (
        f"{head}.{more}.{signature}",
        f"{head}.{claims}.",
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        token[:-4],
        "",
        "..",
        "x" * 5000,
        token + "x" * 5000,
    ):
        with pytest.raises(BadToken):
            signer.read(forged)


def test_our_public_key_is_no_secret_of_anybody(signer: Any) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from identity_system.auth.tokens import BadToken

    token, _ = signer.sign("a", "s", [], LIFE)
    claims = token.split(".")[1]
    keys = [
        signer._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        signer._public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ]
    for key in keys:
        head = _segment(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        signed = f"{head}.{claims}"
        made = _segment(hmac.new(key, signed.encode(), hashlib.sha256).digest())
        with pytest.raises(BadToken, match="not signed by us"):
            signer.read(f"{signed}.{made}")


def test_the_scenarios_forged_tokens_are_bad_for_their_signature_alone(clock: Any) -> None:
    """Their claims are those of a good token: nothing else is what refuses them."""
    from identity_system.auth.tokens import AUDIENCE, ISSUER, BadToken, Signer

    text = SCENARIO.read_text()
    tokens = dict(re.findall(r"^  ([\w ]+): \{reason: [^,]+, token: (\S+)\}$", text, re.MULTILINE))
    assert len(tokens) == 5
    ours = Signer("the secret of scenarios, which guards nothing", clock)
    for name in ("not signed", "another key", "key confusion"):
        claims = _part(tokens[name], 1)
        assert (claims["aud"], claims["iss"]) == (AUDIENCE, ISSUER)
        assert claims["exp"] > clock().timestamp()
        with pytest.raises(BadToken, match="not signed by us"):
            ours.read(tokens[name])
    with pytest.raises(BadToken, match="has expired"):
        ours.read(tokens["expired"])
