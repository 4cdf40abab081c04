"""How hard Hypothesis tries: HYPOTHESIS_PROFILE is `quick`, `dev`, `ci` or `nightly`."""

import os

from hypothesis import settings

# No deadlines: they tell more about the machine than about the code.
settings.register_profile("dev", settings.get_profile("default"), deadline=None)
# For runs that ask whether the code works with another Python, and not whether it is right.
settings.register_profile("quick", settings.get_profile("dev"), max_examples=25, derandomize=True)
# The same examples in every run: a change fails for what it changed. `nightly` looks for new ones.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
# The session `nightly` makes ten such runs: Hypothesis remembers all that it has tried, and 100,000
# examples in one run would be gigabytes.
settings.register_profile(
    "nightly", settings.get_profile("dev"), max_examples=10_000, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
