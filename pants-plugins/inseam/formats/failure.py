"""The error that a person has to act on."""


class Failure(Exception):
    """Something that the user has to fix; the text says what, and is all that is printed."""
