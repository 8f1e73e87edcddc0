"""The report on a corpus, as facts for programs and as text for people."""

from dataclasses import asdict, dataclass, field
from typing import Any

from asr.corpora.quality import Suspect

CHARACTERS_SHOWN = 80
ERRORS_SHOWN = 100


@dataclass(frozen=True)
class ValidationReport:
    """What a corpus contains, and what is wrong with it."""

    source: str
    utterances: int
    """How many lines there are, usable or not."""
    hours: float
    """The length of the usable utterances; everything below is about them, too."""
    speakers: int
    """How many different names there are; 0 where none is given."""
    seconds: dict[str, float] = field(default_factory=dict)
    """The lengths of the `shortest`, the `median` and the `longest` utterance."""
    words: int = 0
    """How many words there are in all texts."""
    vocabulary: int = 0
    """How many different words there are."""
    characters: dict[str, int] = field(default_factory=dict)
    """How often each character occurs, the most frequent first."""
    characters_per_second: float = 0.0
    words_per_second: float = 0.0
    sample_rates: dict[int, int] = field(default_factory=dict)
    """How many utterances have each rate in Hz."""
    channels: dict[int, int] = field(default_factory=dict)
    """How many utterances have each number of channels."""
    errors: list[Suspect] = field(default_factory=list)
    """Every line that cannot be used, in the order of the manifest."""
    suspect_counts: dict[str, int] = field(default_factory=dict)
    """How many utterances are suspect, by kind."""
    suspects: list[Suspect] = field(default_factory=list)
    """The worst suspects: the worst of each kind before the second worst of any."""

    @property
    def ok(self) -> bool:
        """Whether every line can be used."""
        return not self.errors

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for programs, ready for JSON."""
        facts = asdict(self) | {"ok": self.ok}
        for name in ("errors", "suspects"):
            facts[name] = [
                {key: item[key] for key in ("kind", "where", "id", "reason")} for item in facts[name]
            ]
        return facts

    def format(self) -> str:
        """Return the report as text for people."""
        from tabulate import tabulate

        paragraphs = [f"{self.source}", tabulate(self._overview(), tablefmt="plain", disable_numparse=True)]
        if self.errors:
            paragraphs.append(f"Lines that cannot be used: {len(self.errors)} of {self.utterances}")
            shown = [f"  {item.where}: {item.reason}" for item in self.errors[:ERRORS_SHOWN]]
            if len(self.errors) > ERRORS_SHOWN:
                shown.append(f"  and {len(self.errors) - ERRORS_SHOWN} more (the JSON report has them all)")
            paragraphs.append("\n".join(shown))
        if self.suspects:
            counts = ", ".join(f"{count} {kind}" for kind, count in self.suspect_counts.items())
            title = (
                f"The {len(self.suspects)} worst suspects" if len(self.suspects) > 1 else "The worst suspect"
            )
            paragraphs.append(f"{title} (in all: {counts})")
            rows = [
                (item.where if item.where == item.id else f"{item.where}: {item.id}", item.kind, item.reason)
                for item in self.suspects
            ]
            paragraphs.append(tabulate(rows, headers=("utterance", "suspect", "why"), disable_numparse=True))
        elif not self.errors:
            paragraphs.append("Nothing is suspect.")
        return "\n\n".join(paragraphs)

    def _overview(self) -> list[tuple[str, str]]:
        """Return names and values of what the corpus contains."""
        rows = [
            ("utterances", f"{self.utterances:,}"),
            ("hours", f"{self.hours:.2f}"),
            ("speakers", f"{self.speakers:,}" if self.speakers else "not named"),
        ]
        if not self.seconds:
            return rows
        shown = "".join("␣" if character == " " else character for character in self.characters)
        more = f" and {len(shown) - CHARACTERS_SHOWN} more" if len(shown) > CHARACTERS_SHOWN else ""
        return [
            *rows,
            ("seconds", ", ".join(f"{name} {value:.2f}" for name, value in self.seconds.items())),
            ("words", f"{self.words:,}, {self.vocabulary:,} of them different"),
            ("characters", f"{len(self.characters)}: {shown[:CHARACTERS_SHOWN]}{more}"),
            (
                "speaking rate",
                f"{self.characters_per_second:.1f} characters, {self.words_per_second:.1f} words a second",
            ),
            ("sample rates", ", ".join(f"{rate} Hz: {count:,}" for rate, count in self.sample_rates.items())),
            ("channels", ", ".join(f"{channels}: {count:,}" for channels, count in self.channels.items())),
        ]
