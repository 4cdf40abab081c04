"""Updates to generated images: docs/semantics.md, "Generated images"."""

from __future__ import annotations

from chatkit_reducer import decode
from chatkit_reducer.core.thread.contents import Progress
from chatkit_reducer.events import Event
from chatkit_reducer.testing.examples import (
    added,
    done,
    image,
    image_updated,
    message,
    state_after,
    text_delta,
)


def test_image_updated_sets_the_image() -> None:
    state = state_after(added(image("i")), image_updated("i", "https://a/1.png"))

    assert state.items["i"].to_json() == image("i", "https://a/1.png")


def test_image_updated_replaces_the_image_before_it() -> None:
    state = state_after(
        added(image("i")),
        image_updated("i", "https://a/1.png"),
        image_updated("i", "https://a/2.png"),
    )

    assert state.items["i"].to_json() == image("i", "https://a/2.png")


def test_image_updated_on_a_stored_image_keeps_the_old_one_as_base() -> None:
    state = state_after(
        image_updated("i", "https://a/2.png"), stored=[image("i", "https://a/1.png")]
    )

    assert state.items["i"].to_json() == image("i", "https://a/2.png")
    assert state.bases["i"].to_json() == image("i", "https://a/1.png")


def test_an_image_item_without_the_field_gets_it() -> None:
    bare = image("i")
    del bare["image"]

    state = state_after(added(bare), image_updated("i", "https://a/1.png"))

    assert state.items["i"].to_json() == image("i", "https://a/1.png")


def test_unknown_fields_of_the_image_are_kept() -> None:
    event = decode(
        b'{"type":"thread.item.updated","item_id":"i","update":{"type":"generated_image.updated",'
        b'"image":{"id":"img_1","url":"u","width":640}}}'
    )

    state = state_after(added(image("i")), event)

    assert state.items["i"].to_json()["image"] == {"id": "img_1", "url": "u", "width": 640}


# --- progress -------------------------------------------------------------------------------------


def test_the_progress_of_an_image_is_no_part_of_its_item() -> None:
    state = state_after(added(image("i")), image_updated("i", "u", 0.5))

    assert state.items["i"].to_json() == image("i", "u")
    assert state.progress == Progress(item_id="i", fraction=0.5)


def test_a_progress_of_zero_is_a_progress() -> None:
    """1.6.5 says so unless it was told how many partial images will come."""
    state = state_after(added(image("i")), image_updated("i", "u", 0.0))

    assert state.progress == Progress(item_id="i", fraction=0.0)


def test_the_newest_progress_of_an_image_counts() -> None:
    state = state_after(
        added(image("i")), image_updated("i", "u", 0.25), image_updated("i", "u", 0.75)
    )

    assert state.progress == Progress(item_id="i", fraction=0.75)


def test_an_image_update_without_progress_ends_the_progress_before_it() -> None:
    state = state_after(added(image("i")), image_updated("i", "u", 0.5), image_updated("i", "u"))

    assert state.progress is None


def test_the_progress_of_an_image_is_gone_with_the_next_item_event() -> None:
    half: list[Event] = [added(image("i")), image_updated("i", "u", 0.5)]

    assert state_after(*half, done(image("i", "u"))).progress is None
    assert state_after(*half, text_delta("m", "x"), stored=[message("m", "")]).progress is None
