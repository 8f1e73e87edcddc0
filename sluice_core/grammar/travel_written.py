"""Written travel requests for a tagger: more names than the spoken ones, and parts that test generalization.

A name (city, airline) belongs to one part by the rule of sentences (`grammar.part_of`), and some
templates are kept for dev and for test. In dev and test about half of the names, and half of the
sentences' templates, are such as training never has; the others it has, as people's requests do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

from sluice_core.grammar.grammar import Grammar, Part, Sentence, distinct, part_of
from sluice_core.grammar.travel import AIRLINES, CITIES, INTENTS, SYMBOLS, generate
from sluice_core.grammar.writing_styles import SPOKEN, Passage, Style, write

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

NAMES = {
    **{name.lower(): name for name in (*MORE_CITIES, *MORE_AIRLINES)},
    "eva air": "EVA Air",
    "jet blue": "JetBlue",
    "saint louis": "St. Louis",
}

DEV_TEMPLATES = (
    "<book> <party> to {destination:city} <when> <please>",
    "<leave> {origin:city} and arrive in {destination:city} <around>",
    "is there a flight to {destination:city} <around> <when_or_not>",
    "<show> {airline:airline} flights <route>",
    "how much is a flight <route> <when_or_not>",
    "when does <which_flight> arrive in {destination:city}",
    "<cancel> my flight to {destination:city} <when_or_not>",
    "<change> my flight to {destination:city} to {date:day}",
    "<need> a {room:room} in {city:city} <when_or_not>",
    "<show> hotels near {city:city} with a pool",
)
TEST_TEMPLATES = (
    "arrive in {destination:city} <around> <when>",
    "<need> a round trip <route> returning {date:soon}",
    "<show> {class:cabin} flights to {destination:city} <when>",
    "does {airline:airline} fly <route>",
    "<show> fares to {destination:city} <limit>",
    "has <which_flight> from {origin:city} landed yet",
    "<cancel> <which_flight> <when>",
    "<change> the trip from {origin:city} to {date:soon} <please>",
    "<need> a hotel in {city:city} <stay>",
    "<show> hotels in {city:city} <when_or_not>",
)
KEPT: Mapping[Part, tuple[str, ...]] = {"dev": DEV_TEMPLATES, "test": TEST_TEMPLATES}

STYLES = (
    SPOKEN, SPOKEN, SPOKEN,
    Style(), Style(), Style(),
    Style(punctuation=False), Style(punctuation=False),
    Style(capitals="none", punctuation=False), Style(capitals="none", punctuation=False),
    Style(capitals="none"),
    Style(figures=False),
    Style(capitals="all", punctuation=False),
)  # fmt: skip


def names_of(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    """The names of a part: in dev and test its own, as often in all as those of training."""
    names = tuple(names)
    trained, own = ([name for name in names if part_of(name) == of] for of in ("train", part))
    return tuple(trained) if part == "train" else (*trained, *own * round(len(trained) / len(own)))


def grammars(part: Part) -> tuple[Grammar, ...]:
    """Grammars that a part's sentences come from in turn: training's templates, then those kept for the part."""
    symbols = {
        **SYMBOLS,
        "city": names_of(part, (*CITIES, *(name.lower() for name in MORE_CITIES))),
        "airline": names_of(part, (*AIRLINES, *(name.lower() for name in MORE_AIRLINES))),
    }
    all_kept = {*DEV_TEMPLATES, *TEST_TEMPLATES}

    def chosen(keep: Iterable[str], inside: bool) -> Grammar:
        intents = {
            intent: tuple(template for template in templates if (template in keep) == inside)
            for intent, templates in INTENTS.items()
        }
        return replace(
            Grammar(INTENTS, symbols),
            intents={intent: templates for intent, templates in intents.items() if templates},
        )

    usual = chosen(all_kept, inside=False)
    return (usual,) if part == "train" else (usual, chosen(KEPT[part], inside=True))


def spoken(count: int, seed: int, part: Part) -> list[Sentence]:
    """`count` different requests of a part in their spoken form, from its grammars in turn."""
    sources = grammars(part)
    shares = [count // len(sources) + (at < count % len(sources)) for at in range(len(sources))]
    drawn = [distinct(grammar, share, seed, part) for grammar, share in zip(sources, shares, strict=True)]
    found = [sentence for sentences in drawn for sentence in sentences]
    Random(f"{seed} {part}").shuffle(found)
    return found


def written(count: int, seed: int = 17, part: Part = "train") -> list[Passage]:
    """`count` requests of a part, a quarter as a recognizer writes them, the others as people do.

    Raises:
        GrammarError: there are not that many.
    """
    random = Random(f"{seed} {part} styles")
    return [write(sentence, random, random.choice(STYLES), NAMES) for sentence in spoken(count, seed, part)]


def as_spoken(count: int, seed: int = 17, part: Part = "train") -> list[Passage]:
    """The requests of `travel.generate` as a recognizer writes them; in training, a third as people do.

    Raises:
        GrammarError: there are not that many.
    """
    random = Random(f"{seed} {part} styles")
    styles = (SPOKEN, SPOKEN, Style()) if part == "train" else (SPOKEN,)
    return [write(sentence, random, random.choice(styles), NAMES) for sentence in generate(count, seed, part)]
