"""Campaign files, and the campaigns they describe. pydantic and YAML live here only."""

from zbo_orchestrator.campaign.built import Campaign, silent
from zbo_orchestrator.campaign.loading import load, part, rebuild

__all__ = ["Campaign", "load", "part", "rebuild", "silent"]
