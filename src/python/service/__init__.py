"""The smallest service: a greeting, on the standard library alone."""
