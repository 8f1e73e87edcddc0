"""Requests to `/v1/tag`, and the limits of what they may ask for."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sluice.server.errors import ApiError
from sluice.server.uploads import MAX_JSON_BYTES
from sluice_core.surrogates import LONE_SURROGATE

MAX_TEXTS = 256
MAX_TEXT_CHARACTERS = 10_000
MAX_ALTERNATIVES = 20
MAX_TOTAL_CHARACTERS = MAX_JSON_BYTES
"""Most characters of all texts times their taggings (1 + alternatives): all that a body can hold with one tagging each,
or 249 sentences of 200 characters with 21. A response is about ten times as long."""

TextToTag = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS)]


class TagRequest(BaseModel):
    """One text or several, and how many alternatives to return for each.

    Example:
        >>> TagRequest.read({"text": "fly to taipei"}).all_texts
        ['fly to taipei']
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    text: TextToTag | None = None
    texts: list[TextToTag] | None = Field(None, min_length=1, max_length=MAX_TEXTS)
    alternatives: int = Field(0, ge=0, le=MAX_ALTERNATIVES)

    @classmethod
    def read(cls, body: Any) -> Self:
        """Check a JSON body.

        Raises:
            ApiError: 400, names what is wrong.
        """
        try:
            request = cls.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ApiError(
                400, f"{place or 'the body'}: {first['msg']}", param=place or None, code="invalid_value"
            ) from error
        if (request.text is None) == (request.texts is None):
            raise ApiError(400, "send either 'text', a sentence, or 'texts', a list of them", param="text")
        for text in request.all_texts:
            if LONE_SURROGATE.search(text):  # valid in JSON, but not in UTF-8
                raise ApiError(
                    400, "a text contains half of a surrogate pair", param="text", code="invalid_value"
                )
        request._check_length()
        return request

    def _check_length(self) -> None:
        """Raise an error if the response would be too long."""
        characters, taggings = sum(map(len, self.all_texts)), 1 + self.alternatives
        if characters * taggings > MAX_TOTAL_CHARACTERS:
            raise ApiError(
                400,
                f"{taggings} taggings of {characters} characters are more than the {MAX_TOTAL_CHARACTERS} characters "
                "that are tagged for one request; ask for fewer alternatives, or send the texts in several requests",
                param="alternatives",
                code="too_many_readings",
            )

    @property
    def all_texts(self) -> list[str]:
        """Return the texts to tag."""
        return [self.text] if self.text is not None else list(self.texts or [])


def parse_alternatives(value: str) -> int:
    """Convert the form field `alternatives` to a number.

    Example:
        >>> parse_alternatives("5")
        5

    Raises:
        ApiError: 400, it is not a whole number from 0 to 20.
    """
    if not (value.isascii() and value.isdecimal() and len(value) < 4 and int(value) <= MAX_ALTERNATIVES):
        message = f"alternatives must be a whole number from 0 to {MAX_ALTERNATIVES}, not {value[:40]!r}"
        raise ApiError(400, message, param="alternatives", code="invalid_value")
    return int(value)
