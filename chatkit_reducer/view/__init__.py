"""A page that shows a stream: the chat at each event, and what a stop there would keep.

`view(log)` makes it: one file of HTML that needs no network. Files, in the order to read them:

* `recording`: the data of a page, and the contract between the two; the modules beside it collect
  them, and `drawing` draws an item as a tree of elements;
* `markup`: such a tree as text of HTML;
* `page`, with `static` and `stops`: the data, the style sheet and the script as one page;
* `assets`: the style sheet, the parts of the script, and the template;
* `viewing`: a log to a page;
* `growing`, with `loopback`: a page that grows; `following` feeds it from a log that is being
  written, and `watching` from an application.

No other room imports this one, and `import chatkit_reducer` does not load it.
"""

from __future__ import annotations

from chatkit_reducer.view.page import Page
from chatkit_reducer.view.viewing import view

__all__ = ["Page", "view"]
