"""Both services over real ports: who may call what, and what is told to whom."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

PASSWORD = "correct horse battery"
CREDENTIALS = {"email": "john@example.com", "password": PASSWORD}


def refused(call: Any, *arguments: Any, **fields: Any) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as told:
        call(*arguments, **fields)
    return told.value.code().name, told.value.details()


def test_rights_are_asked_for_and_given(auth: Any) -> None:
    with auth(administrators=frozenset({"admin@example.com"})) as it:
        john = it.call("Register", **CREDENTIALS).account
        it.call("Register", email="admin@example.com", password=PASSWORD)
        mine = it.call("Login", **CREDENTIALS).access_token
        admin = it.call("Login", email="admin@example.com", password=PASSWORD).access_token
        wanted = {"account_id": john.id, "rights": ["users:read"]}
        assert refused(it.call, "Grant", **wanted) == ("UNAUTHENTICATED", "a token is required")
        assert refused(it.call, "Grant", mine, **wanted) == (
            "PERMISSION_DENIED",
            "the right accounts:grant is required",
        )
        assert list(it.call("Grant", admin, **wanted).account.rights) == ["users:read"]
        assert refused(it.call, "Grant", admin, account_id="x")[0] == "NOT_FOUND"
        assert refused(it.call, "Grant", admin, rights=["no right"])[0] == "INVALID_ARGUMENT"
        narrow = it.call("Issue", admin, audience="identity", rights=["users:read"]).token
        assert refused(it.call, "Grant", narrow, **wanted)[0] == "PERMISSION_DENIED"
        assert refused(it.call, "Issue", narrow, audience="x", rights=["accounts:grant"])[0] == (
            "PERMISSION_DENIED"
        )


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ((), "a token is required"),
        ((("authorization", "Basic am9objpwdw=="),), "the authorization is not `Bearer TOKEN`"),
        ((("authorization", "Bearer "),), "the authorization is not `Bearer TOKEN`"),
        ((("authorization", "Bearer x"), ("authorization", "Bearer y")), "exactly one token"),
        ((("authorization", "Bearer x"),), "the token is not one of ours"),
    ],
)
def test_what_is_no_token_is_told(auth: Any, metadata: Any, sentence: str) -> None:
    from identity_system.wire import auth_pb2, auth_pb2_grpc

    with auth() as it:
        stub = auth_pb2_grpc.AuthServiceStub(it.channel)
        with pytest.raises(grpc.RpcError, match=sentence) as told:
            stub.Issue(auth_pb2.IssueRequest(audience="x"), metadata=metadata, timeout=10)
        assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_of_concurrent_refreshes_one_goes_well_and_the_session_ends(auth: Any) -> None:
    with auth() as it:
        it.call("Register", **CREDENTIALS)
        token = it.call("Login", **CREDENTIALS).refresh_token

        def refresh(_: int) -> str:
            try:
                return str(it.call("Refresh", refresh_token=token).refresh_token)
            except grpc.RpcError as error:
                return str(error.code().name)

        with ThreadPoolExecutor(8) as threads:
            told = list(threads.map(refresh, range(8)))
        assert told.count("UNAUTHENTICATED") == 7
        (successor,) = set(told) - {"UNAUTHENTICATED"}
        assert refused(it.call, "Refresh", refresh_token=successor) == (
            "UNAUTHENTICATED",
            "the refresh token was revoked",
        )


def test_guesses_at_once_are_counted_too(auth: Any) -> None:
    with auth(failures=3) as it:
        it.call("Register", **CREDENTIALS)

        def guess(number: int) -> str:
            return refused(it.call, "Login", email="john@example.com", password=f"{number}")[0]

        with ThreadPoolExecutor(8) as threads:
            told = sorted(threads.map(guess, range(8)))
        assert told == ["RESOURCE_EXHAUSTED"] * 5 + ["UNAUTHENTICATED"] * 3


def test_neither_passwords_nor_tokens_are_in_a_log(
    front: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with front() as it:
        it.post("/register", json={"email": "x", "password": PASSWORD})
        assert it.post("/register", json=CREDENTIALS).status_code == 201
        assert it.post("/login", json={**CREDENTIALS, "password": "wrong horse"}).status_code == 401
        tokens = it.post("/login", json=CREDENTIALS).json()
        me = it.get("/me", headers={"authorization": f"Bearer {tokens['accessToken']}"})
        assert me.status_code == 200
    text = caplog.text
    assert "method=POST path=/login status=200" in text
    for secret in (PASSWORD, "wrong horse", tokens["accessToken"], tokens["refreshToken"]):
        assert secret not in text


def test_one_correlation_id_goes_through_both(front: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with front() as it:
        answer = it.post("/register", json=CREDENTIALS, headers={"x-correlation-id": "one-errand"})
        assert answer.headers["x-correlation-id"] == "one-errand"
    lines = [line for line in caplog.messages if "correlation_id=one-errand" in line]
    assert {line.split()[0] for line in lines} == {"request", "call", "served"}


def test_what_breaks_inside_is_not_shown(
    auth: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from identity_system.auth import passwords

    def broken(_: str) -> str:
        raise RuntimeError("the inside of things")

    monkeypatch.setattr(passwords, "hashed", broken)
    with auth() as it:
        assert refused(it.call, "Register", **CREDENTIALS) == ("INTERNAL", "internal error")
    assert "the inside of things" in caplog.text


def test_reflection_tells_the_services(auth: Any) -> None:
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
        ProtoReflectionDescriptorDatabase,
    )

    with auth() as it:
        database = ProtoReflectionDescriptorDatabase(it.channel)
        assert "identity.v1.AuthService" in database.get_services()
        found = DescriptorPool(database).FindServiceByName("identity.v1.AuthService")
        assert "Refresh" in found.methods_by_name


def test_a_call_that_needs_a_token_is_not_made_without_one(auth: Any, served: Any) -> None:
    """The client's own interceptor refuses: the auth service is never asked."""
    import asyncio

    from identity_system.user.auth_client import AuthClient
    from identity_system.user.settings import UserSettings
    from identity_system.wire import auth_pb2
    from shared_system.failures import Failure

    async def ask() -> None:
        # Nobody listens there: only a refusal on our side can be UNAUTHENTICATED.
        client = AuthClient(UserSettings(auth="127.0.0.1:1"))
        with pytest.raises(Failure, match="a token is required") as told:
            await client.issue(auth_pb2.IssueRequest(audience="x"))
        assert told.value.code is grpc.StatusCode.UNAUTHENTICATED
        await client.close()

    asyncio.run(ask())
