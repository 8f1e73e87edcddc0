"""Say what is in a grammar and what may be wrong with it, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sluice_core.grammar.ambiguity import find_ambiguities
from sluice_core.grammar.draft import Draft, Finding
from sluice_core.grammar.expressions import GrammarError, Terminal, descendants, references
from sluice_core.grammar.grammar import AnnotatedSentence, Grammar
from sluice_core.grammar.reading import read_draft
from sluice_core.grammar.yaml_lines import Place
from sluice_core.wording import plural

ABBREVIATIONS = {
    "mr": "mister", "mrs": "missis", "dr": "doctor", "st": "saint or street", "kg": "kilograms",
    "km": "kilometres", "cm": "centimetres", "mm": "millimetres", "ml": "millilitres", "min": "minutes",
    "sec": "seconds", "etc": "et cetera", "vs": "versus",
}  # fmt: skip
VOWELS = set("aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœ")


@dataclass
class GrammarReport:
    """What a check of a grammar found."""

    findings: list[Finding] = field(default_factory=list)
    grammar: Grammar | None = None
    """The grammar, if it has no errors."""
    sentences: int = 0
    """How many there are; one that can be made in two ways counts twice."""
    samples: list[AnnotatedSentence] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        """Whether the grammar cannot be used."""
        return self.grammar is None


def check_grammar(path: Path, samples: int = 10, seed: int = 1) -> GrammarReport:
    """Read a grammar and look for everything that may surprise whoever wrote it.

    Args:
        path: the grammar's file.
        samples: how many sentences to draw.
        seed: decides which.
    """
    try:
        draft = read_draft(path)
    except GrammarError as error:
        return GrammarReport([Finding(Place(path), str(error).removeprefix(f"{path}: "))])
    if not draft.has_errors:
        draft.check_rules()
    if draft.has_errors:
        return GrammarReport(draft.findings)
    grammar = draft.grammar()
    random = Random(seed)
    drawn = [grammar.draw(random) for _ in range(samples)]
    findings = [
        *draft.findings,
        *_left_out(draft),
        *_unused(draft, grammar),
        *_misread_words(draft, grammar),
        *_ambiguous(draft, grammar),
    ]
    return GrammarReport(findings, grammar, grammar.count(), drawn)


def _left_out(draft: Draft) -> Iterator[Finding]:
    """Say which sentences nobody can say, and which lists would let them be said."""
    counts: dict[str, list[Place]] = {}
    for place, (_, missing) in draft.left_out.items():
        for name in missing or ("",):
            counts.setdefault(name, []).append(place)
    for name, places in sorted(counts.items()):
        what = f"the list {name!r} has no values" if name else "it has signs that nobody can say"
        todo = f"; add them under lists: ({name}: [...])" if name else ""
        yield Finding(
            places[0], f"{plural(len(places), 'sentence')} left out, this one first: {what}{todo}", "warning"
        )


def _unused(draft: Draft, grammar: Grammar) -> Iterator[Finding]:
    """Say which rules and lists no sentence uses, and which sounds are of no word."""
    used: set[str] = set()
    waiting = [name for _, template in grammar.templates() for name in references(template.expression)]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(references(grammar.rules[name]))
    for name, line in draft.lines.items():
        if name not in used and line:
            yield Finding(Place(draft.path, line), f"no sentence uses {name!r}", "warning")
    for word in sorted(grammar.sounds.keys() - grammar.vocabulary()):
        yield Finding(Place(draft.path), f"sounds: no sentence has the word {word!r}", "warning")


def _misread_words(draft: Draft, grammar: Grammar) -> Iterator[Finding]:
    """Say which words synthesizers will spell, or read as what they abbreviate."""
    places: dict[str, Place] = {}
    for _, template in grammar.templates():
        for each in descendants(template.expression):
            if isinstance(each, Terminal):
                places.setdefault(each.text, Place(template.path or draft.path, template.line))
    for name, rule in grammar.rules.items():
        for each in descendants(rule):
            if isinstance(each, Terminal):
                places.setdefault(each.text, Place(draft.path, draft.lines.get(name, 0)))
    for word in sorted(places.keys() - grammar.sounds.keys()):
        meant = ABBREVIATIONS.get(word, "") if grammar.language.startswith("en") else ""
        is_latin = word.isascii() and word.isalpha()
        if meant:
            advice = f"write {meant}, or how it is said under sounds:"
        elif is_latin and len(word) > 1 and not VOWELS & set(word):
            advice = f"write the letters apart ({' '.join(word)}), or how it is said under sounds:"
        else:
            continue
        yield Finding(places[word], f"{word!r} may not be said as you mean it: {advice}", "warning")


def _ambiguous(draft: Draft, grammar: Grammar) -> Iterator[Finding]:
    """Say which sentences mean two things; the first meaning is the one that is understood."""
    places = {
        template.text: Place(template.path or draft.path, template.line)
        for _, template in grammar.templates()
    }
    for first, second in find_ambiguities(grammar):
        meanings = f"{_describe(first)}, or {_describe(second)} ({places[second.template]})"
        message = f"{first.text!r} means two things: {meanings}; the first is taken"
        yield Finding(places[first.template], message, "warning")


def _describe(sentence: AnnotatedSentence) -> str:
    slots = ", ".join(f"{slot.label} {slot.value!r}" for slot in sentence.slots)
    return f"{sentence.intent} with {slots}" if slots else sentence.intent
