"""Diagnostics of a training: the usual failures of CTC, and what to try against them."""

import logging
import math
from collections.abc import Callable

from sluice_core.errors import TrainingError

log = logging.getLogger("sluice")


class Diagnostics:
    """Recognize failures of a training from the figures of each epoch, and say each thing once."""

    def __init__(self, say: Callable[[str], None] = log.warning) -> None:
        """Begin without epochs; `say` is called with each piece of advice."""
        self._say_aloud = say
        self._said: set[str] = set()
        self._epochs: list[int] = []
        self._losses: list[float] = []
        self._dev_losses: list[float] = []
        self._errors: list[float] = []

    def unreadable(self, errors: list[str]) -> None:
        """Name utterances that were left out of a batch."""
        for error in errors:
            self._say(error, f"left out: {error}")

    def audio_read(self, **utterances: int) -> None:
        """Check that some utterances of each split could be read in an epoch.

        Raises:
            TrainingError: no utterance of a split could be read.
        """
        for split, count in utterances.items():
            if not count:
                raise TrainingError(
                    f"the audio of no utterance of {split} can be read, for the reasons above: is it still where it "
                    "was? `sluice manifest check` looks at all of it."
                )

    def epoch(self, epoch: int, figures: dict[str, float]) -> list[str]:
        """Check an epoch's figures (`train_loss`, `dev_loss`, `dev_error`, `dev_answered`).

        Args:
            epoch: its number, counted from 0.
            figures: the figures by name; one that is missing counts as unknown.

        Returns:
            The advice given; empty where all is well or everything was said before.
        """
        self._epochs.append(epoch)
        self._losses.append(figures.get("train_loss", math.nan))
        self._dev_losses.append(figures.get("dev_loss", math.nan))
        self._errors.append(figures.get("dev_error", math.nan))
        advice = [
            self._not_a_number(),
            self._all_blank(epoch, figures.get("dev_answered", 1.0)),
            self._not_falling(),
            self._over_fitting(),
        ]
        return [text for text in advice if text]

    def _not_a_number(self) -> str | None:
        if math.isfinite(self._losses[-1]):
            return None
        return self._say(
            "number",
            f"the training loss of epoch {self._epochs[-1] + 1} is not a finite number: lower "
            "training.learning_rate, raise training.warmup_steps, and check the data with `sluice manifest check`.",
        )

    def _all_blank(self, epoch: int, answered: float) -> str | None:
        if epoch < 5 or answered > 0.05:
            return None
        return self._say(
            "blank",
            f"after {epoch + 1} epochs nearly every dev utterance is decoded as nothing (all blank). CTC begins that "
            "way, but should be past it: check with `sluice manifest check` that texts belong to their audio, raise "
            "training.learning_rate or give it more epochs, use a smaller model, and start augmentation later "
            "(augment.start_epoch).",
        )

    def _not_falling(self) -> str | None:
        """Advise where neither the training loss nor the dev error improved in 4 epochs, and both are high.

        The loss alone is no evidence: it jumps where augmentation starts, while the dev error goes on falling.
        """
        if len(self._losses) < 8 or self._losses[-1] < 0.3 or self._errors[-1] < 0.3:
            return None
        before, window = self._losses[-5], self._losses[-4:]
        if min(window) < 0.98 * before or min(self._errors[-4:]) < min(self._errors[:-4]):
            return None
        return self._say(
            "falling",
            f"the training loss has stayed near {self._losses[-1]:.2f} for 4 epochs, and the dev error has not "
            "fallen: change training.learning_rate (down if it jumps, up if it creeps), weaken augmentation, or "
            "check that texts belong to their audio.",
        )

    def _over_fitting(self) -> str | None:
        finite = [loss if math.isfinite(loss) else math.inf for loss in self._dev_losses]
        best = finite.index(min(finite))
        worse = self._dev_losses[-1] > 1.3 * finite[best] and self._errors[-1] >= self._errors[best]
        if len(finite) - best < 6 or not worse or self._losses[-1] >= self._losses[best]:
            return None
        return self._say(
            "fitting",
            f"the dev loss was lowest in epoch {self._epochs[best] + 1} and rises while the training loss falls: "
            "over-fitting. More data or speakers, stronger augment.*, model.dropout, or a smaller model help.",
        )

    def _say(self, key: str, text: str) -> str | None:
        if key in self._said:
            return None
        self._said.add(key)
        self._say_aloud(text)
        return text
