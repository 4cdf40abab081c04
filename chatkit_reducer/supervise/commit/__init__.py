"""The end of a stream: look up, decide, commit, report.

Files, in the order to read them:

* `committer`: makes the settlement and has it committed, once;
* `lookups`: asks the store for the items in flight, before the decision;
* `marker`: gives the marker its id, time and content;
* `attempts`: calls the application's commit, again where that may help;
* `reporting`: tells the application, or the log, that a commit failed.
"""
