"""The metrics that a node shows to Prometheus, as numbers by name (the extra `metrics`)."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import urllib.error

from collector_harness.errors import EnvironmentLacks, InvalidInput, Problem
from collector_harness.mesh import MeshNode

__all__ = ["metrics_of", "parse_metrics"]

_MOST_BYTES = 8 * 1024 * 1024
_MOST_SAMPLES = 50_000
_TIMEOUT = 5.0
_TOLD = re.compile(r"metrics at http://(\S{1,300}?)/metrics")


async def metrics_of(node: MeshNode) -> dict[str, float]:
    """Returns the metrics of a node: by name with labels, such as `calls_total{status="OK"}`, and
    by name alone for the sum over all labels.

    Raises `InvalidInput` for a node that shows none, `EnvironmentLacks` without the extra.
    """
    address = _address(node)
    if address is None:
        raise InvalidInput(
            Problem(
                message=f"node '{node.name}' shows no metrics",
                hint="give it a port for them: environment: {COLLECTOR_METRICS: '127.0.0.1:0'}",
            )
        )
    try:
        text = await asyncio.to_thread(_read, address)
    except (OSError, urllib.error.URLError) as error:
        raise InvalidInput(
            Problem(message=f"the metrics of node '{node.name}' cannot be read: {error}")
        ) from error
    return parse_metrics(text)


def parse_metrics(text: str) -> dict[str, float]:
    """Returns the samples of a text in the format of Prometheus; raises `InvalidInput`."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError as error:
        raise EnvironmentLacks(
            "expecting `metrics` needs the package prometheus-client, which is an extra: "
            "pip install 'collector-harness[metrics]'"
        ) from error
    found: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if len(found) >= _MOST_SAMPLES:
                    raise InvalidInput(f"there are more than {_MOST_SAMPLES:,} metrics")
                if math.isnan(sample.value):
                    continue
                labels = ",".join(f'{key}="{sample.labels[key]}"' for key in sorted(sample.labels))
                if labels:
                    found[f"{sample.name}{{{labels}}}"] = sample.value
                if not sample.name.endswith("_bucket"):  # these are sums already
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
    except ValueError as error:
        raise InvalidInput(f"these are no metrics of Prometheus: {error}") from error
    return found


def _address(node: MeshNode) -> str | None:
    if node.collector is not None:
        return node.collector.metrics_address
    told = _TOLD.findall(node.logs())
    for address in reversed(told):
        host = address.rpartition(":")[0].strip("[]")
        try:
            # A node does not send us elsewhere by what it logs.
            if ipaddress.ip_address(host).is_loopback:
                return str(address)
        except ValueError:
            continue
    return None


def _read(address: str) -> str:
    import urllib.request  # slow to import, and few scenarios look at metrics

    url = f"http://{address}/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT) as response:
        content: bytes = response.read(_MOST_BYTES)
    return content.decode("utf-8", "replace")
