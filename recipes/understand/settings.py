"""The settings of the recipe, into which `understand.yaml` is read."""

from pathlib import Path

from pydantic import Field

from sluice_core.config import Settings

ROOT = Path(__file__).resolve().parents[2]


class UnderstandSettings(Settings):
    """Settings of the two recipes that go together, and of their evaluation."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the run's directory in runs/")
    recognizer: str = Field(
        description="recipe of the recognizer (`sluice recipes`), whose corpus is what is measured on"
    )
    tagger: Path = Field(description="recipe of the tagger, with noise in training; a path in the repository")
    recognizer_changes: list[str] = Field([], description="of the recognizer's recipe, as for --set")
    tagger_changes: list[str] = Field([], description="of the tagger's recipe, as for --set")
    candidates: int = Field(8, ge=1, description="hypotheses of the recognizer that are tagged")
    weights: list[float] = Field(
        [0, 0.5], min_length=1, description="of the tagger's opinion, to choose from on dev"
    )
    worst: int = Field(12, ge=0, description="requests of test that the report plays")
