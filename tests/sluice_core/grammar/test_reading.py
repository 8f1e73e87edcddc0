"""Grammars from files: lists, numbers, files of values, and what is said of mistakes."""

from pathlib import Path
from random import Random

import pytest

from sluice_core.grammar.checking import check_grammar
from sluice_core.grammar.grammar import GrammarError
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_grammar
from tests.conftest import real_corpus


def write(folder, text, name="g.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def values(grammar, template_words):
    """The values of the slots of a sentence."""
    graph = build_graph(grammar)
    return {slot.label: slot.value for slot in graph.meaning(graph.find(template_words.split())).slots}


def test_numbers_have_values_and_all_their_forms(tmp_path):
    grammar = read_grammar(
        write(
            tmp_path,
            'intents: {t: ["set {minutes} minutes", "heat to {degrees}"]}\n'
            "lists: {minutes: {from: 0, to: 120, step: 5}, degrees: {from: 16, to: 25, step: 0.5}}\n",
        )
    )
    assert values(grammar, "set a hundred and five minutes") == {"minutes": "105"}
    assert values(grammar, "set one hundred five minutes") == {"minutes": "105"}
    assert values(grammar, "heat to twenty and a half") == {"degrees": "20.5"}
    assert values(grammar, "heat to twenty") == {"degrees": "20"}
    assert build_graph(grammar).find(["set", "four", "minutes"]) is None
    counts = [
        slot.value
        for seed in range(3000)
        for slot in grammar.draw(Random(seed)).slots
        if slot.label == "minutes"
    ]
    assert 0.5 < counts.count("105") / (len(counts) / 25) < 2  # each number as often, however many its forms


def test_a_phrase_without_words_has_its_value(tmp_path):
    path = write(
        tmp_path,
        'intents: {t: ["{light:domain} lights on {speed}"]}\n'
        'lists: {light: [{"": light}], speed: ["[slowly]": slow, fast: fast]}\n',
    )
    grammar = read_grammar(path)
    assert values(grammar, "lights on fast") == {"domain": "light", "speed": "fast"}
    assert (
        values(grammar, "lights on slowly")
        == values(grammar, "lights on")
        == {"domain": "light", "speed": "slow"}
    )
    assert (
        values(read_grammar(write(tmp_path, grammar.to_yaml(), "again.yaml")), "lights on")["domain"]
        == "light"
    )
    graph = build_graph(grammar)
    for seed in range(20):
        sentence = grammar.draw(Random(seed))
        assert graph.meaning(graph.find(sentence.words)).slots == sentence.slots


def test_lists_from_files(tmp_path):
    write(tmp_path, "name,code,likes\nNew York,JFK,3\nBoston,BOS,\n", "cities.csv")
    write(tmp_path, "boston\n\nRio de Janeiro\n", "towns.txt")
    grammar = read_grammar(
        write(
            tmp_path,
            'intents: {fly: ["fly to {city}", "drive to {town}"]}\n'
            "lists: {city: {file: cities.csv, text: name, value: code, weight: likes}, town: {file: towns.txt}}\n",
        )
    )
    assert values(grammar, "fly to new york") == {"city": "JFK"}
    assert values(grammar, "drive to rio de janeiro") == {"town": "Rio de Janeiro"}
    assert [each.weight for each in grammar.rules["city"].alternatives] == [3, 1]


def test_words_that_yaml_would_take_for_truth_values_are_words(tmp_path):
    grammar = read_grammar(write(tmp_path, "intents: {s: ['{state}']}\nlists: {state: [on, off, yes, no]}\n"))
    assert grammar.vocabulary() == {"on", "off", "yes", "no"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty: write at least one intent"),
        (
            "intents: {a: ['{b}']}\nlists:\n  b:\n    - tea\n    - {text: flat white, value: FW}\n",
            "line 5: list b: text and value name the columns of a list's file; .* is written flat white: FW",
        ),
        ("# nothing\n", "the file is empty"),
        ("intents:\n\tgreet: [hello]\n", "line 2: a tab: YAML indents by spaces only"),
        ("intents:\n  a: [b]\n  a: [c]\n", r"line 3: 'a' is here a second time \(first in line 2\)"),
        ("intents: {a: [b\n", "not valid YAML"),
        ("- a\n", "not a grammar: expected intents:"),
        ("intents: {a: ['go to {citty}']}\nlists: {city: [rome]}\n",
         "line 1: no list and no rule is called 'citty': did you mean 'city'"),
        ("intents: {a: ['<x>']}\nrules:\n  x: ['<y>']\n  y: ['b <x>']\n",
         "line 3: x → y → x: a rule that contains itself never ends"),
        ("intents: {a: ['{x}']}\nlists: {x: []}\n", "line 2: 'x' has no values"),
        ("intents:\n  a: []\n", "line 2: the intent 'a' has no sentence"),
        ("lists: {x: [b]}\n", "no intent has a sentence"),
        ("intents:\n  a: ['{x} and {x}']\nlists: {x: [b, c]}\n",
         r"line 2: a sentence of '\{x\} and \{x\}' fills the slot 'x' 2 times: name them apart"),
        ("intents: {a: ['{x}']}\nrules: {x: ['{y}']}\nlists: {y: [b]}\n", "the slot 'x' has the slot 'y' inside"),
        ("intents:\n  a: [b]\n  c: ['50 people']\n", "line 3: '50': figures are said in more than one way"),
        ("intents: {a: ['{x}']}\nlists:\n  x:\n  - b\n  - snow ☃\n", r"line 5: '☃': '☃' \(snowman\) cannot be said"),
        ("intent: {a: [b]}\nlists: {}\n", "there is no 'intent': did you mean 'intents'"),
        ("intents: {a: ['{x}']}\nlists: {x: {from: 9, to: 1}}\n", "a range goes up by a positive step"),
        ("intents: {a: ['{x}']}\nlists: {x: {from: 1, to: 99999999}}\n", "at most 20,000 numbers"),
        ("intents: {a: ['{x}']}\nlists: {x: {from: one}}\n", "from, to and step must be numbers"),
        ("intents: {a: ['{x}']}\nlists: {x: {file: none.txt}}\n", "none.txt: cannot be read"),
        ("intents: {a: ['{x}']}\nrules: {x: [b]}\nlists: {x: [c]}\n", "'x' is in line 2 already"),
        ("intents: {a: [b]}\nsounds: {two words: x}\n", "sounds: one word with how it is said"),
        ("a: &x [*x]\nintents: {a: *x}\n", "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(GrammarError, match=message) as caught:
        read_grammar(path)
    assert str(caught.value).startswith(str(path))
    report = check_grammar(path)
    assert report.has_errors and any(finding.severity == "error" for finding in report.findings)


def test_a_file_of_values_is_named_with_its_line(tmp_path):
    write(tmp_path, "boston\nroute 66\n", "towns.txt")
    path = write(tmp_path, "intents: {a: ['{x}']}\nlists: {x: {file: towns.txt}}\n")
    with pytest.raises(GrammarError, match=r"towns.txt, line 2: '66'"):
        read_grammar(path)


def test_all_mistakes_are_said_at_once(tmp_path):
    path = write(tmp_path, "intents:\n  a: ['go 1']\n  b: ['light[s]']\n")
    with pytest.raises(GrammarError, match=r"line 2: .*\n.*line 3: "):
        read_grammar(path)


def test_a_million_million_sentences_are_counted_at_once(tmp_path):
    path = write(
        tmp_path, "intents: {a: ['" + "<d> " * 12 + "']}\nrules: {d: [a, b, c, d, e, f, g, h, i, j]}\n"
    )
    report = check_grammar(path, samples=3)
    assert report.sentences == 10**12 and len(report.samples) == 3 and not report.findings


def test_a_check_names_ambiguity_abbreviations_and_what_is_not_used(tmp_path):
    path = write(
        tmp_path,
        """\
intents:
  lamp: ["turn on {lamp}"]
  radio: ["turn on {station}"]
lists:
  lamp: [desk lamp, kitchen]
  station: [kitchen, bbc radio]
  spare: [x]
sounds: {wrong: rong}
""",
    )
    messages = [str(finding) for finding in check_grammar(path).findings]
    for expected in (
        "line 2: warning: 'turn on kitchen' means two things: lamp with lamp 'kitchen', or radio",
        "line 6: warning: 'bbc' may not be said as you mean it: write the letters apart (b b c)",
        "line 7: warning: no sentence uses 'spare'",
        "no sentence has the word 'wrong'",
    ):
        assert any(expected in message for message in messages), expected
    assert len(messages) == 4


# Contexts of Rhino

RHINO = """\
context:
  expressions:
    brew:
      - "(@polite, kindly) [brew, make] [a, an] $size:cupSize coffee in $pv.TwoDigitInteger:minutes minutes"
      - "power at $pv.Percent:power"
  slots:
    size: ["Small", "very large"]
  macros:
    polite: ["please", "would you"]
"""


def test_a_rhino_context_with_everything_it_may_have(tmp_path):
    grammar = read_grammar(write(tmp_path, RHINO))
    assert values(grammar, "would you brew a very large coffee in twenty one minutes") == {
        "cupSize": "very large",
        "minutes": "21",
    }
    assert values(grammar, "make an small coffee in five minutes") == {"cupSize": "Small", "minutes": "5"}
    assert values(grammar, "power at fifty percent") == {"power": "50%"}
    grammar.save(tmp_path / "own.yaml")
    assert read_grammar(tmp_path / "own.yaml").count() == grammar.count()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@polite", "@polyte", "line 4: there is no macro @polyte: did you mean 'polite'"),
        ("$size:", "$sise:", "line 4: there is no slot type \\$sise: did you mean 'size'"),
        ("[a, an]", "[a, an", "not closed"),
        ("very large", "20 ounce", "line 7: '20': figures"),
    ],
)
def test_mistakes_in_a_rhino_context(tmp_path, old, new, message):
    with pytest.raises(GrammarError, match=message):
        read_grammar(write(tmp_path, RHINO.replace(old, new)))


def test_the_coffee_maker_goes_through_as_it_is():
    path = real_corpus("barista") / "coffee_maker.yaml"
    grammar = read_grammar(path)
    assert grammar.count() == 120_130_920 and len(grammar.vocabulary()) == 55
    graph = build_graph(grammar)
    assert graph.count() == grammar.count() and len(graph.arc_from) < 1000
    drawn = grammar.draw(Random(1))
    assert graph.meaning(graph.find(drawn.words)) == drawn
    assert not check_grammar(Path(path)).findings
