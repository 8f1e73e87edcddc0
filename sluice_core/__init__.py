"""What a training run is, whatever it trains: settings, batches, checkpoints, fitting, reports."""
