"""Read grammars in our own format.

```yaml
language: en
intents:
  order: ["<want> [a | an] {size} {drink} [with {milk}]"]
rules:
  want: [i would like, can i have]
lists:
  size: [small, large]
  drink: [latte, "(americano | black coffee)": americano]
  milk: {file: milk.txt}
sounds: {latte: lah tay}
```
"""

from typing import Any

from sluice_core.grammar.draft import Draft
from sluice_core.grammar.entries import read_list, texts
from sluice_core.grammar.spoken_words import spoken_words
from sluice_core.grammar.templates import parse_template
from sluice_core.grammar.yaml_lines import Names, Text, line_of
from sluice_core.wording import near

PARTS = ("language", "intents", "rules", "lists", "sounds", "repeatable")


def read_own_format(tree: Names, draft: Draft) -> None:
    """Read a file's content into a draft."""
    for name in tree:
        if name not in PARTS:
            advice = near(name, PARTS) or f"a grammar has {', '.join(PARTS)}"
            draft.say(name.line, f"there is no {str(name)!r}: {advice}")
    draft.language = str(tree.get("language") or "en")
    draft.repeatable.update(map(str, texts(tree.get("repeatable"), draft)))
    for name, value in named(tree, "rules", draft):
        draft.add_rule(name, name.line, [draft.read(text, parse_template) for text in texts(value, draft)])
    for name, value in named(tree, "lists", draft):
        read_list(name, value, draft)
    for name, value in named(tree, "intents", draft):
        for text in texts(value, draft):
            draft.add_template(name, text, draft.read(text, parse_template))
        if not draft.intents.get(name):
            draft.say(name.line, f"the intent {str(name)!r} has no sentence: write one")
    read_sounds(tree, draft)


def named(tree: Names, part: str, draft: Draft) -> list[tuple[Text, Any]]:
    """Return the names and values of a part of the file; a part that is missing has none."""
    value = tree.get(part)
    if isinstance(value, Names):
        return list(value.items())
    if value is not None:
        draft.say(
            line_of(value), f"{part}: expected names with what they stand for ({part}: {{name: [...]}})"
        )
    return []


def read_sounds(tree: Names, draft: Draft) -> None:
    """Read how words are said that synthesizers misread."""
    for word, sound in named(tree, "sounds", draft):
        if not isinstance(sound, Text) or len(spoken_words(word)) != 1:
            draft.say(word.line, "sounds: one word with how it is said: {eva: eh v ah}")
        else:
            draft.sounds[spoken_words(word)[0]] = str(sound)
