"""Says why a wheel cannot be read."""

from __future__ import annotations

import configparser
import csv

from installer.exceptions import InstallerError, InvalidWheelSource
from installer.records import InvalidRecordEntry

from inseam.formats.foreign_text import plain
from inseam.formats.python.zip_files import DAMAGED
from inseam.formats.tar import TarError

# The errors that `installer` and its dependencies raise for files that are not wheels.
UNUSABLE = (
    *DAMAGED,
    *(AssertionError, InstallerError, InvalidRecordEntry, TarError, configparser.Error, csv.Error),
)


def reason(error: BaseException) -> str:
    """What is wrong with a wheel according to one of these errors, without local paths."""
    if isinstance(error, AssertionError):
        # `installer` asserts that entry points match its pattern.
        return "its entry_points.txt has a script that is not of the form `module:function`"
    if isinstance(error, InvalidWheelSource):
        return plain(str(error.args[-1]))  # The other argument is the wheel.
    said = None if isinstance(error, UnicodeError) else getattr(error, "reason", None)
    return plain(str(said or error))
