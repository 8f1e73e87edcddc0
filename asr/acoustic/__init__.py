"""From samples to log-probabilities of tokens: features, network, CTC, emissions, voice activity detection."""
