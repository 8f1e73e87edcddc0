"""Prefix beam search of CTC with language models, a lexicon and hot words, on several threads."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from asr.decoding.alphabet import Alphabet
from asr.decoding.config import DecodingConfig
from asr.decoding.hot_words import HotWords
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.lexicon import Lexicon
from asr.decoding.shallow_fusion import ShallowFusion, fuse, with_hot_words
from asr.tokens import Tokens
from sluice_core.threads import thread_count

if TYPE_CHECKING:
    from asr.decoding.forced_alignment import Path
    from asr.decoding.prefixes import Workspace
    from sluice_core.language_models.ngram import NGram

Labelling = tuple[tuple[int, ...], float, float]
"""The tokens of a hypothesis, its acoustic score and its language score."""


class BeamSearch:
    """Prefix beam search of CTC with shallow fusion.

    A hypothesis ranks by  log P(labelling) + weight * log P(words, end) + bonus * words + boosts of hot words.
    The first term sums all paths of the labelling that stayed in the beam. The second is the n-gram's, which gives an
    unknown word `unknown_score` at most. While a word grows, the best score that any of its completions can have
    stands for its score.

    With an n-gram of characters each character, the space included, is a word in this formula. With a lexicon, every
    word of a text is in the lexicon. A space that follows no word ends no word and costs nothing. Subwords and
    alphabets without a space need nothing special: without spaces, a text is one word.

    Example:
        >>> search = BeamSearch(Tokens(["<blank>", "a", "b"]), DecodingConfig(beam=8))
        >>> log_probs = np.log(np.array([[[0.1, 0.6, 0.3], [0.6, 0.2, 0.2]]]))
        >>> search.decode(log_probs, np.array([2]))[0][0].tokens
        (1,)
    """

    def __init__(
        self,
        tokens: Tokens,
        settings: DecodingConfig,
        language_model: "NGram | None" = None,
        lexicon: Lexicon | None = None,
        hot_words: HotWords | None = None,
    ) -> None:
        """Make a search.

        Args:
            tokens: the alphabet.
            settings: beam, thresholds and weights. The files named in it are not read; the other arguments replace
                them.
            language_model: an n-gram of words or characters.
            lexicon: restricts the output to its words; the vocabulary is open if not given.
            hot_words: boosted phrases; those of the settings if not given.

        Raises:
            FusionError: the language model does not fit the alphabet.
            LexiconError: the lexicon does not fit the alphabet.
            HotWordsError: a hot word does not fit the alphabet or the lexicon.
        """
        self.tokens = tokens
        self.settings = settings
        self.language_model = language_model
        self.lexicon = lexicon
        self.hot_words = hot_words or HotWords(settings.hot_words)
        self._alphabet = Alphabet(tokens)
        plain = fuse(self._alphabet, settings, language_model, lexicon)
        self._fusion = with_hot_words(plain, self.hot_words, self._alphabet, lexicon)

    def with_settings(self, settings: DecodingConfig) -> "BeamSearch":
        """Return a search with other settings and the same language model, lexicon and hot words."""
        return BeamSearch(self.tokens, settings, self.language_model, self.lexicon, self.hot_words)

    def decode(
        self,
        log_probs: np.ndarray,
        lengths: np.ndarray,
        hot_words: HotWords | None = None,
        *,
        n_best: int = 1,
    ) -> list[list[Hypothesis]]:
        """Decode a batch, several utterances at once (see `sluice_core.threads`).

        Args:
            log_probs: `[batch, time, tokens]` natural logs; -inf is allowed.
            lengths: `[batch]` int64, the number of steps of each utterance; the steps past it are not read.
            hot_words: the phrases boosted in this batch, instead of the search's own.
            n_best: the most hypotheses of an utterance; no two have the same text.

        Returns:
            The hypotheses of each utterance, best first; at least one for each, which may be empty. Where no prefix in
            the beam is a text of the lexicon, each is cut off after its last complete word.

        Raises:
            ValueError: the shapes are wrong, or there are NaN within the lengths.
            HotWordsError: the hot words do not fit the alphabet or the lexicon.
        """
        emissions = np.ascontiguousarray(log_probs, np.float32)
        if emissions.ndim != 3 or emissions.shape[2] != len(self.tokens):
            raise ValueError(
                f"log_probs must have the shape [batch, time, {len(self.tokens)} tokens], not {emissions.shape}"
            )
        fusion = self._fusion
        if hot_words is not None:
            fusion = with_hot_words(fusion, hot_words, self._alphabet, self.lexicon)
        rows = [row[:length] for row, length in zip(emissions, lengths.tolist(), strict=True)]
        threads = max(1, min(thread_count(), len(rows)))
        if threads == 1:
            found = self._search_all(rows, fusion, n_best)
        else:
            found = [[] for _ in rows]
            with ThreadPoolExecutor(threads) as pool:
                shares = [range(first, len(rows), threads) for first in range(threads)]
                texts = pool.map(
                    lambda share: self._search_all([rows[k] for k in share], fusion, n_best), shares
                )
                for share, labellings in zip(shares, texts, strict=True):
                    for item, labelling in zip(share, labellings, strict=True):
                        found[item] = labelling
        return _with_times(found, emissions, lengths)

    def _search_all(
        self, rows: list[np.ndarray], fusion: ShallowFusion, n_best: int
    ) -> list[list[Labelling]]:
        """Find the best labellings of utterances `[time, tokens]`, one after the other in the same memory."""
        from asr.decoding import prefixes  # brings numba, which greedy decoding does not need

        workspace = prefixes.new_workspace(fusion, len(self.tokens), self.settings.beam)
        found = []
        for row in rows:
            labellings, tree = self._search(row, fusion, workspace, n_best)
            workspace = workspace._replace(tree=tree)  # it may have grown
            found.append(labellings)
        return found

    def _search(
        self, log_probs: np.ndarray, fusion: ShallowFusion, workspace: "Workspace", n_best: int
    ) -> tuple[list[Labelling], np.ndarray]:
        """Find the best labellings of one utterance `[time, tokens]`; also return the memory of its prefixes."""
        from asr.decoding import prefixes, search

        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN within the lengths given")
        settings = self.settings
        tree, nodes, acoustic, language, possible = search.search(
            np.exp(log_probs.astype(np.float64)),
            math.exp(-settings.beam_threshold),
            settings.token_threshold,
            fusion,
            workspace,
        )
        if possible.any():
            nodes, acoustic, language = nodes[possible], acoustic[possible], language[possible]
        else:
            parts = {prefixes.complete_part(tree, node, fusion) for node in nodes}
            nodes = np.array(sorted(parts), np.int32)
            texts = [prefixes.labelling(tree, node) for node in nodes]
            acoustic = np.array([search.forward_score(log_probs, text) for text in texts])
            language = np.array([search.language_score(text, fusion) for text in texts])
        order = np.argsort(-(acoustic + language), kind="stable")
        ranked = ((prefixes.labelling(tree, nodes[k]), acoustic[k], language[k]) for k in order)
        return list(self._distinct(ranked, n_best)), tree

    def _distinct(
        self, ranked: Iterator[tuple[np.ndarray, float, float]], n_best: int
    ) -> Iterator[Labelling]:
        """Yield the first labelling of each text; others of that text have other spaces, or other subwords."""
        texts: set[str] = set()
        for labelling, acoustic, language in ranked:
            tokens = tuple(labelling.tolist())
            text = " ".join(self.tokens.decode(tokens).split())
            if text in texts:
                continue
            texts.add(text)
            yield tokens, float(acoustic), float(language)
            if len(texts) == n_best:
                return


def _with_times(
    found: list[list[Labelling]], emissions: np.ndarray, lengths: np.ndarray
) -> list[list[Hypothesis]]:
    """Make hypotheses of each utterance's labellings, with the steps of their tokens on the likeliest path."""
    from asr.decoding.forced_alignment import force_align_each

    # A labelling of probability 0 has no path, and one without tokens has nothing to place.
    targets = [
        [tokens for tokens, acoustic, _ in some if math.isfinite(acoustic) and tokens] for some in found
    ]
    paths = force_align_each(emissions, lengths, targets)
    return [
        [_hypothesis(labelling, places) for labelling in some]
        for some, places in zip(found, map(dict, map(zip, targets, paths)), strict=True)
    ]


def _hypothesis(labelling: Labelling, places: "dict[tuple[int, ...], Path]") -> Hypothesis:
    tokens, acoustic, language = labelling
    path = places.get(tokens)
    return Hypothesis(
        tokens,
        path.starts if path else (),
        path.ends if path else (),
        path.confidences if path else (),
        score=acoustic + language,
        acoustic_score=acoustic,
        language_score=language,
    )
