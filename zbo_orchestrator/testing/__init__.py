"""Contracts of the roles, as classes to subclass: one set of promises, kept by built-in and foreign parts alike.

    class TestMyExecutor(ExecutorContract):
        def make(self): return MyExecutor(port=0)
        def trajectory(self): return Trajectory([[0.0], [1.0]], dt=0.1, channels=(Channel("field", "V"),))

pytest collects the inherited tests; what a part cannot do is skipped and says so. Nothing here imports pytest.
`zoo` holds executors that break one promise each.
"""

from zbo_orchestrator.testing.comparables import ComparableContract
from zbo_orchestrator.testing.decoders import DecoderContract
from zbo_orchestrator.testing.encoders import EncoderContract
from zbo_orchestrator.testing.evaluators import EvaluatorContract
from zbo_orchestrator.testing.executors import ExecutorContract
from zbo_orchestrator.testing.instruments import InstrumentContract
from zbo_orchestrator.testing.planners import PlannerContract, bowl, evidence_of
from zbo_orchestrator.testing.runs import RecordedRun, same
from zbo_orchestrator.testing.workers import WorkersContract

__all__ = [
    "ComparableContract",
    "DecoderContract",
    "EncoderContract",
    "EvaluatorContract",
    "ExecutorContract",
    "InstrumentContract",
    "PlannerContract",
    "RecordedRun",
    "WorkersContract",
    "bowl",
    "evidence_of",
    "same",
]
