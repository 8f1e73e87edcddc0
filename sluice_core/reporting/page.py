"""The page that tells a person how a run went: sections of tables, pictures and text, in one HTML file.

What a page is made of knows nothing of speech or slots; `Page.render` gives one self-contained document that
asks nothing of any other host, follows the reader's light or dark setting, and escapes every text.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Bar:
    """A table's cell with a bar beside its figure."""

    share: float
    """Length of the bar, 0 to 1."""
    text: str

    @property
    def width(self) -> str:
        """The bar's length for CSS."""
        return f"{100 * min(max(self.share, 0.0), 1.0):.1f}%"


Marking = Literal["same", "left out", "put in", "right", "note"]


@dataclass(frozen=True)
class MarkedText:
    """A piece of a text: as it should be, or left out, or put in; or marked as right, or a note beside it."""

    text: str
    kind: Marking = "same"


Cell = str | int | Bar | Sequence[MarkedText]
"""Numbers are aligned right; spans are a text with its differences marked."""


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    kind: ClassVar = "paragraph"
    text: str


@dataclass(frozen=True)
class Notice:
    """Text that must not be overlooked."""

    kind: ClassVar = "notice"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under a header, with a caption that says what they are."""

    kind: ClassVar = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: Sequence[int] = ()
    """Columns aligned right besides those of ints."""

    def align(self, column: int) -> str:
        """CSS class of a column."""
        number = column in self.right or (
            bool(self.rows) and all(isinstance(r[column], int) for r in self.rows)
        )
        return "number" if number else ""


@dataclass(frozen=True)
class Picture:
    """An SVG that was drawn by `sluice_core.reporting.plots`."""

    kind: ClassVar = "picture"
    svg: str
    alt: str
    """What it shows, for those who do not see it."""
    caption: str = ""
    wide: bool = False
    """Keep its size, and scroll where the page is narrower."""


@dataclass(frozen=True)
class Texts:
    """Labelled lines of text, such as a reference and a hypothesis under each other."""

    kind: ClassVar = "texts"
    lines: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Audio:
    """A sound to be played."""

    kind: ClassVar = "audio"
    data: bytes
    """A whole file of sound."""
    label: str
    media_type: str = "audio/flac"

    @property
    def uri(self) -> str:
        """The file as a data URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class Grid:
    """Blocks side by side where there is room."""

    kind: ClassVar = "grid"
    blocks: Sequence["Block"]
    narrowest: int = 19
    """Width that a block needs at least, in letters (CSS rem)."""


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until asked for."""

    kind: ClassVar = "details"
    summary: str
    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Subsection:
    """Blocks under a heading of their own within a section."""

    kind: ClassVar = "subsection"
    title: str
    blocks: Sequence["Block"]


Block = Paragraph | Notice | Table | Picture | Texts | Audio | Grid | Details | Subsection


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The name of its place in the page."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str = ""
    highlights: Sequence[tuple[str, str]] = ()
    """The few figures that matter: what it is, and the figure."""
    facts: Sequence[tuple[str, str]] = ()
    """What the run was: name and value."""
    sections: Sequence[Section] = field(default=())

    def render(self) -> str:
        """The page as one HTML document."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("page.html").render(page=self)


def percent(share: float, decimals: int = 1) -> str:
    """A share as people read it: 0.1234 is 12.3%."""
    return f"{share:.{decimals}%}"
