"""Written travel requests for a tagger: more names than the spoken ones, and splits that test generalization.

A name (of a city, of an airline) belongs to one split by the same rule as a sentence (`grammar.split_of`), and
some templates are reserved for dev and for test. In dev and test, about half of the names and half of the
templates do not occur in training; the other half does, as is the case with real requests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

from sluice_core.grammar.expressions import (
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    Terminal,
    children,
)
from sluice_core.grammar.grammar import AnnotatedSentence, Grammar, Split, distinct_sentences, split_of
from sluice_core.grammar.templates import words_of
from sluice_core.grammar.travel import TRAVEL, generate
from sluice_core.grammar.writing_styles import SPOKEN, AnnotatedText, WritingStyle, write

MORE_CITIES = (
    "Aberdeen", "Abu Dhabi", "Accra", "Addis Ababa", "Adelaide", "Albuquerque", "Algiers", "Almaty", "Amman",
    "Ankara", "Antwerp", "Auckland", "Baku", "Bangalore", "Beirut", "Belfast", "Belgrade", "Bergen", "Bilbao",
    "Birmingham", "Bogotá", "Bologna", "Bordeaux", "Bratislava", "Bremen", "Bristol", "Bucharest", "Buenos Aires",
    "Busan", "Canberra", "Cancun", "Caracas", "Cardiff", "Casablanca", "Catania", "Chengdu", "Chennai",
    "Chiang Mai", "Christchurch", "Cologne", "Colombo", "Cork", "Dakar", "Darwin", "Des Moines", "Doha", "Dresden",
    "Durban", "Düsseldorf", "Edmonton", "El Paso", "Faro", "Florence", "Fort Worth", "Fukuoka", "Gdansk", "Genoa",
    "Gothenburg", "Graz", "Guadalajara", "Guangzhou", "Halifax", "Hanoi", "Hanover", "Harare", "Hartford", "Havana",
    "Hiroshima", "Ho Chi Minh City", "Hobart", "Hyderabad", "Indianapolis", "Innsbruck", "Jacksonville",
    "Jerusalem", "Johannesburg", "Kaohsiung", "Karachi", "Kathmandu", "Kiev", "Kobe", "Kolkata", "Krakow",
    "Kuala Lumpur", "Kuwait City", "Kyoto", "La Paz", "Lagos", "Lahore", "Leeds", "Leipzig", "Lima", "Little Rock",
    "Liverpool", "Ljubljana", "Louisville", "Luxembourg", "Lyon", "Macau", "Malaga", "Malmö", "Marrakesh",
    "Marseille", "Medellín", "Monterrey", "Montevideo", "Muscat", "Nagoya", "Nanjing", "Naples", "Newark", "Nice",
    "Nuremberg", "Odessa", "Oklahoma City", "Omaha", "Ottawa", "Palermo", "Panama City", "Perth", "Porto",
    "Raleigh", "Reno", "Reykjavik", "Richmond", "Riga", "Rio de Janeiro", "Riyadh", "Rotterdam", "Sacramento",
    "Salzburg", "San Antonio", "San Jose", "San Juan", "Santa Fe", "Santiago", "Santo Domingo", "Sapporo",
    "Sarajevo", "Savannah", "Seville", "Shenzhen", "Sofia", "Spokane", "St. Petersburg", "Stuttgart", "São Paulo",
    "Tainan", "Tallinn", "Tbilisi", "Tel Aviv", "The Hague", "Tijuana", "Toulouse", "Trieste", "Tucson", "Tulsa",
    "Tunis", "Turin", "Utrecht", "Valencia", "Vilnius", "Wellington", "Winnipeg", "Wuhan", "Yokohama", "Zagreb",
)  # fmt: skip

MORE_AIRLINES = (
    "Aer Lingus", "Aeromexico", "Air India", "Air New Zealand", "All Nippon Airways", "Austrian", "Avianca",
    "Brussels Airlines", "Copa", "EasyJet", "Ethiopian Airlines", "Etihad", "Finnair", "Frontier", "Garuda",
    "Gulf Air", "Hawaiian Airlines", "Iberia", "Icelandair", "KLM", "Korean Air", "LATAM", "Malaysia Airlines",
    "Norwegian", "Philippine Airlines", "Qatar Airways", "Ryanair", "SAS", "Spirit", "TAP", "Thai Airways",
    "Turkish Airlines", "Vietnam Airlines", "WestJet",
)  # fmt: skip

NAME_SPELLINGS = {
    **{name.lower(): name for name in (*MORE_CITIES, *MORE_AIRLINES)},
    "eva air": "EVA Air",
    "jet blue": "JetBlue",
    "saint louis": "St. Louis",
}

DEV_TEMPLATES = (
    "<book> <party> to {city:destination} <when> <please>",
    "<leave> {city:origin} and arrive in {city:destination} <around>",
    "is there a flight to {city:destination} <around> <when_or_not>",
    "<show> {airline} flights <route>",
    "how much is a flight <route> <when_or_not>",
    "when does <which_flight> arrive in {city:destination}",
    "<cancel> my flight to {city:destination} <when_or_not>",
    "<change> my flight to {city:destination} to {day:date}",
    "<need> a {room} in {city} <when_or_not>",
    "<show> hotels near {city} with a pool",
)
TEST_TEMPLATES = (
    "arrive in {city:destination} <around> <when>",
    "<need> a round trip <route> returning {soon:date}",
    "<show> {cabin:class} flights to {city:destination} <when>",
    "does {airline} fly <route>",
    "<show> fares to {city:destination} <limit>",
    "has <which_flight> from {city:origin} landed yet",
    "<cancel> <which_flight> <when>",
    "<change> the trip from {city:origin} to {soon:date} <please>",
    "<need> a hotel in {city} <stay>",
    "<show> hotels in {city} <when_or_not>",
)
RESERVED_TEMPLATES: Mapping[Split, tuple[str, ...]] = {"dev": DEV_TEMPLATES, "test": TEST_TEMPLATES}

STYLES = (
    SPOKEN, SPOKEN, SPOKEN,
    WritingStyle(), WritingStyle(), WritingStyle(),
    WritingStyle(punctuation=False), WritingStyle(punctuation=False),
    WritingStyle(capitals="none", punctuation=False), WritingStyle(capitals="none", punctuation=False),
    WritingStyle(capitals="none"),
    WritingStyle(figures=False),
    WritingStyle(capitals="all", punctuation=False),
)  # fmt: skip


def names_of(split: Split, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that a split may use: training its own, dev and test training's and their own.

    In dev and test their own names are repeated until they are about as many as those of training, so that
    half of the names drawn are new.
    """
    names = tuple(names)
    trained, own = ([name for name in names if split_of(name) == each] for each in ("train", split))
    return tuple(trained) if split == "train" else (*trained, *own * round(len(trained) / len(own)))


def grammars(split: Split) -> tuple[Grammar, ...]:
    """Return the grammars of a split: that of training's templates and, but for training, that of its own."""
    more = {"city": MORE_CITIES, "airline": MORE_AIRLINES}
    rules = {
        name: _names(names_of(split, (*_values(rule), *(each.lower() for each in more[name]))))
        if name in more
        else rule
        for name, rule in TRAVEL.rules.items()
    }
    reserved = {*DEV_TEMPLATES, *TEST_TEMPLATES}

    def with_templates(selected: Iterable[str], inside: bool) -> Grammar:
        intents = {
            intent: tuple(template for template in templates if (template.text in selected) == inside)
            for intent, templates in TRAVEL.intents.items()
        }
        kept = {intent: templates for intent, templates in intents.items() if templates}
        return replace(TRAVEL, intents=kept, rules=rules)

    usual = with_templates(reserved, inside=False)
    return (usual,) if split == "train" else (usual, with_templates(RESERVED_TEMPLATES[split], inside=True))


def _values(rule: Expression) -> list[str]:
    """Return the phrases of a list."""
    return [" ".join(words_of(each) or ()) for each in children(rule)]


def _names(names: Iterable[str]) -> Alternation:
    """Return a list of these names, repeated ones included."""
    return Alternation(
        tuple(Alternative(Concatenation(tuple(Terminal(word) for word in name.split()))) for name in names)
    )


def spoken(count: int, seed: int, split: Split) -> list[AnnotatedSentence]:
    """Draw `count` different requests of a split in their spoken form, as many from each of its grammars.

    Raises:
        GrammarError: a grammar does not have that many.
    """
    sources = grammars(split)
    shares = [count // len(sources) + (index < count % len(sources)) for index in range(len(sources))]
    drawn = [
        distinct_sentences(grammar, share, seed, split)
        for grammar, share in zip(sources, shares, strict=True)
    ]
    requests = [sentence for sentences in drawn for sentence in sentences]
    Random(f"{seed} {split}").shuffle(requests)
    return requests


def written(count: int, seed: int = 17, split: Split = "train") -> list[AnnotatedText]:
    """Draw `count` requests of a split: a quarter as a recognizer writes them, the others as people do.

    Raises:
        GrammarError: there are not that many.
    """
    random = Random(f"{seed} {split} styles")
    return [
        write(sentence, random, random.choice(STYLES), NAME_SPELLINGS)
        for sentence in spoken(count, seed, split)
    ]


def as_spoken(count: int, seed: int = 17, split: Split = "train") -> list[AnnotatedText]:
    """Draw the requests of `travel.generate` as a recognizer writes them; in training, a third as people do.

    Raises:
        GrammarError: there are not that many.
    """
    random = Random(f"{seed} {split} styles")
    styles = (SPOKEN, SPOKEN, WritingStyle()) if split == "train" else (SPOKEN,)
    return [
        write(sentence, random, random.choice(styles), NAME_SPELLINGS)
        for sentence in generate(count, seed, split)
    ]
