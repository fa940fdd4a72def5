"""An experiment as a program: it scores a trajectory, and stands still in trial 5 until it may go on."""

import json
import sys
from pathlib import Path
from select import select

folder = Path(sys.argv[1])

trial = json.loads(sys.stdin.readline())
if trial["number"] == 5 and not (folder / "go").exists():
    (folder / "held").touch()
    while not (folder / "go").exists():
        if select([sys.stdin], [], [], 0.1)[0]:  # a close, or nobody is left to say one
            sys.exit()
measured = {"curl": [[value for (value,) in trial["values"]]]}
print(json.dumps({"say": "measured", "arrays": measured}), flush=True)
