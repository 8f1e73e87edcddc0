"""Read sentences of Home Assistant, with the rooms and devices of a home from a file of your own.

```yaml
home_assistant: sentences/en
lists:
  area: [Kitchen, Living room]
  name:
    - {in: ceiling lamp, out: light.ceiling, context: {domain: light}}
    - thermostat
```

The constant slots of a block of sentences (`slots: {domain: light}`) become slots without words. The package hassil
parses the templates (https://github.com/OHF-Voice/hassil). What only a keyboard can enter ("50%") and sentences with
lists that have no values, such as the names of timers, are left out and noted in the draft.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from sluice_core.errors import UserError
from sluice_core.grammar.draft import Draft, Finding, most_fills
from sluice_core.grammar.entries import number_entries, texts
from sluice_core.grammar.expressions import (
    EMPTY,
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    Labelled,
    Reference,
    Valued,
)
from sluice_core.grammar.own_format import named, read_sounds
from sluice_core.grammar.templates import Template, with_value, words_of
from sluice_core.grammar.word_forms import Forms, FormsBuilder, add_suffix
from sluice_core.grammar.yaml_lines import Entries, Names, Place, Text, line_of, read_yaml
from sluice_core.normalization.number_words import number_words

PARTS = ("home_assistant", "lists", "sounds")
FRACTIONS = {"halves": 2, "tenths": 10}
MOST_PERMUTED = 5
SKIPPED_SHARE = 0.25  # of the drawn sentences have a word to skip before them, and as many after them
SKIP = "skip_words"


@dataclass(frozen=True)
class SentenceBlock:
    """Sentences of an intent that share rules, lists and conditions."""

    path: Path
    intent: str
    data: Names


def read_home_assistant(tree: Names, draft: Draft) -> None:
    """Read a file that names a folder of sentences, and the sentences, into a draft."""
    for name in tree:
        if name not in PARTS:
            draft.say(
                name.line, f"there is no {str(name)!r} here: this kind of grammar has {', '.join(PARTS)}"
            )
    if not isinstance(tree["home_assistant"], Text):
        draft.say(
            line_of(tree),
            "home_assistant: expected the folder of the sentences (home_assistant: sentences/en)",
        )
        return
    try:
        import hassil  # noqa: F401
    except ImportError:
        draft.say(1, "sentences of Home Assistant need hassil: pip install 'sluice-speech[home-assistant]'")
        return
    folder = draft.path.parent / tree["home_assistant"]
    files = sorted(folder.rglob("*.yaml")) if folder.is_dir() else [folder]
    if not files:
        draft.say(tree["home_assistant"].line, f"{folder}: has no .yaml files")
    reader = _Reader(draft)
    for path in files:
        reader.read_file(path)
    for name, value in named(tree, "lists", draft):
        reader.lists[str(name)] = value
    reader.add_templates()
    read_sounds(tree, draft)


class _Reader:
    """What has been read of the files, and the rules made of it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.lists: dict[str, Any] = {}
        self.rules: dict[str, Text] = {}
        self.blocks: list[SentenceBlock] = []
        self.skip_words: list[Text] = []
        self.builder = FormsBuilder(self.suffixed)
        self._constants: dict[str, Reference] = {}
        self._fills: dict[str, dict[str, int]] = {}  # what is known of the slots of rules

    def read_file(self, path: Path) -> None:
        """Read one file of sentences or of what they share."""
        tree = read_yaml(path)
        if not isinstance(tree, Names):
            raise Place(path, 1).error("expected a file of Home Assistant sentences, with intents: or lists:")
        self.draft.language = str(tree.get("language") or self.draft.language)
        self.lists.update(tree.get("lists") or {})
        self.rules.update(tree.get("expansion_rules") or {})
        self.skip_words.extend(tree.get("skip_words") or [])
        for intent, content in (tree.get("intents") or {}).items():
            self.blocks.extend(SentenceBlock(path, str(intent), data) for data in content["data"])
        if "intents" not in tree and "data" in tree:  # a file of one intent, which has the name of its folder
            self.blocks.extend(SentenceBlock(path, path.parent.name, data) for data in tree["data"])

    def add_templates(self) -> None:
        """Add the templates of all blocks to the draft."""
        skipped = self._skip_rule()
        for block in self.blocks:
            scope = _Scope(self, block)
            for text in texts(block.data.get("sentences"), self.draft):
                try:
                    expression = self.builder.finish(scope.sentence(text))
                    constants = () if expression is None else tuple(self._constant_slots(block, expression))
                except UserError as error:
                    self.draft.findings.append(Finding(Place(block.path, text.line), str(error)))
                    continue
                if expression is None:
                    self.draft.left_out[Place(block.path, text.line)] = (
                        str(text),
                        tuple(sorted(scope.missing)),
                    )
                    continue
                around = (skipped,) if skipped else ()
                whole = (*around, *constants, expression, *around)
                joined = Concatenation(whole) if len(whole) > 1 else expression
                template = Template(str(text), joined, 1, text.line, block.path)
                self.draft.intents.setdefault(block.intent, []).append(template)

    def _constant_slots(self, block: SentenceBlock, expression: Expression) -> Iterator[Labelled]:
        """Yield the slots that a block has without words, unless the sentence fills them with words of its own."""
        constants = block.data.get("slots") or {}
        filled = most_fills(expression, self.draft.rules, self._fills) if constants else {}
        for label, value in constants.items():
            if not isinstance(value, Text):
                raise UserError(f"slots: expected a text for {str(label)!r} (slots: {{domain: light}})")
            if label not in filled:
                yield Labelled(str(label), self._constant(str(value)))

    def _constant(self, value: str) -> Reference:
        """Return the rule of a value that no words stand for."""
        if value not in self._constants:
            name = re.sub(r"\W", "_", f"constant_{value}")
            while name in self.draft.rules:
                name += "_"
            self.draft.add_rule(name, 0, [Alternative(Valued(EMPTY, value))])
            self._constants[value] = Reference(name)
        return self._constants[value]

    def _skip_rule(self) -> Reference | None:
        """Add the rule for what may be said before and after a sentence, and return it; None if there is nothing."""
        if not self.skip_words:
            return None
        weight = SKIPPED_SHARE / (1 - SKIPPED_SHARE) / len(self.skip_words)
        phrases = [self.builder.finish(self.builder.text(text)) for text in self.skip_words]
        ways = [Alternative(phrase, round(weight, 6)) for phrase in phrases if phrase is not None]
        self.draft.add_rule(SKIP, self.skip_words[0].line, [Alternative(EMPTY), *ways])
        return Reference(SKIP)

    def suffixed(self, slot: Labelled, letters: str) -> Labelled:
        """Return a slot whose last word goes on with some letters; its values stay as they are."""
        assert isinstance(slot.expression, Reference)
        name = f"{slot.expression.name}_{''.join(filter(str.isalnum, letters))}"
        if name not in self.draft.rules:
            rule = self.draft.rules[slot.expression.name]
            assert isinstance(rule, Alternation)
            longer = []
            for each, weight in rule.alternatives:
                value = each if isinstance(each, Valued) else Valued(each, " ".join(words_of(each) or ()))
                longer.append(Alternative(add_suffix(value, letters), weight))
            self.draft.add_rule(name, 0, longer)
        return Labelled(slot.label, Reference(name))


class _Scope:
    """What names mean in one block of sentences."""

    def __init__(self, reader: _Reader, block: SentenceBlock) -> None:
        self.reader = reader
        self.builder = reader.builder
        self.local_lists: Mapping[str, Any] = block.data.get("lists") or {}
        self.rules: Mapping[str, Text] = {**reader.rules, **(block.data.get("expansion_rules") or {})}
        self.required: Mapping[str, Any] = block.data.get("requires_context") or {}
        self.missing: set[str] = set()
        self._forms: dict[str, Forms] = {}
        self._open: list[str] = []

    def sentence(self, text: str) -> Forms:
        """Return the forms of a template."""
        from hassil.parse_expression import parse_sentence
        from hassil.parser import ParseError

        try:
            parsed = parse_sentence(text)
        except (ParseError, AssertionError, ValueError) as error:
            raise UserError(f"{text!r}: no template of Home Assistant: {error}") from error
        return self._of(parsed.expression)

    def _of(self, part: Any) -> Forms:
        """Return the forms of a part of a template."""
        from hassil import expression as parsed

        if isinstance(part, parsed.TextChunk):
            return self.builder.text(part.original_text)
        if isinstance(part, parsed.ListReference):
            return self._of_list(part)
        if isinstance(part, parsed.RuleReference):
            return self._of_rule(part.rule_name)
        if isinstance(part, parsed.Alternative):
            return self.builder.choice(self._of(item) for item in part.items)
        if isinstance(part, parsed.Permutation):
            if len(part.items) > MOST_PERMUTED:
                raise UserError(
                    f"a permutation of {len(part.items)} parts: divide it, {MOST_PERMUTED} are the most"
                )
            forms = [self._of(item) for item in part.items]
            return self.builder.choice(self._in_order(order) for order in permutations(forms))
        return self._in_order(self._of(item) for item in part.items)

    def _in_order(self, parts: Any) -> Forms:
        whole = Forms({"": 1.0})
        for part in parts:
            whole = self.builder.follow(whole, part)
        return whole

    def _of_rule(self, name: str) -> Forms:
        if name not in self._forms:
            if name not in self.rules:
                raise UserError(f"there is no expansion rule <{name}>")
            if name in self._open:
                raise UserError(f"{' → '.join([*self._open, name])}: a rule that contains itself never ends")
            self._open.append(name)
            self._forms[name] = self.sentence(self.rules[name])
            self._open.pop()
        return self._forms[name]

    def _of_list(self, reference: Any) -> Forms:
        """Return the forms of a list that fills a slot; none, if it has no values."""
        name = reference.list_name
        if reference.is_inline_range:
            start, stop, step = reference.get_inline_range()
            rule = f"numbers_{start}_{stop}_{step}"
            content: Any = Names({"range": {"from": str(start), "to": str(stop), "step": str(step)}})
        else:
            content = self.local_lists.get(name, self.reader.lists.get(name))
            rule, content = self._with_context(name, content)
        if rule not in self.reader.draft.rules:
            self.reader.draft.rules[rule] = Alternation(tuple(self._entries(content)))
        built = self.reader.draft.rules[rule]
        if isinstance(built, Alternation) and not built.alternatives:
            self.missing.add(name)
            return Forms()
        return self.builder.slot(Labelled(reference.slot_name, Reference(rule)))

    def _with_context(self, name: str, content: Any) -> tuple[str, Any]:
        """Return the rule's name of a list, and those of its values that suit the block's conditions."""
        local = "_".join(["", "local", str(line_of(content))]) if name in self.local_lists else ""
        entries = content if isinstance(content, Entries) else (content or {}).get("values")
        conditions = {
            str(key): values
            for key, wanted in self.required.items()
            if (values := _wanted(wanted)) and any(key in _context(entry) for entry in entries or ())
        }
        if not conditions:
            return name + local, content
        suiting = [
            entry
            for entry in entries or ()
            if all(_context(entry).get(key, "") in ("", *values) for key, values in conditions.items())
        ]
        return "_".join(
            [name + local, *(value for values in conditions.values() for value in values)]
        ), Entries(suiting)

    def _entries(self, content: Any) -> Iterator[Alternative]:
        """Yield the values of a list."""
        if isinstance(content, Names) and "range" in content:
            yield from self._numbers(content["range"])
        values = content if isinstance(content, Entries) else (content or {}).get("values")
        for entry in values or ():
            if isinstance(entry, Text):
                text, value = entry, str(entry)
            elif "in" in entry:
                text, value = entry["in"], str(entry.get("out") or entry["in"])
            else:
                ((text, value),) = entry.items()
            if (expression := self.builder.finish(self.sentence(text))) is not None:
                is_template = "out" not in entry and words_of(expression) is None
                yield Alternative(expression if is_template else with_value(expression, str(value)))

    def _numbers(self, settings: Mapping[str, str]) -> Iterator[Alternative]:
        """Yield the ways to say the numbers of a range."""
        first, last, step = (int(settings.get(each, "1")) for each in ("from", "to", "step"))
        parts = FRACTIONS.get(settings.get("fractions", ""), 1)
        factor = float(settings.get("multiplier", "1"))
        for whole in range(first, last + 1, step):
            for part in range(parts):
                number = whole + part / parts
                forms = number_words(number if part else whole, self.reader.draft.language)
                yield from number_entries(forms, f"{number * factor:g}")


def _context(entry: Any) -> Mapping[str, Any]:
    """Return what is known of a list's value, such as its domain."""
    context = entry.get("context") if isinstance(entry, Names) else None
    return context or {}


def _wanted(value: Any) -> tuple[str, ...]:
    """Return the values that a condition allows; none where it only says that something is taken from elsewhere."""
    if isinstance(value, Names):
        value = value.get("value")
    return (
        tuple(map(str, value)) if isinstance(value, Entries) else (str(value),) if value is not None else ()
    )
