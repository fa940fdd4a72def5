"""pyroVED imports beside any torch, and nothing is left behind where a stand-in was lent."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from zbo_orchestrator.pyroved_import import make_grid


def python(code: str, *folders: Path) -> str:
    """What a fresh interpreter prints, with folders first on its path."""
    lines = [f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}", textwrap.dedent(code)]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def torchvision(tmp_path: Path):
    """Installs a torchvision of our own making in front of any real one."""

    def write(body: str) -> Path:
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "__init__.py").write_text(body)
        (package / "utils.py").write_text("def make_grid(*args, **kwargs): return 'the real one'")
        return tmp_path

    return write


MISMATCHED = 'raise RuntimeError("operator torchvision::nms does not exist")'
LOAD = """
    from zbo_orchestrator.pyroved_import import load_pyroved
    pyroved = load_pyroved()
    print(pyroved.models.iVAE.__name__, pyroved.utils.viz.make_grid.__module__, "torchvision" in sys.modules)
    assert load_pyroved() is pyroved
"""


def test_as_installed_it_imports() -> None:
    assert python(LOAD).startswith("iVAE ")


def test_a_torchvision_of_another_build_is_stood_in_for_and_the_stand_in_taken_away(torchvision) -> None:
    assert python(LOAD, torchvision(MISMATCHED)).split() == ["iVAE", "zbo_orchestrator.pyroved_import", "False"]


def test_a_working_torchvision_is_left_alone(torchvision) -> None:
    assert python(LOAD, torchvision("")).split() == ["iVAE", "torchvision.utils", "True"]


def test_any_other_failure_is_raised_as_it_is(torchvision) -> None:
    code = """
        from zbo_orchestrator.pyroved_import import load_pyroved
        try:
            load_pyroved()
        except RuntimeError as error:
            print(error)
    """
    assert python(code, torchvision('raise RuntimeError("out of coffee")')) == "out of coffee\n"


def test_images_are_tiled_row_by_row_with_padding() -> None:
    images = torch.arange(1.0, 6.0)[:, None, None, None].expand(5, 1, 2, 3)
    grid = make_grid(images, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 1 + 2 * 3, 1 + 3 * 4)
    assert grid[0, 1, 1::4].tolist() == [1, 2, 3]
    assert grid[2, 4, 1::4].tolist() == [4, 5, -1]
    assert (grid[0, 3] == -1).all()
    assert (grid[0, :, 4] == -1).all()
    assert make_grid(images[:2], nrow=8).shape == (3, 2 + 4, 2 + 5 * 2)
