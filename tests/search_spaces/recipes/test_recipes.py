"""What of a training is chosen with an architecture is part of it: written, hashed, read back."""

import pytest

from search_spaces import Architecture, load_space
from search_spaces.errors import InvalidArchitecture
from search_spaces.flexibert.options import recipe_values
from search_spaces.recipes import read_choice, read_phases, write_phases

BASE = load_space("flexibert-micro").architecture_at(0)


def test_a_choice_changes_the_hash_and_not_the_body():
    chosen = Architecture(BASE.layers, recipe={"mask_rate": 0.15})
    assert chosen != BASE
    assert chosen.body == BASE
    assert Architecture.from_dict(chosen.to_dict()) == chosen
    assert chosen.to_dict()["recipe"] == {"mask_rate": "0.15"}
    assert "recipe" not in BASE.to_dict()
    assert chosen.canonical == "recipe:mask_rate=0.15‖" + BASE.canonical


def test_one_number_is_one_choice_however_it_is_written():
    for value in (5, 5.0, "5", "5.0"):
        assert read_choice("finetune_epochs", value) == 5
    assert read_choice("mask_rate", "1.5e-1") == 0.15
    assert read_choice("clip", 1) == 1.0


@pytest.mark.parametrize("value", [True, None, [1], {}])
def test_what_is_no_number_and_no_text_is_refused(value):
    with pytest.raises(InvalidArchitecture, match="mask_rate"):
        read_choice("mask_rate", value)


def test_phases_are_sums_in_order():
    assert write_phases(read_phases("objective", "mlm>mlm")) == "mlm > mlm"
    assert write_phases(read_phases("objective", "mlm + mlm")) == "mlm"
    for wrong in ("", "mlm+", "mlm>", 3):
        with pytest.raises(InvalidArchitecture):
            read_phases("objective", wrong)


def test_steps_are_equal_ratios_or_equal_differences():
    rates = recipe_values("pretrain_learning_rate", {"from": "5e-4", "to": 4e-3, "steps": 4})
    assert rates == (0.0005, 0.001, 0.002, 0.004)
    assert recipe_values("mask_rate", {"from": 0.1, "to": 0.4, "steps": 4}) == (0.1, 0.2, 0.3, 0.4)
    assert recipe_values("pretrain_batch", {"from": 8, "to": 32, "steps": 3}) == (8, 16, 32)
