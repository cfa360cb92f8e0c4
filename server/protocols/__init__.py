"""The dialects: each is one file and one line in :mod:`.registry`."""
