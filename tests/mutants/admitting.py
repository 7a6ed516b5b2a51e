"""Guards of the port that each let somebody pass whom they should not."""

from __future__ import annotations

from collector_reference.security.access import AccessGuard
from collector_reference.security.identity import Caller
from collector_reference.security.tokens import TokenVerifier, Unauthenticated


class Gullible(AccessGuard):
    """Asks for a token, and then believes whoever says who it is."""

    def _check_id(self, collector_id, caller):
        pass


class Permissive(AccessGuard):
    """Holds that whoever has a token may register whatever."""

    def _check(self, accesses, caller):
        super()._check(tuple(each for each in accesses if each.action != "register"), caller)


class Lenient(TokenVerifier):
    """Lets everybody in who has a token, good or not."""

    def verify(self, token):
        try:
            return super().verify(token)
        except Unauthenticated:
            return Caller(subject="somebody")
