"""Train a model, whichever it is: settings, batches, the task, checkpoints, interrupts."""
