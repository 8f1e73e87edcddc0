"""Read JSON lines, with one object on each line, of either form:

    {"text": "arrive Taipei", "slots": [{"label": "city", "start": 7, "end": 13}], "intent": "fly"}
    {"words": ["arrive", "Taipei"], "tags": ["O", "B-city"], "intent": "fly"}

`start` and `end` count characters of the text; `intent` is optional, and so is a slot's `text`, which
must then be those characters. Texts are separated into words by `slot_filling.tokenizer`; a slot that
begins or ends inside a word is widened to whole words, and the log says how many were.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.corpora.tag_conversion import RawSentence
from slot_filling.schemes import SchemeError, convert, tags_of
from slot_filling.sentences import Span
from slot_filling.tokenizer import tokenize
from sluice_core.corpus_files import CorpusError, read_lines
from sluice_core.surrogates import LONE_SURROGATE
from sluice_core.wording import plural

log = logging.getLogger(__name__)


def read(path: Path, config: SentenceCorpusConfig) -> list[RawSentence]:
    """Read the sentences of one file.

    Raises:
        CorpusError: the file cannot be read, is empty, or a line is wrong; the message names the line.
    """
    sentences, widened = [], 0
    for number, line in read_lines(path):
        if line.strip():
            where = f"{path}, line {number}"
            item = _parse(line, where)
            if {"text", "slots"} <= item.keys():
                sentence, cut = _from_text(item, where, config)
                widened += cut
            else:
                sentence = _from_words(item, where)
            _check_letters(sentence, where)
            sentences.append(sentence)
    if not sentences:
        raise CorpusError(f"{path}: the file is empty; it has one JSON object a line")
    if widened:
        log.warning(
            "%s: slots that begin or end inside a word were widened to whole words: %d", path, widened
        )
    return sentences


def _parse(line: str, where: str) -> dict[str, Any]:
    """Return the object on a line."""
    try:
        item = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{where}: not JSON: {error}; each line is one object of its own") from error
    except RecursionError as error:
        raise CorpusError(f"{where}: not JSON that can be read: nested too deeply") from error
    if not isinstance(item, dict) or not (
        {"text", "slots"} <= item.keys() or {"words", "tags"} <= item.keys()
    ):
        raise CorpusError(f'{where}: an object with "text" and "slots", or "words" and "tags", is needed')
    intent = item.get("intent")
    if intent is not None and not isinstance(intent, str):
        raise CorpusError(f"{where}: intent must be text in quotation marks, found {str(intent)[:60]}")
    return item


def _from_words(item: Mapping[str, Any], where: str) -> RawSentence:
    """Return the sentence of an object with words and tags."""
    for name in ("words", "tags"):
        if not isinstance(item[name], list) or not all(isinstance(word, str) and word for word in item[name]):
            raise CorpusError(f"{where}: {name} must be a list of texts that are not empty")
    words, tags = item["words"], item["tags"]
    if len(words) != len(tags):
        raise CorpusError(
            f"{where}: {plural(len(words), 'word')} but {plural(len(tags), 'tag')}: each word needs one"
        )
    return RawSentence(tuple(words), tuple(tags), [where] * len(words), item.get("intent") or None)


def _from_text(item: Mapping[str, Any], where: str, config: SentenceCorpusConfig) -> tuple[RawSentence, int]:
    """Return the sentence of an object with text and slots, and how many slots were widened to whole words."""
    text, slots = item["text"], item["slots"]
    if not isinstance(text, str) or not isinstance(slots, list):
        raise CorpusError(f"{where}: text must be a text, and slots a list of objects")
    tokens, spans, widened = tokenize(text), [], 0
    for slot in slots:
        label, start, end = _slot(slot, text, where)
        inside = [at for at, token in enumerate(tokens) if token.start < end and start < token.end]
        if not inside:
            raise CorpusError(f"{where}: slot {label} ({start} to {end}) has no word in it")
        spans.append(Span(label, inside[0], inside[-1] + 1))
        covered = text[tokens[inside[0]].start : tokens[inside[-1]].end]
        widened += covered != text[start:end].strip()
    try:
        tags = tags_of(spans, len(tokens), "IOB2")
        # A file may have texts and words; all is then in the one scheme that it was said to be.
        tags = convert(tags, "IOB2", config.scheme or "IOB2")
    except SchemeError as error:
        raise CorpusError(f"{where}: slots overlap, counted in words: {error}") from error
    words = tuple(token.text for token in tokens)
    return RawSentence(words, tuple(tags), [where] * len(words), item.get("intent") or None), widened


def _check_letters(sentence: RawSentence, where: str) -> None:
    """Raise if there is half of a surrogate pair, which JSON can express but no file in UTF-8 can keep."""
    for text in (*sentence.words, *sentence.tags, sentence.intent or ""):
        if LONE_SURROGATE.search(text):
            raise CorpusError(f"{where}: {text!a} holds half of a surrogate pair, which is no character")


def _slot(slot: Any, text: str, where: str) -> tuple[str, int, int]:
    """Return label, start and end of a slot once they are checked."""
    label, start, end = (
        slot.get(name) if isinstance(slot, dict) else None for name in ("label", "start", "end")
    )
    if not (isinstance(label, str) and label.strip() and type(start) is int and type(end) is int):
        raise CorpusError(
            f'{where}: a slot needs "label" (a text), "start" and "end" (whole numbers): {str(slot)[:80]}'
        )
    if not 0 <= start < end <= len(text):
        raise CorpusError(
            f"{where}: slot {label}: {start} to {end} is not a part of the text ({len(text)} characters)"
        )
    said = slot.get("text")
    if isinstance(said, str) and said != text[start:end]:
        raise CorpusError(
            f"{where}: slot {label} says {said!r}, but characters {start} to {end} are {text[start:end]!r}: "
            "count characters (not bytes) from 0, the end not included"
        )
    return label.strip(), start, end
