"""The model behind FerroSIM: Landau terms, their minima, energies, curl and disorder, all as plain NumPy.

Every mode is the same polynomial with other coefficients: the free energy of one site with polarisation (x, y) is

    w = a/2 (x^2 + y^2) + b/4 (x^4 + y^4) + c/2 x^2 y^2
    squareelectric, uniaxial:     a, b, c = alpha1, alpha2, 0
    tetragonal, rhombohedral:     a, b, c = 2 alpha1, 4 alpha2, 2 alpha3

after Ricinschi et al., J. Phys.: Condens. Matter 10 (1998) 477, as FerroSIM (Kalinin, Ziatdinov, Vasudevan) has it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from zbo_orchestrator.model import Array

Mode = Literal["squareelectric", "uniaxial", "tetragonal", "rhombohedral"]
MODES: tuple[Mode, ...] = get_args(Mode)

LANDAU = MappingProxyType(
    {
        "squareelectric": (-1.85, 1.25, 0.0),
        "uniaxial": (-1.85, 1.25, 0.0),
        "tetragonal": (-1.6, 12.2, 40.0),
        "rhombohedral": (-10.6, 10.2, -10.0),
    }
)
"""The original's alpha1, alpha2, alpha3 for each mode."""


def polynomial(mode: Mode, landau: Array) -> tuple[float, float, float]:
    """The a, b, c of a mode's free energy from its alpha1, alpha2, alpha3."""
    one, two, three = (float(alpha) for alpha in landau)
    return (one, two, 0.0) if mode in {"squareelectric", "uniaxial"} else (2 * one, 4 * two, 2 * three)


def coercive_field(landau: Array) -> float:
    """(2/3) |alpha1| sqrt(|alpha1 / (3 alpha2)|): the original's unit of field for every mode."""
    return float(2 / 3 * abs(landau[0]) * np.sqrt(abs(landau[0] / (3 * landau[1]))))


def remnant(mode: Mode, landau: Array) -> Array:
    """The polarisation [2] without field: the minimum of w on the negative side, along y or along the diagonal.

    Along an axis y = -sqrt(-a/b); along the diagonal x = y = -sqrt(-a/(b + c)), which lies lower where c < b.
    """
    a, b, c = polynomial(mode, landau)
    if a >= 0:
        return np.zeros(2)
    if mode == "uniaxial" or c >= b:
        return np.array([0.0, -np.sqrt(-a / b)])
    return np.full(2, -np.sqrt(-a / (b + c)))


def neighbours(polarization: Array) -> Array:
    """Sum over the four neighbours of each site of [..., n, n]; one that is missing at an open edge counts as zero."""
    total = np.zeros_like(polarization)
    total[..., 1:, :] += polarization[..., :-1, :]
    total[..., :-1, :] += polarization[..., 1:, :]
    total[..., 1:] += polarization[..., :-1]
    total[..., :-1] += polarization[..., 1:]
    return total


def curl(polarization: Array) -> Array:
    """The curl [..., n, n] of a polarisation [..., 2, n, n], by central differences with periodic wrap.

    curl(i, j) = ((Py(i+1, j) - Py(i-1, j)) - (Px(i, j+1) - Px(i, j-1))) / 2
    """
    polarization = np.asarray(polarization, np.float64)
    if polarization.ndim < 3 or polarization.shape[-3] != 2:
        raise ValueError(f"polarization has shape {polarization.shape}; wanted [..., 2, n, n]")
    x, y = polarization[..., 0, :, :], polarization[..., 1, :, :]
    along = np.roll(y, -1, -2) - np.roll(y, 1, -2)
    across = np.roll(x, -1, -1) - np.roll(x, 1, -1)
    return np.asarray(0.5 * (along - across))


def defect_fields(n: int, strength: float, share: float, seed: int) -> Array:
    """A random field [n*n, 2] in Ec: normal with deviation `strength` in both components on a share of the sites."""
    rng = np.random.default_rng([seed, 0])
    fields = rng.normal(0.0, 1.0, (n * n, 2)) * strength
    return np.asarray(fields * (rng.random((n * n, 1)) < share))


def random_bonds(n: int, spread: float, seed: int) -> Array:
    """Factors [n*n] on the coupling: normal around 1 with deviation `spread`, none below zero."""
    rng = np.random.default_rng([seed, 1])
    return np.asarray(np.maximum(1.0 + spread * rng.normal(0.0, 1.0, n * n), 0.0))
