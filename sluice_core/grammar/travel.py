"""A grammar of spoken travel requests: "arrive taipei on november second", "two seats from boston to denver".

Words are in their spoken form, in lower case: letters, apostrophe and space only. `generate` draws
sentences with their slots and intents from `TRAVEL`, the grammar.
"""

from sluice_core.grammar.grammar import AnnotatedSentence, Grammar, Split, distinct_sentences
from sluice_core.normalization.spoken_numbers import DIGITS, MONTHS, ORDINALS, TEENS, TENS, WEEKDAYS

CITIES = (
    "amsterdam", "anchorage", "athens", "atlanta", "austin", "baltimore", "bangkok", "barcelona",
    "beijing", "berlin", "boston", "brisbane", "brussels", "budapest", "buffalo", "cairo", "calgary",
    "cape town", "charlotte", "chicago", "cincinnati", "cleveland", "columbus", "copenhagen", "dallas",
    "delhi", "denver", "detroit", "dubai", "dublin", "edinburgh", "frankfurt", "geneva", "glasgow",
    "hamburg", "helsinki", "hong kong", "honolulu", "houston", "istanbul", "jakarta", "kansas city",
    "las vegas", "lisbon", "london", "los angeles", "madrid", "manchester", "manila", "melbourne",
    "memphis", "mexico city", "miami", "milan", "milwaukee", "minneapolis", "montreal", "moscow",
    "mumbai", "munich", "nairobi", "nashville", "new orleans", "new york", "oakland", "orlando", "osaka",
    "oslo", "paris", "philadelphia", "phoenix", "pittsburgh", "portland", "prague", "quebec", "rome",
    "saint louis", "salt lake city", "san diego", "san francisco", "seattle", "seoul", "shanghai",
    "singapore", "stockholm", "sydney", "taipei", "tampa", "tokyo", "toronto", "vancouver", "venice",
    "vienna", "warsaw", "washington", "zurich",
)  # fmt: skip

AIRLINES = (
    "air canada", "air france", "alaska airlines", "american", "american airlines", "british airways",
    "cathay pacific", "china airlines", "continental", "delta", "emirates", "eva air", "japan airlines",
    "jet blue", "lufthansa", "northwest", "qantas", "singapore airlines", "southwest", "swiss", "united",
    "virgin atlantic",
)  # fmt: skip

SYMBOLS: dict[str, tuple[str, ...]] = {
    # How a request opens and closes. Some alternatives are empty: such a request goes without.
    "please": ("", "", "", "please"),
    "want": ("i want to", "i would like to", "i'd like to", "i need to", "can i", "help me"),
    "need": ("i want", "i would like", "i'd like", "i need", "please get me", "can i get"),
    "show": ("show me", "list", "find", "find me", "look for", "are there any", "what are the", "give me"),
    "tell": ("tell me", "what is", "what's", "check", "find out"),
    "book": ("book", "reserve", "get me", "buy"),
    "cancel": ("cancel", "cancel", "please cancel", "i have to cancel", "drop"),
    "change": ("change", "move", "please move", "i need to change"),
    "to": ("to", "to", "to", "into", "going to"),
    "leave": ("leave", "depart from", "fly from", "go from"),
    # Values of slots.
    "city": CITIES,
    "airline": AIRLINES,
    "weekday": WEEKDAYS,
    "month": MONTHS,
    "ordinal": ORDINALS,
    "day": ("<month> <ordinal>", "<month> <ordinal>", "the <ordinal> of <month>", "the <ordinal>",
            "<weekday>", "<weekday> the <ordinal>"),
    "soon": ("today", "tomorrow", "tonight", "next <weekday>", "this <weekday>", "next week",
             "the day after tomorrow", "this weekend"),
    "hour": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
             "twelve"),
    "minutes": ("<teen>", "<tens_of_minutes>", "<tens_of_minutes> <digit>"),
    "tens_of_minutes": ("twenty", "thirty", "forty", "fifty"),
    "clock": ("<hour> o'clock", "<hour> a m", "<hour> p m", "<hour> <minutes>", "half past <hour>",
              "quarter to <hour>", "quarter past <hour>", "noon", "midnight"),
    "part_of_day": ("morning", "afternoon", "evening"),
    "digit": DIGITS,
    "some": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "teen": TEENS,
    "tens": TENS,
    "flight_number": ("<digit> <digit> <digit>", "<digit> oh <digit>", "<digit> <teen>",
                      "<teen> <teen>", "<teen> <tens>", "<tens> <digit>", "<digit> hundred"),
    "money": ("<digit> hundred dollars", "<digit> hundred fifty dollars", "a thousand dollars",
              "<tens> dollars", "<teen> hundred dollars", "<digit> hundred and <tens> euros",
              "<tens> <digit> pounds"),
    "better_cabin": ("first class", "business class", "premium economy"),
    "cabin": ("<better_cabin>", "economy class", "economy", "coach"),
    "stars": ("two star", "three star", "four star", "five star"),
    "room": ("single room", "double room", "suite", "quiet room", "family room"),
    "car": ("small car", "compact car", "van", "sports car", "jeep"),
    "meal": ("vegetarian", "vegan", "kosher", "low salt", "gluten free"),
    # Phrases that contain values.
    "when": ("on {date:day}", "on {date:day}", "{date:soon}", "on {date:weekday} {time:part_of_day}"),
    "when_or_not": ("", "", "<when>"),
    "around": ("at {time:clock}", "before {time:clock}", "after {time:clock}", "around {time:clock}",
               "in the {time:part_of_day}"),
    "route": ("from {origin:city} <to> {destination:city}", "from {origin:city} to {destination:city}",
              "to {destination:city} from {origin:city}", "between {origin:city} and {destination:city}"),
    "party": ("one seat", "{count:some} seats", "{count:some} tickets", "a ticket", "{count:some} places"),
    "limit": ("under {price:money}", "for less than {price:money}", "below {price:money}"),
    "which_flight": ("flight {flight:flight_number}", "{airline:airline} flight {flight:flight_number}",
                     "{airline:airline} {flight:flight_number}"),
    "stay": ("for one night", "for {count:some} nights", "for a week", "until {date:day}"),
}  # fmt: skip

INTENTS: dict[str, tuple[str, ...]] = {
    "book_flight": (
        "arrive {destination:city} on {date:day}",
        "arrive {destination:city} <around> {date:soon}",
        "arrive in {destination:city} <around> <when>",
        "<party> <route> <when_or_not>",
        "<party> <route> on {date:weekday} {time:part_of_day} <please>",
        "<book> <party> to {destination:city} <when> <please>",
        "<book> a {class:better_cabin} ticket to {destination:city}",
        "<book> {count:some} {class:cabin} seats <route>",
        "<want> fly <route> <when_or_not>",
        "<want> <leave> {origin:city} <when>",
        "<need> a flight to {destination:city} <around>",
        "<need> a round trip <route> returning {date:soon}",
        "<leave> {origin:city} and arrive in {destination:city} <around>",
        "one way <route> <when> <please>",
    ),
    "find_flight": (
        "<show> flights <route>",
        "<show> flights <route> <when>",
        "<show> flights to {destination:city} <limit>",
        "<show> {airline:airline} flights <route>",
        "<show> nonstop flights from {origin:city} <when_or_not>",
        "<show> {class:cabin} flights to {destination:city} <when>",
        "which airlines fly <route>",
        "does {airline:airline} fly <route>",
        "is there a flight to {destination:city} <around> <when_or_not>",
        "when is the next flight <route>",
    ),
    "ask_fare": (
        "<tell> the cheapest fare <route>",
        "<tell> the price of a {class:better_cabin} ticket to {destination:city}",
        "how much is a flight <route> <when_or_not>",
        "how much does {airline:airline} charge <route>",
        "<show> fares to {destination:city} <limit>",
    ),
    "flight_status": (
        "<tell> the status of <which_flight>",
        "is <which_flight> on time <please>",
        "has <which_flight> from {origin:city} landed yet",
        "when does <which_flight> arrive in {destination:city}",
        "what gate does <which_flight> leave from",
    ),
    "cancel_booking": (
        "<cancel> my flight to {destination:city} <when_or_not>",
        "<cancel> <which_flight> <when>",
        "<cancel> my hotel in {city:city}",
        "<cancel> {count:some} of the seats to {destination:city}",
    ),
    "change_booking": (
        "<change> my flight to {destination:city} to {date:day}",
        "<change> my seat on <which_flight> to {class:cabin}",
        "<change> the trip from {origin:city} to {date:soon} <please>",
    ),
    "book_hotel": (
        "<book> a {room:room} in {city:city} <stay>",
        "<need> a {room:room} in {city:city} <when_or_not>",
        "<need> a hotel in {city:city} <stay>",
        "<book> {count:some} rooms in {city:city} <when>",
    ),
    "find_hotel": (
        "<show> {stars:stars} hotels in {city:city} <limit>",
        "<show> hotels in {city:city} <when_or_not>",
        "<show> hotels near {city:city} with a pool",
    ),
    "rent_car": (
        "<need> a {car:car} in {city:city} <when>",
        "rent a {car:car} at the {city:city} airport <stay>",
    ),
    "order_meal": (
        "<need> a {meal:meal} meal on <which_flight>",
        "<book> {count:some} {meal:meal} meals for the flight to {destination:city}",
    ),
}

TRAVEL = Grammar(INTENTS, SYMBOLS)


def generate(
    count: int, seed: int = 17, split: Split = "train", grammar: Grammar = TRAVEL
) -> list[AnnotatedSentence]:
    """Draw `count` different travel requests of a split; the same seed gives the same requests.

    A sentence belongs to one split whatever the seed and the count: no sentence of dev or test is ever
    among the training sentences. All splits share one vocabulary.

    >>> generate(1, seed=1)[0].text == generate(2, seed=1)[0].text
    True

    Raises:
        GrammarError: the grammar does not have that many sentences, or there is no such split.
    """
    return distinct_sentences(grammar, count, seed, split)
