from __future__ import annotations

import grpc
import pytest

from collector_reference.status import (
    CanonicalStatus,
    from_grpc,
    from_http_like,
    from_in_band,
    from_status_code,
)
from collector_reference.wire.common_pb2 import Status


def test_every_name_has_the_number_that_grpc_gives_it():
    assert {status.name: status.grpc for status in CanonicalStatus} == {
        code.name: code.value[0] for code in grpc.StatusCode
    }


def test_in_band_numbers_are_those_of_the_contract():
    named = {name: number for name, number in Status.Code.items() if number < 200}
    assert {
        status.name: status.in_band for status in CanonicalStatus if status.in_band is not None
    } == named


def test_http_like_numbers_are_those_of_the_contract():
    assert {status.http_like for status in CanonicalStatus if status.http_like} == {
        number for number in Status.Code.values() if number >= 200
    }


@pytest.mark.parametrize("status", CanonicalStatus)
def test_each_number_leads_back_to_its_name(status):
    assert from_grpc(status.grpc) is status
    if status.in_band is not None:
        assert from_in_band(status.in_band) is status
        assert from_status_code(status.in_band) is status
    if status.http_like is not None:
        assert from_http_like(status.http_like) is status
        assert from_status_code(status.http_like) is status


def test_numbers_without_a_name_have_none():
    assert (from_in_band(15), from_http_like(418), from_status_code(-1)) == (None, None, None)
    assert from_grpc(99) is CanonicalStatus.UNKNOWN
