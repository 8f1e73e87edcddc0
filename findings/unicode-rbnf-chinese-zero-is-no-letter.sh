#!/usr/bin/env bash
# unicode-rbnf 2.4.1: a Chinese number spelled out holds one character that is no letter, and without it is another number.
#
# Expected: spelled-out numbers consist of letters, as 一百五十 (150) does, so that a text filter that keeps letters and spaces, of
# which speech recipes have many, leaves them whole.
# Seen: the zero within 105 is 〇, of Unicode's category Nl (a letter-like numeral), for which str.isalpha is False, where it is
# True for all other numerals. Filtered, 一百〇五 (105) becomes 一百五, which people say for 150; 二千〇二十四 (2024) becomes 二千二十四.
# Output seen: 105 一百〇五 -> 一百五, 150 一百五十 -> 一百五十, 2024 二千〇二十四 -> 二千二十四
set -euo pipefail
cd "$(mktemp -d)" && trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv && venv/bin/pip install --quiet unicode-rbnf==2.4.1
cat > run.py <<'PY'
import unicodedata

from unicode_rbnf import RbnfEngine

engine = RbnfEngine.for_language("zh")
texts = {number: engine.format_number(number).text for number in (105, 150, 2024)}
letters = {number: "".join(filter(str.isalpha, text)) for number, text in texts.items()}
print(", ".join(f"{number} {texts[number]} -> {letters[number]}" for number in texts))
assert unicodedata.category("〇") == "Nl" and letters == {105: "一百五", 150: "一百五十", 2024: "二千二十四"}, "the behaviour has changed"
PY
venv/bin/python run.py
