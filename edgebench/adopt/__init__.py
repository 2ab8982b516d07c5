"""A user's own model file as a workload."""
