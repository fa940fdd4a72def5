"""The contract of evaluators."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from zbo_orchestrator.model import Evaluator, ExecutionError, Measurement, Score, Trajectory


class EvaluatorContract:
    """What every evaluator promises."""

    @abstractmethod
    def make(self) -> Evaluator: ...

    @abstractmethod
    def case(self) -> tuple[Trajectory, Measurement]:
        """A trajectory and a measurement that the evaluator can score."""

    def test_scores_are_finite_and_repeat(self) -> None:
        one, other = (self.make().evaluate(*self.case()) for _ in range(2))
        assert isinstance(one, Score)
        assert one == other
        assert all(np.isfinite(term) for term in one.terms.values())

    def test_refuses_a_measurement_it_does_not_know(self) -> None:
        trajectory, _ = self.case()
        try:
            self.make().evaluate(trajectory, Measurement({"something else": np.zeros(3)}))
        except ExecutionError:
            return
        raise AssertionError("an unknown measurement was scored")
