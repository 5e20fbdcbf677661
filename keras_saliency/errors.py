"""The one exception type for mistakes that the person at the keyboard can mend, and its text."""


class InputError(ValueError):
    """Something that was given to us is wrong: a file, a folder, a setting.

    Its message is one line that names the file or the setting, says what was
    expected, and what to do. The scripts print that line alone and exit with
    status 2; anything else that is raised is a bug and keeps its traceback.
    """


def printable(text: str) -> str:
    r"""A name may hold line ends, and bytes that are no text: they are shown as Python would.

    Example:
        >>> printable("a\x1b[2J\u00e9.jpg")
        'a\\x1b[2Jé.jpg'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def reason(error: Exception) -> str:
    """The first line of what another's error says, for a message of ours."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
