"""Train a recognizer: batches, augmentation, the CTC task, and the whole experiment."""
