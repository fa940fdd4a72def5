"""The contract of executors that know what a found trajectory has to beat."""

from __future__ import annotations

from abc import abstractmethod

from zbo_orchestrator.model import Comparable, Trajectory


class ComparableContract:
    """What every `Comparable` promises; nothing is executed, since at full size that may take hours."""

    @abstractmethod
    def make(self) -> Comparable: ...

    @abstractmethod
    def trajectory(self) -> Trajectory:
        """One that it can run."""

    def test_is_comparable_at_full_size_too(self) -> None:
        final = self.make().final()
        assert isinstance(final, Comparable)
        assert isinstance(final.final(), Comparable)

    def test_names_rivals_of_the_trajectorys_form(self) -> None:
        found = self.trajectory()
        rivals = self.make().rivals(found)
        assert rivals, "there is nothing to beat"
        for executor, rival in rivals.values():
            assert callable(executor.execute)
            assert rival.channels == found.channels
            assert rival.values.shape == found.values.shape
            assert rival.dt == found.dt

    def test_names_the_same_rivals_again(self) -> None:
        found = self.trajectory()
        one, other = (self.make().rivals(found) for _ in range(2))
        assert list(one) == list(other)
        assert all((one[name][1].values == other[name][1].values).all() for name in one)
