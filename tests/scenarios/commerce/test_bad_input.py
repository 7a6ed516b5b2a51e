"""Whatever cannot be right is refused by its own code and a sentence, and nothing is stored."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import grpc
import pytest

LAPTOP = {"productName": "Laptop", "quantity": 1, "price": 999.99}
JOHN = {"name": "John Doe", "email": "john@example.com"}
ORDER = {"userId": 1, "items": [LAPTOP]}
INJECTION = "Robert'); DROP TABLE users;-- <script>alert(1)</script> ${jndi:ldap://x}"

BAD_REQUESTS = {
    "malformed": ("/orders", b'{"userId": 1,', 400, "the body is not JSON"),
    "not UTF-8": ("/orders", b'{"userId": "\xff"}', 400, "the body is not UTF-8"),
    "nothing": ("/orders", b"", 400, "body"),
    "a list": ("/orders", [], 400, "body"),
    "deep": ("/orders", b"[" * 50_000, 400, "nested too deeply"),
    "no number": ("/orders", b'{"userId": NaN}', 400, "NaN is no JSON number"),
    "huge number": ("/orders", b'{"userId": 1' + b"0" * 5000 + b"}", 400, "."),
    "missing": ("/orders", {"items": [LAPTOP]}, 400, "userId: Field required"),
    "wrong type": ("/orders", {**ORDER, "userId": "1"}, 400, "userId: .*integer"),
    "truth": ("/orders", {**ORDER, "userId": True}, 400, "userId: .*integer"),
    "unknown field": ("/orders", {**ORDER, "total": 1}, 400, "total: "),
    "no items": ("/orders", {**ORDER, "items": []}, 400, "items: "),
    "too many items": ("/orders", {**ORDER, "items": [LAPTOP] * 101}, 400, "items: "),
    "negative quantity": (
        "/orders",
        {**ORDER, "items": [{**LAPTOP, "quantity": -1}]},
        400,
        r"items\[0\]\.quantity: .*greater than or equal to 1",
    ),
    "half a piece": ("/orders", {**ORDER, "items": [{**LAPTOP, "quantity": 0.5}]}, 400, "quantity"),
    "negative price": ("/orders", {**ORDER, "items": [{**LAPTOP, "price": -1}]}, 400, "price"),
    "fraction of a cent": (
        "/orders",
        {**ORDER, "items": [{**LAPTOP, "price": 0.001}]},
        400,
        "price",
    ),
    "unknown user": ("/orders", {**ORDER, "userId": 4711}, 404, "user not found"),
    "no email": ("/users", {"name": "x"}, 400, "email: Field required"),
    "empty email": ("/users", {**JOHN, "email": ""}, 400, "email"),
    "bad email": ("/users", {**JOHN, "email": "nobody"}, 400, "email is not an email address"),
    "blank name": ("/users", {**JOHN, "name": "   "}, 400, "name is required"),
    "overlong name": ("/users", {**JOHN, "name": "x" * 201}, 400, "name: .*200"),
    "control characters": ("/users", {**JOHN, "name": "a\x00b\n"}, 400, "control characters"),
    "half a character": ("/users", b'{"name": "\\ud800", "email": "a@b"}', 400, "name"),
    "oversized": ("/users", {**JOHN, "address": "x" * 70_000}, 413, "larger than 65536 bytes"),
}


def text_of(answer: Any) -> str:
    assert set(answer.json()) <= {"error", "reason"}
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()
    return answer.json()["error"]


def test_bad_requests_are_refused(shop: Any, each_database: Any, running: Any) -> None:
    async def send() -> None:
        import re

        async with shop(each_database) as it:
            for name, (path, body, status, message) in BAD_REQUESTS.items():
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                answer = await it.http.post(
                    path, content=content, headers={"content-type": "application/json"}
                )
                assert answer.status_code == status, (name, answer.text)
                assert re.search(message, text_of(answer)), (name, answer.text)
            assert it.sql(0, "SELECT count(*) FROM users") == [(0,)]
            assert it.orders() == 0

    running(send())


def test_other_mistakes_of_http_have_their_codes(shop: Any, running: Any) -> None:
    async def send() -> None:
        async with shop() as it:
            form = await it.http.post("/users", data={"name": "x"})
            assert (form.status_code, text_of(form)) == (415, "the body must be application/json")
            for path, status in {
                "/orders/0": 400,
                "/orders/x": 400,
                "/orders/99999999999": 400,
                "/orders/1": 404,
                "/users/1": 404,
                "/orders": 400,
                "/orders?userId=1&pageSize=0": 400,
                "/nowhere": 404,
            }.items():
                answer = await it.http.get(path)
                assert (path, answer.status_code) == (path, status)
                assert text_of(answer)
            assert (await it.http.delete("/users")).status_code == 405
            key = await it.http.post("/users", json=JOHN, headers={"idempotency-key": "a b"})
            assert key.status_code == 400

    running(send())


def test_injection_is_only_text(shop: Any, each_database: Any, running: Any) -> None:
    async def send() -> None:
        async with shop(each_database) as it:
            made = await it.http.post("/users", json={**JOHN, "name": INJECTION})
            assert made.json()["user"]["name"] == INJECTION
            order = await it.http.post(
                "/orders",
                json={
                    "userId": made.json()["user"]["id"],
                    "items": [{**LAPTOP, "productName": INJECTION}],
                },
            )
            assert order.json()["order"]["items"][0]["productName"] == INJECTION
            assert it.sql(0, "SELECT name FROM users") == [(INJECTION,)]

    running(send())


def test_tokens_are_asked_for_and_checked(shop: Any, token: Any, running: Any) -> None:
    def forged(**header: str) -> str:
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in (header, {"aud": "commerce", "exp": int(time.time()) + 60})
        ]
        return f"{parts[0]}.{parts[1]}."

    bad = {
        "the token has expired": token(exp=int(time.time()) - 1),
        "the token is for somebody else": token(aud="another"),
        "the token was not signed by us": token(
            "another secret of sixty-four bytes, which anybody may have made up!"
        ),
        "the token lacks a claim": token(exp=None),
        "the token is not one of ours": "nonsense",
    }

    async def send() -> None:
        async with shop() as it:
            none = await it.http.get("/api/users/1")
            assert (none.status_code, none.json()) == (401, {"error": "Unauthorized"})
            for reason, word in bad.items():
                answer = await it.http.post(
                    "/api/users", json=JOHN, headers={"authorization": f"Bearer {word}"}
                )
                assert answer.status_code == 403
                assert answer.json() == {"error": "Forbidden", "reason": reason}
            for word in (forged(alg="none"), token(algorithm="HS512")):
                answer = await it.http.get("/api/users/1", headers={"authorization": word})
                assert (answer.status_code, text_of(answer)) == (403, "Forbidden")
            assert it.sql(0, "SELECT count(*) FROM users") == [(0,)]
            for word in (f"Bearer {token()}", f"bearer  {token()}", token()):
                answer = await it.http.get("/api/users/1", headers={"authorization": word})
                assert answer.status_code == 404

    running(send())


def test_a_token_for_one_use_is_not_replayed(shop: Any, token: Any, running: Any) -> None:
    async def send() -> None:
        async with shop() as it:
            once = {"authorization": f"Bearer {token(single_use=True, jti='7')}"}
            first = await it.http.post("/api/users", json=JOHN, headers=once)
            again = await it.http.post(
                "/api/users", json={**JOHN, "email": "other@example.com"}, headers=once
            )
            assert (first.status_code, again.status_code) == (201, 403)
            assert it.sql(0, "SELECT count(*) FROM users") == [(1,)]

    running(send())


def test_without_open_routes_everything_needs_a_token(shop: Any, running: Any) -> None:
    async def send() -> None:
        async with shop(open_routes=False) as it:
            assert (await it.http.post("/users", json=JOHN)).status_code == 404
            assert (await it.http.post("/api/users", json=JOHN)).status_code == 401
            assert (await it.http.get("/health")).status_code == 200

    running(send())


GRPC_MISTAKES = [
    ("orders", "OrderService/CreateOrder", b"\xff\xff\xff", "INVALID_ARGUMENT", "is not a"),
    ("orders", "OrderService/CreateOrder", b"", "INVALID_ARGUMENT", "user_id"),
    ("orders", "OrderService/CreateOrder", b"\x08\x01\x1a\x01k", "INVALID_ARGUMENT", "items"),
    ("orders", "OrderService/GetOrder", b"\x08\x07", "NOT_FOUND", "order not found"),
    ("orders", "OrderService/Nothing", b"", "UNIMPLEMENTED", "."),
    ("users", "UserService/CreateUser", b"", "INVALID_ARGUMENT", "name is required"),
    ("users", "UserService/CreateUser", b"\x0a\x02\xff\xfe", "INVALID_ARGUMENT", "is not a"),
    ("users", "UserService/GetUser", b"\x08\x07", "NOT_FOUND", "user not found"),
    ("users", "UserService/CreateUser", b"\x0a" * 300_000, "RESOURCE_EXHAUSTED", "."),
]


def test_the_services_refuse_by_grpc_codes(shop: Any, running: Any) -> None:
    async def send() -> None:
        async with shop() as it:
            for service, method, data, code, message in GRPC_MISTAKES:
                address = getattr(it.addresses, service)
                async with grpc.aio.insecure_channel(address) as channel:
                    with pytest.raises(grpc.aio.AioRpcError, match=message) as told:
                        await channel.unary_unary(f"/commerce.v1.{method}")(data, timeout=5)
                    assert told.value.code().name == code
            assert it.sql(0, "SELECT count(*) FROM users") == [(0,)]
            assert it.orders() == 0

    running(send())
