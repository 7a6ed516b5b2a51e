"""Bearer tokens: which are believed, and what becomes of forged and hostile ones."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta

import jwt
import pytest

from collector_reference import SettingsError
from collector_reference.security.tokens import (
    LONGEST_TOKEN,
    TokenVerifier,
    Unauthenticated,
    bearer,
)
from collector_reference.security.values import TokenSettings

ISSUER = "https://issuer.example"
AUDIENCE = "collectors"


def settings(*paths, **given):
    return TokenSettings(
        **{
            "keys": paths,
            "issuer": ISSUER,
            "audience": (AUDIENCE,),
            "leeway": timedelta(0),
            **given,
        }
    )


def verifier(*paths, **given):
    return TokenVerifier(settings(*paths, **given))


def encoded(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "HS256"])
@pytest.mark.parametrize("kid", ["first", None])
def test_a_good_token_tells_who_calls(signer, key_file, algorithm, kid):
    one = signer(algorithm, kid)
    token = one.token(sub="ann", roles=["writer", 7], collector_id="west")
    caller = verifier(key_file(one)).verify(token)
    assert (caller.subject, caller.roles, caller.collector_ids, caller.authenticated) == (
        "ann",
        {"writer"},
        {"west"},
        True,
    )


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_public_key_in_pem_is_enough(signer, tmp_path, algorithm):
    one = signer(algorithm)
    path = tmp_path / "key.pem"
    path.write_bytes(one.public_pem())
    assert verifier(path).verify(one.token(sub="ann")).subject == "ann"


def test_the_key_of_the_name_is_used_among_several(signer, key_file):
    first, second = signer("ES256", "first"), signer("ES256", "second")
    both = verifier(key_file(first, second))
    assert both.verify(first.token(sub="a")).subject == "a"
    assert both.verify(second.token(sub="b")).subject == "b"
    with pytest.raises(Unauthenticated, match="signed by no key"):
        both.verify(first.token(headers={"kid": "second"}))
    with pytest.raises(Unauthenticated, match="signed by no key"):
        both.verify(first.token(headers={"kid": "third"}))


def test_keys_in_several_files_are_all_used(signer, key_file, tmp_path):
    first, second = signer("ES256", "first"), signer("RS256")
    pem = tmp_path / "second.pem"
    pem.write_bytes(second.public_pem())
    both = verifier(key_file(first), pem)
    assert both.verify(first.token(sub="a")).subject == "a"
    assert both.verify(second.token(sub="b")).subject == "b"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "has expired"),
        ({"nbf": 4_000_000_000}, "not valid yet"),
        ({"iss": "https://other.example"}, "another issuer"),
        ({"iss": None}, "lacks a claim"),
        ({"aud": "others"}, "another audience"),
        ({"aud": None}, "lacks a claim"),
        ({"exp": None}, "lacks a claim"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": [1]}, "malformed"),
        ({"nbf": float("inf")}, "malformed"),
        ({"aud": {"collectors": 1}}, "malformed|audience"),
    ],
)
def test_a_token_whose_claims_are_not_good_is_refused(signer, key_file, claims, reason):
    one = signer()
    with pytest.raises(Unauthenticated, match=reason):
        verifier(key_file(one)).verify(one.token(**claims))


def test_the_leeway_forgives_clocks_that_differ(signer, key_file):
    one = signer()
    late = one.token(exp=int(time.time()) - 5)
    early = one.token(nbf=int(time.time()) + 5)
    patient = verifier(key_file(one), leeway=timedelta(seconds=30))
    assert patient.verify(late).subject == patient.verify(early).subject == "somebody"
    with pytest.raises(Unauthenticated):
        verifier(key_file(one)).verify(late)


def test_a_token_with_an_audience_is_not_for_who_expects_none(signer, key_file):
    one = signer()
    with pytest.raises(Unauthenticated, match="another audience"):
        verifier(key_file(one), audience=()).verify(one.token())


def test_no_signature_at_all_is_refused(signer, key_file):
    one = signer()
    claims = one.token().split(".")[1]
    for algorithm in ("none", "None", "NONE", ""):
        for signature in ("", encoded(b"x")):
            with pytest.raises(Unauthenticated):
                verifier(key_file(one)).verify(
                    f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{claims}.{signature}"
                )


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_public_key_used_as_a_shared_secret_is_refused(signer, key_file, algorithm):
    one = signer(algorithm)
    head, claims = encoded({"alg": "HS256", "kid": "first"}), one.token().split(".")[1]
    hmac = jwt.get_algorithm_by_name("HS256")
    for secret in (one.public_pem(), json.dumps(one.jwk()).encode()):
        signature = hmac.sign(f"{head}.{claims}".encode(), secret)
        with pytest.raises(Unauthenticated, match="signed by no key"):
            verifier(key_file(one)).verify(f"{head}.{claims}.{encoded(signature)}")


def test_a_token_of_a_stranger_under_a_known_name_is_refused(signer, key_file):
    with pytest.raises(Unauthenticated, match="signed by no key"):
        verifier(key_file(signer("ES256"))).verify(signer("ES256").token())


def test_claims_changed_after_signing_are_refused(signer, key_file):
    one = signer()
    head, claims, signature = one.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed["sub"] = "admin"
    with pytest.raises(Unauthenticated, match="signed by no key"):
        verifier(key_file(one)).verify(f"{head}.{encoded(changed)}.{signature}")


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"]}, {"b64": False}, {"crit": ["b64"], "b64": False}],
    ids=["crit", "b64", "both"],
)
def test_extensions_that_are_demanded_are_refused(signer, key_file, header):
    one = signer()
    claims = one.token().split(".")[1]
    head = encoded({"alg": "ES256", "kid": "first", **header})
    signature = jwt.get_algorithm_by_name("ES256").sign(f"{head}.{claims}".encode(), one.key)
    with pytest.raises(Unauthenticated, match=r"extension|malformed"):
        verifier(key_file(one)).verify(f"{head}.{claims}.{encoded(signature)}")


def signed(one, payload):
    head, body = encoded({"alg": "ES256", "kid": "first"}), encoded(payload)
    signature = jwt.get_algorithm_by_name("ES256").sign(f"{head}.{body}".encode(), one.key)
    return f"{head}.{body}.{encoded(signature)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "\0.\0.\0",
        f"{encoded(b'[' * 700)}.e30.x",
        f"{encoded([1])}.e30.x",
        f"{encoded({'alg': {'a': 1}})}.e30.x",
        f"{encoded({'alg': 'ES256', 'kid': ['first']})}.e30.x",
        f"{encoded({'alg': 'ES256', 'kid': 7})}.e30.x",
        f"{encoded({'alg': 'ES256', 'kid': 'first'})}.e30.{'A' * 6000}",
        f"{'A' * 2000}.e30.x",
        "." * LONGEST_TOKEN,
        encoded(b'{"alg":"ES256","kid":"first","kid":"second"}') + ".e30.x",
    ],
)
def test_hostile_texts_are_refused_and_nothing_else_happens(signer, key_file, text):
    with pytest.raises(Unauthenticated) as caught:
        verifier(key_file(signer())).verify(text)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 5000,
        b"[]",
        b"null",
        b'"text"',
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"exp":1e999}',
        b"\xff\xfe",
        b"{",
    ],
)
def test_hostile_claims_under_a_good_signature_are_refused(signer, key_file, payload):
    one = signer()
    with pytest.raises(Unauthenticated, match="malformed"):
        verifier(key_file(one)).verify(signed(one, payload))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([], "a bearer token is required"),
        ([("authorization", "Basic abc")], "is not 'Bearer TOKEN'"),
        ([("authorization", "Bearer ")], "is not|is required"),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "more than one"),
        ([("authorization", "Bearer " + "a" * (LONGEST_TOKEN + 1))], "too long"),
        ([("authorization", b"Bearer a")], "is not 'Bearer TOKEN'"),
    ],
)
def test_a_call_has_exactly_one_bounded_token(pairs, reason):
    with pytest.raises(Unauthenticated, match=reason):
        bearer(pairs)


def test_a_token_that_is_remembered_is_verified_again_once_it_may_have_expired(
    signer, key_file, monkeypatch
):
    now = [time.time()]
    one = signer()
    path = key_file(one)
    remembering = TokenVerifier(settings(path), clock=lambda: now[0])
    token = one.token(exp=int(time.time()) + 60)
    assert remembering.verify(token) is remembering.verify(token)

    def refuse(*_):
        raise Unauthenticated("the token has expired")

    monkeypatch.setattr(remembering, "_verified", refuse)
    assert remembering.verify(token).subject == "somebody"
    now[0] += 61
    with pytest.raises(Unauthenticated, match="has expired"):
        remembering.verify(token)


def test_what_is_remembered_is_bounded(signer, key_file):
    one = signer("HS256")
    remembering = verifier(key_file(one))
    for number in range(1100):
        remembering.verify(one.token(sub=str(number)))
    assert len(remembering._known) <= 1000


def test_a_key_that_is_withdrawn_ends_the_tokens_that_are_remembered(signer, key_file):
    first, second = signer("ES256", "first"), signer("ES256", "second")
    path = key_file(first)
    one = verifier(path)
    one._keys._look_every = 0.0
    one._keys._next_look = 0.0
    token = first.token()
    assert one.verify(token)
    key_file(second)
    with pytest.raises(Unauthenticated, match="signed by no key"):
        one.verify(token)
    assert one.verify(second.token())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "neither a JWK set nor a key"),
        (b"{", "is not JSON"),
        (b'{"keys": {}}', "is not a JWK set"),
        (b'{"keys": []}', "holds no key"),
        (b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a"}]}', "is for none of"),
        (b'{"keys": [{"kty": "RSA", "alg": "RS512"}]}', "is for none of"),
        (b'{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}', "cannot be used|less than"),
        (b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}]}', "cannot be used"),
        (b'{"keys": [{"kty": "oct", "k": "c2hvcnQ"}]}', "shorter than 32 bytes"),
        (b"-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n", "is not a key in PEM"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_refused(tmp_path, content, text):
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=text) as caught:
        verifier(path)
    assert caught.value.setting == "COLLECTOR_TOKEN_KEYS"


def test_private_keys_twins_and_secrets_that_everybody_has_are_refused(signer, key_file, tmp_path):
    one = signer("ES256", "first")
    path = tmp_path / "key.pem"
    path.write_bytes(one.private_pem())
    with pytest.raises(SettingsError, match="is private"):
        verifier(path)
    path.write_text(json.dumps(one.jwk(private=True)))
    with pytest.raises(SettingsError, match="is private"):
        verifier(path)
    with pytest.raises(SettingsError, match="two keys are called 'first'"):
        verifier(key_file(one, signer("RS256", "first")))
    path.write_text(json.dumps({"kty": "oct", "k": encoded(one.public_pem())}))
    with pytest.raises(SettingsError, match=r"is a public key|cannot be used"):
        verifier(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        verifier(tmp_path / "nowhere.json")
