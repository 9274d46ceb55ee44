"""Errors that a user can act on."""


class InputError(ValueError):
    """The user's input cannot be used.

    The message names the file, the field, the value received, what was expected and what to do.
    """
