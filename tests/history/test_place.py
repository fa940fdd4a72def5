"""Where a history is, from what a person gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbo_orchestrator.model import ConfigurationError
from zbo_orchestrator.place import Place, local

BUCKETS = st.text("abz019.-", min_size=1, max_size=61).map("a{}9".format)
NAMES = st.text("aZ09_=-. é", max_size=9).map("n{}".format)


@given(bucket=BUCKETS, names=st.lists(NAMES, min_size=1, max_size=4))
def test_an_address_comes_back_as_it_was_given(bucket: str, names: list[str]) -> None:
    place = Place.of(f"s3://{bucket}/{'/'.join(names)}/")
    assert str(place) == f"s3://{bucket}/{'/'.join(names)}"
    assert Place.of(str(place)) == Place.of(place) == place
    assert (place.bucket, place.prefix, place.name, place.remote) == (bucket, "/".join(names), names[-1], True)


@given(names=st.lists(NAMES, min_size=1, max_size=4), ending=st.sampled_from([".html", ".lock", ".scratch"]))
def test_a_folder_is_a_folder_and_its_companions_are_beside_it(names: list[str], ending: str) -> None:
    folder = Path(*names)
    for place in (Place.of(folder), Place.of(str(folder))):
        assert (place.folder, str(place), place.remote) == (folder, str(folder), False)
        assert place.beside(ending) == folder.parent / f"{folder.name}{ending}"


@pytest.mark.parametrize(
    "address",
    ["s3://", "s3://lab", "s3://lab/", "s3:///history", "s3://Lab/history", "s3://lab/../../etc", "s3://lab/a//b"],
)
def test_an_address_that_names_no_history(address: str) -> None:
    with pytest.raises(ConfigurationError, match="wanted s3://bucket/prefix"):
        Place.of(address)


@pytest.mark.parametrize("address", [Path("s3://lab/history"), "s3:/lab/history", "gs://lab/history", "https://lab/h"])
def test_what_is_neither_a_folder_nor_an_address_of_ours(address: str | Path) -> None:
    for parse in (Place.of, local):
        with pytest.raises(ConfigurationError, match=r"is no local path; .* s3://bucket/prefix"):
            parse(address)
