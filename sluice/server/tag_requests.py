"""`/v1/tag`: what may be asked."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sluice.server.errors import ApiError
from sluice.server.uploads import JSON_BYTES
from sluice_core.surrogates import HALF_PAIR

TEXTS = 256
CHARACTERS = 10_000
MOST_ALTERNATIVES = 20
READ_CHARACTERS = JSON_BYTES
"""Most characters of a request's texts times their readings: one reading of all that a body can hold, or 21 of 249
sentences of 200 characters. An answer is some ten times as long."""

Sentence = Annotated[str, StringConstraints(max_length=CHARACTERS)]


class TagRequest(BaseModel):
    """One text, or several."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Sentence | None = None
    texts: list[Sentence] | None = Field(None, min_length=1, max_length=TEXTS)
    alternatives: int = Field(0, ge=0, le=MOST_ALTERNATIVES)

    @classmethod
    def read(cls, body: Any) -> Self:
        """Of JSON.

        Raises:
            ApiError: 400, names what is wrong.
        """
        try:
            wanted = cls.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ApiError(
                400, f"{place or 'the body'}: {first['msg']}", param=place or None, code="invalid_value"
            ) from error
        if (wanted.text is None) == (wanted.texts is None):
            raise ApiError(400, "send either 'text', a sentence, or 'texts', a list of them", param="text")
        for text in wanted.all_texts:
            if HALF_PAIR.search(text):  # JSON can write what is no text
                raise ApiError(
                    400, "a text holds half of a surrogate pair", param="text", code="invalid_value"
                )
        wanted._check_length()
        return wanted

    def _check_length(self) -> None:
        """Raise if the answer would be too long."""
        characters, readings = sum(map(len, self.all_texts)), 1 + self.alternatives
        if characters * readings > READ_CHARACTERS:
            raise ApiError(
                400,
                f"{readings} readings of {characters} characters are more than the {READ_CHARACTERS} characters that "
                "are read for one request; ask for fewer alternatives, or send the texts in several requests",
                param="alternatives",
                code="too_many_readings",
            )

    @property
    def all_texts(self) -> list[str]:
        """What to tag."""
        return [self.text] if self.text is not None else list(self.texts or [])


def check_alternatives(given: str) -> int:
    """A form's number of other readings.

    Raises:
        ApiError: 400, it is none.
    """
    if not (given.isascii() and given.isdecimal() and len(given) < 4 and int(given) <= MOST_ALTERNATIVES):
        message = f"alternatives must be a whole number from 0 to {MOST_ALTERNATIVES}, not {given[:40]!r}"
        raise ApiError(400, message, param="alternatives", code="invalid_value")
    return int(given)
