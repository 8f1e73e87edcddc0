"""Statistics of a corpus, gathered utterance by utterance, and the worst suspects among the utterances."""

import heapq
import math
import statistics
from array import array
from collections import Counter, defaultdict

from asr.corpora.quality import Limits, Suspect, UtteranceStatistics, suspicions
from asr.corpora.validation_report import ValidationReport

KINDS = (
    "text too long", "silence", "two texts", "clipping", "too short", "too long",
    "fast speech", "slow speech", "duplicate",
)  # fmt: skip
"""The kinds of suspects, the most harmful first."""

OUTLIER_DEVIATIONS = 4.0  # robust standard deviations of the logarithm of the speaking rate
FEWEST_FOR_OUTLIERS = 20


class CorpusStatistics:
    """Counts whose size grows with vocabulary and speakers; each utterance adds a few bytes.

    Args:
        limits: The settings of training that decide what fits.
        worst: How many suspects to name.
    """

    def __init__(self, limits: Limits, worst: int) -> None:
        self.limits, self.worst = limits, worst
        self.utterances = 0
        self.errors: list[Suspect] = []
        self.seconds, self.rates = array("d"), array("d")
        self.speakers: set[str] = set()
        self.words, self.characters = Counter[str](), Counter[str]()
        self.sample_rates, self.channels = Counter[int](), Counter[int]()
        self.heard: dict[int, tuple[int, str]] = {}  # hash of the audio -> hash of its text, and where it is
        self.counts = Counter[str]()
        self.heaps: dict[str, list[tuple[float, int, Suspect]]] = defaultdict(list)

    def add(self, result: UtteranceStatistics | Suspect) -> None:
        """Count an utterance, or one that could not be read."""
        self.utterances += 1
        if isinstance(result, Suspect):
            self.errors.append(result)
            return
        self.seconds.append(result.seconds)
        if result.speaker:
            self.speakers.add(result.speaker)
        self.words.update(result.text.split())
        self.characters.update(result.text)
        self.sample_rates[result.sample_rate] += 1
        self.channels[result.channels] += 1
        for suspect in suspicions(result, self.limits):
            self._keep(suspect)
        self._compare_with_heard(result)
        self._note_speaking_rate(result)

    def _keep(self, suspect: Suspect) -> None:
        """Keep a suspect if it is among the worst of its kind; of equal ones, the earlier is kept."""
        self.counts[suspect.kind] += 1
        heap = self.heaps[suspect.kind]
        heapq.heappush(heap, (suspect.severity, -self.utterances, suspect))
        if len(heap) > self.worst:
            heapq.heappop(heap)

    def _compare_with_heard(self, result: UtteranceStatistics) -> None:
        """Suspect an utterance whose audio has occurred before."""
        text = hash(result.text)
        if result.audio_hash not in self.heard:
            self.heard[result.audio_hash] = text, result.where
            return
        earlier_text, earlier = self.heard[result.audio_hash]
        same = earlier_text == text
        reason = f"the same audio as {earlier}, with {'the same' if same else 'another'} text"
        self._keep(Suspect("duplicate" if same else "two texts", result.where, result.id, reason, 0.0))

    def _note_speaking_rate(self, result: UtteranceStatistics) -> None:
        """Keep the fastest and slowest; whether they are outliers is decided at the end."""
        rate = math.log(result.characters_per_second)
        self.rates.append(rate)
        reason = f"{result.characters_per_second:.1f} characters a second: {result.text[:40]!r}"
        self._keep(Suspect("fast speech", result.where, result.id, reason, rate))
        self._keep(Suspect("slow speech", result.where, result.id, reason, -rate))

    def _settle_speaking_rates(self) -> None:
        """Keep only those of the fastest and slowest that are outliers among the rates of the corpus."""
        del self.counts["fast speech"], self.counts["slow speech"]
        fast, slow = self.heaps.pop("fast speech", []), self.heaps.pop("slow speech", [])
        if len(self.rates) < FEWEST_FOR_OUTLIERS:
            return
        median = statistics.median(self.rates)
        # The factor makes it the standard deviation where rates are normally distributed.
        deviation = 1.4826 * statistics.median(abs(rate - median) for rate in self.rates)
        if not deviation:
            return
        reach = OUTLIER_DEVIATIONS * deviation
        self.heaps["fast speech"] = [item for item in fast if item[0] > median + reach]
        self.heaps["slow speech"] = [item for item in slow if -item[0] < median - reach]
        self.counts["fast speech"] = sum(rate > median + reach for rate in self.rates)
        self.counts["slow speech"] = sum(rate < median - reach for rate in self.rates)

    def _worst_suspects(self) -> list[Suspect]:
        """Return the worst of each kind, then the second worst, and so on; no utterance comes twice."""
        ranked = [
            (rank, KINDS.index(kind), suspect)
            for kind, heap in self.heaps.items()
            for rank, (_, _, suspect) in enumerate(sorted(heap, key=lambda item: item[:2], reverse=True))
        ]
        ranked.sort(key=lambda item: item[:2])
        chosen: dict[tuple[str, str], Suspect] = {}
        for _, _, suspect in ranked:
            chosen.setdefault((suspect.where, suspect.id), suspect)
        first = list(chosen.values())[: self.worst]
        return sorted(first, key=lambda suspect: KINDS.index(suspect.kind))

    def report(self, source: str) -> ValidationReport:
        """Report what was counted; nothing can be added afterwards."""
        self._settle_speaking_rates()
        seconds, words = math.fsum(self.seconds), self.words.total()
        if not self.seconds:
            return ValidationReport(source, self.utterances, hours=0.0, speakers=0, errors=self.errors)
        return ValidationReport(
            source,
            self.utterances,
            errors=self.errors,
            hours=seconds / 3600,
            speakers=len(self.speakers),
            seconds={
                "shortest": min(self.seconds),
                "median": statistics.median(self.seconds),
                "longest": max(self.seconds),
            },
            words=words,
            vocabulary=len(self.words),
            characters=dict(self.characters.most_common()),
            characters_per_second=self.characters.total() / seconds,
            words_per_second=words / seconds,
            sample_rates=dict(self.sample_rates.most_common()),
            channels=dict(self.channels.most_common()),
            suspect_counts={kind: self.counts[kind] for kind in KINDS if self.counts[kind]},
            suspects=self._worst_suspects(),
        )
