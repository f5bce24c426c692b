"""`python -m kerasexp`, which is the command `kerasexp`."""

import os
import sys

# `python -m` looks for modules in the working folder first, which may hold files of strangers; the command does not. A checkout
# that is not installed is found there.
if sys.path[:1] == [os.getcwd()] and os.path.dirname(os.path.dirname(os.path.abspath(__file__))) != os.getcwd():
    del sys.path[0]

from kerasexp.cli import main  # noqa: E402

main()
