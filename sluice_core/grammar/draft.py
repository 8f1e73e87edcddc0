"""A grammar that is being read: its rules and templates with their lines, and what is wrong with them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from sluice_core.errors import UserError
from sluice_core.grammar.expressions import (
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    GrammarError,
    Labelled,
    Reference,
    Rules,
    Terminal,
    Valued,
    children,
    references,
)
from sluice_core.grammar.grammar import Grammar, find_circle
from sluice_core.grammar.templates import Template
from sluice_core.grammar.yaml_lines import Place, Text, line_of
from sluice_core.wording import near

Severity = Literal["error", "warning"]
MOST_ERRORS = 10


class Finding(NamedTuple):
    """Something to say about a line of a grammar."""

    place: Place
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.place}: {self.severity + ': ' if self.severity == 'warning' else ''}{self.message}"


class Draft:
    """Collects a grammar from a file.

    Args:
        path: the file; opens every message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.intents: dict[str, list[Template]] = {}
        self.rules: dict[str, Expression] = {}
        self.lines: dict[str, int] = {}
        """Where each rule begins."""
        self.language = "en"
        self.sounds: dict[str, str] = {}
        self.findings: list[Finding] = []
        self.repeatable: set[str] = set()
        """The slots that one sentence may fill several times."""
        self.left_out: dict[Place, tuple[str, tuple[str, ...]]] = {}
        """Templates that nobody can say, with the lists that have no values for them."""
        self._uses: dict[str, int] = {}  # the first line where each rule is referred to

    def say(self, line: int, message: str, severity: Severity = "error") -> None:
        """Note what is wrong in a line."""
        self.findings.append(Finding(Place(self.path, line), message, severity))

    def read(self, text: Text, parse: Callable[[str], Alternative]) -> Alternative | None:
        """Parse a text of the file; what is wrong with it is noted, and None returned."""
        try:
            alternative = parse(text)
        except UserError as error:
            self.say(line_of(text), str(error))
            return None
        for name in references(alternative.expression):
            self._uses.setdefault(name, line_of(text))
        return alternative

    def add_rule(self, name: str, line: int, alternatives: Iterable[Alternative | None]) -> None:
        """Add a rule; alternatives that could not be read are None."""
        if name in self.rules:
            self.say(line, f"{name!r} is in line {self.lines[name]} already: rename one of the two")
            return
        self.rules[str(name)] = Alternation(tuple(each for each in alternatives if each is not None))
        self.lines[str(name)] = line

    def add_template(self, intent: str, text: Text, alternative: Alternative | None) -> None:
        """Add a template of an intent; None if it could not be read."""
        templates = self.intents.setdefault(str(intent), [])
        if alternative is not None:
            templates.append(Template(str(text), *alternative, line_of(text)))

    def finish(self) -> Grammar:
        """Return the grammar.

        Raises:
            GrammarError: something is wrong; says what, line for line.
        """
        if not self.has_errors:
            self.check_rules()
        errors = [str(finding) for finding in self.findings if finding.severity == "error"]
        if errors:
            more = [f"and {len(errors) - MOST_ERRORS} more"] if len(errors) > MOST_ERRORS else []
            raise GrammarError("\n".join([*errors[:MOST_ERRORS], *more]))
        return self.grammar()

    @property
    def has_errors(self) -> bool:
        """Whether something is so wrong that there is no grammar."""
        return any(finding.severity == "error" for finding in self.findings)

    def grammar(self) -> Grammar:
        """Return the grammar, if nothing is wrong."""
        intents = {intent: tuple(templates) for intent, templates in self.intents.items()}
        return Grammar(intents, self.rules, self.language, self.sounds, frozenset(self.repeatable))

    def check_rules(self) -> None:
        """Note what is wrong with the rules as a whole: unknown names, circles, empty lists, slots within slots."""
        for name, line in sorted(self._uses.items(), key=lambda use: use[1]):
            if name not in self.rules:
                advice = near(name, self.rules) or f"add it under lists: or rules: ({name}: [...])"
                self.say(line, f"no list and no rule is called {name!r}: {advice}")
            elif isinstance(rule := self.rules[name], Alternation) and not rule.alternatives:
                self.say(self.lines[name], f"{name!r} has no values: add one, or take out what refers to it")
        if not any(self.intents.values()):
            self.say(1, "no intent has a sentence: write one under intents: (intents: {greet: [hello]})")
        if circle := find_circle(self.rules):
            self.say(
                self.lines[circle[0]],
                f"{' → '.join(circle)}: a rule that contains itself never ends: write as many repetitions as are said",
            )
        if not self.has_errors:
            self._check_slots()

    def _check_slots(self) -> None:
        """Note slots within slots, and slots that one sentence fills twice."""
        most: dict[str, dict[str, int]] = {}
        for templates in self.intents.values():
            for template in templates:
                try:
                    fills = most_fills(template.expression, self.rules, most)
                except GrammarError as error:
                    self.say(template.line, str(error))
                    continue
                for label, times in fills.items():
                    if times > 1 and label not in self.repeatable:
                        self.say(
                            template.line,
                            f"a sentence of {template.text!r} fills the slot {label!r} {times} times: name them apart "
                            f"({{list:first_{label}}}), or allow it by repeatable: [{label}] at the top of the file",
                        )


def most_fills(expression: Expression, rules: Rules, memo: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return how often one sentence of an expression fills each slot at most.

    Args:
        expression: the expression.
        rules: the rules that it refers to.
        memo: what is known of the rules already.

    Raises:
        GrammarError: a slot lies within another.
    """
    fills: dict[str, int] = {}
    match expression:
        case Terminal():
            pass
        case Reference(name):
            if name not in memo:
                memo[name] = most_fills(rules[name], rules, memo)
            fills = memo[name]
        case Alternation():
            for each in children(expression):
                for label, times in most_fills(each, rules, memo).items():
                    fills[label] = max(times, fills.get(label, 0))
        case Concatenation():
            for each in children(expression):
                for label, times in most_fills(each, rules, memo).items():
                    fills[label] = times + fills.get(label, 0)
        case Labelled(label, inner):
            if within := most_fills(inner, rules, memo):
                raise GrammarError(
                    f"the slot {label!r} has the slot {next(iter(within))!r} inside: a word fills one slot only; "
                    "refer to the inner one as <rule>"
                )
            fills = {label: 1}
        case Valued(inner, _):
            fills = most_fills(inner, rules, memo)
    return fills
