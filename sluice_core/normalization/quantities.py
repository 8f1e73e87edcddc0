"""Read numbers and amounts of money from plain text in figures (`numerals.plain`); None where they are not sure."""

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
"""The signs and names of each currency, separated by "|", by its ISO 4217 code. Where no country is said, a dollar is
American and a pound British. "¥", a rupee and a franc belong to several countries and are left out.
"""
CODES = {
    name: code for code, names in CURRENCIES.items() for name in (code.lower(), *names.split("|")) if name
}
CURRENCY = "|".join(re.escape(name) for name in sorted(CODES, key=len, reverse=True))
POINTED = r"[1-9]\d{0,2}(?:\.\d{3}){1,4}(?:,\d\d)?"
"""An amount with points between its thousands: 1.300 € are 1300, since money has no thousandths. A million has some
("$1.250 million"), and is not read so."""
MONEY = re.compile(
    rf"(?P<before>{CURRENCY})? ?(?P<amount>{NUMBER}|{POINTED})(?P<scale>k| ?million| 1000000)?"
    rf" ?(?P<after>{CURRENCY})?",
    re.ASCII,
)
A_HUNDRED = r"a (?=1\d\d)"  # "a hundred" is "a 100" in plain text, "a thousand and five" is "a 1005"
SCALES = {"k": 1000, "million": 1_000_000, "1000000": 1_000_000}


def read_number(text: str) -> str | None:
    """Read a number that stands alone or before "star".

    >>> read_number("1,300"), read_number("a dozen"), read_number("4 star")
    ('1300', '12', '4')
    """
    text = "12" if text in ("a dozen", "dozen") else re.sub(rf"^{A_HUNDRED}|[- ]stars?$", "", text)
    text = re.sub("^minus ", "-", text)
    if re.fullmatch(rf"-?{NUMBER}", text, re.ASCII) and not re.match(r"-?0\d", text):
        return text.replace(",", "")
    return None


def read_digits(text: str) -> str | None:
    """Read numbers that stand side by side.

    >>> read_digits("7 oh 5"), read_digits("14 90")
    ('705', '1490')
    """
    figures = "".join("0" if part in ("oh", "o") else part for part in text.split())
    return figures if re.fullmatch(r"\d{1,20}", figures, re.ASCII) else None


def read_money(text: str) -> str | None:
    """Read an amount of money with its currency.

    >>> read_money("€1,300"), read_money("1.5 million dollars"), read_money("1,300")
    ('EUR 1300', 'USD 1500000', None)
    """
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
