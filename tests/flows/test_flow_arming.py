"""A flow drives no instrument that is not armed, and hands `live` on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zbo_orchestrator.model import ConfigurationError

pytestmark = pytest.mark.prefect

EXECUTOR = {"use": "scpi-waveform", "resource": "TCPIP::127.0.0.1::9::SOCKET", "outputs": [{"unit": "Ec"}]}


def test_unarmed_it_refuses_and_armed_it_wants_the_card(
    api: str, campaign_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zbo_flows.campaign import run_campaign  # noqa: PLC0415 (Prefect reads its settings when imported)

    monkeypatch.setenv("ZBO_CARDS", str(tmp_path / "cards"))
    file, history = str(campaign_file(executor=EXECUTOR, instrument="ACME,1")), str(tmp_path / "history")
    with pytest.raises(ConfigurationError, match=r"not armed; wanted --live \(live=True of the flow\)"):
        run_campaign(file, history)
    with pytest.raises(ConfigurationError, match="has no card for 'ACME,1'"):
        run_campaign(file, history, live=True)
