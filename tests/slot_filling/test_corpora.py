"""Labelled sentences from every format; what is wrong with a file is said with its line."""

import json
import logging
import re

import pytest

from slot_filling.corpora import SentenceCorpusConfig, from_datasets, load_corpus, load_splits, repeated
from slot_filling.schemes import spans
from slot_filling.sentences import Span
from slot_filling.tokenizer import words
from sluice_core.config import ConfigError
from sluice_core.corpus_files import CorpusError
from sluice_core.errors import UserError
from tests.conftest import real_corpus

CITY = ("O", "O", "B-city", "I-city")
ROWS = "fly O\nto O\nNew B-city\nYork I-city\n\nhello O\n"


def conll(tmp_path, text, **settings):
    """The training sentences of one CoNLL file."""
    path = tmp_path / "train.conll"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_splits(SentenceCorpusConfig(kind="conll", **settings), path)["all"]


def jsonl(tmp_path, *items, **settings):
    path = tmp_path / "train.jsonl"
    path.write_text("".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items))
    return load_splits(SentenceCorpusConfig(kind="jsonl", **settings), path)["all"]


def folder(path, seq_in, seq_out, label=None):
    """A seq.in folder."""
    path.mkdir(parents=True)
    for name, text in (("seq.in", seq_in), ("seq.out", seq_out), ("label", label)):
        if text is not None:
            (path / name).write_text(text)
    return path


# CoNLL columns


def test_words_and_tags_of_columns(tmp_path):
    first, second = conll(tmp_path, ROWS)
    assert first.words == ("fly", "to", "New", "York") and first.tags == CITY
    assert first.where == f"{tmp_path / 'train.conll'}, line 1" and second.where.endswith("line 6")
    assert second.words == ("hello",) and second.intent is None


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ("{word} POS {tag}", []),
        ("{word}\tPOS\t{tag}", ["word", "pos", "tag"]),
        ("{tag}   7 {word}", ["tag", "id", "word"]),
        ("{tag} 7 {word}", [-1, 0]),
        ("7\t{word}\t{tag}\t_", [1, 2]),
    ],
)
def test_any_order_of_columns(tmp_path, row, columns):
    pairs = [line.split() for line in ROWS.split("\n\n")[0].splitlines()]
    text = "\r\n".join(row.format(word=word, tag=tag) for word, tag in pairs)
    (sentence,) = conll(tmp_path, text, columns=columns)
    assert sentence.words == ("fly", "to", "New", "York") and sentence.tags == CITY


def test_comments_document_markers_and_intents(tmp_path):
    head = "\ufeff-DOCSTART- O\n\n# a comment of words\n# intent: book_flight\n"
    text = f"{head}{ROWS}# O\n#1 O\n\n\n-DOCSTART- O\nbye O\n"
    found = conll(tmp_path, text)
    assert [s.words for s in found] == [("fly", "to", "New", "York"), ("hello", "#", "#1"), ("bye",)]
    assert [s.intent for s in found] == ["book_flight", None, None]


@pytest.mark.parametrize("columns", [[0, 1], ["word", "tag", "pos"]])
def test_a_word_that_begins_with_a_hash_is_known_by_its_tag_wherever_that_stands(tmp_path, columns):
    text = "# I-num SYM\n5 I-num CD\n# a comment of words\n# it ends\n#1 O NN\n"
    (sentence,) = conll(tmp_path, text, columns=columns)
    assert sentence.words == ("#", "5", "#1") and sentence.tags == ("B-num", "I-num", "O")


def test_a_comment_may_have_fewer_columns_than_the_tag_needs(tmp_path):
    (sentence,) = conll(tmp_path, "# O\nfly NN _ O\n", columns=[0, 3])
    assert sentence.words == ("fly",)


@pytest.mark.parametrize(
    "tags",
    [
        "O O I-city I-city B-city I-airline",
        "O O B-city I-city B-city B-airline",
        "O O B-city E-city S-city S-airline",
    ],
)
def test_every_scheme_is_detected_and_becomes_iob2(tmp_path, tags):
    (sentence,) = conll(tmp_path, "".join(f"w {tag}\n" for tag in tags.split()))
    assert spans(sentence.tags) == [Span("city", 2, 4), Span("city", 4, 5), Span("airline", 5, 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ROWS + "\nto O\nBoston I-city\n",
            r"line 9: I-city starts a span .*write B-city; at the word 'Boston'",
        ),
        ("fly O\nto\n", r"line 2: 1 column where 2 are expected: 'to'"),
        ("fly\n", r"line 1: no column .* for the word: the row has 1"),
        ("fly\tO\nto\t\n", r"line 2: the tag is missing"),
        ("fly O\nNew York B-city\n", r"line 2: 3 columns where 2 are expected"),
        ("fly O\nBoston city\n", r"line 2: 'city' is not a tag of IOB2"),
        (b"fly O\n\xff O\n", r"line 2: not UTF-8"),
        ("", r"there is no sentence in it"),
        ("\n\n# comment\n-DOCSTART-\n", r"there is no sentence in it"),
    ],
)
def test_wrong_columns_are_named(tmp_path, text, message):
    with pytest.raises(CorpusError, match=rf"train\.conll.*{message}"):
        conll(tmp_path, text)


def test_a_given_scheme_is_held(tmp_path):
    with pytest.raises(CorpusError, match="line 1: I-city starts a span"):
        conll(tmp_path, "Boston I-city\n", scheme="IOB2")
    assert conll(tmp_path, "Boston I-city\n")[0].tags == ("B-city",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["word", "pos"], "one column word and one tag"),
        ([0], "two numbers"),
        ([1, 1], "two numbers"),
        ([0, 1, 2], "two numbers"),
    ],
)
def test_wrong_settings_of_columns(columns, message):
    with pytest.raises(ConfigError, match=message):
        SentenceCorpusConfig.check({"kind": "conll", "columns": columns}, "x.yaml")


def test_a_column_that_no_row_has(tmp_path):
    with pytest.raises(CorpusError, match="line 1: no column 5 for the tag: the row has 2"):
        conll(tmp_path, ROWS, columns=[0, 5])


# seq.in folders


def test_folders_of_atis_and_snips(tmp_path):
    folder(tmp_path / "train", "fly to New York \n hi\n", "O O B-city I-city\nO \n", "fly\ngreet\n")
    folder(tmp_path / "valid", "hi you\n", "O O\n", "greet\n")
    folder(tmp_path / "test", "hi all\n", "O O\n")
    splits = load_corpus(SentenceCorpusConfig(kind="snips", data=tmp_path))
    assert {split: len(sentences) for split, sentences in splits.items()} == {"train": 2, "dev": 1, "test": 1}
    assert splits["train"][0].tags == CITY and splits["train"][0].intent == "fly"
    assert splits["test"][0].intent is None
    assert list(load_splits(SentenceCorpusConfig(kind="snips"), tmp_path / "test")) == ["all"]


def test_the_last_sentence_of_a_folder_may_have_no_intent(tmp_path):
    data = folder(tmp_path / "x", "a b\nc\n", "O O\nO\n", "fly\n\n")
    found = load_splits(SentenceCorpusConfig(kind="atis"), data)["all"]
    assert [sentence.intent for sentence in found] == ["fly", None]


@pytest.mark.parametrize("ends", [("\n\n", "", ""), ("", "\n", ""), ("", "", "\n \n")])
def test_empty_lines_at_the_end_of_a_folders_files_say_nothing(tmp_path, ends):
    texts = (text + end for text, end in zip(("a\nb\n", "O\nO\n", "x\ny\n"), ends, strict=True))
    found = load_splits(SentenceCorpusConfig(kind="atis"), folder(tmp_path / "x", *texts))["all"]
    assert [sentence.words for sentence in found] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("seq_in", "seq_out", "label", "message"),
    [
        ("a b\nc d\n", "O O\nO\n", None, r"seq\.out, line 2: 1 tag, but that line of seq\.in has 2 words"),
        ("a b\nc d\n", "O O\n", None, r"seq\.out: 1 line, but seq\.in has 2"),
        ("a\nb\n", "O\nO\n", "x\n", r"label: 1 line, but seq\.in has 2"),
        ("a\nb\n", "O\nO\n", "x\ny\nz\n", r"label: 3 lines, but seq\.in has 2"),
        ("a\nb\n", "O\n\n", None, r"seq\.out, line 2: 0 tags, but that line of seq\.in has 1 word"),
        ("a b\n", "O I-x\n", None, r"seq\.out, line 1: I-x starts a span"),
        ("", "", None, r"seq\.in: the file is empty"),
        ("a\n", None, None, r"looked for seq\.in and seq\.out; it holds seq\.in"),
    ],
)
def test_wrong_folders_are_named(tmp_path, seq_in, seq_out, label, message):
    data = folder(tmp_path / "x", seq_in, seq_out, label)
    with pytest.raises(CorpusError, match=message):
        load_splits(SentenceCorpusConfig(kind="atis", scheme="IOB2"), data)


@pytest.mark.parametrize(("name", "sizes", "twice"), [("atis", (4478, 500), 52), ("snips", (13084, 700), 15)])
def test_the_corpora_at_hand(name, sizes, twice, caplog):
    with caplog.at_level(logging.WARNING):
        splits = load_corpus(SentenceCorpusConfig(kind=name, data=real_corpus(name)))
    assert (len(splits["train"]), len(splits["dev"])) == sizes
    assert repeated(splits) == {"dev": twice}
    assert f"{twice} of the {sizes[1]} sentences of dev are also in training" in caplog.text


# JSON lines

TEXT = {
    "text": "Fly to New York, please",
    "slots": [{"label": "city", "start": 7, "end": 15}],
    "intent": "fly",
}


def test_texts_with_character_offsets(tmp_path):
    (sentence,) = jsonl(tmp_path, TEXT)
    assert sentence.words == ("Fly", "to", "New", "York", ",", "please")
    assert sentence.tags == (*CITY, "O", "O") and sentence.intent == "fly"


def test_words_with_tags_in_any_scheme(tmp_path):
    words_and_tags = {"words": ["to", "New", "York"], "tags": ["O", "B-city", "E-city"]}
    (sentence,) = jsonl(tmp_path, words_and_tags, "")
    assert sentence.tags == ("O", "B-city", "I-city")
    mixed = jsonl(tmp_path, words_and_tags, TEXT, scheme="BIOES")
    assert [s.tags[-3:] for s in mixed] == [("O", "B-city", "I-city"), ("I-city", "O", "O")]


def test_words_with_tags_may_have_their_text_beside_them(tmp_path):
    line = {"text": "to New York!", "words": ["to", "New", "York"], "tags": ["O", "B-city", "I-city"]}
    assert jsonl(tmp_path, line)[0].words == ("to", "New", "York")


def test_slots_inside_words_are_widened_and_counted(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        (sentence,) = jsonl(
            tmp_path, {"text": "in New Yorker", "slots": [{"label": "city", "start": 3, "end": 11}]}
        )
    assert sentence.tags == ("O", "B-city", "I-city")
    assert "slots that begin or end inside a word were widened to whole words: 1" in caplog.text


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{", "not JSON"),
        ("[1]", 'an object with "text" and "slots"'),
        ({"text": "x"}, 'an object with "text" and "slots"'),
        ({"words": ["a", "b"], "tags": ["O"]}, "2 words but 1 tag"),
        ({"words": ["a", 1], "tags": ["O", "O"]}, "words must be a list of texts"),
        ({"words": ["a"], "tags": ["I-x"]}, "I-x starts a span"),
        ({"words": ["a\ud800"], "tags": ["O"]}, r"'a\\ud800' holds half of a surrogate pair"),
        ({"words": ["a"], "tags": ["B-\udfff"]}, "half of a surrogate pair"),
        ({"text": "a \udbff", "slots": []}, "half of a surrogate pair"),
        ({**TEXT, "intent": "\ud800"}, "half of a surrogate pair"),
        ({**TEXT, "slots": [{"label": "\ud800", "start": 0, "end": 3}]}, "half of a surrogate pair"),
        ({"text": 5, "slots": []}, "text must be a text"),
        ({**TEXT, "intent": 5}, "intent must be text"),
        ({**TEXT, "slots": [{"label": "city", "start": 7}]}, 'a slot needs "label"'),
        ({**TEXT, "slots": [{"label": "", "start": 7, "end": 9}]}, 'a slot needs "label"'),
        ({**TEXT, "slots": ["city"]}, 'a slot needs "label"'),
        ({**TEXT, "slots": [{"label": "city", "start": 7, "end": 99}]}, r"7 to 99 is not a part of the text \(23"),
        ({**TEXT, "slots": [{"label": "city", "start": 6, "end": 7}]}, "has no word in it"),
        ({**TEXT, "slots": [{**TEXT["slots"][0], "text": "York"}]}, "says 'York', but .* 'New York'"),
        ({**TEXT, "slots": [*TEXT["slots"], {"label": "x", "start": 11, "end": 15}]}, "slots overlap"),
    ],
)  # fmt: skip
def test_wrong_lines_are_named(tmp_path, item, message):
    with pytest.raises(CorpusError, match=rf"train\.jsonl, line 2: .*{message}"):
        jsonl(tmp_path, TEXT, item, scheme="IOB2")


def test_an_empty_file_of_json_lines(tmp_path):
    with pytest.raises(CorpusError, match="the file is empty"):
        jsonl(tmp_path)


# datasets objects


def test_datasets_with_class_labels_and_with_texts():
    datasets = pytest.importorskip("datasets")
    rows = {"tokens": [["to", "New", "York"], ["hi"]], "ner_tags": [[0, 1, 2], [0]], "intent": [1, 0]}
    names = datasets.ClassLabel(names=["O", "B-city", "I-city"])
    text, labels = datasets.Value("string"), datasets.ClassLabel(names=["greet", "fly"])
    features = datasets.Features(
        {"tokens": datasets.List(text), "ner_tags": datasets.List(names), "intent": labels}
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    first, second = from_datasets({"train": dataset}, intent="intent")["train"]
    assert (first.words, first.tags, first.intent) == (
        ("to", "New", "York"),
        ("O", "B-city", "I-city"),
        "fly",
    )
    assert second.intent == "greet" and second.where == "train, row 1"
    plain = datasets.Dataset.from_dict({"w": [["York"]], "t": [["S-city"]]})
    assert from_datasets({"dev": plain}, words="w", tags="t")["dev"][0].tags == ("B-city",)


def test_a_class_number_of_minus_one_is_no_class():
    datasets = pytest.importorskip("datasets")
    names, text = datasets.ClassLabel(names=["O", "B-city"]), datasets.Value("string")
    features = datasets.Features(
        {"words": datasets.List(text), "tags": datasets.List(names), "intent": names}
    )

    def read(tag, intent):
        rows = {"words": [["York"]], "tags": [[tag]], "intent": [intent]}
        dataset = datasets.Dataset.from_dict(rows, features=features)
        return from_datasets({"train": dataset}, intent="intent")["train"][0]

    assert (read(1, -1).tags, read(1, -1).intent) == (("B-city",), None)
    with pytest.raises(CorpusError, match=r"train, row 0: tags has a number that is no class: \[-1\]"):
        read(-1, 0)


def test_wrong_datasets_are_named():
    datasets = pytest.importorskip("datasets")
    for rows, options, message in (
        ({"w": [["a"]], "tags": [["O"]]}, {}, "train: no column words or tokens; name it: there are w, tags"),
        ({"words": [["a"]], "tags": [["O"]]}, {"intent": "i"}, "train: no column 'i'"),
        ({"words": [["a"]], "tags": [[3]]}, {}, "train, row 0: tags must be texts, or numbers whose feature"),
        ({"words": [["a"], ["b", "c"]], "tags": [["O"], ["O"]]}, {}, "train, row 1: 2 words but 1 tag"),
        (
            {"words": [["a", "b"]], "tags": [["B-y", "I-x"]]},
            {"scheme": "IOB2"},
            "train, row 0: I-x starts a span",
        ),
    ):
        with pytest.raises(CorpusError, match=re.escape(message)):
            from_datasets({"train": datasets.Dataset.from_dict(rows)}, **options)


# Parts


def numbered(count):
    return "".join(f"word{number} O\n\n" for number in range(count))


def test_a_part_of_training_is_taken_for_dev_by_the_seed(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(numbered(50) + numbered(50))  # every sentence twice
    config = SentenceCorpusConfig(kind="conll", data=path, dev_fraction=0.2)
    splits = load_corpus(config)
    assert {split: len(sentences) for split, sentences in splits.items()} == {"train": 80, "dev": 20}
    assert repeated(splits) == {}
    assert load_corpus(config) == splits
    assert load_corpus(config.model_copy(update={"split_seed": 3}))["dev"] != splits["dev"]


def test_parts_by_name_and_by_setting(tmp_path):
    for name, count in (("eng.train", 5), ("eng.testa", 2), ("eng.testb", 3), ("README.md", 1)):
        (tmp_path / name).write_text(numbered(count))
    splits = load_corpus(SentenceCorpusConfig(kind="conll", data=tmp_path))
    assert {split: len(sentences) for split, sentences in splits.items()} == {"train": 5, "dev": 2, "test": 3}
    by_setting = SentenceCorpusConfig(kind="conll", train=tmp_path / "eng.train", dev=tmp_path / "eng.testb")
    assert {split: len(sentences) for split, sentences in load_corpus(by_setting).items()} == {
        "train": 5,
        "dev": 3,
    }


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({}, {}, "corpus conll needs its files"),
        ({}, {"data": "."}, r"no sentences there: looked for files, such as train\.txt.*the folder is empty"),
        ({}, {"data": "nowhere"}, r"nowhere: there is no such file or folder; in .*: the folder is empty"),
        ({"train.txt": 3, "train.conll": 3}, {"data": "."}, "both look like train; name the one to read"),
        ({"test.txt": 3}, {"data": "."}, "there is no training split, only test"),
        ({"train.txt": 1}, {"data": "."}, "1 different training sentences are too few"),
        ({"train.txt": 9}, {"data": ".", "train": "train.txt"}, "both name the training split"),
        ({"train.txt": 9}, {"train": "train.txt", "dev": "no.txt"}, r"no\.txt: cannot be read: No such file"),
    ],
)
def test_parts_that_are_not_there_are_named(tmp_path, monkeypatch, files, settings, message):
    monkeypatch.chdir(tmp_path)
    for name, count in files.items():
        (tmp_path / name).write_text(numbered(count))
    with pytest.raises(CorpusError, match=message):
        load_corpus(SentenceCorpusConfig(kind="conll", **settings))


def test_atis_without_its_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"corpus atis needs its folders train, dev .*: corpus\.data"):
        load_corpus(SentenceCorpusConfig(kind="atis"))
    (tmp_path / "en").mkdir()
    with pytest.raises(CorpusError, match=r"looked for folders train, dev .* it holds en/"):
        load_corpus(SentenceCorpusConfig(kind="atis", data=tmp_path))


# The embedded corpus


@pytest.fixture(scope="module")
def travel():
    return load_corpus(SentenceCorpusConfig(kind="travel", sentences=600))


def test_travel_is_there_without_any_file_and_the_same_for_a_seed(travel):
    assert {split: len(sentences) for split, sentences in travel.items()} == {
        "train": 480,
        "dev": 60,
        "test": 60,
    }
    assert load_corpus(SentenceCorpusConfig(kind="travel", sentences=600)) == travel
    assert repeated(travel) == {}
    assert {sentence.intent for sentence in travel["test"]} <= {
        sentence.intent for sentence in travel["train"]
    }


def test_slots_of_travel_are_whole_words_of_the_tokenizer(travel):
    found = [(s, span) for s in travel["train"] for span in spans(s.tags)]
    values = [(span.label, " ".join(s.words[span.start : span.end]).lower()) for s, span in found]
    assert any(label == "price" and re.fullmatch(r"[$€£] [\d,]+", value) for label, value in values)
    assert {("time", "noon"), ("time", "morning")} <= set(values)
    for sentence in travel["train"]:
        assert all(words(word) == (word,) for word in sentence.words if word not in ("St.", "st.", "ST."))


def test_files_make_no_sense_for_travel_but_can_be_evaluated(tmp_path):
    with pytest.raises(CorpusError, match="corpus travel is made, not read"):
        load_corpus(SentenceCorpusConfig(kind="travel", data=tmp_path))
    folder(tmp_path / "test", "arrive Taipei\n", "O B-destination\n")
    assert load_splits(SentenceCorpusConfig(kind="travel"), tmp_path)["test"][0].tags == (
        "O",
        "B-destination",
    )
    (tmp_path / "x.jsonl").write_text(json.dumps(TEXT))
    (tmp_path / "x.conll").write_text(ROWS)
    assert len(load_splits(SentenceCorpusConfig(kind="travel"), tmp_path / "x.jsonl")["all"]) == 1
    assert len(load_splits(SentenceCorpusConfig(kind="travel"), tmp_path / "x.conll")["all"]) == 2


# Grammars


def grammar_file(folder, templates):
    path = folder / "heating.yaml"
    path.write_text(
        f'intents:\n  heat: ["{templates}"]\n  stop: [stop it]\n'
        "lists:\n  room: [bedroom, living room]\n  level: {from: 1, to: 30}\n"
    )
    return path


def test_a_grammar_of_your_own_is_a_corpus(tmp_path):
    path = grammar_file(tmp_path, "[please] (heat | warm) the {room} to {level}")
    splits = load_corpus(SentenceCorpusConfig(kind="grammar", data=path, sentences=100))
    assert {split: len(sentences) for split, sentences in splits.items()} == {
        "train": 80,
        "dev": 10,
        "test": 10,
    }
    assert repeated({split: [*sentences] for split, sentences in splits.items()}) == {}
    rooms = {
        " ".join(sentence.words[span.start : span.end]).lower()
        for sentence in splits["train"]
        for span in spans(sentence.tags)
        if span.label == "room"
    }
    assert rooms == {"bedroom", "living room"}
    typed = [sentence for sentence in splits["train"] if sentence.words[0][0].isupper()]
    assert 10 < len(typed) < 50
    assert not any(sentence.words[0][0].isupper() for sentence in splits["test"])
    assert {sentence.intent for sentence in splits["train"]} <= {"heat", "stop"}


def test_a_grammar_too_small_to_divide_gives_every_split_the_same(tmp_path, caplog):
    path = tmp_path / "small.yaml"
    path.write_text("intents: {on: [light on], off: [light off]}\n")
    with caplog.at_level("WARNING", "sluice"):
        splits = load_corpus(SentenceCorpusConfig(kind="grammar", data=path))
    assert "2 sentences, too few to divide" in caplog.text
    assert {split: len(sentences) for split, sentences in splits.items()} == {"train": 2, "dev": 2, "test": 2}


def test_a_corpus_of_a_grammar_needs_one(tmp_path):
    with pytest.raises(CorpusError, match="needs a grammar"):
        load_corpus(SentenceCorpusConfig(kind="grammar"))
    with pytest.raises(UserError, match=r"missing.yaml: cannot be read"):
        load_corpus(SentenceCorpusConfig(kind="grammar", data=tmp_path / "missing.yaml"))


def test_the_old_name_of_the_spoken_travel_corpus_is_still_read(caplog):
    with caplog.at_level("WARNING", "sluice"):
        old = SentenceCorpusConfig.check({"kind": "spoken_travel", "sentences": 100}, "old")
    assert (old.kind, str(old.data)) == ("grammar", "travel")
    assert "the old name is still read" in caplog.text
    requests = load_corpus(old)
    assert len(requests["train"]) == 80
    assert {label for s in requests["train"] for label in s.tags} > {"B-destination", "B-date"}
