"""Scores of tags that share the components of their labels."""

import torch

from slot_filling.network.tag_scores import TagScores, label_components

TAGS = ("O", "B-from.city", "I-from.city", "B-to.city", "I-to.city", "B-to.state_name")


def layer(tags: tuple[str, ...] = TAGS) -> TagScores:
    torch.manual_seed(0)
    scores = TagScores(3, tags).double()
    torch.nn.init.normal_(scores.part_weight)
    return scores


def test_a_tag_is_made_of_prefix_label_pieces_and_words() -> None:
    assert label_components("O") == {"O-"}
    assert label_components("B-city") == {"B-", "city", "B-city"}
    assert label_components("I-to.state_name") == {
        *("I-", "to.state_name", "to", "state_name", "state", "name", "I-to", "I-state_name")
    }
    assert {"B-城市", "城市"} <= label_components("B-城市")


def test_a_score_is_the_tags_own_and_that_of_every_shared_component() -> None:
    scores = layer()
    vectors = torch.randn(2, 4, 3, dtype=torch.float64)
    names = [label_components(tag) for tag in TAGS]
    shared = sorted(
        component for component in set().union(*names) if sum(component in each for each in names) > 1
    )
    assert len(shared) == len(scores.part_weight)
    for number, each in enumerate(names):
        expected = vectors @ scores.weight[number] + scores.bias[number]
        for row, component in zip(scores.part_weight, shared, strict=True):
            if component in each:
                expected = expected + vectors @ row[:-1] + row[-1]
        torch.testing.assert_close(scores(vectors)[..., number], expected)


def test_what_one_tag_learns_moves_those_that_share_a_component_with_it_and_no_others() -> None:
    scores = layer()
    vector = torch.randn(3, dtype=torch.float64)
    before = scores(vector).detach()
    (gradient,) = torch.autograd.grad(scores(vector)[TAGS.index("B-to.city")], scores.part_weight)
    with torch.no_grad():
        scores.part_weight += gradient
    moved = scores(vector) - before > 0
    assert dict(zip(TAGS, moved.tolist(), strict=True)) == {
        "O": False,
        "B-from.city": True,
        "I-from.city": True,
        "B-to.city": True,
        "I-to.city": True,
        "B-to.state_name": True,
    }


def test_tags_without_components_in_common_are_a_linear_layer() -> None:
    scores = layer(("O", "B-a"))
    vectors = torch.randn(5, 3, dtype=torch.float64)
    assert len(scores.part_weight) == 0
    torch.testing.assert_close(scores(vectors), vectors @ scores.weight.t() + scores.bias)


def test_only_weights_are_kept() -> None:
    assert set(layer().state_dict()) == {"weight", "bias", "part_weight"}
