"""What each method of the two services asks of its caller: known to servers and to clients."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from identity_system.security.caller import ANYBODY, SIGNED_IN, Rules
from identity_system.wire import auth_pb2, user_pb2

__all__ = ["AUTH", "AUTH_RULES", "USER", "USER_RULES"]

AUTH: ServiceDescriptor = auth_pb2.DESCRIPTOR.services_by_name["AuthService"]
USER: ServiceDescriptor = user_pb2.DESCRIPTOR.services_by_name["UserService"]


def _rules(service: ServiceDescriptor, rules: Rules) -> Rules:
    return {f"/{service.full_name}/{method}": rule for method, rule in rules.items()}


AUTH_RULES = _rules(
    AUTH,
    {
        "Register": ANYBODY,
        "Login": ANYBODY,
        "Issue": SIGNED_IN,
        "Validate": ANYBODY,
        "Refresh": ANYBODY,
        "Revoke": ANYBODY,
        "Grant": "accounts:grant",
    },
)
USER_RULES = _rules(USER, {"GetMe": SIGNED_IN, "PutMe": SIGNED_IN, "GetUser": "users:read"})
