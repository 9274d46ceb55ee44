"""Errors that a user can act on."""


class InputError(ValueError):
    """The user's input cannot be used.

    The message names the file, the field, the value received, what was expected and what to do.
    """


class NothingToLearnError(InputError):
    """The data hold nothing that this training could learn from, such as scans without any outline.

    A pipeline of several trainings then goes on without this one; it is no reason to stop the others.
    """
