"""The lease: whose instrument it is, and numbers that only rise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from zbo_orchestrator.executors.lease import Lease, leases
from zbo_orchestrator.instrument import Description
from zbo_orchestrator.model import Channel, ConfigurationError, FatalError


@dataclass
class Addressed:
    resource: str


@dataclass
class Named:
    """Knows its name only while it is connected."""

    serial: str
    port: int = 0
    connected: bool = False

    def connect(self) -> None:
        self.connected = True

    def close(self) -> None:
        self.connected = False

    def describe(self) -> Description:
        assert self.connected
        return Description(f"ACME,{self.serial}", (Channel("bias", "V"),))


@dataclass
class Nameless:
    port: int


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path))


def test_one_instrument_has_one_lease_however_it_is_named() -> None:
    named = Named("17", port=1)
    assert leases(named) == leases(Named("17", port=2))
    assert not named.connected
    different = [Addressed("TCPIP::1"), Addressed("TCPIP:1"), named, Named("18"), Nameless(1), Nameless(2)]
    assert len({leases(executor) for executor in different}) == len(different)


def test_a_service_and_a_terminal_of_one_user_find_the_same_lease(tmp_path: Path) -> None:
    words = "from zbo_orchestrator.executors.lease import folder; print(folder())"
    shared = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    alike = [{}, {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}]
    found = {
        subprocess.run([sys.executable, "-c", words], env=shared | own, check=True, capture_output=True).stdout
        for own in alike
    }
    (kept,) = (tmp_path / ".local/state/zbo/leases").iterdir()
    assert found == {f"{kept}\n".encode()}
    assert kept.stat().st_mode & 0o077 == 0


def test_where_no_lease_can_be_kept_nothing_is_driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZBO_LEASES", str(tmp_path / "file" / "leases"))
    with pytest.raises(ConfigurationError, match=r"file/leases: Not a directory; wanted .* ZBO_LEASES=FOLDER"):
        leases(Nameless(1))


def test_a_folder_that_depends_on_where_one_stands_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBO_LEASES", "leases")
    with pytest.raises(ConfigurationError, match="ZBO_LEASES is leases; wanted an absolute path"):
        leases(Nameless(1))


def test_fencing_numbers_rise_whoever_draws_them_and_whatever_the_clock_says() -> None:
    path, _ = leases(Nameless(1))
    drawn = [Lease(path).number() for _ in range(3)]
    assert drawn[0] >= int(time.time()) - 60
    ahead = drawn[-1] + 10**6
    path.write_text(json.dumps({"number": ahead}))
    drawn += [Lease(path).number() for _ in range(2)]
    assert drawn[3:] == [ahead + 1, ahead + 2]
    assert sorted(set(drawn)) == drawn


def test_a_held_lease_is_waited_for_and_refused_with_its_holder() -> None:
    path, _ = leases(Nameless(1))
    said: list[str] = []
    holder, other = Lease(path), Lease(path)
    holder.take("the guardian of campaign one", 0, said.append)
    assert said == []
    with pytest.raises(
        FatalError, match=rf"taken by the guardian of campaign one \(pid {os.getpid()} on .*gave up after 0.1 s"
    ):
        other.take("campaign two", 0.1, said.append)
    assert said[0].startswith("waiting for the guardian of campaign one (pid")
    holder.release()
    other.take("campaign two", 0, said.append)
    assert other.holder().startswith("campaign two")
    assert len(said) == 1
