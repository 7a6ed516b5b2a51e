"""The auth service's methods alone, without a port: grpcio-testing calls the servicer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import grpc_testing
import pytest

PASSWORD = "correct horse battery"


@pytest.fixture
def call(clock: Any) -> Any:
    """Calls a method of a servicer, and returns the answer, code and details."""
    from identity_system.auth.service import AuthService
    from identity_system.auth.settings import AuthSettings
    from identity_system.auth.store import MIGRATIONS, Store
    from identity_system.auth.tokens import Signer
    from identity_system.wire import auth_pb2
    from shared_system.database import Database

    settings = AuthSettings(secret="the secret of tests, which guards nothing", failures=3)
    database = Database("memory", MIGRATIONS)
    database.migrate_here()
    described = auth_pb2.DESCRIPTOR.services_by_name["AuthService"]
    servicer = AuthService(
        Store(database, settings, clock), Signer(settings.secret, clock), settings
    )
    server = grpc_testing.server_from_dictionary(
        {described: servicer}, grpc_testing.strict_real_time()
    )

    def made(method: str, **fields: Any) -> tuple[Any, str, str]:
        rpc = server.invoke_unary_unary(
            described.methods_by_name[method],
            (),
            getattr(auth_pb2, f"{method}Request")(**fields),
            None,
        )
        answer, _trailers, code, details = rpc.termination()
        return answer, (grpc.StatusCode.OK if code is None else code).name, details

    yield made
    database.close_here()


def test_a_login_gives_tokens_that_are_valid(call: Any, clock: Any) -> None:
    account = call("Register", email="John@Example.com", password=PASSWORD)[0].account
    assert account.email == "john@example.com"
    tokens = call("Login", email="john@example.com", password=PASSWORD)[0]
    told = call("Validate", token=tokens.access_token)[0]
    assert (told.valid, told.account_id, told.reason) == (True, account.id, "")
    assert tokens.access_expires_at.ToDatetime(clock().tzinfo) == clock() + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "email is required"),
        ({"email": "nobody", "password": PASSWORD}, "email is not an email address"),
        ({"email": "a@b", "password": ""}, "password is required"),
        ({"email": "a@b", "password": "short"}, "password is 10 to 200 characters"),
        ({"email": "a@b", "password": "x" * 201}, "password is 10 to 200 characters"),
        ({"email": "x" * 250 + "@b.example", "password": PASSWORD}, "email is longer than 254"),
    ],
)
def test_what_is_no_account_is_refused(call: Any, fields: Any, sentence: str) -> None:
    _, code, details = call("Register", **fields)
    assert (code, details[: len(sentence)]) == ("INVALID_ARGUMENT", sentence)


def test_an_email_has_one_account(call: Any) -> None:
    assert call("Register", email="a@b", password=PASSWORD)[1] == "OK"
    assert call("Register", email="A@b", password=PASSWORD)[1:] == (
        "ALREADY_EXISTS",
        "an account with this email exists",
    )


def test_a_lock_out_ends(call: Any, clock: Any) -> None:
    call("Register", email="a@b", password=PASSWORD)
    for _ in range(3):
        assert call("Login", email="a@b", password="wrong horse battery")[1] == "UNAUTHENTICATED"
    assert call("Login", email="a@b", password=PASSWORD)[1:] == (
        "RESOURCE_EXHAUSTED",
        "too many failed logins; try again in 61 seconds",
    )
    clock.move(seconds=59)
    assert call("Login", email="a@b", password=PASSWORD)[1] == "RESOURCE_EXHAUSTED"
    clock.move(seconds=1)
    assert call("Login", email="a@b", password=PASSWORD)[1] == "OK"


def test_a_login_that_goes_well_forgets_failures(call: Any) -> None:
    call("Register", email="a@b", password=PASSWORD)
    for _ in range(3):
        for _ in range(2):
            assert call("Login", email="a@b", password="wrong")[1] == "UNAUTHENTICATED"
        assert call("Login", email="a@b", password=PASSWORD)[1] == "OK"


def test_tokens_expire(call: Any, clock: Any) -> None:
    call("Register", email="a@b", password=PASSWORD)
    tokens = call("Login", email="a@b", password=PASSWORD)[0]
    clock.move(minutes=5)
    assert call("Validate", token=tokens.access_token)[0].reason == "the token has expired"
    tokens = call("Refresh", refresh_token=tokens.refresh_token)[0]
    assert call("Validate", token=tokens.access_token)[0].valid
    clock.move(days=14)
    assert call("Refresh", refresh_token=tokens.refresh_token)[1:] == (
        "UNAUTHENTICATED",
        "the refresh token has expired",
    )


def test_methods_that_need_a_caller_refuse_without_interceptors(call: Any) -> None:
    for method in ("Issue", "Grant"):
        assert call(method)[1:] == ("UNAUTHENTICATED", "a token is required")


def test_to_revoke_what_is_no_token_is_no_mistake(call: Any) -> None:
    assert call("Revoke", token="nonsense")[1] == "OK"
    assert call("Revoke")[1:] == ("INVALID_ARGUMENT", "token is required")
