"""Sentences of Home Assistant, with rooms and devices from a file."""

from itertools import islice
from random import Random

import pytest

from slot_filling.corpora.grammar import to_sentence
from sluice_core.grammar.checking import check_grammar
from sluice_core.grammar.grammar import AnnotatedSlot, GrammarError, draw_sentences
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_draft, read_grammar
from sluice_core.grammar.writing_styles import SPOKEN, write
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


CONSTANTS = """\
language: en
lists: {domain: {values: [{in: fans, out: fan}]}}
intents:
  TurnOn:
    data:
      - sentences: ["lights on[ in {area}]", "turn {domain} on"]
        slots: {domain: light, floor: first-floor}
"""


@pytest.fixture
def home_with_constants(home):
    (home.parent / "sentences" / "on.yaml").write_text(CONSTANTS)
    home.write_text(HOME + "  area: [kitchen]\n")
    return home


def test_constant_slots_are_in_the_meaning_without_words(home_with_constants):
    grammar = read_grammar(home_with_constants)
    graph = build_graph(grammar)
    said = graph.meaning(graph.find(["lights", "on", "in", "kitchen"]))
    floor = AnnotatedSlot("floor", 0, 0, "first-floor")
    assert said.slots == (
        AnnotatedSlot("domain", 0, 0, "light"),
        floor,
        AnnotatedSlot("area", 3, 4, "kitchen"),
    )
    assert [slot.is_constant for slot in said.slots] == [True, True, False]
    filled = graph.meaning(graph.find(["turn", "fans", "on"]))  # with a domain of its own
    assert filled.slots == (floor, AnnotatedSlot("domain", 1, 2, "fan"))
    assert graph.meaning(graph.find(["status"])).slots == ()
    assert not check_grammar(home_with_constants).has_errors


def test_constant_slots_are_drawn_kept_and_no_tag(home_with_constants, tmp_path):
    grammar = read_grammar(home_with_constants)
    grammar.save(tmp_path / "own.yaml")
    graph = build_graph(read_grammar(tmp_path / "own.yaml"))
    drawn = [each for each in islice(draw_sentences(grammar, 1, "train"), 300) if each.intent == "TurnOn"]
    assert len(drawn) > 10
    for sentence in drawn:
        constant = {slot.label: slot.value for slot in sentence.slots if slot.is_constant}
        assert constant["floor"] == "first-floor"
        assert graph.meaning(graph.find(sentence.words)).slots == sentence.slots
        written = to_sentence(write(sentence, Random(1), SPOKEN, {}), "")
        assert written.words == sentence.words
        tagged = {tag.partition("-")[2] for tag in written.tags} - {""}
        assert tagged == {slot.label for slot in sentence.slots if not slot.is_constant}


def test_a_constant_slot_has_one_value(home_with_constants):
    path = home_with_constants.parent / "sentences" / "on.yaml"
    path.write_text(CONSTANTS.replace("domain: light,", "domain: [light, fan],"))
    with pytest.raises(GrammarError, match=r"on.yaml, line 6: slots: expected a text for 'domain'"):
        read_grammar(home_with_constants)


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
    assert slots["domain"].is_constant and slots["domain"].value == "light"
    assert int(slots["minutes"].value) in range(1, 101) and int(slots["brightness"].value) in range(101)
