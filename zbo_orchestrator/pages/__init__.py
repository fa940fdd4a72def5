"""Histories in a browser: a folder's table of contents, the report and the figures of each, drawn when asked for."""

from zbo_orchestrator.pages.serving import names_of, serve

__all__ = ["names_of", "serve"]
