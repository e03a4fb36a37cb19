"""How all tests run: examples by hypothesis are the same each time, and no example is timed.

`HYPOTHESIS_PROFILE=explore make test` draws new ones.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shell starts what it puts into the background deaf to Ctrl-C, and each child inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
