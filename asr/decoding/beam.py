"""Beam search over prefixes, with language models, a lexicon and hot words, on all cores."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from asr.config import DecodingConfig
from asr.decoding.alphabet import Alphabet
from asr.decoding.fusion import Fusion, fuse, with_hot_words
from asr.decoding.hot_words import HotWords
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.lexicon import Lexicon
from asr.tokens import Tokens

if TYPE_CHECKING:
    from asr.decoding.forced_alignment import Path
    from asr.decoding.search import Workspace
    from sluice_core.language_models.ngram import NGram

Labelling = tuple[tuple[int, ...], float, float]
"""Tokens, acoustic score, language score."""


class BeamSearch:
    """Prefix beam search of CTC.

    A hypothesis ranks by  log P(labelling) + weight * log P(words, end) + bonus * words + boosts of hot words:
    the first is the sum over all paths of the labelling that stayed in the beam, the second the n-gram's, in which
    an unknown word has `unknown_score` at most. While a word grows, the best that can come of it stands for it.

    With an n-gram of characters each character is a word in this formula, the space too. With a lexicon all words of
    a text are in it. A space that follows no word ends none and costs nothing. Tokens that are subwords, and
    alphabets without a space, need nothing special: there a text without spaces is one word.

    Example:
        >>> search = BeamSearch(Tokens(["<blank>", "a", "b"]), DecodingConfig(beam=8))
        >>> log_probs = torch.tensor([[[0.1, 0.6, 0.3], [0.6, 0.2, 0.2]]]).log()
        >>> search.decode(log_probs, torch.tensor([2]))[0][0].tokens
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
        """Put a search together.

        Args:
            tokens: the alphabet.
            settings: beam, thresholds, weights. Its files are not read: they are given by the other arguments.
            language_model: of words or characters.
            lexicon: the output keeps to its words; none for an open vocabulary.
            hot_words: boosted phrases; those of the settings if not given.

        Raises:
            FusionError, LexiconError, HotWordsError: one of them does not go with the alphabet.
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
        """A search by other settings with the same language model, lexicon and hot words."""
        return BeamSearch(self.tokens, settings, self.language_model, self.lexicon, self.hot_words)

    def decode(
        self, log_probs: Tensor, lengths: Tensor, hot_words: HotWords | None = None, *, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Decode a batch, utterances side by side on as many threads as torch uses.

        Args:
            log_probs: `[batch, steps, tokens]` natural logs; -inf is allowed.
            lengths: `[batch]` int64 steps of each utterance; what stands past them is not read.
            hot_words: for this batch, instead of the search's own.
            n_best: most hypotheses of an utterance; no two have the same text.

        Returns:
            Hypotheses of each utterance, best first: at least one, if only the empty one. Where no prefix in the
            beam is a text of the lexicon, what is whole of each one's words.

        Raises:
            ValueError: the shapes are not those, or there are NaN within the lengths.
            HotWordsError: hot words do not go with the alphabet.
        """
        if log_probs.dim() != 3 or log_probs.shape[2] != len(self.tokens):
            raise ValueError(
                f"log_probs must be [batch, steps, {len(self.tokens)} tokens]: {tuple(log_probs.shape)}"
            )
        fusion = self._fusion
        if hot_words is not None:
            fusion = with_hot_words(fusion, hot_words, self._alphabet, self.lexicon)
        emissions = log_probs.detach().float().cpu().contiguous()
        rows = [row[:length] for row, length in zip(emissions.numpy(), lengths.tolist(), strict=True)]
        threads = max(1, min(torch.get_num_threads(), len(rows)))
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

    def _search_all(self, rows: list[np.ndarray], fusion: Fusion, n_best: int) -> list[list[Labelling]]:
        """The best labellings of utterances `[steps, tokens]`, one after the other in the same memory."""
        from asr.decoding import search  # brings numba, which those who decode greedily need not load

        workspace = search.new_workspace(fusion, len(self.tokens), self.settings.beam)
        found = []
        for row in rows:
            labellings, tree = self._search(row, fusion, workspace, n_best)
            workspace = workspace._replace(tree=tree)  # it may have grown
            found.append(labellings)
        return found

    def _search(
        self, log_probs: np.ndarray, fusion: Fusion, workspace: "Workspace", n_best: int
    ) -> tuple[list[Labelling], np.ndarray]:
        """The best labellings of one utterance `[steps, tokens]`, and the memory of its prefixes."""
        from asr.decoding import search

        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN within the lengths given")
        settings = self.settings
        tree, nodes, acoustic, language, possible = search.search(
            torch.from_numpy(log_probs)
            .double()
            .exp_()
            .numpy(),  # numpy's is slower where there is no AVX-512
            math.exp(-settings.beam_threshold),
            settings.token_threshold,
            fusion,
            workspace,
        )
        if possible.any():
            nodes, acoustic, language = nodes[possible], acoustic[possible], language[possible]
        else:
            parts = {search.complete_part(tree, node, fusion) for node in nodes}
            nodes = np.array(sorted(parts), np.int32)
            texts = [search.labelling(tree, node) for node in nodes]
            acoustic = np.array([search.forward_score(log_probs, text) for text in texts])
            language = np.array([search.language_score(text, fusion) for text in texts])
        order = np.argsort(-(acoustic + language), kind="stable")
        ranked = ((search.labelling(tree, nodes[k]), acoustic[k], language[k]) for k in order)
        return list(self._distinct(ranked, n_best)), tree

    def _distinct(
        self, ranked: Iterator[tuple[np.ndarray, float, float]], n_best: int
    ) -> Iterator[Labelling]:
        """The first labelling of each text: others differ from it by spaces, or by how subwords cut it."""
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


def _with_times(found: list[list[Labelling]], emissions: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
    """Labellings of each utterance with the steps of their tokens on the likeliest path."""
    from asr.decoding.forced_alignment import force_align_each

    # Where nothing is possible at all, there is no path; and without tokens there is nothing to place.
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
