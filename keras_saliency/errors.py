"""The one exception type for mistakes that the person at the keyboard can mend."""


class InputError(ValueError):
    """Something that was given to us is wrong: a file, a folder, a setting.

    Its message is one line that names the file or the setting, says what was
    expected, and what to do. The scripts print that line alone and exit with
    status 2; anything else that is raised is a bug and keeps its traceback.
    """
