"""From samples to the probabilities of tokens: features, network, CTC, voice activity."""
