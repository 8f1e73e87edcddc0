"""The page that tells a person how a run went: sections of tables, pictures and text, in one HTML file.

The blocks of a page know nothing of speech or slots. `Page.render` gives one self-contained document that fetches
nothing from any other host, follows the reader's light or dark setting, and escapes every text.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from sluice_core.files import write_text

REPORT_FILE = "report.html"


@dataclass(frozen=True)
class Bar:
    """A cell of a table with a bar beside its figure."""

    share: float
    """Length of the bar, 0 to 1."""
    text: str

    @property
    def width(self) -> str:
        """Return the bar's length for CSS."""
        return f"{100 * min(max(self.share, 0.0), 1.0):.1f}%"


Marking = Literal["same", "left out", "put in", "right", "note"]


@dataclass(frozen=True)
class MarkedText:
    """A piece of a text: as it should be, left out, put in, marked as right, or a note beside it."""

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
        """Return the CSS class of a column."""
        number = column in self.right or (
            bool(self.rows) and all(isinstance(r[column], int) for r in self.rows)
        )
        return "number" if number else ""


@dataclass(frozen=True)
class Picture:
    """A picture as SVG, drawn by `sluice_core.reporting.plots`."""

    kind: ClassVar = "picture"
    svg: str
    alt: str
    """What it shows, for those who do not see it."""
    caption: str = ""
    wide: bool = False
    """Keep its size, and scroll where the page is narrower."""


@dataclass(frozen=True)
class Texts:
    """Labelled lines of text, such as a reference with its hypothesis below."""

    kind: ClassVar = "texts"
    lines: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Audio:
    """A sound that can be played."""

    kind: ClassVar = "audio"
    data: bytes
    """The content of an audio file."""
    label: str
    media_type: str = "audio/flac"

    @property
    def uri(self) -> str:
        """Return the file as a data URI."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class Grid:
    """Blocks side by side where there is room."""

    kind: ClassVar = "grid"
    blocks: Sequence["Block"]
    narrowest: int = 19
    """Least width of a block, in CSS rem."""


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
        """Return the fragment identifier of the section."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str = ""
    highlights: Sequence[tuple[str, str]] = ()
    """The few figures that matter: name and figure."""
    facts: Sequence[tuple[str, str]] = ()
    """What the run was: name and value."""
    sections: Sequence[Section] = field(default=())

    def render(self) -> str:
        """Return the page as one HTML document."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("page.html").render(page=self)

    def write(self, folder: Path) -> Path:
        """Write the page as `report.html` into a folder, and return the file.

        Raises:
            CheckpointError: the file cannot be written.
        """
        path = folder / REPORT_FILE
        write_text(path, self.render())
        return path


def percent(share: float, decimals: int = 1) -> str:
    """Return a share in percent.

    >>> percent(0.1234), percent(0.1234, 2)
    ('12.3%', '12.34%')
    """
    return f"{share:.{decimals}%}"
