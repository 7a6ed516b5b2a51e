"""Who may call the admin service: whom a rule lets administer, and nobody else."""

from __future__ import annotations

import pytest

from collector_reference import AdminAccess
from collector_reference.security.values import TokenSettings
from collector_reference.wire.admin_pb2 import GetStatisticsRequest
from collector_reference.wire.admin_pb2_grpc import CollectorAdminStub

POLICY = """
version: 1
rules:
  - who: authenticated
    may: [dispatch, serve, read, register, connect, call]
  - who: {subject: operator}
    may: administer
"""


@pytest.fixture
def start(field, signer, key_file, tmp_path):
    one = signer()

    async def start(admin, policy):
        path = None
        if policy is not None:
            path = tmp_path / "policy.yaml"
            path.write_text(policy)
        return await field.collector(
            "west",
            admin=admin,
            policy=path,
            tokens=TokenSettings(
                keys=(key_file(one),), issuer="https://issuer.example", audience="collectors"
            ),
        )

    return one, start


def statistics(client):
    return client.call(CollectorAdminStub(client.channel).GetStatistics, GetStatisticsRequest())


@pytest.mark.parametrize("admin", [AdminAccess.POLICY, AdminAccess.LOCAL])
async def test_a_rule_must_say_who_administers_whatever_else_is_allowed(
    start, caller, refused, admin
):
    one, begin = start
    west = await begin(admin, POLICY)
    operator = caller(west.address, token=one.token(sub="operator"))
    assert (await statistics(operator)).rpcs["/administration.CollectorAdmin/GetStatistics"] == 1
    code, text = await refused(statistics(caller(west.address, token=one.token(sub="ann"))))
    assert code == "PERMISSION_DENIED"
    assert "'ann' may not administer" in text


async def test_what_is_local_still_asks_for_the_token_of_the_port(start, caller, refused):
    one, begin = start
    west = await begin(AdminAccess.LOCAL, None)
    assert (await refused(statistics(caller(west.address))))[0] == "UNAUTHENTICATED"
    answer = await statistics(caller(west.address, token=one.token()))
    assert answer.rpcs["/administration.CollectorAdmin/GetStatistics"] >= 1
