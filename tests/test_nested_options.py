"""Options within options: `images: {use: drawn, side: 4}` is checked, taught and remembered like any other option."""

from __future__ import annotations

from pathlib import Path

import lab
import pytest

from zbo_orchestrator.campaign import part
from zbo_orchestrator.campaign.catalogue import explained
from zbo_orchestrator.campaign.parts import Part, options, specify
from zbo_orchestrator.model import ConfigurationError


def chosen(**images: object) -> lab.Choosy:
    made = part("executors", {"use": "lab:Choosy", "images": images}, allow_code=True)
    assert isinstance(made, lab.Choosy)
    return made


def specified(place: Path, **images: object) -> Part:
    section = {"use": "lab:Choosy", "images": images}
    found = specify("executors", section, seed=0, folder=place, allow_code=True)
    assert isinstance(found, Part)
    return found


def test_the_chosen_alternative_is_built_with_its_options() -> None:
    assert chosen(use="drawn", side=4).images == lab.Drawn(side=4)
    assert part("executors", {"use": "lab:Choosy"}, allow_code=True).images == lab.Drawn()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({"use": "drawn", "sides": 4}, ["images.sides: unknown key", "wanted one of side, use", "did you mean side?"]),
        ({"use": "drawm"}, ["images: got", "wanted `use:` one of drawn, stored (did you mean drawn?)"]),
        ({"side": 4}, ["images: got", "wanted `use:` one of drawn, stored"]),
        ({"use": "drawn", "side": 1}, ["images.side: got 1; wanted greater than or equal to 2"]),
        ({"use": "stored"}, ["images.folder: missing"]),
    ],
)
def test_a_mistake_within_is_named_by_path_value_and_wish(images: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        chosen(**images)
    for word in words:
        assert word in str(caught.value)


def test_a_folder_within_starts_from_the_file_and_is_known_by_its_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "images" / "one.npy").write_bytes(b"1")
    one, other = (specified(tmp_path / name, use="stored", folder="images") for name in ("a", "b"))
    assert one.build().images.folder == tmp_path / "a" / "images"
    assert one.document["images"]["folder"] == str(tmp_path / "a" / "images")
    assert one.identity == other.identity
    (tmp_path / "b" / "images" / "one.npy").write_bytes(b"2")
    assert one.identity != specified(tmp_path / "b", use="stored", folder="images").identity


def test_every_alternative_is_taught() -> None:
    model = options(lab.Choosy).model_json_schema()
    taught = "\n".join(explained(model, model))
    assert "{use: drawn | stored, ...}" in taught
    for line in ("use: drawn", "use: stored", "side", "folder"):
        assert line in taught
