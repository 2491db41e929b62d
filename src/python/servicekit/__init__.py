"""Everything a small HTTP service needs besides its own handlers, on the standard library."""
