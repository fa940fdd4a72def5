"""`python -m zbo_orchestrator.cli` is `zbo`."""

from zbo_orchestrator.cli import main

main()
