"""The history of a campaign: every plan before it is acted on, every outcome after, in a transactional Zarr store."""

from zbo_orchestrator.history.charter import Charter
from zbo_orchestrator.history.record import Record, log
from zbo_orchestrator.history.store import Commit
from zbo_orchestrator.history.writer import History, SessionWarning

__all__ = ["Charter", "Commit", "History", "Record", "SessionWarning", "log"]
