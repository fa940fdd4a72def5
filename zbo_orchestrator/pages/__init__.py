"""Histories in a browser: a folder's table of contents, the report and the figures of each, drawn when asked for."""

from zbo_orchestrator.pages.serving import serve

__all__ = ["serve"]
