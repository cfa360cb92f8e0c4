"""anywire."""
