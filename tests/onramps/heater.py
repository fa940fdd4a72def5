"""A heater that speaks JSON lines. Its output is a file, named on the command line, that anybody can read."""

import json
import sys
from pathlib import Path
from select import select

panel, stdin = Path(sys.argv[1]), open(0, "rb", buffering=0)  # noqa: SIM115 (unbuffered: select sees every line)


def told(seconds=None):
    """What is said within so many seconds; the end of stdin is a close."""
    return json.loads(stdin.readline() or '{"do": "close"}') if select([stdin], [], [], seconds)[0] else None


def tell(say, **more):
    print(json.dumps({"say": say, **more}), flush=True)


def execute(trial):
    gained, temperature = 0.0, []
    for step, (watts,) in enumerate(trial["values"]):
        panel.write_text(str(watts))
        if order := told(trial["dt"]):  # holds the value meanwhile
            return {"say": "error", "kind": "Stopped", "text": order.get("reason", "closed")}
        gained += trial["dt"] * (watts - 0.2 * gained)
        temperature.append(293 + gained)
        tell("report", step=step + 1, of=len(trial["values"]), values={"temperature": temperature[-1]})
    return {"say": "measured", "arrays": {"temperature": temperature}, "units": {"temperature": "K"}}


while (order := told())["do"] != "close":
    if order["do"] in ("execute", "safe"):
        answer = execute(order) if order["do"] == "execute" else {"say": "safe"}
        panel.write_text("0")
        tell(**answer, readings={"power": float(panel.read_text())})
    if order["do"] == "describe":
        limits, channels = {"power": {"lower": 0, "upper": 8}}, [{"name": "power", "unit": "W"}]
        tell("described", identity="ACME heater 17", channels=channels, limits=limits, simulated=True)
