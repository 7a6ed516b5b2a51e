"""The scenario language, version 1, as pydantic models.

Everything in the grammar is here, also what no engine executes yet (see
`scenario.support`). What values mean to each other is checked in `scenario.checks`.
"""

from collector_harness.scenario.model.answers import AGGREGATE, ANSWERS
from collector_harness.scenario.model.base import AnsweringStep, StepBase
from collector_harness.scenario.model.calls import (
    CallStep,
    Connection,
    ConnectStep,
    DispatchStep,
    ListStep,
    LookupStep,
    ObserveStep,
    RegisterStep,
    Registration,
    RouteSelection,
    RoutesStep,
    RpcStep,
    ServeStep,
    ValidateStep,
)
from collector_harness.scenario.model.faults import Fault
from collector_harness.scenario.model.file import (
    Defaults,
    Definition,
    Isolation,
    ScenarioFile,
    Secret,
    Service,
)
from collector_harness.scenario.model.lives import StartStep, StopStep
from collector_harness.scenario.model.modifiers import Eventually, Never
from collector_harness.scenario.model.peers import Peer
from collector_harness.scenario.model.plugin_steps import PluginStep
from collector_harness.scenario.model.steps import (
    ACTIONS,
    BlockStep,
    CheckStep,
    FaultStep,
    MeasureStep,
    Step,
    Steps,
    TogetherStep,
    UseStep,
    actions_in,
    clashes,
)
from collector_harness.scenario.model.systems import (
    HttpRequest,
    HttpStep,
    Line,
    SqlStep,
    StreamStep,
)
from collector_harness.scenario.model.tcp import TcpStep
from collector_harness.scenario.model.terms import MethodName, ServiceName

__all__ = [
    "ACTIONS",
    "AGGREGATE",
    "ANSWERS",
    "AnsweringStep",
    "BlockStep",
    "CallStep",
    "CheckStep",
    "ConnectStep",
    "Connection",
    "Defaults",
    "Definition",
    "DispatchStep",
    "Eventually",
    "Fault",
    "FaultStep",
    "HttpRequest",
    "HttpStep",
    "Isolation",
    "Line",
    "ListStep",
    "LookupStep",
    "MeasureStep",
    "MethodName",
    "Never",
    "ObserveStep",
    "Peer",
    "PluginStep",
    "RegisterStep",
    "Registration",
    "RouteSelection",
    "RoutesStep",
    "RpcStep",
    "ScenarioFile",
    "Secret",
    "ServeStep",
    "Service",
    "ServiceName",
    "SqlStep",
    "StartStep",
    "Step",
    "StepBase",
    "Steps",
    "StopStep",
    "StreamStep",
    "TcpStep",
    "TogetherStep",
    "UseStep",
    "ValidateStep",
    "actions_in",
    "clashes",
]
