"""The working folder's histories in a browser, while the process that started this one lives; see `zbo_flows.owned`."""

from __future__ import annotations

import sys
from pathlib import Path

from zbo_flows.owned import end_with_owner
from zbo_orchestrator.pages import serve

if __name__ == "__main__":
    end_with_owner()
    serve(Path(), sys.argv[1], int(sys.argv[2]))
