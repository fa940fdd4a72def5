"""A campaign's figures and its report: one HTML file that needs nothing else."""

from zbo_orchestrator.report.writing import write

__all__ = ["write"]
