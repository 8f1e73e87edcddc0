"""What a wheel holds: the five packages with all that they need, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("asr", "slot_filling", "sluice", "sluice_cells", "sluice_core")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from a copy of what stands here, so that the checkout stays as it is."""
    pytest.importorskip("build", reason="build is not installed (the extra sluice-speech[test])")
    source = tmp_path_factory.mktemp("source")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    for folder in (*PACKAGES, "recipes", "benchmarks"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(source / "dist")]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (source / "dist").glob("*.whl")
    assert path.name.startswith("sluice_speech-")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_five_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert len(tops) == len(PACKAGES) + 1


def test_the_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert there == here
    wanted = {f"{package}/py.typed" for package in PACKAGES}
    wanted |= {"sluice/recipes/ctc/travel.yaml", "sluice/recipes/slots/travel.yaml"}
    wanted |= {"sluice/server/page/index.html", "sluice_core/reporting/page.html"}
    wanted |= {f"sluice_cells/products/{name}" for name in ("kernels.h", "matrix_products.cpp")}
    wanted.add("asr/acoustic/convolutions.cpp")
    assert wanted <= there


def test_the_wheel_names_its_licence_and_the_command(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    folder = Path(metadata).parent.as_posix()
    text = wheel.read(metadata).decode()
    assert "Name: sluice-speech\n" in text and "License-Expression: Apache-2.0\n" in text
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()
    assert "sluice = sluice.cli:main" in wheel.read(f"{folder}/entry_points.txt").decode()
