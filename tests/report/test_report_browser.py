"""The page at work in a browser, where there is one: the slider, the maps, sorting, the themes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from subjects import findings

from zbo_orchestrator.report.page import page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-quic --window-size=1200,900 --dump-dom"
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a Chromium to run the page's script")

ACT = """
<script>
const seen = {};
const text = (id) => document.getElementById(id).textContent;
const column = (k) => [...document.querySelectorAll("#table tbody tr")].map((row) => row.cells[k].textContent.trim());
const painted = (canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let k = 0; k < pixels.length; k += 4) {
    if (pixels[k + 3]) colours.add(pixels[k] << 16 | pixels[k + 1] << 8 | pixels[k + 2]);
  }
  return colours.size;
};
const canvases = () => [...document.querySelectorAll("#panels canvas")];
seen.opened = text("plan-name");
seen.painted = canvases().map(painted);
seen.labels = canvases().map((each) => each.getAttribute("aria-label"));
const slider = document.getElementById("plan");
slider.value = 3; slider.dispatchEvent(new Event("input"));
seen.slid = text("plan-name"); seen.reason = text("plan-reason"); seen.spoken = slider.getAttribute("aria-valuetext");
document.querySelector('[data-step="1"]').click();
seen.stepped = text("plan-name");
const heads = document.querySelectorAll("#table thead button");
heads[3].click(); seen.rising = column(3);
heads[3].click(); seen.falling = column(3);
const paper = () => getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
const before = paper(); document.getElementById("theme").click(); seen.papers = [before, paper()];
const note = document.createElement("script"); note.type = "application/json"; note.id = "seen";
note.textContent = JSON.stringify(seen); document.body.append(note);
</script>
"""


def browse(folder: Path, fragment: str, **subject: Any) -> dict[str, Any]:
    """Open a report at a fragment, act on it, and return what was seen."""
    place = folder / "report.html"
    place.write_text(page(findings(**subject), []).replace("</body>", ACT + "</body>"), encoding="utf-8")
    command = [str(BROWSER), *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", f"{place.as_uri()}{fragment}"]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
    found = re.search(r'id="seen">(.*?)</script>', dumped, flags=re.DOTALL)
    assert found is not None, dumped[-2000:]
    return dict(json.loads(found[1]))


def number(text: str) -> float:
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_the_page_works_in_a_browser(tmp_path: Path) -> None:
    seen = browse(tmp_path, "#plan=5", count=20, initial=8, statuses={11: "failed"})
    assert seen["opened"].startswith("Plan 5")
    assert len(seen["painted"]) == 3
    assert min(seen["painted"]) > 50
    assert seen["labels"][0].startswith("posterior mean at plan 5, from ")
    assert seen["slid"].startswith("Plan 4")
    assert "11 trials known" in seen["slid"]
    assert seen["reason"].startswith("exploit: predicted")
    assert seen["spoken"].startswith("plan 4: exploit")
    assert seen["stepped"].startswith("Plan 5")
    scored = [number(score) for score in seen["rising"][:-1]]
    assert scored == sorted(scored)
    assert [number(score) for score in seen["falling"][:-1]] == scored[::-1]
    assert seen["rising"][-1] == seen["falling"][-1] == "\N{EN DASH}"
    assert len(set(seen["papers"])) == 2


@pytest.mark.parametrize(
    ("subject", "panels"),
    [
        ({"d": 1, "shape": (60,), "count": 15, "initial": 5}, 2),
        ({"d": 3, "shape": None, "count": 20, "initial": 8, "maximize": False}, 3),
    ],
)
def test_other_dimensions_have_panels_of_their_own(subject: dict[str, Any], panels: int, tmp_path: Path) -> None:
    seen = browse(tmp_path, "", **subject)
    assert len(seen["painted"]) == panels
    assert min(seen["painted"]) > 3
