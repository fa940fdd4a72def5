"""Images reach the model as asked for: picked and balanced by the seed, rotated, normalised; or are refused."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbo_jrvae.images import Digits, ImageFile, Images, Mnist, Source
from zbo_orchestrator.campaign.parts import check, options
from zbo_orchestrator.model import ConfigurationError

DATA = Path(os.environ.get("ZBO_DATA", Path(__file__).parents[2] / "../shared/data")) / "mnist"
STACK = np.random.default_rng(0).uniform(5, 9, (12, 4, 6))
LABELS = np.array([0, 1, 2] * 3 + [0, 0, 1])


def written(folder: Path, pixels: np.ndarray = STACK, labels: np.ndarray | None = LABELS, **asked: object) -> ImageFile:
    np.save(folder / "images.npy", pixels)
    if labels is not None:
        np.save(folder / "labels.npy", labels)
        asked["labels"] = folder / "labels.npy"
    return ImageFile(folder / "images.npy", **asked)


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    header = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist(folder: Path, pixels: np.ndarray, labels: np.ndarray, joint: str = "-", part: str = "train") -> Path:
    (folder / f"{part}-images{joint}idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    (folder / f"{part}-labels{joint}idx1-ubyte").write_bytes(idx(labels))
    return folder


def same(one: Images, other: Images) -> bool:
    return np.array_equal(one.pixels, other.pixels) and np.array_equal(one.labels, other.labels)


# --- the sources ------------------------------------------------------------------------------------


def test_digits_are_the_scanned_ones_in_the_unit_range() -> None:
    images = Digits().load(None, 0)
    assert images.pixels.shape == (1797, 8, 8)
    assert images.pixels.dtype == np.float32
    assert (images.pixels.min(), images.pixels.max()) == (0, 1)
    assert np.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    zero, one = (images.pixels[images.labels == digit].mean(axis=0)[3:5, 3:5].mean() for digit in (0, 1))
    assert zero < 0.3 * one  # a zero is hollow where a one is not: labels go with their images


@pytest.mark.parametrize(("joint", "part"), [("-", "train"), (".", "train"), ("-", "t10k")])
def test_mnist_is_found_under_either_spelling_and_keeps_its_values(tmp_path: Path, joint: str, part: str) -> None:
    pixels = np.arange(5 * 3 * 4).reshape(5, 3, 4) * 4
    folder = mnist(tmp_path, pixels, np.arange(5), joint, part)
    images = Mnist(folder, part="test" if part == "t10k" else "train").load(None, 3)
    np.testing.assert_allclose(images.pixels[np.argsort(images.labels)], pixels / 255, rtol=1e-6)


def test_mnist_itself() -> None:
    if not DATA.is_dir():
        pytest.skip(f"no MNIST in {DATA}: set ZBO_DATA to the folder that holds mnist")
    images = Mnist(DATA, part="test", rotate=45).load(1000, 0)
    assert images.pixels.shape == (1000, 28, 28)
    assert 0 <= images.pixels.min() < images.pixels.max() <= 1
    assert np.bincount(Mnist(DATA, part="test").load(None, 0).labels).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]


def test_the_published_layout_reads(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).normal(100, 20, (14, 96, 96))
    np.save(tmp_path / "train_plas.npy", pixels)
    np.save(tmp_path / "labels.npy", np.repeat(np.arange(1.0, 8.0), 2))  # whole numbers, saved as floats
    images = ImageFile(tmp_path / "train_plas.npy", labels=tmp_path / "labels.npy", balance=True).load(7, 0)
    assert sorted(images.labels.tolist()) == [1, 2, 3, 4, 5, 6, 7]
    assert (images.pixels.min(axis=(1, 2)) == 0).all()
    assert (images.pixels.max(axis=(1, 2)) == 1).all()


def test_one_archive_holds_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", x=STACK, y=LABELS)
    images = ImageFile(tmp_path / "all.npz", key="x", labels_key="y", normalise="none").load(None, 5)
    assert same(images, written(tmp_path, normalise="none").load(None, 5))
    assert ImageFile(tmp_path / "all.npz", key="x").load(None, 5).labels is None


# --- picking ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), subset=st.integers(1, 1797))
def test_a_subset_is_drawn_by_the_seed_and_never_repeats_an_image(seed: int, subset: int) -> None:
    images = Digits().load(subset, seed)
    whole = Digits().load(None, seed)
    assert len(images) == len(images.labels) == subset
    assert same(images, Images(whole.pixels[:subset], whole.labels[:subset]))
    assert len(np.unique(whole.pixels, axis=0)) == 1797  # all scans differ, so every one is there once


def test_another_seed_draws_other_images() -> None:
    assert not same(Digits().load(100, 0), Digits().load(100, 1))


def test_balance_gives_every_label_as_often_and_leaves_the_order_random(tmp_path: Path) -> None:
    source = written(tmp_path, balance=True)  # labels 0, 1 and 2: five, four and three times
    whole, some = source.load(None, 0), source.load(6, 0)
    assert np.bincount(whole.labels).tolist() == [3, 3, 3]
    assert np.bincount(some.labels).tolist() == [2, 2, 2]
    assert len(np.unique(whole.pixels, axis=0)) == 9
    assert len({tuple(source.load(None, seed).labels) for seed in range(8)}) > 4


@pytest.mark.parametrize(
    ("asked", "subset", "said"),
    [
        ({}, 13, "subset: 13; file has 12 images, wanted 1 to 12"),
        ({}, 0, "subset: 0; file has 12 images, wanted 1 to 12"),
        ({}, -3, "subset: -3"),
        ({"balance": True}, 12, "wants 4 images of each of 3 labels; file has 3 of label 2"),
        ({"balance": True}, 7, "subset: 7 with balance over 3 labels; wanted a multiple of 3"),
    ],
)
def test_what_there_is_not_enough_of_is_refused(tmp_path: Path, asked: dict, subset: int, said: str) -> None:
    source = written(tmp_path, **asked)
    with pytest.raises(ConfigurationError, match=said):
        source.load(subset, 0)


def test_nothing_is_balanced_without_labels(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="balance: true; file has no labels"):
        written(tmp_path, labels=None, balance=True).load(6, 0)


def test_loaded_images_are_kept_cannot_be_spoiled_and_follow_the_file(tmp_path: Path) -> None:
    source = written(tmp_path, normalise="none")
    images = source.load(6, 0)
    assert source.load(6, 0) is images
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0
    np.save(tmp_path / "images.npy", STACK + 1)
    os.utime(tmp_path / "images.npy", (0, 0))
    np.testing.assert_allclose(source.load(6, 0).pixels, images.pixels + 1, rtol=1e-6)


# --- rotation and normalisation ---------------------------------------------------------------------


def test_rotation_turns_each_image_by_its_own_angle_within_the_range(tmp_path: Path) -> None:
    bar = np.zeros((200, 21, 21))
    bar[:, 9:12, 11:19] = 200  # points to the right of the middle
    folder = mnist(tmp_path, bar, np.arange(200))
    straight, turned = Mnist(folder).load(None, 0), Mnist(folder, rotate=60.0).load(None, 0)
    np.testing.assert_array_equal(straight.labels, turned.labels)
    y, x = np.mgrid[-10:11, -10:11]
    angles = np.degrees(np.arctan2(*((turned.pixels * axis).sum(axis=(1, 2)) for axis in (y, x))))
    assert np.abs(angles).max() < 61
    counts, _ = np.histogram(angles, bins=4, range=(-60, 60))
    assert counts.min() > 30
    assert same(turned, Mnist(folder, rotate=60.0).load(None, 0))
    assert turned.pixels.max() <= 1


def test_normalisation_stretches_each_image_or_all_as_one_or_none(tmp_path: Path) -> None:
    each, stack, none = (written(tmp_path, normalise=how).load(5, 0).pixels for how in ("image", "stack", "none"))
    low, high = none.min(axis=(1, 2), keepdims=True), none.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(each, (none - low) / (high - low), atol=1e-5)
    # the whole source sets the scale, so that an image looks the same whatever it was picked with
    np.testing.assert_allclose(stack, (none - STACK.min()) / (STACK.max() - STACK.min()), atol=1e-5)
    assert none.min() >= 5


def test_bright_offsets_do_not_eat_the_contrast(tmp_path: Path) -> None:
    counts = np.int64(2**40) + np.arange(2 * 3 * 3).reshape(2, 3, 3)
    images = written(tmp_path, counts, labels=None).load(None, 0)
    np.testing.assert_allclose(images.pixels, [np.arange(9).reshape(3, 3) / 8] * 2, rtol=1e-6)


@pytest.mark.parametrize(("how", "said"), [("image", "image 7 is 2 all over"), ("stack", "all images are 2 all over")])
def test_images_without_contrast_are_refused_by_their_place_in_the_file(tmp_path: Path, how: str, said: str) -> None:
    pixels = STACK.copy() if how == "image" else np.full(STACK.shape, 2)
    pixels[7] = 2
    with pytest.raises(ConfigurationError, match=said):
        written(tmp_path, pixels, normalise=how).load(None, 0)


# --- bad input --------------------------------------------------------------------------------------


def holed(value: float) -> np.ndarray:
    pixels = STACK.copy()
    pixels[4, 1, 5] = pixels[9, 0, 0] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((3, 4)), r"holds shape \(3, 4\); wanted images \[n, h, w\]"),
        (np.zeros((3, 4, 4, 3)), r"holds shape \(3, 4, 4, 3\)"),
        (np.zeros((0, 4, 4)), r"holds shape \(0, 4, 4\)"),
        (holed(np.nan), r"image 4 is nan at pixel \[1, 5\]"),
        (holed(-np.inf), r"image 4 is -inf at pixel \[1, 5\]"),
        (np.full((2, 3, 3), "dark"), "holds <U4 values; wanted images of real numbers"),
        (np.zeros((2, 3, 3), complex), "holds complex128 values"),
    ],
)
def test_what_is_no_stack_of_images_is_refused(tmp_path: Path, pixels: np.ndarray, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"images.npy.*{said}"):
        written(tmp_path, pixels, labels=None).load(None, 0)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:-1], r"labels of shape \(11,\); wanted \[12\], one an image"),
        (LABELS[:, None], r"labels of shape \(12, 1\)"),
        (LABELS + 0.5, "label 0 is 0.5; wanted whole numbers"),
        (np.where(LABELS == 2, np.nan, LABELS), "label 2 is nan"),
        (LABELS.astype(str), "values; wanted labels, whole numbers"),
    ],
)
def test_labels_that_do_not_go_with_the_images_are_refused(tmp_path: Path, labels: np.ndarray, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"labels.npy.*{said}"):
        written(tmp_path, labels=labels).load(None, 0)


def test_images_of_uneven_sizes_are_refused_without_unpickling(tmp_path: Path) -> None:
    uneven = np.empty(2, dtype=object)
    uneven[:] = [np.zeros((3, 3)), np.zeros((4, 4))]
    np.save(tmp_path / "uneven.npy", uneven, allow_pickle=True)
    with pytest.raises(ConfigurationError, match=r"uneven.npy cannot be read .* all images of one size"):
        ImageFile(tmp_path / "uneven.npy").load(None, 0)


def test_missing_files_and_keys_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", x=STACK, y=LABELS)
    np.save(tmp_path / "x.npy", STACK)
    (tmp_path / "torn.npz").write_bytes((tmp_path / "all.npz").read_bytes()[:300])
    for source, said in [
        (ImageFile(tmp_path / "none.npy"), "none.npy is not a file"),
        (ImageFile(tmp_path / "x.npy", labels=tmp_path / "none.npy"), "none.npy is not a file"),
        (ImageFile(tmp_path / "all.npz"), r"holds arrays \['x', 'y'\]; wanted a key that is one of them, not None"),
        (ImageFile(tmp_path / "x.npy", labels_key="y"), "holds one array without a name; wanted no key, not 'y'"),
        (ImageFile(tmp_path / "torn.npz"), "torn.npz cannot be read"),
        (Mnist(tmp_path / "nowhere"), "nowhere is not a folder"),
        (
            Mnist(tmp_path),
            "has no train-images file; wanted one of train-images-idx3-ubyte, train-images-",
        ),
    ]:
        with pytest.raises(ConfigurationError, match=said):
            source.load(None, 0)


GOOD = idx(np.ones((2, 3, 4)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "starts with nothing; wanted IDX"),
        (b"\x89PNG\r\n", "starts with 89504e47; wanted IDX"),
        (idx(np.ones((2, 3, 4)), kind=0x0D), "type 0x0d with 3 axes; wanted unsigned bytes"),
        (idx(np.ones(2)), "type 0x08 with 1 axes; wanted unsigned bytes .0x08. with 3"),
        (GOOD[:9], "ends after 9 bytes; wanted a header of 16"),
        (GOOD[:-1], r"has 23 values; wanted 24 for shape \(2, 3, 4\)"),
        (GOOD + b"\0", "has 25 values; wanted 24"),
        (gzip.compress(GOOD)[:-9], "cannot be unpacked"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 20, "cannot be unpacked"),
        (idx(np.ones((0, 3, 4))), r"holds shape \(0, 3, 4\)"),
        (idx(np.ones((3, 3, 4))), "has 3 images and 2 labels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_exactly_idx_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    mnist(tmp_path, np.ones((2, 3, 4)), np.arange(2))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)  # found before the packed one
    with pytest.raises(ConfigurationError, match=said):
        Mnist(tmp_path).load(None, 0)


def part(images: Source) -> Source:
    return images


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"use": "particles", "count": -5}, "images.count"),
        ({"use": "particles", "classes": [1, 0]}, "images.classes"),
        ({"use": "particles", "classes": []}, "images.classes"),
        ({"use": "particles", "radius": [-0.1, 0.1]}, "images.radius"),
        ({"use": "digits", "rotate": -1}, "images.rotate"),
        ({"use": "digits", "normalise": "max"}, "images.normalise"),
        ({"use": "mnist"}, "images.folder"),
        ({"use": "mnist", "folder": "x", "part": "validation"}, "images.part"),
        ({"use": "file", "path": "x.npy", "keys": "a"}, "images.keys"),
    ],
)
def test_a_campaign_file_is_told_which_option_is_wrong(said: dict, place: str) -> None:
    problems = check(options(part), {"images": said})
    assert isinstance(problems, list)
    assert problems[0][0].startswith(place)


def test_a_campaign_file_can_name_every_source() -> None:
    for said in ({"use": "digits"}, {"use": "particles", "count": 5, "classes": [1, 3]}, {"use": "file", "path": "x"}):
        assert not isinstance(check(options(part), {"images": said}), list)
