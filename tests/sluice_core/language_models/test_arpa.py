"""ARPA files: of other toolkits, broken ones, and back again."""

import gzip
import logging
import math
from pathlib import Path

import numpy as np
import pytest

from sluice_core.grammar.travel import generate
from sluice_core.language_models.ngram import load_ngram, save_ngram
from sluice_core.language_models.ngram.kneser_ney import train
from sluice_core.language_models.units import NEVER, LanguageModelError

LN_10 = math.log(10)

# As lmplz writes: <unk> first, 0 for <s>, back-off weights on all but the highest order.
KENLM = r"""\data\
ngram 1=5
ngram 2=4

\1-grams:
-0.9030899	<unk>	0
0	<s>	-0.19836944
-0.60206	</s>	0
-0.60206	a	-0.07058108
-0.4259687	b	0

\2-grams:
-0.6020599	b </s>
-0.58781946	<s> a
-0.29742587	<s> b
-0.32905874	a b

\end\
"""

# As SRILM writes: a blank line at the head, spaces, -99 for <s>, no <unk>, missing back-off weights; the bigram
# "to oslo" is pruned though "to oslo now" is kept.
SRILM = r"""
\data\
ngram 1=5
ngram 2=2
ngram 3=2

\1-grams:
-1.2 </s>
-99 <s> -0.5
-0.7 now -0.25
-1.1 oslo
-0.6 to -0.125

\2-grams:
-0.3 <s> to -0.0625
-0.2 now </s>

\3-grams:
-0.1 <s> to oslo
-0.05 to oslo now

\end\
"""


def write(tmp_path: Path, text: str | bytes, name: str = "m.arpa") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_kenlm(tmp_path: Path) -> None:
    model = load_ngram(write(tmp_path, KENLM))
    assert (model.order, model.unit, model.words) == (2, "word", ["<unk>", "<s>", "</s>", "a", "b"])
    expected = [-0.58781946, -0.32905874, -0.6020599]
    assert np.allclose(model.scores(["a", "b"]) / LN_10, expected)
    # Unknown after a, then b after unknown, then the end after b.
    expected = [-0.58781946, -0.07058108 - 0.9030899, -0.4259687, -0.6020599]
    assert np.allclose(model.scores(["a", "what", "b"]) / LN_10, expected)
    assert model.log_prob[1 + model.ids["<s>"]] == np.float32(
        NEVER
    )  # not probability 1 for a start within a text


def test_srilm(tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.INFO):
        model = load_ngram(write(tmp_path, SRILM))
    assert "there is no <unk>" in caplog.text
    assert model.sizes == [6, 3, 2]  # with <unk>, and "to oslo"
    scores = model.scores(["to", "oslo", "now"]) / LN_10
    assert np.allclose(scores, [-0.3, -0.1, -0.05, -0.2])
    # "to oslo" has the probability that back-off gives, and no weight of its own.
    scores = model.scores(["oslo", "to", "oslo", "to"], end=False) / LN_10
    assert np.allclose(scores, [-0.5 - 1.1, -0.6, -0.125 - 1.1, -0.6])
    assert model.scores(["bergen"])[0] == pytest.approx(-0.5 * LN_10 + NEVER)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: "written by hand\n\n" + text,
        lambda text: text.replace("\t", "   "),
        lambda text: text.replace("<unk>", "<UNK>"),
        lambda text: text.replace("ngram 1=5", "ngram  1 = 5"),
        lambda text: text.replace("-0.9030899\t<unk>", "-inf\t<unk>").replace("-inf", "-0.9030899"),
        lambda text: text.replace("\n-0.32905874", "\n\n-0.32905874") + "\nafterwards\n",
    ],
)
def test_what_writers_vary_changes_nothing(change, tmp_path: Path) -> None:
    plain, varied = load_ngram(write(tmp_path, KENLM)), load_ngram(write(tmp_path, change(KENLM), "v"))
    assert varied.words == plain.words
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(varied.trie, plain.trie, strict=True))


def test_a_log_probability_that_rounding_lifted_above_0_is_0(tmp_path: Path) -> None:
    model = load_ngram(
        write(tmp_path, KENLM.replace("-0.32905874", "4e-08").replace("-0.60206\ta", "4e-08\ta"))
    )
    assert model.scores(["a", "b"])[1] == 0 and model.scores(["a"], start=False)[0] == 0


def test_minus_infinity_is_nearly_nothing(tmp_path: Path) -> None:
    model = load_ngram(write(tmp_path, KENLM.replace("-0.9030899\t<unk>", "-inf\t<unk>")))
    assert model.score(["x"], start=False, end=False) == pytest.approx(NEVER)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("\\data\\\n", "", None, "no line \\data\\"),
        ("ngram 2=4", "ngram 3=4", 3, "expected the count of 2-grams, found that of 3-grams"),
        ("ngram 2=4", "ngrams: 4", 3, "expected a count such as 'ngram 1=200', found 'ngrams: 4'"),
        ("ngram 1=5\nngram 2=4\n", "", 3, "there are no counts"),
        ("ngram 1=5", "ngram 1=6", 12, "5 1-grams before here, but the head of the file announces 6"),
        ("ngram 2=4", "ngram 2=3", 16, "a 2-gram more than the 3 that the head of the file announces"),
        ("\\2-grams:", "\\3-grams:", 12, "expected \\2-grams:, found '\\\\3-grams:'"),
        ("-0.60206\ta", "-0.6o\ta", 9, "'-0.6o' is not a number"),
        ("-0.07058108", "minus", 9, "'minus' is not a number"),
        ("-0.60206\ta", "nan\ta", 9, "the log-probability is nan"),
        ("-0.07058108", "inf", 9, "the back-off weight is inf"),
        ("-0.32905874", "0.5", 16, "the log-probability is 0.5; that of a probability is never above 0"),
        (
            "<s> b",
            "<s>",
            15,
            "expected a log-probability, 2 words and perhaps a back-off weight, found 2 fields",
        ),
        ("<s> b", "<s> a b", 15, "'b' is not a number (in '-0.29742587 <s> a b')"),
        ("<s> b", "<s> a b -1", 15, "found 5 fields"),
        ("-0.60206\ta\t", "-0.60206\ta b c\t", 9, "1 word and perhaps"),
        ("<s> b", "<s> oslo", 15, "the word 'oslo' is not among the 1-grams"),
        ("\tb\t", "\ta\t", 10, "the word 'a' stands among the 1-grams twice"),
        ("\t</s>\t", "\t<s>\t", 8, "the word '<s>' stands among the 1-grams twice"),
        ("<s> b", "a b", 16, "this 2-gram stands in the file twice"),
        ("\\end\\\n", "", 17, "the file ends here, before \\end\\; is it cut off?"),
        ("\\end\\\n", "\\3-grams:\n", 18, "expected \\end\\, found"),
    ],
)
def test_a_broken_file_is_told_with_its_line(old, new, line, said, tmp_path: Path) -> None:
    assert old in KENLM
    path = write(tmp_path, KENLM.replace(old, new, 1))
    with pytest.raises(LanguageModelError) as caught:
        load_ngram(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}, line {line}: " if line else f"{path}: ")


def test_bytes_that_are_not_utf_8_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, KENLM.encode().replace(b"\tb\t", b"\tb\xe9\t"))
    with pytest.raises(LanguageModelError, match=r"m\.arpa, line 10: not UTF-8"):
        load_ngram(path)


def test_a_cut_gzip_is_told(tmp_path: Path) -> None:
    lines = "".join(f"-1\tword{number * 7919 % 10007}\n" for number in range(2000))
    text = f"\\data\\\nngram 1=2000\n\n\\1-grams:\n{lines}\n\\end\\\n"
    packed = gzip.compress(text.encode())
    assert load_ngram(write(tmp_path, packed)).sizes == [2003]
    for damaged in (packed[: len(packed) // 2], packed[:-6], packed[:-8] + bytes(8)):
        with pytest.raises(LanguageModelError, match=r"cut off or damaged after line \d+"):
            load_ngram(write(tmp_path, damaged))


@pytest.mark.parametrize("name", ["m.arpa", "m.arpa.gz", "m.ngram"])
@pytest.mark.parametrize("unit", ["word", "character"])
def test_there_and_back(name, unit, tmp_path: Path) -> None:
    texts = [sentence.text for sentence in generate(100)]
    sentences = [list(text) if unit == "character" else text.split() for text in texts]
    model = train(sentences, 3, unit=unit, prune=(0, 0, 1), quiet=True)
    save_ngram(model, tmp_path / name)
    loaded = load_ngram(tmp_path / name)
    assert (loaded.order, loaded.unit, loaded.words) == (3, unit, model.words)
    for mine, theirs in zip(model.trie, loaded.trie, strict=True):
        assert np.allclose(mine, theirs, atol=2e-6)
    assert (tmp_path / name).read_bytes().startswith(b"\x1f\x8b") == (name == "m.arpa.gz")
    again = tmp_path / f"again-{name}"
    save_ngram(loaded, again)
    if name == "m.arpa.gz":
        assert gzip.decompress(again.read_bytes()).decode().count("<space>" if unit == "character" else "to")


def test_what_is_written_is_standard_arpa(tmp_path: Path) -> None:
    save_ngram(train([["a", "b"], ["a", "b"], ["b"]], 2, quiet=True), tmp_path / "m.arpa")
    written = (tmp_path / "m.arpa").read_text().splitlines()
    assert written[:5] == ["\\data\\", "ngram 1=5", "ngram 2=4", "", "\\1-grams:"]
    assert written[-2:] == ["", "\\end\\"]
    assert written[5] == "-0.90309\t<unk>\t0"
    assert written[6].startswith("-99\t<s>\t-0.19836")  # (1.7 + .2) / 3
    header = written.index("\\2-grams:")
    assert [line.split("\t")[1] for line in written[header + 1 : -2]] == ["<s> a", "<s> b", "a b", "b </s>"]
    assert all(line.count("\t") == 1 for line in written[header + 1 : -2])
