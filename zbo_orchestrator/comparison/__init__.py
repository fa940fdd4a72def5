"""Does what a campaign found beat what people use: final trainings of both, over paired seeds."""

from zbo_orchestrator.comparison.comparing import Audience, Contest, Wish, compare, prepare
from zbo_orchestrator.comparison.outcome import Comparison, Round, folder_of, read
from zbo_orchestrator.comparison.trainings import Training

__all__ = ["Audience", "Comparison", "Contest", "Round", "Training", "Wish", "compare", "folder_of", "prepare", "read"]
