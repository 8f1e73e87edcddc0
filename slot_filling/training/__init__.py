"""Train a tagger: batches, noise, the task, calibration, and the whole experiment."""
