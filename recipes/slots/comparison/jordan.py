"""A tagger whose Jordan cell has the scores of the tags as its state."""

import torch
from torch import Tensor, nn

from slot_filling.config import TaggerConfig
from slot_filling.network.model import TaggerModel
from slot_filling.network.word_batch import WordBatch
from slot_filling.vocabulary import Vocabulary


class JordanTagger(TaggerModel):
    """A tagger whose cell outputs the score of every tag, and gets these outputs as input at the next word.

    With `cell_options: {output: softmax}` the outputs are the tags' probabilities, as in Mesnil et al. 2013, and the
    structured loss gets their logs. Linear outputs are the scores before the softmax and carry more: they are a
    linear image of all hidden units. Nothing stands between the cell and the scores, so there is no dropout either.
    """

    def __init__(self, config: TaggerConfig, vocabulary: Vocabulary) -> None:
        """Make a network whose cell has as many outputs as there are tags."""
        options = {**config.encoder.cell_options, "output_size": len(vocabulary.tags)}
        encoder = config.encoder.model_copy(update={"cell_options": options})
        super().__init__(config.model_copy(update={"encoder": encoder}), vocabulary)
        self.output = nn.Identity()  # type: ignore[assignment]
        self.answers_probabilities = options.get("output") == "softmax"

    def own_scores(self, batch: WordBatch) -> tuple[Tensor, None]:
        """Return scores of tags `[batch, time, tags]`; there are no intents."""
        outputs = self.encoder.stack.outputs(self.encoder.embed(batch), batch.lengths)
        if self.answers_probabilities:
            outputs = outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log()
        return outputs, None
