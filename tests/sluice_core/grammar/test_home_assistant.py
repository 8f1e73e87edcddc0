"""Sentences of Home Assistant, with rooms and devices from a file."""

from random import Random

import pytest

from sluice_core.grammar.checking import check_grammar
from sluice_core.grammar.grammar import GrammarError
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_draft, read_grammar
from tests.conftest import real_corpus

pytest.importorskip("hassil")

COMMON = """\
language: en
lists:
  brightness: {range: {from: 0, to: 100, type: percentage}}
  color:
    values:
      - red
      - {in: "(blue|azure)", out: "0000ff"}
  note: {wildcard: true}
expansion_rules:
  the: "(the|my)"
  name: "[<the>] {name}"
skip_words: [please]
"""
LIGHTS = """\
language: en
intents:
  LightSet:
    data:
      - sentences:
          - "set <name> to {brightness}[([ ]%)| percent]"
          - "<name>['s] light[s] {color}"
          - "(make;<name>;{color})"
        requires_context: {domain: light}
      - sentences: ["turn on <name>", "note {note}", "<local> {1..3:level}"]
        expansion_rules: {local: "[un]dim"}
"""
HOME = """\
home_assistant: sentences
lists:
  name:
    - {in: desk lamp, out: light.desk, context: {domain: light}}
    - {in: heater, context: {domain: climate}}
    - Radio
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "sentences" / "Status").mkdir(parents=True)
    (tmp_path / "sentences" / "_common.yaml").write_text(COMMON)
    (tmp_path / "sentences" / "light.yaml").write_text(LIGHTS)
    (tmp_path / "sentences" / "Status" / "default.yaml").write_text(
        "language: en\ndata:\n  - sentences: [status]\n"
    )
    path = tmp_path / "home.yaml"
    path.write_text(HOME)
    return path


@pytest.mark.parametrize(
    ("said", "intent", "slots"),
    [
        ("set my desk lamp to fifty percent", "LightSet", {"name": "light.desk", "brightness": "50"}),
        ("set radio to one hundred", "LightSet", {"name": "Radio", "brightness": "100"}),
        ("the desk lamp's lights azure", "LightSet", {"name": "light.desk", "color": "0000ff"}),
        ("desk lamp light red please", "LightSet", {"name": "light.desk", "color": "red"}),
        ("red radio make", "LightSet", {"name": "Radio", "color": "red"}),
        ("please turn on the heater", "LightSet", {"name": "heater"}),
        ("undim two", "LightSet", {"level": "2"}),
        ("status", "Status", {}),
    ],
)
def test_what_sentences_mean(home, said, intent, slots):
    graph = build_graph(read_grammar(home))
    sentence = graph.meaning(graph.find(said.split()))
    assert sentence.intent == intent
    assert {slot.label: slot.value for slot in sentence.slots} == slots


@pytest.mark.parametrize(
    "said", ["set heater to five", "note buy milk", "set radio to fifty %", "un dim two"]
)
def test_what_no_sentence_says(home, said):
    assert build_graph(read_grammar(home)).find(said.split()) is None


def test_sentences_that_need_missing_values_are_left_out_and_named(home):
    findings = [str(finding) for finding in check_grammar(home).findings]
    assert any(
        "light.yaml, line 10: warning: 1 sentence left out" in each and "'note'" in each for each in findings
    )
    home.write_text(HOME + "  note: [milk, bread]\n")
    assert build_graph(read_grammar(home)).find(["note", "milk"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<local>", "<nowhere>", r"light.yaml, line 10: there is no expansion rule <nowhere>"),
        ('"[un]dim"', '"<local>"', "local → local: a rule that contains itself"),
        ("turn on <name>", "turn (on <name>", "light.yaml, line 10: .*no template of Home Assistant"),
    ],
)
def test_mistakes_in_sentences(home, old, new, message):
    path = home.parent / "sentences" / "light.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(GrammarError, match=message):
        read_grammar(home)


def test_a_folder_without_sentences(home):
    home.write_text(HOME.replace("sentences", "nothing"))
    with pytest.raises(GrammarError, match="nothing: cannot be read"):
        read_grammar(home)


def test_a_grammar_of_home_assistant_can_be_kept_in_our_own_format(home, tmp_path):
    grammar = read_grammar(home)
    grammar.save(tmp_path / "own.yaml")
    again = read_grammar(tmp_path / "own.yaml")
    assert again.count() == grammar.count()
    assert build_graph(again).count() == build_graph(grammar).count()


ROOMS = {
    "en": ("kitchen", "living room", "bedroom", "bathroom", "office", "hallway", "garage", "attic", "nursery"),
    "de": ("Küche", "Wohnzimmer", "Schlafzimmer", "Bad", "Büro", "Flur", "Garage", "Keller", "Esszimmer", "Diele"),
}  # fmt: skip
DEVICES = {"en": "lamp number", "de": "Lampe"}
NUMBERS = ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
           "eighteen nineteen twenty")  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_sentences_of_home_assistant_go_through_unchanged(tmp_path, language):
    folder = real_corpus("home_assistant") / "sentences" / language
    devices = [f"{DEVICES[language]} {number}" for number in NUMBERS.split()]
    path = tmp_path / "home.yaml"
    path.write_text(
        f"home_assistant: {folder}\nlists:\n  area: [{', '.join(ROOMS[language])}]\n  name: [{', '.join(devices)}]\n"
    )
    draft = read_draft(path)
    assert not draft.findings
    grammar = draft.finish()
    assert grammar.language == language and grammar.count() > 10**12
    slots = {slot.label: slot for seed in range(400) for slot in grammar.draw(Random(seed)).slots}
    assert {"area", "name", "minutes", "brightness"} <= set(slots)
    assert int(slots["minutes"].value) in range(1, 101) and int(slots["brightness"].value) in range(101)
