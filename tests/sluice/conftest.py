"""What the tests of the roof share."""

from pathlib import Path

import pytest
import torch

from slot_filling.config import TaggerConfig
from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def random_tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tagger of the tones' words."""
    torch.manual_seed(3)
    encoder = {"word_size": 4, "character_size": 4, "character_filters": 4, "hidden_size": 4}
    config = TaggerConfig.check({"name": "tiny", "corpus": {"kind": "travel"}, "encoder": encoder}, "test")
    labelled = [
        Sentence(("bed", "abb"), ("O", "B-city"), "fly"),
        Sentence(("ace", "cab", "da"), ("B-date", "I-date", "O"), "ask"),
    ]
    tagger = Tagger(config, Vocabulary.learn(labelled))
    with torch.no_grad():
        tagger.model.output.weight *= 20
    run = tmp_path_factory.mktemp("taggers") / "tiny"
    tagger.save(run)
    return run
