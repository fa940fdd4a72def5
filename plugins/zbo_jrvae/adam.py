"""Adam (Kingma and Ba 2015) over the flat parameters of several models."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from zbo_orchestrator.model import Array

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class Adam:
    """Parameters [k, parameter] and their moments; steps as torch's and Pyro's Adam do."""

    def __init__(self, parameters: Tensor, rate: float) -> None:
        self.parameters = parameters
        self._first, self._second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._steps, self._rate = 0, rate

    def step(self, gradients: Tensor) -> None:
        """Move the parameters against gradients [k, parameter]."""
        self._steps += 1
        a, b = _BETAS
        self._first.lerp_(gradients, 1 - a)
        self._second.mul_(b).addcmul_(gradients, gradients, value=1 - b)
        scale = self._second.sqrt().div_(sqrt(1 - b**self._steps)).add_(_EPSILON)
        self.parameters.addcdiv_(self._first, scale, value=-self._rate / (1 - a**self._steps))

    def state(self) -> dict[str, Array]:
        """Copies of all that is needed to go on, each with a leading axis [k]."""
        tensors = {"parameters": self.parameters, "first_moments": self._first, "second_moments": self._second}
        steps = np.full(len(self.parameters), self._steps)
        return {"steps": steps, **{name: tensor.cpu().numpy().copy() for name, tensor in tensors.items()}}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a `state`."""
        self._steps = int(state["steps"][0])
        targets = {"parameters": self.parameters, "first_moments": self._first, "second_moments": self._second}
        for name, target in targets.items():
            target.copy_(torch.from_numpy(np.array(state[name])))
