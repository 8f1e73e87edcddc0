"""Words, characters, shapes, digits, tags and intents by number; word vectors from text files."""

import gzip
import json
import pickle

import numpy as np
import pytest

from slot_filling.network.word_vectors import read_vectors
from slot_filling.sentences import Sentence, Span
from slot_filling.vocabulary import LONGEST_WORD, Vocabulary, VocabularyError
from slot_filling.word_shapes import DIGIT_CLASSES, digit_class, fold, shape
from sluice_core.corpus_files import CorpusError

SENTENCES = [
    Sentence(("Fly", "to", "New", "York"), ("O", "O", "B-city", "I-city"), "fly"),
    Sentence(("fly", "to", "Taipei", "at", "2:30"), ("O", "O", "B-city", "O", "B-time"), "ask"),
]


@pytest.fixture
def vocabulary():
    return Vocabulary.learn(SENTENCES)


def test_words_are_known_in_any_letter_case_and_characters_as_written(vocabulary):
    encoded = vocabulary.encode(("FLY", "taipei", "Kyoto", "Ｔaipei"))
    fly, taipei = vocabulary.words.index("fly") + 2, vocabulary.words.index("taipei") + 2
    assert encoded.words.tolist() == [fly, taipei, 1, taipei]
    assert encoded.characters.shape == (4, 6)
    assert encoded.characters[0].tolist() == [
        vocabulary.characters.index("F") + 2,
        1,
        vocabulary.characters.index("Y") + 2,
        0,
        0,
        0,
    ]
    assert encoded.shapes[2] == vocabulary.shapes.index("Xx") + 2
    assert vocabulary.counts[fly - 2] == 2


def test_rare_words_are_unknown():
    vocabulary = Vocabulary.learn(SENTENCES, least_count=2)
    assert vocabulary.words == ("fly", "to")
    assert vocabulary.encode(("Taipei",)).words.tolist() == [1]


def test_no_words_and_very_long_words(vocabulary):
    empty = vocabulary.encode(())
    assert [column.shape for column in empty] == [(0,), (0, 0), (0,), (0,)]
    long = vocabulary.encode(("F" + "x" * 100_000 + "i",)).characters
    assert long.shape == (1, LONGEST_WORD)
    assert long[0, 0] != 1 and long[0, -1] != 1


def test_numbers_never_exceed_the_tables(vocabulary):
    encoded = vocabulary.encode(
        [word for sentence in SENTENCES for word in sentence.words] + ["3,000.5", "台"]
    )
    sizes = vocabulary.sizes
    for kind, column in encoded._asdict().items():
        assert column.min() >= 0 and column.max() < sizes[kind], kind


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_tags_in_the_scheme_of_the_model_and_back(scheme):
    vocabulary = Vocabulary.learn(SENTENCES, scheme)
    for sentence in SENTENCES:
        numbers = vocabulary.encode_tags(sentence.tags)
        assert vocabulary.decode_tags(numbers) == sentence.tags
    assert vocabulary.decode_spans(vocabulary.encode_tags(SENTENCES[0].tags)) == [Span("city", 2, 4)]
    assert vocabulary.tags[0] == "O" and vocabulary.labels == ("city", "time")
    start, allowed, end = vocabulary.transitions()
    assert allowed.shape == (len(vocabulary.tags),) * 2 and start.any() and end.any()


def test_a_model_whose_first_tags_look_like_later_ones_is_refused():
    with pytest.raises(VocabularyError, match="IOB2 or BIOES"):
        Vocabulary.learn(SENTENCES, "IOB1")


def test_tags_are_those_that_occur_label_by_label():
    assert Vocabulary.learn(SENTENCES, "BIOES").tags == ("O", "B-city", "E-city", "S-city", "S-time")
    assert Vocabulary.learn(SENTENCES).tags == ("O", "B-city", "I-city", "B-time")


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_a_span_that_training_never_had_counts_as_outside(scheme):
    vocabulary = Vocabulary.learn(SENTENCES, scheme)
    numbers = vocabulary.encode_tags(("B-airline", "I-airline", "B-city", "B-time", "I-time", "O"))
    assert vocabulary.decode_tags(numbers) == ("O", "O", "B-city", "O", "O", "O")
    strange = [Sentence(("x",), ("B-airline",), "sing"), SENTENCES[0]]
    assert vocabulary.unseen(strange) == {"labels": {"airline": 1}, "intents": {"sing": 1}}


def test_intents(vocabulary):
    assert vocabulary.intents == ("ask", "fly")
    assert [vocabulary.encode_intent(name) for name in ("ask", "fly", "sing", None)] == [0, 1, -1, -1]


def test_intents_know_the_tags_that_training_has_beside_them(vocabulary):
    assert vocabulary.tags == ("O", "B-city", "I-city", "B-time")
    assert vocabulary.intent_labels == (("city", "time"), ("city",))  # of "ask" and "fly"
    assert vocabulary.fits().tolist() == [[True, True, True, True], [True, True, True, False]]


def test_saved_and_loaded_and_sent_to_workers(vocabulary, tmp_path):
    vocabulary.encode(("Fly",))
    vocabulary.save(tmp_path / "vocabulary.json")
    loaded = Vocabulary.load(tmp_path / "vocabulary.json")
    assert loaded == vocabulary == pickle.loads(pickle.dumps(vocabulary))
    assert loaded.encode(("Fly",)).words.tolist() == vocabulary.encode(("Fly",)).words.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.update(words="abc"), "words is not a list of str"),
        (lambda tree: tree.update(words=["a", "a"], counts=[]), "words has an item twice"),
        (lambda tree: tree.update(tags=["B-city"]), "tags must begin with O"),
        (lambda tree: tree.update(scheme="IOB9"), "scheme is 'IOB9'"),
        (lambda tree: tree.update(counts=[1]), "counts has not one number"),
        (lambda tree: tree.update(intent_labels=[["city"]]), "intent_labels has not one list"),
        (lambda tree: tree.update(intent_labels=["city", "time"]), "one of intent_labels is not a list"),
        (lambda tree: tree.pop("tags"), "tags"),
        (lambda tree: tree.update(colour=[]), "colour"),
    ],
)
def test_a_damaged_file_is_named(vocabulary, tmp_path, change, message):
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(VocabularyError, match=rf"vocabulary\.json: .*{message}"):
        Vocabulary.load(path)


def test_half_a_file_no_file_and_no_text(vocabulary, tmp_path):
    path = tmp_path / "vocabulary.json"
    with pytest.raises(VocabularyError, match="the vocabulary is missing"):
        Vocabulary.load(path)
    for content in (b'{"words": [', b"\xff\xfe", b"[]", b"null"):
        path.write_bytes(content)
        with pytest.raises(VocabularyError, match="not a vocabulary that training wrote"):
            Vocabulary.load(path)


def test_nothing_to_learn_from():
    with pytest.raises(VocabularyError, match="no training sentences"):
        Vocabulary.learn([])
    with pytest.raises(VocabularyError, match=r"a\.conll, line 3'?: no tags"):
        Vocabulary.learn([Sentence(("x",), None, where="a.conll, line 3")])


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Taipei", "Xx"), ("PM", "X"), ("2:30", "d:dd"), ("o'clock", "x'x"), ("1234567890", "dddddddd"), ("台北", "c"),
     ("２nd", "dx"), ("👍", "s"), ("", "")],
)  # fmt: skip
def test_shapes(word, expected):
    assert shape(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("boston", "none"), ("", "none"), ("7", "one digit"), ("12", "hour"), ("31", "day"), ("45", "two digits"),
     ("838", "clock without colon"), ("1130", "clock without colon"), ("880", "three digits"),
     ("1994", "year"), ("9876", "four digits"), ("12345", "more digits"), ("2:30", "clock"), ("２：３０", "clock"),
     ("2nd", "ordinal"), ("5PM", "hour with half of day"), ("11/2", "date"), ("1,000", "amount"),
     ("737-a", "digits and others")],
)  # fmt: skip
def test_digit_classes(word, expected):
    assert DIGIT_CLASSES[digit_class(word) - 1][0] == expected


def test_folding():
    assert fold("Ｓtraße") == "strasse"


GLOVE = "the 0 1\nTAIPEI 2 3\ntaipei 4 5\n. . 6 7\nfly 8 9\n"


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.txt.gz", "v.vec.gz"])
def test_vectors_of_glove_and_fasttext(vocabulary, tmp_path, name):
    text = ("5 2\n" if ".vec" in name else "") + GLOVE
    path = tmp_path / name
    (gzip.open if name.endswith("gz") else open)(path, "wb").write(text.encode())
    vectors = read_vectors(path, vocabulary)
    assert vectors.matrix.shape == (len(vocabulary.words) + 2, 2) and vectors.matrix.dtype == np.float32
    assert vectors.matrix[vocabulary.words.index("taipei") + 2].tolist() == [4, 5]
    assert vectors.matrix[vocabulary.words.index("fly") + 2].tolist() == [8, 9]
    assert vectors.found.sum() == 2
    assert not vectors.matrix[~vectors.found].any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fly 1 2\nto 1\n", "line 2: a word and 2 numbers are needed"),
        (b"fly 1 2\nto 1 x\n", "line 2: not numbers after the word"),
        (b"fly 1 nan\n", "line 1: a number of the vector is infinite"),
        (b"fly 1 2\n\xff 1 2\n", "line 2: not UTF-8 .*\\.bin is not"),
        (b"", "no word vectors in it"),
        (b"5 2\n", "no word vectors in it"),
    ],
)
def test_wrong_vectors_are_named(vocabulary, tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=rf"v\.txt.*{message}"):
        read_vectors(path, vocabulary)


def test_a_cut_or_missing_file_of_vectors(vocabulary, tmp_path):
    whole = gzip.compress(GLOVE.encode() * 5000)
    (tmp_path / "v.txt.gz").write_bytes(whole[: len(whole) // 2])
    for path in (tmp_path / "v.txt.gz", tmp_path / "none.txt", tmp_path):
        with pytest.raises(CorpusError, match="cannot be read"):
            read_vectors(path, vocabulary)
