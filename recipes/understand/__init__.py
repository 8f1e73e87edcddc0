"""Speech to slots, trained and measured whole."""
