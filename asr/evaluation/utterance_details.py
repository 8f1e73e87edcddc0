"""The section of a recognizer's report that shows a few utterances with audio, spectrogram and posteriors."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asr.audio.reading import AudioError
from asr.audio.writing import encode_flac
from asr.corpora.utterances import read_utterance
from asr.evaluation.error_analysis import AlignedUtterance
from asr.evaluation.error_rates import Unit
from asr.evaluation.error_tables import mark_hypothesis, mark_reference
from asr.evaluation.pictures import DRAWN_SECONDS, picture
from asr.transcriber import Transcriber
from sluice_core.reporting.page import Audio, Block, Notice, Paragraph, Picture, Section, Subsection, Texts
from sluice_core.wording import capitalize, plural

if TYPE_CHECKING:
    from datasets import Dataset


def utterance_details(
    split: str, ordered: Sequence[AlignedUtterance], dataset: "Dataset", transcriber: Transcriber, unit: Unit
) -> Section:
    """Show the best, a median and the worst utterance, each once."""
    chosen = {"Best": ordered[-1], "Median": ordered[len(ordered) // 2], "Worst": ordered[0]}
    shown: set[int] = set()
    blocks: list[Block] = [
        Paragraph(
            "What the model is given and what it answers. Grey is the posterior of the blank, coloured lines are those "
            "of tokens; each token that is emitted stands above its highest step."
        )
    ]
    for name, utterance in chosen.items():
        if utterance.item not in shown:
            blocks.append(_utterance_subsection(name, utterance, dataset[utterance.item], transcriber, unit))
        shown.add(utterance.item)
    return Section(f"Utterances of {split} in detail", blocks)


def _utterance_subsection(
    name: str, utterance: AlignedUtterance, row: dict[str, Any], transcriber: Transcriber, unit: Unit
) -> Subsection:
    title = f"{name}: {utterance.id}"
    count, speaker = utterance.count, f"speaker {utterance.speaker}, " if utterance.speaker else ""
    texts = Texts(
        [
            ("said", mark_reference(utterance.edits, unit)),
            ("recognized", mark_hypothesis(utterance.edits, unit)),
        ]
    )
    errors = f"{plural(count.errors, 'error')} in {plural(count.total, unit.removesuffix('s'))}"
    facts = Paragraph(capitalize(f"{speaker}{utterance.seconds:.1f} s, {errors}"))
    rate = transcriber.config.features.sample_rate
    try:
        samples = read_utterance(row, rate)
    except AudioError as error:
        return Subsection(title, [facts, texts, Notice(str(error))])
    samples = samples[: math.ceil(DRAWN_SECONDS * rate)]
    svg, alt = picture(transcriber, samples, list(row.get("words") or []))
    whole = utterance.seconds <= DRAWN_SECONDS + 0.1
    caption = "" if whole else f"The first {DRAWN_SECONDS:.0f} seconds, to be seen and heard."
    sound = Audio(encode_flac(samples, rate), f"Utterance {utterance.id}")
    return Subsection(title, [facts, texts, sound, Picture(svg, alt, caption, wide=True)])
