"""The examples of the guide to grammars say what stands below them."""

import re

import pytest

from sluice_core.grammar.checking import check_grammar
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_grammar
from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "guides" / "grammars.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n((?:(?!```).)*)```\n\n```text\n(.*?) → (\w+) ?(.*?)\n```", GUIDE, re.DOTALL)


def test_the_guide_has_ten_examples():
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize(
    ("text", "said", "intent", "slots"), EXAMPLES, ids=[said for _, said, _, _ in EXAMPLES]
)
def test_an_example_of_the_guide(tmp_path, text, said, intent, slots):
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    if "language: de" in text:
        pytest.importorskip("unicode_rbnf")
    graph = build_graph(read_grammar(path))
    sentence = graph.meaning(graph.find(said.split()))
    assert sentence.intent == intent
    assert " ".join(f"{slot.label}={slot.value}" for slot in sentence.slots) == slots
    assert not check_grammar(path).findings


def test_the_format_of_the_guide_is_read(tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(re.search(r"## The format\n\n```yaml\n(.*?)```", GUIDE, re.DOTALL)[1])
    assert read_grammar(path).count() > 100
