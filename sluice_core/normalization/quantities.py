"""Numbers and amounts of money read from plain text in figures (`numerals.plain`); None where unsure."""

import re
from decimal import Decimal

NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,6})?"
CURRENCIES = {
    "USD": "$|us$|dollar|dollars|us dollars|american dollars|buck|bucks",
    "EUR": "€|euro|euros",
    "GBP": "£|pound|pounds|british pounds|pounds sterling|quid",
    "TWD": "nt$|taiwan dollars|new taiwan dollars",
    "HKD": "hk$|hong kong dollars",
    "SGD": "s$|sg$|singapore dollars",
    "CAD": "c$|ca$|canadian dollars",
    "AUD": "a$|au$|australian dollars",
    "NZD": "nz$|new zealand dollars",
    "JPY": "yen|japanese yen",
    "CNY": "yuan|rmb",
    "KRW": "₩|won|korean won",
    "INR": "₹|indian rupees",
    "THB": "฿|baht",
    "CHF": "swiss francs",
    **dict.fromkeys(("SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR", "AED", "TRY", "ILS"), ""),
}
"""Signs and names by ISO 4217 code. Where the country is not said, a dollar is American and a pound British; "¥", a
rupee and a franc are of several countries, and unsure.
"""
CODES = {
    name: code for code, names in CURRENCIES.items() for name in (code.lower(), *names.split("|")) if name
}
CURRENCY = "|".join(re.escape(name) for name in sorted(CODES, key=len, reverse=True))
POINTED = r"[1-9]\d{0,2}(?:\.\d{3}){1,4}(?:,\d\d)?"
"""Money has no thousandths, so 1.300 € are 1300; a million has: $1.250 million."""
MONEY = re.compile(
    rf"(?P<before>{CURRENCY})? ?(?P<amount>{NUMBER}|{POINTED})(?P<scale>k| ?million| 1000000)?"
    rf" ?(?P<after>{CURRENCY})?",
    re.ASCII,
)
A_HUNDRED = r"a (?=1\d\d)"  # and a thousand and five: the article of figures that were such words
SCALES = {"k": 1000, "million": 1_000_000, "1000000": 1_000_000}


def read_number(text: str) -> str | None:
    """A number that stands alone, or before "star": "1,300" → "1300", "a dozen" → "12"."""
    text = "12" if text in ("a dozen", "dozen") else re.sub(rf"^{A_HUNDRED}|[- ]stars?$", "", text)
    text = re.sub("^minus ", "-", text)
    if re.fullmatch(rf"-?{NUMBER}", text, re.ASCII) and not re.match(r"-?0\d", text):
        return text.replace(",", "")
    return None


def read_digits(text: str) -> str | None:
    """Numbers side by side: "7 oh 5" → "705", "14 90" → "1490"."""
    figures = "".join("0" if part in ("oh", "o") else part for part in text.split())
    return figures if re.fullmatch(r"\d{1,20}", figures, re.ASCII) else None


def read_money(text: str) -> str | None:
    """An amount with its currency: "€1,300" → "EUR 1300"."""
    found = MONEY.fullmatch(re.sub(f"^{A_HUNDRED}", "", text))
    codes = {CODES[name] for name in found.group("before", "after") if name} if found else set()
    if found is None or len(codes) != 1:
        return None
    amount, scale = found["amount"], found["scale"]
    if scale and not re.fullmatch(NUMBER, amount, re.ASCII):
        return None
    if not scale and re.fullmatch(POINTED, amount, re.ASCII):
        amount = amount.replace(".", "").replace(",", ".")
    value = Decimal(amount.replace(",", ""))
    if scale:
        value = (value * SCALES[scale.strip()]).normalize()
    return f"{codes.pop()} {value:f}"
