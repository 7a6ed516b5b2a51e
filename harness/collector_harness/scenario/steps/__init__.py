"""How each kind of step is done: one module for each family, and here the way from kind to code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from collector_harness.scenario.model import (
    CallStep,
    ConnectStep,
    DispatchStep,
    HttpStep,
    ListStep,
    LookupStep,
    ObserveStep,
    PluginStep,
    RegisterStep,
    RoutesStep,
    ServeStep,
    SqlStep,
    StartStep,
    StepBase,
    StopStep,
    StreamStep,
    TcpStep,
    ValidateStep,
)
from collector_harness.scenario.steps.base import Answer, Place
from collector_harness.scenario.steps.calls import call
from collector_harness.scenario.steps.dispatcher import connect, dispatch, serve
from collector_harness.scenario.steps.http import http
from collector_harness.scenario.steps.lives import start, stop
from collector_harness.scenario.steps.observation import observe
from collector_harness.scenario.steps.plugin import plugin
from collector_harness.scenario.steps.registry import list_services, lookup, register, validate
from collector_harness.scenario.steps.routes import routes
from collector_harness.scenario.steps.sql import sql
from collector_harness.scenario.steps.streams import stream
from collector_harness.scenario.steps.tcp import tcp

__all__ = ["performer_of"]

ANSWERING: Mapping[type[StepBase], Callable[[Any, Place], Awaitable[Answer]]] = {
    CallStep: call,
    ConnectStep: connect,
    DispatchStep: dispatch,
    HttpStep: http,
    ListStep: list_services,
    LookupStep: lookup,
    ObserveStep: observe,
    RegisterStep: register,
    RoutesStep: routes,
    ServeStep: serve,
    StartStep: start,
    StopStep: stop,
    SqlStep: sql,
    StreamStep: stream,
    TcpStep: tcp,
    ValidateStep: validate,
}
"""The steps that get an answer. Steps made of other steps are done by `scenario.walk`."""


def performer_of(step: StepBase) -> Callable[[Any, Place], Awaitable[Answer]]:
    """Returns how a step that gets an answer is done."""
    return plugin if isinstance(step, PluginStep) else ANSWERING[type(step)]
