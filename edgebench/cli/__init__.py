"""The command line: one module a subcommand; the only place that prints or exits."""
