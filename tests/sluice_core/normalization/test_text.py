"""Texts in one form."""

from sluice_core.normalization.text import normalize_text


def test_text_is_composed_and_collapsed():
    assert normalize_text(" cafe\u0301 \t au\nlait ") == "café au lait"
    assert normalize_text("Ja UND nein", "lower") == "ja und nein"
    assert normalize_text("straße", "upper") == "STRASSE"
    assert normalize_text("\u3000好棒棒\u3000") == "好棒棒"
