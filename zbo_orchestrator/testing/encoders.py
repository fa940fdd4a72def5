"""The contract of encoders."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from zbo_orchestrator.model import Encoder, Trajectory


class EncoderContract:
    """What every encoder promises."""

    @abstractmethod
    def encoder(self) -> Encoder: ...

    @abstractmethod
    def curves(self) -> Trajectory:
        """A batch of three or more that it can encode."""

    def test_finds_one_finite_point_for_each_curve(self) -> None:
        curves = self.curves()
        z = self.encoder().encode(curves)
        assert z.ndim == 2
        assert len(z) == len(curves.values)
        assert np.isfinite(z).all()

    def test_the_same_curves_have_the_same_points(self) -> None:
        encoder, curves = self.encoder(), self.curves()
        assert np.array_equal(encoder.encode(curves), encoder.encode(curves))

    def test_a_curve_has_its_point_whatever_stands_before_it(self) -> None:
        encoder, curves = self.encoder(), self.curves()
        backwards = encoder.encode(curves[np.arange(len(curves.values))[::-1]])
        assert np.allclose(backwards[::-1], encoder.encode(curves), rtol=1e-4, atol=1e-5)
