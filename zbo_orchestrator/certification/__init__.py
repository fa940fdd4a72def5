"""What an executor was seen to do with faults injected, on a card."""

from zbo_orchestrator.certification.cards import Card, Check, digest, find, keep, require
from zbo_orchestrator.certification.certifying import Subject, certify
from zbo_orchestrator.certification.trajectories import middle

__all__ = ["Card", "Check", "Subject", "certify", "digest", "find", "keep", "middle", "require"]
