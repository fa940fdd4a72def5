"""The options that say what lattice a campaign works on, shared by the executors."""

# Annotations stay objects here: the executors inherit these options, and their types are then read in another module,
# where the names in a string would mean nothing.

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from zbo_ferrosim.physics import Mode, defect_fields, random_bonds
from zbo_ferrosim.simulator import FerroSim, Update
from zbo_orchestrator.model import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One lattice but for its coupling and depolarisation; by default the process study's, a few sites strongly pinned.

    Without defects the curl lives on the edges alone, and a third of all curves come within 5 % of the largest.

    start            "zero" (unpoled, as the published process study began) or "remnant" (poled along the negative side)
    defect_strength  standard deviation of the random field on each component, in Ec
    defect_share     share of the sites that carry one
    bond_spread      relative standard deviation of the coupling from site to site
    disorder         "frozen": drawn once from `seed`, one specimen for all trials; "per-trial": from each trial's seed
    hold_steps       steps for which the last field stays on
    frames           how many states on the way are measured, evenly spaced, the last one included
    """

    n: Annotated[int, Ge(2)] = 20
    mode: Mode = "tetragonal"
    gamma: Annotated[float, Gt(0)] = 1.0
    landau: tuple[float, float, float] | None = None
    start: Literal["zero", "remnant"] = "zero"
    defect_strength: Annotated[float, Ge(0)] = 35.0
    defect_share: Annotated[float, Gt(0), Le(1)] = 0.05
    bond_spread: Annotated[float, Ge(0)] = 0.0
    disorder: Literal["frozen", "per-trial"] = "frozen"
    seed: Annotated[int, Ge(0)] = 0
    update: Update = "all"
    hold_steps: Annotated[int, Ge(0)] = 50
    frames: Annotated[int, Ge(0)] = 8

    def __post_init__(self) -> None:
        for name in ("defect_strength", "bond_spread", "hold_steps", "frames", "seed"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; wanted at least 0, and finite")
        if not 0 < self.defect_share <= 1:
            raise ConfigurationError(f"defect_share is {self.defect_share}; wanted above 0, at most 1")
        for name, known in (("start", ("zero", "remnant")), ("disorder", ("frozen", "per-trial"))):
            if getattr(self, name) not in known:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}; wanted one of {', '.join(known)}")

    def lattice(self, coupling: float, depolarization: float, trial_seed: int) -> FerroSim:
        """The specimen with a coupling and a depolarisation; raises `ConfigurationError` where it cannot be."""
        seed = self.seed if self.disorder == "frozen" else trial_seed
        disordered = self.bond_spread > 0
        return FerroSim(
            self.n,
            self.mode,
            coupling * random_bonds(self.n, self.bond_spread, seed) if disordered else coupling,
            depolarization,
            self.gamma,
            self.landau,
            defect_fields(self.n, self.defect_strength, self.defect_share, seed) if self.defect_strength else None,
            np.zeros((self.n, self.n, 2)) if self.start == "zero" else None,
            self.update,
        )

    def frame_steps(self, steps: int) -> list[int]:
        """The steps whose states are measured: evenly spaced, the last one among them."""
        return sorted(np.linspace(steps - 1, 0, min(self.frames, steps)).round().astype(int).tolist())
