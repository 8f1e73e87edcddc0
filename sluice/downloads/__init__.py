"""Public corpora: a table of where they are, and their download: resumable, verified, unpacked."""
