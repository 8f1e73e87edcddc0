"""Check a grammar, and draw sentences from it."""

import argparse
import json
from pathlib import Path
from random import Random
from typing import Any

from sluice.commands.options import add_action, add_json, add_quiet, whole_number

GRAMMAR_HELP = "a grammar's file, or travel, the built-in one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command, with their options, to a parser."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    check = add_action(
        actions, "check", "Count the sentences of a grammar, and say what may be wrong with it, line by line."
    )
    sample = add_action(actions, "sample", "Draw sentences, with their intents and slots.")
    for action, count in ((check, 5), (sample, 10)):
        action.add_argument("grammar", type=Path, metavar="GRAMMAR", help=GRAMMAR_HELP)
        action.add_argument(
            "-n",
            "--count",
            type=whole_number(0),
            default=count,
            metavar="N",
            help=f"how many sentences to draw (default: {count})",
        )
        action.add_argument("--seed", type=int, default=1, metavar="N", help="decides which (default: 1)")
        add_json(action)
        add_quiet(action)
    sample.add_argument("--text", action="store_true", help="print the words alone")


def run(options: argparse.Namespace) -> int:
    """Run the action that was chosen."""
    return {"check": _check, "sample": _sample}[options.action](options)


def _check(options: argparse.Namespace) -> int:
    from sluice_core.grammar.checking import check_grammar
    from sluice_core.grammar.reading import grammar_path
    from sluice_core.wording import plural

    report = check_grammar(grammar_path(options.grammar), options.count, options.seed)
    counts = {
        severity: sum(finding.severity == severity for finding in report.findings)
        for severity in ("error", "warning")
    }
    if options.json:
        facts: dict[str, Any] = {
            "errors": counts["error"],
            "warnings": counts["warning"],
            "findings": [
                {
                    "file": str(finding.place.path),
                    "line": finding.place.line or None,
                    "severity": finding.severity,
                    "message": finding.message,
                }
                for finding in report.findings
            ],
        }
        if report.grammar:
            facts |= {
                "language": report.grammar.language,
                "intents": {intent: len(templates) for intent, templates in report.grammar.intents.items()},
                "words": len(report.grammar.vocabulary()),
                "sentences": report.sentences,
                "samples": [_facts(sentence) for sentence in report.samples],
            }
        print(json.dumps(facts, ensure_ascii=False))
        return int(report.has_errors)
    if report.grammar:
        print(f"{'language':12} {report.grammar.language}")
        print(f"{'intents':12} {len(report.grammar.intents):,}")
        print(f"{'templates':12} {sum(1 for _ in report.grammar.templates()):,}")
        print(f"{'words':12} {len(report.grammar.vocabulary()):,}")
        print(f"{'sentences':12} {report.sentences:,}")
        for sentence in report.samples:
            print(f"  {_line(sentence)}")
    for finding in report.findings:
        print(finding)
    print(f"{plural(counts['error'], 'error')}, {plural(counts['warning'], 'warning')}")
    return int(report.has_errors)


def _sample(options: argparse.Namespace) -> int:
    from sluice_core.grammar.reading import read_grammar

    grammar = read_grammar(options.grammar)
    random = Random(options.seed)
    for _ in range(options.count):
        sentence = grammar.draw(random)
        if options.json:
            print(json.dumps(_facts(sentence), ensure_ascii=False))
        else:
            print(sentence.text if options.text else _line(sentence))
    return 0


def _line(sentence: Any) -> str:
    """Return a sentence with its slots in brackets, its intent, and the slots that no word fills."""
    words = list(sentence.words)
    for slot in (each for each in sentence.slots if not each.is_constant):
        said = " ".join(sentence.slot_words(slot))
        value = "" if slot.value == said else f" = {slot.value}"
        words[slot.start] = f"[{slot.label}: {words[slot.start]}"
        words[slot.end - 1] += f"{value}]"
    constants = [f"{slot.label} = {slot.value}" for slot in sentence.slots if slot.is_constant]
    return f"{' '.join(words)}  ({', '.join([sentence.intent, *constants])})"


def _facts(sentence: Any) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "intent": sentence.intent,
        "slots": [slot._asdict() for slot in sentence.slots],
    }
