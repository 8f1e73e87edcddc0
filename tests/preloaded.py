"""What the process imports that others are forked from (processes.py)."""

# ruff: noqa: F401  # imported for those who are forked

import asr.evaluation.report
import asr.training.task
import slot_filling.evaluation.report
import slot_filling.training.task
import sluice.cli
import sluice.commands.train
import sluice_core.training.fit
