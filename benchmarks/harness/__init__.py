"""What the benchmarks share: servers to compare, lean clients to load them with, and figures to print."""
