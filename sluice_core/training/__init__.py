"""Fit a model, whatever it is: task, batches, checkpoints, interrupts."""
