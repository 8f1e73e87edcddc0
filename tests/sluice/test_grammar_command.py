"""`sluice grammar`: checking grammars and drawing from them."""

import json

import pytest

from sluice.cli import main

COFFEE = """\
intents:
  order: ["i want a {size} coffee", "bbc coffee"]
lists: {size: [small, "twelve ounce": M]}
"""


@pytest.fixture
def coffee(tmp_path):
    path = tmp_path / "coffee.yaml"
    path.write_text(COFFEE)
    return path


def test_check_counts_and_samples_and_warns(coffee, capsys):
    assert main(["grammar", "check", str(coffee), "-n", "30"]) == 0
    printed = capsys.readouterr().out
    assert "sentences    3\n" in printed and "i want a [size: twelve ounce = M] coffee  (order)" in printed
    assert f"{coffee}, line 2: warning: 'bbc' may not be said as you mean it" in printed
    assert printed.endswith("0 errors, 1 warning\n")


def test_check_of_a_wrong_grammar_fails_with_the_line(coffee, capsys):
    coffee.write_text(COFFEE.replace("{size} coffee", "{sise} coffee"))
    assert main(["grammar", "check", str(coffee)]) == 1
    assert "line 2: no list and no rule is called 'sise': did you mean 'size'?" in capsys.readouterr().out
    assert main(["grammar", "check", str(coffee), "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["errors"] == 1 and facts["findings"][0]["line"] == 2 and "sentences" not in facts


def test_check_in_json_has_the_same_facts(coffee, capsys):
    assert main(["grammar", "check", str(coffee), "--json", "-n", "1"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["sentences"], facts["intents"], facts["warnings"]) == (3, {"order": 2}, 1)
    assert facts["samples"][0]["intent"] == "order"


def test_a_slot_without_words_stands_beside_the_intent(tmp_path, capsys):
    path = tmp_path / "lights.yaml"
    path.write_text('intents: {on: ["{light:domain} lights on"]}\nlists: {light: [{"": light}]}\n')
    assert main(["grammar", "sample", str(path), "-n", "1"]) == 0
    assert capsys.readouterr().out == "lights on  (on, domain = light)\n"


def test_sample_draws_the_same_for_a_seed(coffee, capsys):
    assert main(["grammar", "sample", str(coffee), "-n", "5", "--seed", "3"]) == 0
    first = capsys.readouterr().out
    assert main(["grammar", "sample", str(coffee), "-n", "5", "--seed", "3"]) == 0
    assert capsys.readouterr().out == first and len(first.splitlines()) == 5
    main(["grammar", "sample", str(coffee), "-n", "20", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"label": "size", "start": 3, "end": 5, "value": "M"} in [
        slot for row in rows for slot in row["slots"]
    ]


def test_the_built_in_grammar_has_a_name_and_a_wrong_file_a_message(capsys):
    assert main(["grammar", "sample", "travel", "-n", "2", "--text"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["grammar", "sample", "travels"]) == 1
    assert "travels: cannot be read" in capsys.readouterr().err
