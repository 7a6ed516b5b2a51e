"""The REST front does what its OpenAPI says, for requests that schemathesis makes up."""

from __future__ import annotations

from typing import Any

OPERATIONS = 10
ACCOUNT = {"email": "a@b.example", "password": "correct horse battery"}


def test_it_answers_as_documented(front: Any, documented: Any) -> None:
    with front() as it:
        it.post("/register", json=ACCOUNT)
        tokens = it.post("/login", json=ACCOUNT).json()
        assert documented(str(it.base_url), lambda: tokens["accessToken"], 12) == OPERATIONS
