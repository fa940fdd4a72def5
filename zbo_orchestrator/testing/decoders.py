"""The contract of decoders."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from zbo_orchestrator.model import Array, Decoder, DecoderRecipe, Trajectory


class DecoderContract:
    """What every decoder promises, from its recipe on."""

    @abstractmethod
    def recipe(self) -> DecoderRecipe: ...

    @abstractmethod
    def library(self) -> Trajectory | None:
        """A small batch to learn from, or None where the recipe needs none."""

    def learned(self) -> dict[str, Array]:
        return self.recipe().learn(self.library(), 1, lambda *_, **__: None)

    def restored(self) -> Decoder:
        return self.recipe().restore(self.learned())

    def points(self, count: int) -> tuple[Decoder, Array]:
        decoder = self.restored()
        lower, upper = decoder.box
        return decoder, np.random.default_rng(0).uniform(lower, upper, (count, len(lower)))

    def test_same_seed_same_arrays(self) -> None:
        one, other = self.learned(), self.learned()
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f") for name in one)

    def test_decodes_every_point_to_one_finite_trajectory(self) -> None:
        decoder, z = self.points(7)
        trajectory = decoder.decode(z)
        assert trajectory.values.shape == (7, trajectory.steps, len(trajectory.channels))
        assert np.isfinite(trajectory.values).all()

    def test_a_point_alone_decodes_to_the_same_bits_as_among_others(self) -> None:
        decoder, z = self.points(33)
        together = decoder.decode(z).values
        for index in (0, 16, 32):
            assert np.array_equal(decoder.decode(z[index : index + 1]).values[0], together[index])

    def test_the_arrays_are_all_there_is(self) -> None:
        decoder, z = self.points(3)
        copied = {name: np.array(values) for name, values in self.learned().items()}
        assert np.array_equal(self.recipe().restore(copied).decode(z).values, decoder.decode(z).values)
