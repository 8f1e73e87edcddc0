"""Counts over a corpus, utterance by utterance, and the worst suspects among them."""

import heapq
import math
import statistics
from array import array
from collections import Counter, defaultdict

from asr.corpora.quality import Limits, Measurement, Suspect, suspicions
from asr.corpora.validation_report import CheckReport

KINDS = (
    "text too long", "silence", "two texts", "clipping", "too short", "too long",
    "fast speech", "slow speech", "duplicate",
)  # fmt: skip
"""What can be suspect, the most harmful first."""

OUTLIER_DEVIATIONS = 4.0  # of the logarithm of the speaking rate, robustly estimated
FEWEST_FOR_OUTLIERS = 20


class Tally:
    """Counts that grow with the vocabulary and the speakers; of each utterance a few bytes are kept."""

    def __init__(self, limits: Limits, worst: int) -> None:
        self.limits, self.worst = limits, worst
        self.utterances = 0
        self.errors: list[Suspect] = []
        self.seconds, self.rates = array("d"), array("d")
        self.speakers: set[str] = set()
        self.words, self.characters = Counter[str](), Counter[str]()
        self.sample_rates, self.channels = Counter[int](), Counter[int]()
        self.heard: dict[int, tuple[int, str]] = {}  # audio -> text and where, by hash
        self.counts = Counter[str]()
        self.heaps: dict[str, list[tuple[float, int, Suspect]]] = defaultdict(list)

    def add(self, result: Measurement | Suspect) -> None:
        """Count one utterance, or one that could not be heard."""
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
        """Keep the worst of each kind only; of equals, the earlier."""
        self.counts[suspect.kind] += 1
        heap = self.heaps[suspect.kind]
        heapq.heappush(heap, (suspect.severity, -self.utterances, suspect))
        if len(heap) > self.worst:
            heapq.heappop(heap)

    def _compare_with_heard(self, result: Measurement) -> None:
        text = hash(result.text)
        if result.audio_hash not in self.heard:
            self.heard[result.audio_hash] = text, result.where
            return
        earlier_text, earlier = self.heard[result.audio_hash]
        same = earlier_text == text
        reason = f"the same audio as {earlier}, with {'the same' if same else 'another'} text"
        self._keep(Suspect("duplicate" if same else "two texts", result.where, result.id, reason, 0.0))

    def _note_speaking_rate(self, result: Measurement) -> None:
        rate = math.log(result.characters_per_second)
        self.rates.append(rate)
        reason = f"{result.characters_per_second:.1f} characters a second: {result.text[:40]!r}"
        self._keep(Suspect("fast speech", result.where, result.id, reason, rate))
        self._keep(Suspect("slow speech", result.where, result.id, reason, -rate))

    def _settle_speaking_rates(self) -> None:
        """Of the fastest and slowest, leave those far from the corpus's own rates."""
        del self.counts["fast speech"], self.counts["slow speech"]
        fast, slow = self.heaps.pop("fast speech", []), self.heaps.pop("slow speech", [])
        if len(self.rates) < FEWEST_FOR_OUTLIERS:
            return
        median = statistics.median(self.rates)
        deviation = 1.4826 * statistics.median(
            abs(rate - median) for rate in self.rates
        )  # as of a normal one
        if not deviation:
            return
        reach = OUTLIER_DEVIATIONS * deviation
        self.heaps["fast speech"] = [item for item in fast if item[0] > median + reach]
        self.heaps["slow speech"] = [item for item in slow if -item[0] < median - reach]
        self.counts["fast speech"] = sum(rate > median + reach for rate in self.rates)
        self.counts["slow speech"] = sum(rate < median - reach for rate in self.rates)

    def _worst_suspects(self) -> list[Suspect]:
        """The worst of each kind, then the second worst, and so on; an utterance comes once."""
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

    def report(self, source: str) -> CheckReport:
        """What was counted; nothing can be added after it."""
        self._settle_speaking_rates()
        seconds, words = math.fsum(self.seconds), self.words.total()
        if not self.seconds:
            return CheckReport(source, self.utterances, hours=0.0, speakers=0, errors=self.errors)
        return CheckReport(
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
