"""Watches a training for the usual failures of CTC and says what to try."""

import logging

from training.errors import UserError

log = logging.getLogger("sluice")


class TrainingError(UserError):
    """Training cannot go on."""


class Monitor:
    """Recognizes failures from the figures of each epoch; says each thing once."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._losses: list[float] = []
        self._dev_losses: list[float] = []
        self._errors: list[float] = []
        self._not_finite = 0

    def unreadable(self, errors: list[str]) -> None:
        """Name utterances that were left out of a batch."""
        for error in errors:
            self._say(error, f"left out: {error}")

    def gradient_not_finite(self) -> None:
        """A step was skipped since its gradient held NaN or infinity.

        Raises:
            TrainingError: ten steps in a row were.
        """
        self._not_finite += 1
        self._say(
            "gradient",
            "a gradient was not finite and its step was skipped; if this goes on, lower training.learning_rate",
        )
        if self._not_finite >= 10:
            raise TrainingError(
                "ten gradients were not finite: training has diverged. Lower training.learning_rate (a third of it), "
                "raise training.warmup_steps, and look at the data with `sluice manifest check`."
            )

    def epoch(self, epoch: int, figures: dict[str, float]) -> list[str]:
        """Look at an epoch's figures (`train_loss`, `dev_loss`, `dev_error`, `dev_answered`).

        Returns:
            What was said of it, in words; empty where all is well or it was said before.
        """
        self._losses.append(figures["train_loss"])
        self._dev_losses.append(figures["dev_loss"])
        self._errors.append(figures["dev_error"])
        advice = [self._all_blank(epoch, figures), self._not_falling(), self._over_fitting()]
        return [text for text in advice if text]

    def _all_blank(self, epoch: int, figures: dict[str, float]) -> str | None:
        if epoch < 5 or figures["dev_answered"] > 0.05:
            return None
        return self._say(
            "blank",
            f"after {epoch + 1} epochs nearly every dev utterance is decoded as nothing (all blank). CTC begins that "
            "way, but should be past it: check with `sluice manifest check` that texts belong to their audio, raise "
            "training.learning_rate or give it more epochs, use a smaller model, and start augmentation later "
            "(augment.start_epoch).",
        )

    def _not_falling(self) -> str | None:
        if len(self._losses) < 8 or min(self._losses[-4:]) < 0.98 * min(self._losses[:-4]) or self._losses[-1] < 0.3:
            return None
        return self._say(
            "falling",
            f"the training loss has stayed near {self._losses[-1]:.2f} for 4 epochs: change training.learning_rate "
            "(down if it jumps, up if it creeps), weaken augmentation, or check that texts belong to their audio.",
        )

    def _over_fitting(self) -> str | None:
        best = self._dev_losses.index(min(self._dev_losses))
        worse = self._dev_losses[-1] > 1.3 * self._dev_losses[best] and self._errors[-1] >= self._errors[best]
        if len(self._dev_losses) - best < 6 or not worse or self._losses[-1] >= self._losses[best]:
            return None
        return self._say(
            "fitting",
            f"the dev loss was lowest in epoch {best + 1} and rises while the training loss falls: over-fitting. "
            "More data or speakers, stronger augment.*, model.dropout, or a smaller model help.",
        )

    def _say(self, key: str, text: str) -> str | None:
        if key in self._said:
            return None
        self._said.add(key)
        log.warning(text)
        return text
