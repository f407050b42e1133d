"""Whatever is changed in a trail is noticed (R5.2; 10,000 times by `make audit`)."""

from __future__ import annotations

from pathlib import Path

from beast_dream_snow_loader.core.audit import Kind
from tests.audit.mutations import MUTATIONS, Bench, Changed, Tally, scene_of, tried
from tests.audit.trails import verdict


def test_with_a_head_kept_elsewhere_every_change_is_noticed_and_its_place_named() -> None:
    tally = tried(8 * len(MUTATIONS), seed=1)
    assert tally.tried == dict.fromkeys((one.__name__ for one in MUTATIONS), 8)
    assert tally.missed == 0
    assert tally.misnamed == []


def test_cut_off_at_a_seal_it_is_noticed_with_the_key_or_a_head_and_by_nothing_else(tmp_path: Path) -> None:
    scene, store, heads = scene_of(tmp_path, runs=3)

    def cut(_scene: object, _chance: object) -> Changed:
        seals = [at for at, link in enumerate(scene.links) if link.kind == Kind.SEALED]
        return Changed(links=scene.links[: seals[1] + 1], at=seals[1] + 2)

    with store:
        tally = Tally()
        Bench(tmp_path, store, heads).try_one(scene, cut, None, tally)  # type: ignore[arg-type]
        assert (tally.by_head["cut"], tally.by_key["cut"], tally.alone["cut"]) == (1, 1, 0)
        found = verdict(store, heads[-1], key=False)
    assert found.bad is not None
    assert "cut off" in found.bad.why


def test_a_head_of_an_earlier_run_agrees_with_a_trail_that_went_on(tmp_path: Path) -> None:
    _, store, heads = scene_of(tmp_path, runs=3)
    with store:
        found = verdict(store, *heads)
    assert (found.whole, found.heads, found.proven) == (True, 3, True)
