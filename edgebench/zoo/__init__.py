"""The workshop: trains the bundled workloads and derives every model file from one source."""
