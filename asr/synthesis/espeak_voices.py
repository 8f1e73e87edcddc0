"""The voices of espeak-ng that speak generated sentences: splits share the accents, no two splits share a voice.

A voice is an accent with a variant of espeak-ng, and its own pace and pitch. The voices of dev and test use
variants that training never hears, in every accent that training does hear: an accent that was never heard costs
far more errors than a voice that was never heard, and is another question.
"""

from random import Random

from asr.synthesis.espeak import Voice, synthesizer
from sluice_core.grammar.grammar import Split

ENGLISH_ACCENTS = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
    "en-029",
)  # fmt: skip

# Left out are whispers, croaks, echoes and robots, and shapes that no vocal tract has.
VARIANTS: dict[Split, tuple[str, ...]] = {
    "train": (
        "", "f1", "Alex", "Annie", "m1", "belinda", "Andy", "f2", "Mike", "anika", "m3", "grandma",
        "Denis", "f4", "adam", "steph", "Diogo", "aunty", "Gene", "Alicia", "Henrique", "m4", "Mario",
        "Nguyen", "benjamin", "boris", "david", "ed", "edward", "grandpa", "gustave", "iven3", "john",
        "klatt3", "klatt4", "klatt6", "m2", "m6", "m8", "marcelo", "max", "miguel", "pedro", "quincy",
        "robert", "Storm", "edward2", "mike2", "Michael", "Lee",
    ),
    "dev": ("f3", "m5", "linda", "paul", "steph3", "pablo", "Reed", "victor"),
    "test": ("f5", "m7", "Andrea", "rob", "steph2", "antonio", "klatt5", "Hugo"),
}  # fmt: skip

ACCENTS_OF_A_VARIANT = 2
PACE, PITCH, PITCH_RANGE = (136, 180), (25, 75), (35, 75)  # each voice draws its own from these
PACE_CHANGE, PITCH_CHANGE = 8, 6  # how far an utterance may be from its voice's own


def accents(language: str) -> tuple[str, ...]:
    """Return the accents of a language: the chosen ones of English, all that espeak-ng has of another.

    Raises:
        EspeakError: espeak-ng is not installed.
    """
    wanted = language.lower().replace("_", "-")
    if wanted == "en":
        return ENGLISH_ACCENTS
    if wanted == "zh":
        wanted = "cmn"
    known = [name for name in synthesizer().languages() if "/" not in name]
    return tuple(name for name in known if name == wanted) or tuple(
        name for name in known if name.startswith(f"{wanted}-")
    )


def voices_of(split: Split, language: str = "en") -> list[Voice]:
    """Return the voices of a split, each with a name of its own; the first eight have all accents of English.

    A language that espeak-ng does not speak has none.
    """
    known = accents(language)
    names = {
        (known[(index + turn * (len(known) // 2 - 1)) % len(known)], variant): None
        for turn in range(ACCENTS_OF_A_VARIANT if known else 0)
        for index, variant in enumerate(VARIANTS[split])
    }
    return [own_voice(f"{accent}+{variant}" if variant else accent) for accent, variant in names]


def own_voice(name: str) -> Voice:
    """Return the voice of a name, such as `en-us+f2`, with the pace and pitch that are its own."""
    accent, _, variant = name.partition("+")
    random = Random(f"{accent} {variant}")
    return Voice(accent, variant, random.randint(*PACE), random.randint(*PITCH), random.randint(*PITCH_RANGE))


def vary(voice: Voice, random: Random, pace: float = 1.0) -> Voice:
    """Return a voice as it speaks one utterance: its pace, times a factor, and its pitch are a little off its own."""
    rate = round(pace * (voice.rate + random.randint(-PACE_CHANGE, PACE_CHANGE)))
    pitch = voice.pitch + random.randint(-PITCH_CHANGE, PITCH_CHANGE)
    return Voice(voice.language, voice.variant, rate, pitch, voice.pitch_range)
