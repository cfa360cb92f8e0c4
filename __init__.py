"""anywire: one real-time server for every browser, whatever the network allows."""
