"""The history of a campaign: every plan before it is acted on, every outcome after, in a transactional Zarr store."""

from zbo_orchestrator.history.charter import Charter
from zbo_orchestrator.history.contents import log
from zbo_orchestrator.history.dataset import open_history
from zbo_orchestrator.history.epoch import held_by
from zbo_orchestrator.history.export import export
from zbo_orchestrator.history.inbox import Inbox, Request
from zbo_orchestrator.history.record import Record
from zbo_orchestrator.history.repair import repair
from zbo_orchestrator.history.scan import Scan
from zbo_orchestrator.history.sessions import SessionWarning
from zbo_orchestrator.history.store import Commit
from zbo_orchestrator.history.verify import verify
from zbo_orchestrator.history.writer import EpochWarning, History

__all__ = [
    "Charter",
    "Commit",
    "EpochWarning",
    "History",
    "Inbox",
    "Record",
    "Request",
    "Scan",
    "SessionWarning",
    "export",
    "held_by",
    "log",
    "open_history",
    "repair",
    "verify",
]
