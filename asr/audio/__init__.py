"""Read audio files of any container, rate and number of channels as samples."""
