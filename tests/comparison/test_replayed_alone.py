"""A history is replayed without its executor: images that have gone are none of the planner's business."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from arena import duel

from zbo_orchestrator.audit import replay, replayable
from zbo_orchestrator.campaign import Campaign, load, rebuild
from zbo_orchestrator.cli import main
from zbo_orchestrator.conduct import Watcher, conduct
from zbo_orchestrator.history import Record
from zbo_orchestrator.model import ConfigurationError

LIMITS = {"channels": {"beta": {"upper": 3.0, "slew": 1.0}}, "duration": 10.0}


def run(folder: Path, **sections: object) -> tuple[Campaign, Record]:
    images = folder / "images.npy"
    images.write_bytes(b"pixels")
    executor = {"use": "arena:Trainer", "images": str(images)}
    campaign = load(duel(folder, executor=executor, budget={"initial": 4, "total": 6}, **sections), allow_code=True)
    conduct(campaign, folder / "duel", Watcher())
    return campaign, Record.read(folder / "duel")


def test_a_history_whose_images_have_gone_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, record = run(tmp_path)
    (tmp_path / "images.npy").unlink()
    with pytest.raises(ConfigurationError, match="images"):
        rebuild(record.charter.campaign, allow_code=True)
    with pytest.raises(SystemExit) as end:
        main(["verify", str(record.path), "--replay", "--allow-code"])
    assert not end.value.code
    assert f"replayed {len(record.plans)} plans: every one equal" in capsys.readouterr().out


@pytest.mark.parametrize("support", [None, 0.02])
def test_it_is_certified_by_the_campaigns_own_limits(tmp_path: Path, support: float | None) -> None:
    campaign, record = run(tmp_path, envelope=LIMITS, atlas={"grid": [9], "support": support})
    planner, certify = replayable(record, allow_code=True)
    points = np.linspace(0, 4, 17)[:, None]
    assert np.array_equal(certify(points), campaign.certify(record)(points))
    assert certify.limits == campaign.certify(record).limits
    assert not any(each.difference for each in replay(record, planner, certify))


def test_code_is_not_built_unasked(tmp_path: Path) -> None:
    _, record = run(tmp_path)
    with pytest.raises(ConfigurationError, match="--allow-code"):
        replayable(record)
