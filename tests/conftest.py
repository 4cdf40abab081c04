"""How hard Hypothesis tries: HYPOTHESIS_PROFILE is `quick`, `dev`, `ci` or `nightly`."""

import os

from hypothesis import settings

# Hypothesis brings a profile for CI of its own, which tries the same examples in every run; these
# start from its usual one. No deadlines: they tell more about the machine than about the code.
settings.register_profile("dev", settings.get_profile("default"), deadline=None)
# For runs that ask whether the code works with another Python, and not whether it is right.
settings.register_profile("quick", settings.get_profile("dev"), max_examples=25)
settings.register_profile(
    "ci", settings.get_profile("dev"), derandomize=False, max_examples=300, print_blob=True
)
settings.register_profile("nightly", settings.get_profile("ci"), max_examples=100_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
