"""The voices that speak generated sentences: all splits share the accents, no two splits share a voice.

A voice is an accent with a variant of espeak-ng, and its own pace and pitch. The voices of dev and test use
variants that training never hears, in every accent that training does hear: an accent that was never heard costs
far more errors than a voice that was never heard, and is another question.
"""

from random import Random

from asr.synthesis.espeak import Voice
from sluice_core.grammar.grammar import Split

ACCENTS = (
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


def voices_of(split: Split) -> list[Voice]:
    """Return the voices of a split, each with a name of its own; the first eight have all accents."""
    voices = []
    for turn in range(ACCENTS_OF_A_VARIANT):
        for index, variant in enumerate(VARIANTS[split]):
            accent = ACCENTS[(index + turn * (len(ACCENTS) // 2 - 1)) % len(ACCENTS)]
            random = Random(f"{accent} {variant}")
            voices.append(
                Voice(
                    accent,
                    variant,
                    random.randint(*PACE),
                    random.randint(*PITCH),
                    random.randint(*PITCH_RANGE),
                )
            )
    return voices


def vary(voice: Voice, random: Random) -> Voice:
    """Return a voice as it speaks one utterance: its pace and pitch are a little off its own."""
    rate = voice.rate + random.randint(-PACE_CHANGE, PACE_CHANGE)
    pitch = voice.pitch + random.randint(-PITCH_CHANGE, PITCH_CHANGE)
    return Voice(voice.language, voice.variant, rate, pitch, voice.pitch_range)
