"""The settings of a domain, into which its recipe is read and which its run directory keeps."""

from pydantic import Field

from sluice_core.run_directory import RunSettings


class DomainConfig(RunSettings):
    """A domain's whole experiment: a grammar, the recipes of its two models, and how they are joined."""

    task: str = Field("domain", pattern="^domain$", description="says that this recipe trains a domain")
    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the run directory is runs/NAME")
    grammar: str = Field("travel", description="file of the grammar, or the name of a built-in one")
    recognizer: str = Field(
        "ctc/domain", description="recipe of the recognizer, whose corpus is the grammar's sentences, spoken"
    )
    tagger: str = Field("slots/domain", description="recipe of the tagger, whose corpus is the same, as text")
    recognizer_changes: list[str] = Field([], description="of the recognizer's recipe, as for --set")
    tagger_changes: list[str] = Field([], description="of the tagger's recipe, as for --set")
    beam: int = Field(
        64, ge=1, description="prefixes that the recognizer keeps after each step when it is tuned"
    )
    candidates: int = Field(8, ge=1, description="hypotheses of the recognizer that are tagged")
    weights: list[float] = Field(
        [0, 0.25, 0.5, 1, 2, 4, 8],
        min_length=1,
        description="of the tagger's opinion, to choose from on dev",
    )
    others: int = Field(
        250, ge=20, description="utterances of each kind of other speech that rejection is fitted to"
    )
    worst: int = Field(12, ge=0, description="requests of test that the report plays")
