"""Decoding along a grammar: the likeliest of its sentences, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr.decoding.config import GrammarDecodingConfig
from asr.decoding.forced_alignment import Path, force_align_each
from asr.decoding.grammar_automaton import GrammarDecodingError, WordGraph, build_automaton
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from sluice_core.threads import share

if TYPE_CHECKING:
    from asr.decoding.grammar_viterbi import Ending, Histories, ViterbiWorkspace

__all__ = ["GrammarDecodingError", "GrammarHypothesis", "GrammarSearch"]

Found = tuple[tuple[int, ...], float]
"""The arcs of a sentence and its score."""


@dataclass(frozen=True)
class GrammarHypothesis:
    """A sentence of the grammar, and how well it fits an utterance."""

    arcs: tuple[int, ...]
    """The arcs of the word graph, one for each word."""
    words: tuple[str, ...]
    score: float
    """Natural log of what sentences are ranked by: the probability of the best CTC path, times the grammar's weights
    to the power of the setting `weight`."""
    acoustic_score: float
    """Natural log of the best CTC path's probability."""
    free_score: float
    """The same of the best path of all, whatever it says; the acoustic score is never above it."""
    word_steps: tuple[tuple[int, int], ...]
    """The first step of each word, and the step after its last."""
    labelling: Hypothesis
    """The tokens, with steps and confidences, as other decoders give them."""


class GrammarSearch:
    """Viterbi search with a beam along the sentences of a grammar.

    Example:
        >>> from types import SimpleNamespace
        >>> graph = SimpleNamespace(
        ...     words=("on", "off"),
        ...     arc_to=np.array([1, 1], np.int32),
        ...     arc_word=np.array([0, 1], np.int32),
        ...     arc_score=np.log(np.array([0.5, 0.5], np.float32)),
        ...     first_arc=np.array([0, 2, 2], np.int32),
        ...     final_score=np.array([-np.inf, 0.0], np.float32),
        ... )
        >>> search = GrammarSearch(Tokens(["<blank>", "f", "n", "o"]), graph)
        >>> log_probs = np.log(np.array([[[0.1, 0.1, 0.1, 0.7], [0.1, 0.3, 0.4, 0.2]]]))
        >>> [each.words for each in search.decode(log_probs, np.array([2]), n_best=2)[0]]
        [('on',)]
    """

    def __init__(
        self, tokens: Tokens, graph: WordGraph, settings: GrammarDecodingConfig | None = None
    ) -> None:
        """Build the automaton of a grammar.

        Args:
            tokens: the alphabet of the recognizer.
            graph: the sentences of the grammar.
            settings: beam and weight.

        Raises:
            GrammarDecodingError: the grammar has words that the recognizer cannot write, or no sentence.
        """
        self.tokens, self.graph = tokens, graph
        self.settings = settings or GrammarDecodingConfig()
        self._automaton = build_automaton(graph, tokens, self.settings.weight)
        self._spelled = [tuple(tokens.encode(word)) for word in graph.words]
        self._workspaces: dict[int, list[ViterbiWorkspace]] = {}

    def decode(
        self, log_probs: np.ndarray, lengths: np.ndarray, n_best: int = 1
    ) -> list[list[GrammarHypothesis]]:
        """Find the best sentences of each utterance of a batch, several utterances at once (`sluice_core.threads`).

        Args:
            log_probs: `[batch, time, tokens]` natural logs; -inf is allowed.
            lengths: `[batch]` int64, the number of steps of each utterance; the steps past it are not read.
            n_best: the most sentences of an utterance; no two have the same words.

        Returns:
            The sentences of each utterance, best first; none where the utterance is too short for any of them, or
            none has a path in the beam.

        Raises:
            ValueError: the shapes are wrong, or there are NaN within the lengths.
        """
        emissions = np.ascontiguousarray(log_probs, np.float32)
        if emissions.ndim != 3 or emissions.shape[2] != len(self.tokens):
            raise ValueError(
                f"log_probs must have the shape [batch, time, {len(self.tokens)} tokens], not {emissions.shape}"
            )
        rows = [row[:length] for row, length in zip(emissions, lengths.tolist(), strict=True)]
        found: list[list[Found]] = [[] for _ in rows]

        def work(item: int) -> None:
            found[item] = self._search(rows[item], n_best)

        share(work, range(len(rows)))
        targets = [[self._target(arcs) for arcs, _ in some] for some in found]
        paths = force_align_each(emissions, lengths, targets)
        return [
            [
                self._hypothesis(arcs, score, target, path, free)
                for (arcs, score), target, path in zip(*of_one, strict=True)
            ]
            for *of_one, free in zip(found, targets, paths, map(free_score, rows), strict=True)
        ]

    def _search(self, log_probs: np.ndarray, n_best: int) -> list[Found]:
        """Find the best sentences of one utterance `[time, tokens]`."""
        from asr.decoding import grammar_viterbi  # brings numba

        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN within the lengths given")
        waiting = self._workspaces.setdefault(n_best, [])
        try:
            workspace = waiting.pop()
        except IndexError:
            workspace = grammar_viterbi.new_workspace(self._automaton, n_best)
        threshold, most = float(self.settings.beam_threshold), self.settings.beam
        ending, workspace = grammar_viterbi.search(log_probs, self._automaton, threshold, most, workspace)
        best = list(self._distinct(ending, workspace.histories, n_best))
        waiting.append(workspace)
        return best

    def _distinct(self, ending: "Ending", histories: "Histories", n_best: int) -> Iterator[Found]:
        """Yield the best path of each of the best sentences."""
        seen: set[int] = set()
        for item in np.argsort(-ending.score, kind="stable").tolist():
            words = int(ending.words[item])
            if words in seen:
                continue
            seen.add(words)
            arcs, history = (
                [int(ending.arc[item])] if ending.arc[item] >= 0 else [],
                int(ending.history[item]),
            )
            while history >= 0:
                arcs.append(int(histories.arc[history]))
                history = int(histories.before[history])
            yield tuple(reversed(arcs)), float(ending.score[item]) + self._automaton.best_score
            if len(seen) == n_best:
                return

    def _target(self, arcs: tuple[int, ...]) -> list[int]:
        """Return the tokens of a sentence, with the spaces between words where the alphabet has one."""
        target: list[int] = []
        for arc in arcs:
            if target and self._automaton.space >= 0:
                target.append(self._automaton.space)
            target.extend(self._spelled[self._automaton.arc_word[arc]])
        return target

    def _hypothesis(
        self, arcs: tuple[int, ...], score: float, target: list[int], path: Path, free: float
    ) -> GrammarHypothesis:
        words = self._automaton.arc_word[list(arcs)].tolist()
        steps, position = [], 0
        for number in words:
            length = len(self._spelled[number])
            steps.append((path.starts[position], path.ends[position + length - 1]))
            position += length + (self._automaton.space >= 0)
        return GrammarHypothesis(
            arcs=arcs,
            words=tuple(self.graph.words[number] for number in words),
            score=score,
            acoustic_score=path.score,
            free_score=free,
            word_steps=tuple(steps),
            labelling=Hypothesis(
                tuple(target),
                path.starts,
                path.ends,
                path.confidences,
                score=score,
                acoustic_score=path.score,
                language_score=score - path.score,
            ),
        )


def free_score(log_probs: np.ndarray) -> float:
    """Return the log-probability of the best path of an utterance `[time, tokens]`, whatever it says.

    Example:
        >>> round(free_score(np.log(np.array([[0.5, 0.5], [0.2, 0.8]]))), 3)  # log 0.4
        -0.916
    """
    return float(log_probs.max(axis=1).astype(np.float64).sum()) if len(log_probs) else 0.0
